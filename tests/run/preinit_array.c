// .preinit_array runs before every constructor.
//# Stdout: preinit
//# Stdout: constructor
//# Stdout: main
#include <stdio.h>
static void first(void) { puts("preinit"); }
__attribute__((section(".preinit_array"), used)) static void (*entry)(void) = first;
__attribute__((constructor(101))) static void second(void) { puts("constructor"); }
int main(void) {
    puts("main");
    return 0;
}
