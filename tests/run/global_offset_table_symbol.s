# `_GLOBAL_OFFSET_TABLE_` exists although nothing needs an entry, and GOT-relative addressing agrees with it.
## Stdout: 77
## File[x86_64]: got.s
    .globl value_by_gotoff
    .text
value_by_gotoff:
    leaq _GLOBAL_OFFSET_TABLE_(%rip), %rcx
    movabsq $value@GOTOFF, %rax
    movl (%rax,%rcx), %eax
    ret
    .data
    .p2align 2
value: .long 77
    .section .note.GNU-stack,"",@progbits
## File[aarch64]: got.s
    .globl value_by_gotoff
    .text
value_by_gotoff:
    adrp x0, _GLOBAL_OFFSET_TABLE_
    ldr x0, [x0, :gotpage_lo15:value]
    ldr w0, [x0]
    ret
    .data
    .globl value
    .p2align 2
value: .long 77
    .section .note.GNU-stack,"",@progbits
## File: main.c
#include <stdio.h>
int value_by_gotoff(void);
int main(void) {
    printf("%d\n", value_by_gotoff());
    return 0;
}
