// A definition in an object comes before one in a shared library.
//# Shared: libx.so library.c
//# Stdout: object library
//# File: main.c
#include <stdio.h>
const char *which(void), *other(void);
int main(void) {
    printf("%s %s\n", which(), other());
    return 0;
}
//# File: object.c
const char *which(void) { return "object"; }
//# File: library.c
//# FileFlags: -fPIC -fvisibility=hidden
__attribute__((visibility("default"))) const char *which(void) { return "library"; }
__attribute__((visibility("default"))) const char *other(void) { return "library"; }
