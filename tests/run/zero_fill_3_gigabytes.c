// 3 GB of zero-fill in the medium and large models.
//# Compilers: clang | gcc
//# Flags: -O1 -mcmodel=medium -fno-pic | -O1 -mcmodel=large -fno-pic | -O1 -mcmodel=medium -fPIC
//# Flags[aarch64]: -O1 -mcmodel=large -fno-pic
//# Stdout: 1 2 0 3
#include <stdio.h>
#define SIZE 3000000000ul
char huge[SIZE];
static int small = 3;
int main(void) {
    volatile char *p = huge;
    p[0] = 1;
    p[SIZE - 1] = 2;
    printf("%d %d %d %d\n", huge[0], huge[SIZE - 1], p[SIZE / 2], small);
    return 0;
}
