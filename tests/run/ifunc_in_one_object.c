// An indirect function is chosen by its resolver, called directly, through a pointer, and from initialised data.
// (Static linkers give the indirect symbol another address in data than in code here.)
//# Compilers: clang | gcc
//# Flags: -O0 | -O2 | -O2 -fPIC | -O2 -fno-pic
//# Native: no
//# Stdout: 42 42 42 same
#include <stdio.h>
static int chosen(void) { return 42; }
static int (*resolve(void))(void) { return chosen; }
int indirect(void) __attribute__((ifunc("resolve")));
int (*in_data)(void) = indirect;
int main(void) {
    int (*volatile pointer)(void) = indirect;
    printf("%d %d %d %s\n", indirect(), pointer(), in_data(), pointer == in_data ? "same" : "different");
    return 0;
}
