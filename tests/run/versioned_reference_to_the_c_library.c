// The C library's functions of a version are told apart: `realpath@GLIBC_2.2.5` refuses a null buffer, and
// `fmemopen@GLIBC_2.17` an empty one; the plain names are newer functions.
//# Flags: -O2 | -O2 -fno-pic
//# Stdout[x86_64]: old refuses, new resolves
//# Stdout[aarch64]: old refuses, new opens
//# File[x86_64]: main.c
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
//# File[aarch64]: main.c
#include <stdio.h>
__asm__(".symver old_fmemopen, fmemopen@GLIBC_2.17");
FILE *old_fmemopen(void *buffer, size_t size, const char *mode);
int main(void) {
    char buffer[1];
    FILE *old = old_fmemopen(buffer, 0, "r"), *new = fmemopen(buffer, 0, "r");
    printf("old %s, new %s\n", old ? "opens" : "refuses", new ? "opens" : "refuses");
    return 0;
}
