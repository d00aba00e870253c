// Namespace-scope objects are built in command-line order over the objects, by priority first, and destroyed in reverse.
//# Compilers: clang | gcc
//# Flags: -O0 | -O2 -fno-pic
//# File: common.h
#include <cstdio>
struct Noisy {
    const char *name;
    explicit Noisy(const char *name) : name(name) { std::printf("+%s\n", name); }
    ~Noisy() { std::printf("-%s\n", name); }
};
inline Noisy &on_first_use() { static Noisy noisy("first use"); return noisy; }
//# File: a.cpp
#include "common.h"
static Noisy a1("a1"), a2("a2");
static Noisy early __attribute__((init_priority(200))) ("early a");
int main() {
    std::puts("main");
    on_first_use();
}
//# File: b.cpp
#include "common.h"
static Noisy b1("b1");
static Noisy early __attribute__((init_priority(150))) ("early b");
template <class T> struct Holder { static Noisy noisy; };
template <class T> Noisy Holder<T>::noisy("template");
Noisy *use = &Holder<int>::noisy;
