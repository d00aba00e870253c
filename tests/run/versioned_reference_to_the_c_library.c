// The C library's functions of a version are told apart: `realpath@GLIBC_2.2.5` refuses a null buffer, and
// `glob@GLIBC_2.17` passes over links that lead nowhere; the plain names are newer functions.
//# Flags: -O2 | -O2 -fno-pic
//# Stdout[x86_64]: old refuses, new resolves
//# Stdout[aarch64]: old misses, new finds
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
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
__asm__(".symver old_glob, glob@GLIBC_2.17");
int old_glob(const char *pattern, int flags, int (*error)(const char *, int), glob_t *result);
int main(void) {
    char directory[] = "/tmp/globXXXXXX";
    glob_t result;
    if (!mkdtemp(directory) || chdir(directory) || symlink("nowhere", "link"))
        return 1;
    int old = old_glob("link", 0, NULL, &result), new = glob("link", 0, NULL, &result);
    unlink("link");
    rmdir(directory);
    printf("old %s, new %s\n", old ? "misses" : "finds", new ? "misses" : "finds");
    return 0;
}
