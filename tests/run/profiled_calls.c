// Code that counts its calls (`-pg`, `-finstrument-functions`) runs; no profile is written, since nothing starts one.
//# Compilers: clang | gcc
//# Flags: -O0 -pg | -O2 -pg -fno-pic | -O2 -finstrument-functions
//# MoreFlags: -O2 -pg -fPIC
//# Stdout: 120
#include <stdio.h>
int factorial(int n) { return n < 2 ? 1 : n * factorial(n - 1); }
int main(void) {
    printf("%d\n", factorial(5));
    return 0;
}
