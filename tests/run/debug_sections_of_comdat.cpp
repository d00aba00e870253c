// Debug information that refers to dropped copies of inline functions.
//# Flags: -g -O0 | -g -O2 -ffunction-sections -fno-pic
//# Stdout: 3 4
//# File: common.h
template <class T> struct Box { T value; T get() const { return value; } };
inline int helper(int n) { Box<int> box{n}; return box.get(); }
//# File: a.cpp
#include "common.h"
#include <cstdio>
int b(int);
int main() { std::printf("%d %d\n", helper(3), b(4)); }
//# File: b.cpp
#include "common.h"
int b(int n) { return helper(n); }
