//# Flags: -O0 | -O2
// Initialised by Darwin's constants, which are not the host's.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#ifndef PTHREAD_RECURSIVE_MUTEX_INITIALIZER
#define PTHREAD_RECURSIVE_MUTEX_INITIALIZER PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP
#endif
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int initialised, count, turns;

static void initialise(void) { initialised++; }

static void *thread(void *argument) {
    pthread_once(&once, initialise);
    for (int i = 0; i < 5000; i++) {
        pthread_mutex_lock(&mutex);
        count++;
        pthread_mutex_unlock(&mutex);
    }
    pthread_mutex_lock(&recursive);
    pthread_mutex_lock(&recursive);
    turns++;
    pthread_mutex_unlock(&recursive);
    pthread_mutex_unlock(&recursive);
    pthread_mutex_lock(&mutex);
    pthread_cond_signal(&condition);
    pthread_mutex_unlock(&mutex);
    return 0;
}

int main(void) {
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], 0, thread, 0);
    pthread_mutex_lock(&mutex);
    while (count < 20000)
        pthread_cond_wait(&condition, &mutex);
    pthread_mutex_unlock(&mutex);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], 0);
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_t made;
    pthread_mutex_init(&made, &attributes);
    printf("%d %d\n", pthread_mutex_lock(&made), pthread_mutex_trylock(&made));
    printf("%d %d %d\n", count, turns, initialised);
    return 0;
}
