// A weak undefined symbol is null also where the object reaches it with a 32-bit pc-relative relocation. On AArch64, where
// such relocations have no null, a branch to it goes to the next instruction.
//# Flags: -fno-pic
//# Native[aarch64]: no
//# Stdout: null skipped
//# File: main.c
#include <stdio.h>
void *address_of_missing(void);
int call_missing_if_there(void);
int main(void) {
    printf("%s %s\n", address_of_missing() ? "set" : "null", call_missing_if_there() ? "called" : "skipped");
    return 0;
}
//# File[x86_64]: pc32.s
    .weak missing
    .globl address_of_missing, call_missing_if_there
    .text
address_of_missing:
    leaq missing(%rip), %rax
    ret
call_missing_if_there:
    leaq missing(%rip), %rax
    testq %rax, %rax
    je 1f
    call missing@PLT
    movl $1, %eax
    ret
1:  xorl %eax, %eax
    ret
    .section .note.GNU-stack,"",@progbits
//# File[aarch64]: pc32.s
    .weak missing
    .globl address_of_missing, call_missing_if_there
    .text
address_of_missing:
    adrp x0, :got:missing
    ldr x0, [x0, :got_lo12:missing]
    ret
call_missing_if_there:
    stp x29, x30, [sp, #-16]!
    mov w0, wzr
    bl missing
    ldp x29, x30, [sp], #16
    ret
    .section .note.GNU-stack,"",@progbits
