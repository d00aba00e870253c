// Data, zero-fill and code aligned to 64 KiB, much more than a page.
//# Flags: -O0 | -O2 -fno-pic
//# Stdout: 0 0 0 3
//# File: a.c
#include <stdint.h>
#include <stdio.h>
int other(void);
extern char bss_b[];
static char data[8] __attribute__((aligned(65536))) = "data";
static char bss[8] __attribute__((aligned(65536)));
__attribute__((aligned(65536))) int main(void) {
    volatile uintptr_t all = (uintptr_t)data | (uintptr_t)bss | (uintptr_t)main;
    printf("%d %d %d %d\n", (int)(all % 65536), bss[0], (int)((uintptr_t)bss_b % 65536), other());
    return 0;
}
//# File: b.c
char bss_b[70000] __attribute__((aligned(65536)));
int other(void) { return 3; }
