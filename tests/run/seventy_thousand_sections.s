# More sections than fit 16 bits: symbols name theirs through SHT_SYMTAB_SHNDX.
## Native: no
## Status: 42
## File[x86_64]: main.s
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
## File[aarch64]: main.s
    .macro one
    .section .text.f\@,"ax",@progbits
    .globl f\@
f\@:
    mov w0, #42
    ret
    .endm
    .rept 70000
    one
    .endr
    .text
    .globl main
main:
    b f69999
    .section .note.GNU-stack,"",@progbits
