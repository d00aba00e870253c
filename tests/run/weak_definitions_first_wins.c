// Of several weak definitions the first on the command line is everyone's.
//# Stdout: first first
//# File: main.c
#include <stdio.h>
const char *from_a(void), *from_b(void);
int main(void) {
    printf("%s %s\n", from_a(), from_b());
    return 0;
}
//# File: a.c
__attribute__((weak, noinline)) const char *who(void) { return "first"; }
const char *from_a(void) { return who(); }
//# File: b.c
__attribute__((weak, noinline)) const char *who(void) { return "second"; }
const char *from_b(void) { return who(); }
