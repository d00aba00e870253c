// C++ thread_local variables: constructed at first use, destroyed at thread exit, last first; inline and template ones once.
//# Compilers: clang | gcc
//# Flags: -O0 | -O2 -fPIC | -O2 -fno-pic | -O2 -fPIC -mtls-dialect=gnu2
//# Flags[aarch64]: -O0 | -O2 -fPIC | -O2 -fno-pic
//# File: main.cpp
#include "noisy.h"
#include <string>
#include <thread>
thread_local Noisy first("first"), second("second");
thread_local std::string text = "initial";
Noisy *of_other();
template <> thread_local int Counter<char>::value = 5;
static void work(const char *name) {
    text += name;
    first.touch();
    std::printf("%s %s %d %d %d\n", name, text.c_str(), ++Counter<int>::value, ++Counter<char>::value, of_other() == &shared);
    shared.touch();
}
int main() {
    work("main");
    std::thread(work, "one").join();
    std::thread([] { work("two"); work("three"); }).join();
    std::puts("end of main");
}
//# File: other.cpp
#include "noisy.h"
Noisy *of_other() { Counter<int>::value += 10; return &shared; }
//# File: noisy.h
#include <cstdio>
struct Noisy {
    const char *name;
    int touched = 0;
    explicit Noisy(const char *name) : name(name) { std::printf("  make %s\n", name); }
    ~Noisy() { std::printf("  end %s, touched %d\n", name, touched); }
    void touch() { touched++; }
};
inline thread_local Noisy shared("shared");
template <class T> struct Counter { static thread_local int value; };
template <class T> thread_local int Counter<T>::value = 1;
