// Debug sections, compressed or not, of both versions and split, are no obstacle.
//# Compilers: clang | gcc
//# Flags: -g -O0 | -g -gz -O2 | -gdwarf-4 -O2 -fno-pic -fdebug-types-section
//# MoreFlags: -g3 -O0 | -g -gsplit-dwarf
//# Stdout: 6
#include <stdio.h>
struct pair { int a, b; };
static int product(struct pair p) { return p.a * p.b; }
int main(void) {
    struct pair p = {2, 3};
    printf("%d\n", product(p));
    return 0;
}
