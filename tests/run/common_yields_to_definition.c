// A common symbol and a definition with a value: the definition wins, in either order.
//# Flags: -fcommon | -fcommon -fno-pic
//# Stdout: 41 42
//# File: a.c
int first = 41;
int second;
//# File: b.c
#include <stdio.h>
int first;
int second = 42;
int main(void) {
    printf("%d %d\n", first, second);
    return 0;
}
