// Two objects with 900 MB of zero-fill each, in the small model: pc-relative and absolute access still reach.
//# Flags: -O1 | -O1 -fno-pic
//# Stdout: 1 2 0
//# File: a.c
#include <stdio.h>
static char mine[900 << 20];
extern char others[];
char *volatile p = mine;
int main(void) {
    p[0] = p[(900 << 20) - 1] = 1;
    others[0] = others[(900 << 20) - 1] = 2;
    printf("%d %d %d\n", mine[(900 << 20) - 1], others[0], p[450 << 20]);
    return 0;
}
//# File: b.c
char others[900 << 20];
