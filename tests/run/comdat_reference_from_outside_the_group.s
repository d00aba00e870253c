# The second object's copy of a group is dropped; what refers to its symbols from outside gets the first one's.
## Stdout: 1 1
## File: a.s
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
## File: b.s
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
## File: main.c
#include <stdio.h>
int from_a(void), from_b(void);
int main(void) {
    printf("%d %d\n", from_a(), from_b());
    return 0;
}
