# A request for an executable stack cannot be honoured, and that is said.
## Native: no
## Stderr: executable stack
## Status: 4
    .globl main
    .text
main:
    movl $4, %eax
    ret
    .section .note.GNU-stack,"x",@progbits
