// A strong definition replaces a weak one, also within the object that holds the weak one.
//# Flags: -O0 | -O2 -fno-pic | -O2 -fPIC
//# Stdout: strong strong 2
//# File: a.c
#include <stdio.h>
__attribute__((weak, noinline)) const char *who(void) { return "weak"; }
__attribute__((weak)) int value = 1;
const char *who_elsewhere(void);
int main(void) {
    printf("%s %s %d\n", who(), who_elsewhere(), value);
    return 0;
}
//# File: b.c
int value = 2;
const char *who(void) { return "strong"; }
const char *who_elsewhere(void) { return who(); }
