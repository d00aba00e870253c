// `target_clones` makes an indirect function whose resolver asks for the processor's features.
//# Compilers: clang | gcc
//# Flags: -O2 | -O2 -fno-pic
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
__attribute__((target_clones("avx2", "default"))) int sum(const int *values, int count) {
    int total = 0;
    for (int i = 0; i < count; i++)
        total += values[i];
    return total;
}
