// Division of 128-bit integers calls functions of libgcc.
//# Compilers: clang | gcc
//# Flags: -O0 | -O2 -fno-pic
//# Stdout: 3333333333333333 1 -2 -2 1
#include <stdint.h>
#include <stdio.h>
typedef __int128 i128;
typedef unsigned __int128 u128;
int main(void) {
    volatile u128 big = (u128)UINT64_MAX << 64 | UINT64_MAX, five = 5, two = 2;
    volatile i128 minus = -7, three = 3, four = 4;
    printf("%llx %llu %lld %lld %d\n", (unsigned long long)(big / five), (unsigned long long)(big % two),
           (long long)(minus / three), (long long)(minus % three - 1), (int)((double)(u128)(four * 4) == 16.0));
    return 0;
}
