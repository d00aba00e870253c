// `realpath@GLIBC_2.2.5` is the old function, which refuses a null buffer; the plain name is the new one.
//# Flags: -O2 | -O2 -fno-pic
//# Stdout: old refuses, new resolves
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
__asm__(".symver old_realpath, realpath@GLIBC_2.2.5");
char *old_realpath(const char *path, char *resolved);
int main(void) {
    char *old = old_realpath("/", NULL), *new = realpath("/", NULL);
    printf("old %s, new %s\n", old ? "resolves" : "refuses", new ? "resolves" : "refuses");
    return 0;
}
