// `longjmp` out of nested calls, several times.
//# Flags: -O0 | -O2 -fno-pic
//# Stdout: 0 1 2 3 done
#include <setjmp.h>
#include <stdio.h>
static jmp_buf back;
static void __attribute__((noinline)) deeper(int level, int value) {
    if (level)
        deeper(level - 1, value);
    else
        longjmp(back, value);
    __asm__ volatile("");
}
int main(void) {
    volatile int count = 0;
    int value = setjmp(back);
    printf("%d ", value);
    if (count < 3) {
        count++;
        deeper(20, count);
    }
    puts("done");
    return 0;
}
