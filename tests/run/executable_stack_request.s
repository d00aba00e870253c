# A request for an executable stack cannot be honoured, and that is said.
## Native: no
## Stderr: executable stack
## Status: 4
## File[x86_64]: executable_stack_request.s
    .globl main
    .text
main:
    movl $4, %eax
    ret
    .section .note.GNU-stack,"x",@progbits
## File[aarch64]: executable_stack_request.s
    .globl main
    .text
main:
    mov w0, #4
    ret
    .section .note.GNU-stack,"x",@progbits
