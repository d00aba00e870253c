# The object that is linked again and again: its name and the number it returns are put in for each.
    .text
    .globl f000000
    .type f000000, @function
f000000:
    .cfi_startproc
    subq $8, %rsp
    .cfi_adjust_cfa_offset 8
    movl $0x55555555, %edi
    leaq text(%rip), %rax
    movq %rax, state+8(%rip)
    callq abs@PLT
    movl %eax, state(%rip)
    addq $8, %rsp
    .cfi_adjust_cfa_offset -8
    ret
    .cfi_endproc
    .size f000000, .-f000000

    .data
    .balign 8
state:
    .quad 0, 0
    .quad f000000

    .section .rodata, "a"
text:
    .asciz "an object as small as a JIT makes them, about 200 bytes in all"
    .section .note.GNU-stack, "", @progbits
