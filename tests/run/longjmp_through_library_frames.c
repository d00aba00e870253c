// `longjmp` leaves callbacks of the C library and of a shared library, signal handlers, and frames of other objects.
//# Compilers: clang | gcc
//# Flags: -O0 | -O2 | -O2 -fno-pic
//# Shared: libcalls.so calls.c
//# Stdout: out of qsort after 3
//# Stdout: out of the library with 11
//# Stdout: out of the handler
//# Stdout: out of another object with 5, 6, 7
//# File: main.c
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
int call_back(int (*function)(int), int argument);
void jumps(jmp_buf *where, int value);
static jmp_buf back;
static sigjmp_buf signal_back;
static int compared;
static int compare(const void *a, const void *b) {
    if (++compared == 3)
        longjmp(back, 1);
    return *(const int *)a - *(const int *)b;
}
static int leaves(int argument) { longjmp(back, argument + 1); }
static void handler(int number) { siglongjmp(signal_back, number); }
int main(void) {
    int values[] = {8, 3, 13, 1, 5, 2};
    if (!setjmp(back))
        qsort(values, 6, sizeof *values, compare);
    printf("out of qsort after %d\n", compared);
    int value = setjmp(back);
    if (!value)
        call_back(leaves, 10);
    printf("out of the library with %d\n", value);
    signal(SIGUSR1, handler);
    if (!sigsetjmp(signal_back, 1))
        raise(SIGUSR1);
    puts("out of the handler");
    printf("out of another object with ");
    volatile int round = 5;
    while ((value = setjmp(back)) < 7) {
        if (value)
            printf("%d, ", value);
        jumps(&back, round++);
    }
    printf("%d\n", value);
    return 0;
}
//# File: other.c
#include <setjmp.h>
__attribute__((noinline)) static int deeper(jmp_buf *where, int value, int level) {
    if (!level)
        longjmp(*where, value);
    return deeper(where, value, level - 1) + 1;
}
void jumps(jmp_buf *where, int value) { deeper(where, value, 10); }
//# File: calls.c
//# FileFlags: -fPIC
int call_back(int (*function)(int), int argument) { return function(argument) + 1; }
