// An initialiser that nothing refers to keeps what it reaches, with every function in a section of its own.
//# Flags: -O2 -ffunction-sections -fdata-sections
//# Stdout: registered 3
//# File: main.c
#include <stdio.h>
extern int registered;
int main(void) {
    printf("registered %d\n", registered);
    return 0;
}
//# File: plugin.c
int registered;
static const int amounts[] = {1, 2};
__attribute__((noinline)) static void add(int n) { registered += amounts[n]; }
__attribute__((constructor)) static void up(void) { add(0), add(1); }
