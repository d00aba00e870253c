// Initialisers run after resolvers: an indirect function can be called from a constructor.
//# Stdout: 5
//# Stdout: 6
//# File: a.c
#include <stdio.h>
int indirect(int);
__attribute__((constructor)) static void before_main(void) { printf("%d\n", indirect(4)); }
int main(void) {
    printf("%d\n", indirect(5));
    return 0;
}
//# File: b.c
static int chosen(int n) { return n + 1; }
static int (*resolve(void))(int) { return chosen; }
int indirect(int) __attribute__((ifunc("resolve")));
