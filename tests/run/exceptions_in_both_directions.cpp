// Exceptions pass from linked code through a library's frames to linked code, from the library through linked frames to the
// library, are rethrown and carried to other threads; each object throws and catches those of the others.
//# Compilers: clang | gcc
//# Flags: -O0 | -O2 | -O2 -fno-pic
//# Shared: libmiddle.so middle.cpp
//# Stdout: ~linked frame
//# Stdout: ~library frame
//# Stdout: linked: from linked code
//# Stdout: ~linked frame
//# Stdout: library: from the library
//# Stdout: ~library frame
//# Stdout: qsort: 1
//# Stdout: thread: carried
//# Stdout: nested: outer, inner
//# File: main.cpp
#include "middle.h"
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <future>
#include <stdexcept>
namespace { struct Noisy { ~Noisy() { std::puts("~linked frame"); } }; }
static void throws() { Noisy noisy; throw std::runtime_error("from linked code"); }
static void passes() { Noisy noisy; library_throws(); }
static int compare(const void *, const void *) { throw 1; }
int main() {
    try { library_calls(throws); } catch (const std::exception &error) { std::printf("linked: %s\n", error.what()); }
    library_catches(passes);
    int values[3] = {3, 2, 1};
    try { std::qsort(values, 3, sizeof *values, compare); } catch (int n) { std::printf("qsort: %d\n", n); }
    std::future<void> future = std::async(std::launch::async, [] { throw std::logic_error("carried"); });
    try { future.get(); } catch (const std::logic_error &error) { std::printf("thread: %s\n", error.what()); }
    try {
        try { throw std::runtime_error("inner"); } catch (...) { std::throw_with_nested(std::runtime_error("outer")); }
    } catch (const std::exception &outer) {
        try { std::rethrow_if_nested(outer); } catch (const std::exception &inner) {
            std::printf("nested: %s, %s\n", outer.what(), inner.what());
        }
    }
}
//# File: middle.h
void library_calls(void (*function)());
void library_throws();
void library_catches(void (*function)());
//# File: middle.cpp
//# FileFlags: -fPIC
#include "middle.h"
#include <cstdio>
#include <stdexcept>
namespace { struct Noisy { ~Noisy() { std::puts("~library frame"); } }; }
void library_calls(void (*function)()) { Noisy noisy; function(); }
void library_throws() { throw std::runtime_error("from the library"); }
void library_catches(void (*function)()) {
    Noisy noisy;
    try { function(); } catch (const std::exception &error) { std::printf("library: %s\n", error.what()); }
}
