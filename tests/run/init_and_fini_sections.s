# Fragments in .init and .fini are parts of one function each, which runs before constructors and after destructors.
## Stdout: init-a
## Stdout: init-b
## Stdout: constructor
## Stdout: main
## Stdout: destructor
## Stdout: fini
## File[x86_64]: a.s
    .section .init,"ax",@progbits
    call init_a
    .section .fini,"ax",@progbits
    call fini
    .section .note.GNU-stack,"",@progbits
## File[aarch64]: a.s
    .section .init,"ax",@progbits
    bl init_a
    .section .fini,"ax",@progbits
    bl fini
    .section .note.GNU-stack,"",@progbits
## File[x86_64]: b.s
    .section .init,"ax",@progbits
    call init_b
    .section .note.GNU-stack,"",@progbits
## File[aarch64]: b.s
    .section .init,"ax",@progbits
    bl init_b
    .section .note.GNU-stack,"",@progbits
## File: main.c
#include <stdio.h>
void init_a(void) { puts("init-a"); }
void init_b(void) { puts("init-b"); }
void fini(void) { puts("fini"); }
__attribute__((constructor)) static void up(void) { puts("constructor"); }
__attribute__((destructor)) static void down(void) { puts("destructor"); }
int main(void) {
    puts("main");
    return 0;
}
