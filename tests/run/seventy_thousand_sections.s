# More sections than fit 16 bits: symbols name theirs through SHT_SYMTAB_SHNDX.
## Native: no
## Status: 42
    .macro one
    .section .text.f\@,"ax",@progbits
    .globl f\@
f\@:
    movl $42, %eax
    ret
    .endm
    .rept 70000
    one
    .endr
    .text
    .globl main
main:
    jmp f69999
    .section .note.GNU-stack,"",@progbits
