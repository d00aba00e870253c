// Complex multiplication and division, integer powers, quad precision and bit counts: more functions of libgcc.
//# Compilers: clang | gcc
//# Flags: -O0 | -O2 -fno-pic
//# Stdout: -5.0 10.0 1.0 1024.0 3 0.25
#include <complex.h>
#include <stdio.h>
#ifdef __aarch64__
typedef long double quad;
#else
typedef __float128 quad;
#endif
int main(void) {
    volatile double complex a = 1 + 2 * I, b = 3 + 4 * I;
    volatile double base = 2.0;
    volatile int power = 10;
    volatile unsigned long bits = 0x10000000000000e >> 1 & 0xff;
    volatile quad quarter = 1;
    quarter = quarter / 4;
    double complex product = a * b, ratio = b / b;
    printf("%.1f %.1f %.1f %.1f %d %.2f\n", creal(product), cimag(product), creal(ratio), __builtin_powi(base, power),
           __builtin_popcountl(bits), (double)quarter);
    return 0;
}
