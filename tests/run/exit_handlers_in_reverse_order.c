// Handlers registered with `atexit` and `on_exit` run in reverse order at `exit()`, before finalisers; output is flushed.
//# Flags: -O0 | -O2 -fno-pic
//# Stdout: main
//# Stdout: third
//# Stdout: second 5
//# Stdout: first
//# Stdout: destructor
//# Status: 5
#define _DEFAULT_SOURCE
#include <stdio.h>
#include <stdlib.h>
static void first(void) { puts("first"); }
static void second(int status, void *argument) { printf("%s %d\n", (char *)argument, status); }
static void third(void) { puts("third"); }
__attribute__((destructor)) static void down(void) { puts("destructor"); }
static void __attribute__((noinline)) deep(int n) {
    if (n)
        deep(n - 1);
    else
        exit(5);
    __asm__ volatile("");
}
int main(void) {
    atexit(first);
    on_exit(second, "second");
    atexit(third);
    puts("main");
    deep(10);
    return 0;
}
