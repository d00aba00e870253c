// Everything that runs at the end of a program, in the order of a native one: objects of threads, static objects, handlers that
// register handlers, finalisers by priority. Whether by `return`, `exit` in a function, or `exit` in a handler.
//# Flags: -O0 -DHOW=0 | -O2 -fno-pic -DHOW=1 | -O2 -fPIC -DHOW=2
//# File: main.cpp
#include "noisy.h"
#include <thread>
static Noisy first("static in main"), second("second static in main");
static thread_local Noisy of_thread("of thread, main");
PAIR(in_main)
PAIR(in_main_101, (101))
void late() { std::puts("handler of a handler"); }
void handler() {
    std::puts("handler");
    std::atexit(late);
    static Noisy inner("static of a handler");
#if HOW == 2
    std::exit(9);
#endif
}
void of_main() { std::puts("handler of main"); }
int main() {
    of_thread.touch();
    std::atexit(of_main);
    std::thread([] { of_thread.touch(); other_thread_local(); std::puts("end of thread"); }).join();
    other();
    std::atexit(handler);
    std::at_quick_exit([] { std::puts("never"); });
    other_thread_local();
    std::puts("end of main");
#if HOW == 1
    std::exit(7);
#endif
    return 5;
}
//# File: other.cpp
#include "noisy.h"
static Noisy of_other("static in other");
static thread_local Noisy of_thread("of thread, other");
PAIR(in_other)
PAIR(in_other_200, (200))
PAIR(in_other_101, (101))
void other() { static Noisy local("local static in other"); local.touch(); }
void other_thread_local() { of_thread.touch(); }
//# File: noisy.h
#include <cstdio>
#include <cstdlib>
struct Noisy {
    const char *name;
    explicit Noisy(const char *name) : name(name) { std::printf("make %s\n", name); }
    ~Noisy() { std::printf("end %s\n", name); }
    void touch() { std::printf("touch %s\n", name); }
};
#define PAIR(name, ...)                                                                            \
    __attribute__((constructor __VA_ARGS__)) static void up_##name() { std::puts("up " #name); }   \
    __attribute__((destructor __VA_ARGS__)) static void down_##name() { std::puts("down " #name); }
void other();
void other_thread_local();
