// Unwinding from linked code passes through its frames: three of them are seen below `main`.
//# Flags: -O1 -fno-optimize-sibling-calls | -O1 -fno-optimize-sibling-calls -fno-pic
//# Stdout: 3
#include <execinfo.h>
#include <stdio.h>
#include <stdint.h>
static uintptr_t marks[3];
#define HERE(n) (marks[n] = (uintptr_t)__builtin_return_address(0))
__attribute__((noinline)) static int inner(void) {
    void *frames[64];
    HERE(0);
    int count = backtrace(frames, 64), seen = 0;
    for (int i = 0; i < count; i++)
        for (int k = 0; k < 3; k++)
            seen += (uintptr_t)frames[i] == marks[k];
    return seen;
}
__attribute__((noinline)) static int middle(void) { HERE(1); int n = inner(); __asm__ volatile(""); return n; }
__attribute__((noinline)) static int outer(void) { HERE(2); int n = middle(); __asm__ volatile(""); return n; }
int main(void) {
    printf("%d\n", outer());
    return 0;
}
