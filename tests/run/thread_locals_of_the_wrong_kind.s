## A thread-local access to what is no thread-local variable is refused, with its place.
## Arch: x86_64
## Native: no
## Fails: TPOFF32 relocation to plain, which is no thread-local variable
## Stderr: thread_locals_of_the_wrong_kind.o:(.text+0x4)
        .text
        .globl main
main:
        mov     %fs:plain@tpoff, %eax
        ret
        .data
        .globl  plain
        .type   plain, @object
plain:
        .long   1
