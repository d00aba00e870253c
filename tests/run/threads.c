// Threads that run linked code, share data under a lock, and return values.
//# Flags: -O0 | -O2 -fno-pic
//# Stdout: 80000 28
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int total;
static void *work(void *argument) {
    for (int i = 0; i < 10000; i++) {
        pthread_mutex_lock(&lock);
        total++;
        pthread_mutex_unlock(&lock);
    }
    return argument;
}
int main(void) {
    pthread_t threads[8];
    intptr_t sum = 0;
    for (intptr_t i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, work, (void *)i);
    for (int i = 0; i < 8; i++) {
        void *value;
        pthread_join(threads[i], &value);
        sum += (intptr_t)value;
    }
    printf("%d %d\n", total, (int)sum);
    return 0;
}
