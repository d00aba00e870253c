// Data and zero-fill aligned to 2 MiB.
//# Flags: -O0 | -O2 -fno-pic
//# Stdout: 0 0 d
#include <stdint.h>
#include <stdio.h>
static char data[8] __attribute__((aligned(0x200000))) = "data";
static char bss[8] __attribute__((aligned(0x200000)));
int main(void) {
    volatile uintptr_t one = (uintptr_t)data, two = (uintptr_t)bss;
    printf("%d %d %c\n", (int)((one | two) % 0x200000), bss[0], data[0]);
    return 0;
}
