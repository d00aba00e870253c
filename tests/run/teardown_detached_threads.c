// `main` returns, and threads that nobody waits for go on in linked code: in loops, in the heap, in thread-locals, in output.
//# Flags: -O2 -fPIC | -O2 -fno-pic
//# Repeat: 100
//# Repeat[aarch64]: 5
//# Status: 41
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
static _Thread_local unsigned long counts[64];
static volatile int running;
static FILE *nowhere;
static void *work(void *argument) {
    __atomic_add_fetch(&running, 1, __ATOMIC_RELAXED);
    for (unsigned i = 0;; i++) {
        counts[i % 64]++;
        void *memory = malloc(i % 1000);
        if (i % 16 == (unsigned long)argument)
            fprintf(nowhere, "%u %lu\n", i, counts[0]);
        free(memory);
    }
}
__attribute__((destructor)) static void last(void) { counts[0]++; }
int main(void) {
    nowhere = fopen("/dev/null", "w");
    for (long i = 0; i < 4; i++) {
        pthread_t thread;
        pthread_create(&thread, NULL, work, (void *)i);
        pthread_detach(thread);
    }
    while (running < 4)
        usleep(10);
    return 41;
}
