// A symbol with an absolute value keeps it, wherever the image lies.
//# Flags: -O2 -fPIC | -O2 -fno-pic
//# Stdout: 1234 1234
//# File: main.c
#include <stdio.h>
extern char answer[];
char *pointer = answer;
int main(void) {
    printf("%lx %lx\n", (unsigned long)answer, (unsigned long)pointer);
    return 0;
}
//# File: answer.s
    .globl answer
    .set answer, 0x1234
    .section .note.GNU-stack,"",@progbits
