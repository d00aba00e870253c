// An exception that nobody catches ends in std::terminate, with the handler of linked code.
//# Flags: -O0 | -O2 -fno-pic
//# Stdout: terminating: lost
//# Status: 134
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
static void handler() {
    try { throw; } catch (const std::exception &error) { std::printf("terminating: %s\n", error.what()); }
    std::fflush(stdout);
    std::abort();
}
int main() {
    std::set_terminate(handler);
    throw std::runtime_error("lost");
}
