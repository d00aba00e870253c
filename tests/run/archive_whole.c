// `-all_load` loads every member, so that initialisers of members that nothing refers to run.
//# Archive: libplugins.a one.c two.c
//# Inputs: -all_load main.c libplugins.a
//# NativeInputs: main.c -Wl,--whole-archive libplugins.a -Wl,--no-whole-archive
//# Stdout: one
//# Stdout: two
//# Stdout: main
//# File: main.c
#include <stdio.h>
int main(void) { puts("main"); return 0; }
//# File: one.c
#include <stdio.h>
__attribute__((constructor)) static void up(void) { puts("one"); }
//# File: two.c
#include <stdio.h>
__attribute__((constructor)) static void up(void) { puts("two"); }
