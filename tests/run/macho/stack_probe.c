//# Flags: -O1 -mno-red-zone
//# Flags[aarch64]: -O1
// Code that is compiled with stack probes calls this before it takes a large frame: no register may change.
#include <stdio.h>
#ifdef __APPLE__
#ifdef __x86_64__
#define PROBE(size, kept) __asm__ volatile("movq %1, %%rax\n callq ___chkstk_darwin\n movq %%rax, %0" : "=r"(kept) : "r"(size) : "rax", "memory", "cc")
#else
#define PROBE(size, kept) __asm__ volatile("mov x9, %1\n bl ___chkstk_darwin\n mov %0, x9" : "=r"(kept) : "r"(size) : "x9", "x30", "memory", "cc")
#endif
#else
#define PROBE(size, kept) (kept = size)
#endif
__attribute__((noinline)) static long probe(long size) {
    // Room for the call, which must not use what lies below the stack pointer.
    volatile char room[256];
    room[0] = 1;
    long kept;
    PROBE(size, kept);
    return kept + room[0];
}
int main(void) {
    printf("%ld %ld %ld\n", probe(10), probe(4096), probe(1000000));
    return 0;
}
