// What runs before and after `main`, in order, over objects, priorities, languages and threads: constructors, destructors,
// exit handlers registered at any time, thread-locals of the main thread and of another, local statics, inline variables.
//# Compilers: clang | gcc
//# Flags: -O0 | -O0 -fPIC | -O0 -fno-pic | -O2 | -O2 -fPIC | -O2 -fno-pic
//# File: noisy.h
#include <cstdio>
#include <cstdlib>
struct Noisy {
    const char *name;
    int count = 0;
    explicit Noisy(const char *name) : name(name) { std::printf("+%s\n", name); }
    ~Noisy() { std::printf("-%s %d\n", name, count); }
};
inline Noisy inline_variable("inline variable");
inline thread_local Noisy inline_local("inline thread_local");
template <class T> struct Holder { static Noisy noisy; static thread_local Noisy local; };
template <class T> Noisy Holder<T>::noisy("template static");
template <class T> thread_local Noisy Holder<T>::local("template thread_local");
inline Noisy &on_first_use() { static Noisy noisy("first use"); return noisy; }
//# File: first.cpp
#include "noisy.h"
#include <thread>
static Noisy a("a");
static Noisy a_late __attribute__((init_priority(65000))) ("a late");
static Noisy a_early __attribute__((init_priority(101))) ("a early");
__attribute__((constructor(150))) static void c150() { std::puts("constructor 150"); }
__attribute__((constructor)) static void plain() {
    std::puts("constructor");
    std::atexit([] { std::puts("atexit of a constructor"); });
}
__attribute__((destructor(150))) static void d150() { std::puts("destructor 150"); }
__attribute__((destructor)) static void plain_end() { std::puts("destructor"); }
thread_local Noisy own_local("own thread_local");
void touch_others();
struct Registers {
    Registers() { std::atexit([] { std::puts("atexit of an object"); }); }
    ~Registers() {
        std::puts("-registers");
        std::atexit([] { std::puts("atexit at exit"); });
        static Noisy at_exit("built at exit");
    }
};
static Registers registers;
int main() {
    std::puts("main");
    std::atexit([] { std::puts("atexit of main, before locals"); });
    own_local.count++;
    inline_local.count++;
    std::atexit([] { std::puts("atexit of main, after locals"); });
    on_first_use().count++;
    Holder<int>::noisy.count++;
    std::thread([] {
        std::puts("thread");
        Holder<int>::local.count++;
        inline_local.count += 5;
        touch_others();
        static Noisy in_thread("static of a thread");
    }).join();
    touch_others();
    std::puts("end of main");
    return inline_variable.count;
}
//# File: second.cpp
#include "noisy.h"
static Noisy b("b");
static Noisy b_early __attribute__((init_priority(101))) ("b early");
static Noisy b_200 __attribute__((init_priority(200))) ("b 200");
static thread_local Noisy other_local("other thread_local");
void touch_others() {
    other_local.count++;
    Holder<char>::noisy.count++;
    Holder<int>::local.count += 10;
    inline_variable.count++;
    on_first_use().count++;
}
//# File: third.c
#include <stdio.h>
#include <stdlib.h>
static void handler(void) { puts("atexit of C"); }
__attribute__((constructor(101))) static void early(void) { puts("C 101"); atexit(handler); }
__attribute__((constructor(200))) static void later(void) { puts("C 200"); }
__attribute__((destructor(101))) static void last(void) { puts("C destructor 101"); }
