// Handlers and finalisers run when `main` returns, too, also those that a constructor registered.
//# Stdout: main
//# Stdout: from main
//# Stdout: from constructor
//# Stdout: destructor
#include <stdio.h>
#include <stdlib.h>
static void from_main(void) { puts("from main"); }
static void from_constructor(void) { puts("from constructor"); }
__attribute__((constructor)) static void up(void) { atexit(from_constructor); }
__attribute__((destructor)) static void down(void) { puts("destructor"); }
int main(void) {
    atexit(from_main);
    puts("main");
    return 0;
}
