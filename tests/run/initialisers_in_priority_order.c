// Initialisers run in priority order over all objects, within one priority in command-line order; finalisers reversed.
//# Flags: -O0 | -O2 -fno-pic
//# Stdout: a101 b101 a200 b200 a b main ~b ~a ~b200 ~a200 ~b101 ~a101 .
//# File: common.h
#include <stdio.h>
#define PAIR(name, ...)                                                                  \
    __attribute__((constructor __VA_ARGS__)) static void up_##name(void) { printf(#name " "); } \
    __attribute__((destructor __VA_ARGS__)) static void down_##name(void) { printf("~" #name " "); }
//# File: a.c
#include "common.h"
PAIR(a200, (200))
PAIR(a)
PAIR(a101, (101))
int main(void) {
    printf("main ");
    return 0;
}
//# File: b.c
#include "common.h"
PAIR(b)
PAIR(b101, (101))
PAIR(b200, (200))
//# File: newline.c
#include <stdio.h>
__attribute__((destructor(0))) static void end(void) { printf(".\n"); }
