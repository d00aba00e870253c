// Thread-local common symbols, which no compiler makes any more: one variable, as large as the largest.
//# Flags: -O0 -fPIC | -O2
//# Native: no
//# Stdout: 0 3 3 0
//# File: main.c
#include <stdio.h>
extern __thread int common[4];
int *address(void);
__asm__(".type common, STT_TLS\n .comm common, 4, 4");
int main(void) {
    printf("%d ", common[0]);
    *address() = 3;
    printf("%d %d %d\n", common[0], *address(), common[3]);
    return 0;
}
//# File: other.c
extern __thread int common;
__asm__(".type common, STT_TLS\n .comm common, 16, 8");
int *address(void) { return &common; }
