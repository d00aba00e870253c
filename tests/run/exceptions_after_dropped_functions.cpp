// Dropping functions drops their unwind records without a hole that would hide the records behind it.
//# Flags: -O2 -ffunction-sections | -O2 -ffunction-sections -fno-pic
//# Stdout: caught 1
//# Stdout: caught 2
//# File: a.cpp
#include <cstdio>
static int keep;
__attribute__((noinline)) void unused_first() { try { throw 1; } catch (int) { keep++; } }
__attribute__((noinline)) void thrower(int n) { throw n; }
__attribute__((noinline)) void unused_second() { try { throw 2; } catch (int) { keep++; } }
__attribute__((noinline)) void catcher(int n) {
    try { thrower(n); } catch (int caught) { std::printf("caught %d\n", caught); }
}
__attribute__((noinline)) void unused_third() { try { throw 3; } catch (int) { keep++; } }
void elsewhere();
int main() {
    catcher(1);
    elsewhere();
}
//# File: b.cpp
#include <cstdio>
void thrower(int n);
__attribute__((noinline)) void unused_fourth() { try { thrower(4); } catch (...) { std::puts("never"); } }
__attribute__((noinline)) void elsewhere() {
    try { thrower(2); } catch (int caught) { std::printf("caught %d\n", caught); }
}
__attribute__((noinline)) void unused_fifth() { try { thrower(5); } catch (...) { std::puts("never"); } }
