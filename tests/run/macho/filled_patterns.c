//# Flags: -O0 | -O2
#include <stdio.h>
// Compilers for Darwin make calls of memset_pattern16 of such loops.
__attribute__((noinline)) static void fill4(int *p, int n) { for (int i = 0; i < n; i++) p[i] = 0x01020304; }
__attribute__((noinline)) static void fill8(double *p, int n) { for (int i = 0; i < n; i++) p[i] = 1.25; }
int main(void) {
    static int integers[103];
    static double reals[57];
    fill4(integers, 101);
    fill8(reals, 55);
    long sum = 0;
    double all = 0;
    for (int i = 0; i < 103; i++) sum += integers[i];
    for (int i = 0; i < 57; i++) all += reals[i];
    printf("%ld %g %d %g\n", sum, all, integers[101], reals[55]);
    return 0;
}
