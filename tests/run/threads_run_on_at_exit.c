// Detached threads still run linked code while `main` returns and handlers run: nothing is unmapped under them.
//# Flags: -O2
//# Stdout: leaving
//# Stdout: handler
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
static volatile unsigned long counts[8];
static unsigned char data[1 << 16];
static void *spin(void *argument) {
    volatile unsigned long *count = argument;
    for (;;)
        data[++*count & 0xffff]++;
}
static void handler(void) {
    usleep(20000);
    puts("handler");
}
int main(void) {
    atexit(handler);
    for (int i = 0; i < 8; i++) {
        pthread_t thread;
        pthread_create(&thread, NULL, spin, (void *)&counts[i]);
        pthread_detach(thread);
    }
    usleep(20000);
    puts("leaving");
    return 0;
}
