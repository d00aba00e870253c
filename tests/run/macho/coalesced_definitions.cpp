//# Flags: -O0 | -O2
// Inline functions, their static variables and templates are the same in all objects; weak definitions yield.
//# File: main.cpp
extern "C" int printf(const char *, ...);
#include "inline.h"
int *other_counter();
int (*other_function())(int);
__attribute__((weak)) int chosen() { return 1; }
__attribute__((weak)) int alone() { return 5; }
extern "C" int missing(void) __attribute__((weak_import));
int main() {
    next();
    printf("%d %d\n", next(), counter() == other_counter());
    printf("%d %d\n", function_of<int>() == other_function(), twice<int>(21));
    printf("%d %d\n", chosen(), alone());
    printf("%d\n", shared);
    return 0;
}
//# File: inline.h
inline int shared = 77;
inline int *counter() {
    static int value = [] { return 10; }();
    return &value;
}
inline int next() { return ++*counter(); }
template <class T> __attribute__((noinline)) T twice(T value) { return value + value; }
template <class T> T (*function_of())(T) { return &twice<T>; }
//# File: other.cpp
#include "inline.h"
int *other_counter() { next(); return counter(); }
int (*other_function())(int) { return function_of<int>(); }
int chosen() { return 2; }
