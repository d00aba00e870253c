// `-abs` defines a symbol's value, `-alias` another name for one.
//# Native: no
//# Inputs: -abs=magic=0x2a -alias=other=real symbols_from_the_command_line.c
//# Stdout: 2a 5
#include <stdio.h>
extern char magic[];
int other(void);
int real(void) { return 5; }
int main(void) {
    printf("%lx %d\n", (unsigned long)magic, other());
    return 0;
}
