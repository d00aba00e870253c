// `pthread_exit` in a thread, deep below destructors and handlers, and then in `main`; another thread ends the process.
//# Compilers: clang | gcc
//# Flags: -O0 | -O2 | -O2 -fno-pic
//# Stdout: handler in thread
//# Stdout: ~inner
//# Stdout: ~outer
//# Stdout: ~thread_local
//# Stdout: value 7
//# Stdout: handler in main
//# Stdout: ~main
//# Stdout: last thread leaves
//# Stdout: atexit
#include <cstdio>
#include <cstdlib>
#include <pthread.h>
#include <unistd.h>
struct Noisy {
    const char *name;
    ~Noisy() { std::printf("~%s\n", name); }
};
static thread_local Noisy local{"thread_local"};
static void handler(void *text) { std::puts((const char *)text); }
static void __attribute__((noinline)) leave(long value, const char *text) {
    pthread_cleanup_push(handler, (void *)text);
    pthread_exit((void *)value);
    pthread_cleanup_pop(0);
}
static void *work(void *) {
    local.name = "thread_local";
    Noisy outer{"outer"};
    try {
        Noisy inner{"inner"};
        leave(7, "handler in thread");
    } catch (...) { throw; }
    return nullptr;
}
static void *last(void *main_thread) {
    pthread_join(*(pthread_t *)main_thread, nullptr);
    std::puts("last thread leaves");
    return nullptr;
}
static pthread_t main_thread;
int main() {
    std::atexit([] { std::puts("atexit"); });
    pthread_t thread;
    void *value;
    pthread_create(&thread, nullptr, work, nullptr);
    pthread_join(thread, &value);
    std::printf("value %ld\n", (long)value);
    main_thread = pthread_self();
    pthread_create(&thread, nullptr, last, &main_thread);
    Noisy in_main{"main"};
    leave(0, "handler in main");
}
