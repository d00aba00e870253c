// Stack protection compiles to a check against the thread's canary and a call to `__stack_chk_fail`.
//# Compilers: clang | gcc
//# Flags: -O0 -fstack-protector-all | -O2 -fstack-protector-all -fno-pic
//# Stdout: 3 abc
#include <stdio.h>
#include <string.h>
__attribute__((noinline)) static int copy(const char *text) {
    char buffer[16];
    strcpy(buffer, text);
    int length = (int)strlen(buffer);
    printf("%d %s\n", length, buffer);
    return length;
}
int main(void) { return copy("abc") - 3; }
