// Debug sections that describe thread-local variables refer to them by offsets in their block.
//# Compilers: clang | gcc
//# Flags: -g -O0 | -g -gz -O2 -fPIC | -gdwarf-4 -O2 -fno-pic | -g -O0 -fPIC -ftls-model=local-dynamic
//# Stdout: 41 6
//# File: main.c
#include <stdio.h>
extern __thread int other;
static __thread int own = 40;
__thread struct pair { int first, second; } pair = {2, 3};
int main(void) {
    static __thread int inside = 1;
    printf("%d %d\n", own + inside, pair.second + other);
    return 0;
}
//# File: other.c
__thread int other = 3;
int *address(void) { return &other; }
