// The same with calls before the prologue (`-mfentry`).
//# Arch: x86_64
//# Compilers: clang | gcc
//# Flags: -O0 -pg -mfentry | -O2 -pg -mfentry -fno-pic
//# Stdout: 120
#include <stdio.h>
int factorial(int n) { return n < 2 ? 1 : n * factorial(n - 1); }
int main(void) {
    printf("%d\n", factorial(5));
    return 0;
}
