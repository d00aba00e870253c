// g++ gives static members of templates STB_GNU_UNIQUE; there is one of each over all objects.
//# Compilers: gcc
//# Flags: -O0 | -O2 -fPIC
//# Stdout: 1 3
//# File: common.h
template <class T> struct Counter { static int count; static int *next() { ++count; return &count; } };
template <class T> int Counter<T>::count;
inline int *shared() { static int value; ++value; return &value; }
//# File: a.cpp
#include "common.h"
#include <cstdio>
int *b();
int *b_shared();
int main() {
    bool same = Counter<int>::next() == b() && shared() == b_shared();
    std::printf("%d %d\n", same, *Counter<int>::next());
}
//# File: b.cpp
#include "common.h"
int *b() { return Counter<int>::next(); }
int *b_shared() { return shared(); }
