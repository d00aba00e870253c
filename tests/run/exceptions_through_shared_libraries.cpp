// Exceptions thrown by linked code pass through a shared library, and those of a library are caught by linked code.
//# Flags: -O0 -fPIC | -O2 -fPIC -fno-plt | -O0 -fno-pic
//# Shared: libx.so library.cpp
//# Stdout: library cleans up
//# Stdout: caught mine 3
//# Stdout: caught theirs
//# Stdout: through qsort 7
//# File: common.h
struct Mine { int n; };
void library_call(void (*)(int), int);
void library_throw();
//# File: main.cpp
#include "common.h"
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
static void callback(int n) { throw Mine{n}; }
static int compare(const void *, const void *) { throw 7; }
int main() {
    try { library_call(callback, 3); } catch (const Mine &mine) { std::printf("caught mine %d\n", mine.n); }
    try { library_throw(); } catch (const std::runtime_error &error) { std::printf("caught %s\n", error.what()); }
    int values[] = {2, 1, 3};
    try { std::qsort(values, 3, sizeof(int), compare); } catch (int n) { std::printf("through qsort %d\n", n); }
}
//# File: library.cpp
//# FileFlags: -fPIC
#include "common.h"
#include <cstdio>
#include <stdexcept>
struct Cleaner { ~Cleaner() { std::puts("library cleans up"); } };
void library_call(void (*function)(int), int n) {
    Cleaner cleaner;
    function(n);
}
void library_throw() { throw std::runtime_error("theirs"); }
