// `main` leaves with `pthread_exit`; the process ends when its last thread does.
//# Stdout: main leaves
//# Stdout: thread ends
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
static void *work(void *argument) {
    usleep(30000);
    puts("thread ends");
    return NULL;
}
int main(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, work, NULL);
    puts("main leaves");
    fflush(stdout);
    pthread_exit(NULL);
}
