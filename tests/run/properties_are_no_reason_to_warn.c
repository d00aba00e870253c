// Control-flow protection: ENDBR instructions, GNU property notes, indirect calls; nothing is said about them.
//# Compilers: clang | gcc
//# Flags: -O0 -fcf-protection=full | -O2 -fcf-protection=full -fno-pic
//# Stdout: 3
//# NoStderr: warning
//# NoStderr: error
#include <stdio.h>
static int three(void) { return 3; }
int (*volatile pointer)(void) = three;
int main(void) {
    printf("%d\n", pointer());
    return 0;
}
