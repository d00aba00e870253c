// Control-flow protection: landing pads, GNU property notes, indirect calls; nothing is said about them.
//# Compilers: clang | gcc
//# Flags: -O0 -fcf-protection=full | -O2 -fcf-protection=full -fno-pic
//# Flags[aarch64]: -O0 -mbranch-protection=standard | -O2 -mbranch-protection=standard -fno-pic
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
