// `name@@VERSION` defines the plain name.
//# Stdout: new 2
//# Native: no
//# File: a.c
#include <stdio.h>
const char *which(void);
int main(void) {
    printf("%s %d\n", which(), 2);
    return 0;
}
//# File: b.c
__asm__(".symver which_new, which@@VERS_2");
__asm__(".symver which_old, which@VERS_1");
const char *which_new(void) { return "new"; }
const char *which_old(void) { return "old"; }
