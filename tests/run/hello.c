// The smallest program: a string, a call into the C library, a status.
//# Flags: -O0 | -O2 | -O2 -fno-pic
//# Stdout: hello
//# Status: 7
#include <stdio.h>

int main(void) {
    puts("hello");
    return 7;
}
