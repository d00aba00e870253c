// A function of the program's own calls the library's of the same name, which it finds behind itself.
//# Flags: -O0 | -O2 -fno-pic | -O2 -fPIC
//# Inputs: next.c main.c
//# NativeInputs: next.c main.c -ldl
//# Stdout: mine
//# Stdout: value
//# Env: NEXT=value
//# File: next.c
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
char *getenv(const char *name) {
    char *(*next)(const char *) = (char *(*)(const char *))dlsym(RTLD_NEXT, "getenv");
    puts("mine");
    return next(name);
}
//# File: main.c
#include <stdio.h>
#include <stdlib.h>
int main(void) {
    puts(getenv("NEXT"));
    return 0;
}
