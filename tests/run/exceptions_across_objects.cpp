// Exceptions thrown in one object and caught in another: by value, by base class, rethrown, with clean-up between.
//# Compilers: clang | gcc
//# Flags: -O0 | -O2 | -O2 -fno-pic | -O0 -mcmodel=large -fno-pic
//# MoreFlags[x86_64]: -O2 -fPIC | -O2 -ffunction-sections -fdata-sections | -O2 -mcmodel=large -fPIC | -O1 -mcmodel=medium
//# MoreFlags[aarch64]: -O2 -fPIC | -O2 -ffunction-sections -fdata-sections | -O1 -mcmodel=tiny
//# Stdout: int 5
//# Stdout: ~Guard derived
//# Stdout: base of derived
//# Stdout: rethrown inner
//# Stdout: nested: outer: inner
//# Stdout: anything
//# File: common.h
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
struct Base { virtual ~Base(); virtual const char *what() const; };
struct Derived : Base { const char *what() const override; };
struct Guard { const char *name; ~Guard(); };
void thrower(int kind);
void between(int kind);
//# File: main.cpp
#include "common.h"
int main() {
    try { between(0); } catch (int n) { std::printf("int %d\n", n); }
    try { between(1); } catch (const Base &base) { std::printf("base of %s\n", base.what()); }
    try {
        try { between(2); } catch (std::runtime_error &) { throw; }
    } catch (const std::exception &error) { std::printf("rethrown %s\n", error.what()); }
    try { between(3); } catch (const std::exception &outer) {
        try { std::rethrow_if_nested(outer); } catch (const std::exception &inner) {
            std::printf("nested: %s: %s\n", outer.what(), inner.what());
        }
    }
    try { between(4); } catch (...) { std::puts("anything"); }
}
//# File: between.cpp
#include "common.h"
void between(int kind) {
    if (kind == 1) {
        Guard guard{"derived"};
        thrower(kind);
    } else
        thrower(kind);
}
//# File: thrower.cpp
#include "common.h"
Base::~Base() {}
const char *Base::what() const { return "base"; }
const char *Derived::what() const { return "derived"; }
Guard::~Guard() { std::printf("~Guard %s\n", name); }
void thrower(int kind) {
    switch (kind) {
    case 0: throw 5;
    case 1: throw Derived();
    case 2: throw std::runtime_error("inner");
    case 3:
        try { throw std::logic_error("inner"); } catch (...) { std::throw_with_nested(std::runtime_error("outer")); }
    default: throw std::string("x");
    }
}
