// One common symbol, small in one object and large and more aligned in the other: the image has the larger of both.
//# Flags: -fcommon | -fcommon -fno-pic | -fcommon -O2 -mcmodel=large
//# Flags[aarch64]: -fcommon | -fcommon -fno-pic | -fcommon -O2 -mcmodel=large -fno-pic
//# Stdout: 0 0 9
//# File: a.c
#include <stdint.h>
#include <stdio.h>
#include <string.h>
char buffer[16] __attribute__((aligned(4)));
char after[16];
void fill(void);
int main(void) {
    fill();
    printf("%d %d %d\n", (int)((uintptr_t)buffer % 256), after[0], buffer[9]);
    return 0;
}
//# File: b.c
#include <string.h>
char buffer[40000] __attribute__((aligned(256)));
void fill(void) { memset(buffer, 9, sizeof buffer); }
