// An exception that leaves an initialiser ends the program as in a native one: what was built before is not destroyed.
//# Compilers: clang | gcc
//# Flags: -O0 | -O2 -fno-pic
//# Stdout: first
//# Stderr: terminate called after throwing an instance of 'std::runtime_error'
//# Stderr:   what():  too early
//# Status: 134
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <sys/resource.h>
struct First {
    First() {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        std::puts("first");
        std::fflush(stdout);
        std::atexit([] { std::puts("not run"); });
    }
    ~First() { std::puts("not destroyed"); }
};
static First first;
static int early() { throw std::runtime_error("too early"); }
static int second = early();
int main() { std::puts("not reached"); }
