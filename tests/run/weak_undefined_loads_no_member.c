// A weak undefined symbol is no reason to load an archive member; a strong one is.
//# Archive: libx.a weak.c strong.c
//# Stdout: weak is null
//# Stdout: strong is 5
//# File: main.c
#include <stdio.h>
extern int from_weak(void) __attribute__((weak));
int from_strong(void);
int main(void) {
    printf("weak is %s\n", from_weak ? "set" : "null");
    printf("strong is %d\n", from_strong());
    return 0;
}
//# File: weak.c
#include <stdio.h>
__attribute__((constructor)) static void loaded(void) { puts("loaded"); }
int from_weak(void) { return 1; }
//# File: strong.c
int from_strong(void) { return 5; }
