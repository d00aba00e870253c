// Cancelling a thread unwinds through linked C code and runs its clean-up handlers.
//# Flags: -O0 -fexceptions | -O2 -fexceptions -fno-pic
//# Stdout: attribute
//# Stdout: handler
//# Stdout: cancelled
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
static void handler(void *argument) { puts(argument); }
static void leave(int *unused) { puts("attribute"); }
static void __attribute__((noinline)) wait_here(void) {
    __attribute__((cleanup(leave))) int local = 0;
    for (;;)
        pause();
}
static void *work(void *argument) {
    pthread_cleanup_push(handler, "handler");
    wait_here();
    pthread_cleanup_pop(0);
    return NULL;
}
int main(void) {
    pthread_t thread;
    void *value;
    pthread_create(&thread, NULL, work, NULL);
    usleep(10000);
    pthread_cancel(thread);
    pthread_join(thread, &value);
    puts(value == PTHREAD_CANCELED ? "cancelled" : "returned");
    return 0;
}
