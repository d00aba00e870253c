// `target_clones` makes an indirect function whose resolver asks for the processor's features.
//# Compilers: clang | gcc
//# Flags: -O2 | -O2 -fno-pic
//# Compilers[aarch64]: clang
//# Flags[aarch64]: -O2 --rtlib=compiler-rt | -O2 --rtlib=compiler-rt -fno-pic
//# Native[aarch64]: no
//# Stdout: 4950
//# File: main.c
#include <stdio.h>
int sum(const int *values, int count);
int main(void) {
    int values[100];
    for (int i = 0; i < 100; i++)
        values[i] = i;
    printf("%d\n", sum(values, 100));
    return 0;
}
//# File: sum.c
#ifdef __aarch64__
#define BETTER "sve2"
#else
#define BETTER "avx2"
#endif
__attribute__((target_clones(BETTER, "default"))) int sum(const int *values, int count) {
    int total = 0;
    for (int i = 0; i < count; i++)
        total += values[i];
    return total;
}
