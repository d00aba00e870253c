// `_exit` runs neither handlers nor finalisers, and flushes nothing.
//# Stdout: written
//# Status: 6
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
static void handler(void) { puts("handler"); fflush(stdout); }
__attribute__((destructor)) static void down(void) { puts("destructor"); fflush(stdout); }
int main(void) {
    atexit(handler);
    at_quick_exit(handler);
    puts("written");
    fflush(stdout);
    printf("not flushed");
    _exit(6);
}
