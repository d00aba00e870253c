# The second object's copy of a group is dropped; what refers to its symbols from outside gets the first one's.
## Stdout: 1 1
## File[x86_64]: a.s
    .section .text.shared,"axG",@progbits,shared,comdat
    .globl shared
shared:
    movl $1, %eax
    ret
    .text
    .globl from_a
from_a:
    subq $8, %rsp
    call shared
    addq $8, %rsp
    ret
    .section .note.GNU-stack,"",@progbits
## File[aarch64]: a.s
    .section .text.shared,"axG",@progbits,shared,comdat
    .globl shared
shared:
    mov w0, #1
    ret
    .text
    .globl from_a
from_a:
    stp x29, x30, [sp, #-16]!
    bl shared
    ldp x29, x30, [sp], #16
    ret
    .section .note.GNU-stack,"",@progbits
## File[x86_64]: b.s
    .section .text.shared,"axG",@progbits,shared,comdat
    .globl shared
shared:
    movl $2, %eax
    ret
    .text
    .globl from_b
from_b:
    leaq shared(%rip), %rax
    subq $8, %rsp
    call *%rax
    addq $8, %rsp
    ret
    .section .note.GNU-stack,"",@progbits
## File[aarch64]: b.s
    .section .text.shared,"axG",@progbits,shared,comdat
    .globl shared
shared:
    mov w0, #2
    ret
    .text
    .globl from_b
from_b:
    adrp x0, shared
    add x0, x0, :lo12:shared
    stp x29, x30, [sp, #-16]!
    blr x0
    ldp x29, x30, [sp], #16
    ret
    .section .note.GNU-stack,"",@progbits
## File: main.c
#include <stdio.h>
int from_a(void), from_b(void);
int main(void) {
    printf("%d %d\n", from_a(), from_b());
    return 0;
}
