// Call frame records in a section that assembly marks as writable are found, as are those after them.
//# Compilers: gcc
//# File: main.cpp
#include <cstdio>
extern "C" void thrower(int);
extern "C" void through(int n);
extern "C" void called(int n) { throw n; }
int main() {
    try {
        through(4);
    } catch (int n) {
        std::printf("caught %d\n", n);
    }
    return 0;
}
//# File: through.s
# A function with hand-written records: pushes rbp, calls.
        .text
        .globl  through
        .type   through, @function
through:
.Lstart:
        pushq   %rbp
.Lpushed:
        call    called@PLT
        popq    %rbp
        ret
.Lend:
        .section .eh_frame,"aw",@progbits
.Lcie:  .long   .Lcie_end - .Lcie_id
.Lcie_id: .long 0
        .byte   1
        .asciz  "zR"
        .uleb128 1
        .sleb128 -8
        .byte   16
        .uleb128 1
        .byte   0x1b
        .byte   0x0c, 7, 8, 0x90, 1
        .p2align 3
.Lcie_end:
        .long   .Lfde_end - .Lfde_id
.Lfde_id: .long .Lfde_id - .Lcie
        .long   .Lstart - .
        .long   .Lend - .Lstart
        .uleb128 0
        .byte   0x41, 0x0e, 16, 0x86, 2
        .p2align 3
.Lfde_end:
        .section .note.GNU-stack,"",@progbits
//# File: after.cpp
extern "C" void thrower(int n) { throw n; }
