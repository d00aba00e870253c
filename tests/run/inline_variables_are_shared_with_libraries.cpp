// A program and its libraries have one instance of inline variables, static members of templates, and static variables of
// inline functions.
//# Compilers: clang | gcc
//# Flags: -O0 | -O2 -fPIC | -O2 -fno-pic
//# Shared: libshares.so library.cpp
//# Stdout: initialised once
//# Stdout: 1 1 1
//# Stdout: 12 3 101
//# File: shared.h
#include <cstdio>
struct Said { int value = 1; Said() { std::puts("initialised once"); } };
inline Said said;
template <class T> struct Counter { static int count; };
template <class T> int Counter<T>::count = 10;
inline int &number() { static int number = 100; return number; }
int *address_in_library(int which);
void count_in_library();
//# File: main.cpp
#include "shared.h"
int main() {
    std::printf("%d %d %d\n", address_in_library(0) == &said.value, address_in_library(1) == &Counter<int>::count,
                address_in_library(2) == &number());
    count_in_library();
    Counter<int>::count++, said.value++, number();
    std::printf("%d %d %d\n", Counter<int>::count, said.value, number());
}
//# File: library.cpp
//# FileFlags: -fPIC
#include "shared.h"
int *address_in_library(int which) {
    return which == 0 ? &said.value : which == 1 ? &Counter<int>::count : &number();
}
void count_in_library() { Counter<int>::count++, said.value++, number()++; }
