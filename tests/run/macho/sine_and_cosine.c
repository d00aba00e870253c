//# Flags: -O0 | -O2
#include <math.h>
#include <stdio.h>
// Compilers for Darwin make one call of these two.
__attribute__((noinline)) static double both(double x) { return sin(x) * 3 + cos(x); }
__attribute__((noinline)) static float both_floats(float x) { return sinf(x) * 3 + cosf(x); }
__attribute__((noinline)) static double longest(long double x) { return (double)(sqrtl(x) + fabsl(-x)); }
int main(void) {
    for (double x = -3; x < 3; x += 0.75)
        printf("%.15g %.6g\n", both(x), both_floats((float)x));
    printf("%g\n", longest(2.25));
    return 0;
}
