// gcc's medium model puts large common symbols into SHN_X86_64_LCOMMON; sizes and alignments differ between objects.
//# Arch: x86_64
//# Compilers: gcc
//# Flags: -fcommon -mcmodel=medium -fno-pic -O1
//# Stdout: 0 7 7
//# File: a.c
#include <stdint.h>
#include <stdio.h>
char huge[100000] __attribute__((aligned(32)));
void fill(void);
int main(void) {
    fill();
    printf("%d %d %d\n", (int)((uintptr_t)huge % 512), huge[0], huge[299999]);
    return 0;
}
//# File: b.c
char huge[300000] __attribute__((aligned(512)));
void fill(void) { huge[0] = huge[299999] = 7; }
