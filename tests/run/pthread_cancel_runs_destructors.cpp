// Cancelling a thread at a cancellation point, and asynchronously, runs handlers and destructors of linked code; a handler
// that catches everything must go on.
//# Compilers: clang | gcc
//# Flags: -O0 | -O2 | -O2 -fno-pic
//# Stdout: caught
//# Stdout: handler
//# Stdout: ~waiting
//# Stdout: cancelled
//# Stdout: cancelled asynchronously
#include <cstdio>
#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>
static sem_t ready;
struct Noisy {
    const char *name;
    ~Noisy() { std::printf("~%s\n", name); }
};
static void handler(void *) { std::puts("handler"); }
static void *waits(void *) {
    Noisy waiting{"waiting"};
    pthread_cleanup_push(handler, nullptr);
    try {
        sem_post(&ready);
        for (;;)
            pause();
    } catch (...) {
        std::puts("caught");
        throw;
    }
    pthread_cleanup_pop(0);
    return nullptr;
}
static volatile unsigned long count;
static void *spins(void *) {
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, nullptr);
    sem_post(&ready);
    for (;;)
        count++;
}
static void cancel(void *(*function)(void *), const char *text) {
    pthread_t thread;
    void *value;
    pthread_create(&thread, nullptr, function, nullptr);
    sem_wait(&ready);
    pthread_cancel(thread);
    pthread_join(thread, &value);
    std::puts(value == PTHREAD_CANCELED ? text : "returned");
}
int main() {
    sem_init(&ready, 0, 0);
    cancel(waits, "cancelled");
    cancel(spins, "cancelled asynchronously");
}
