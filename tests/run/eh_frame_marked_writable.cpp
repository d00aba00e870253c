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
//# File: through.S
// A function with hand-written records: pushes registers, calls.
#ifdef __aarch64__
#define PUSH stp x29, x30, [sp, #-16]!
#define CALL bl called
#define POP ldp x29, x30, [sp], #16
#define RETURN_COLUMN 30
// The frame is at sp.
#define AT_ENTRY 0x0c, 31, 0
// After 4 bytes: 16 bytes further, x29 and x30 stored there.
#define AFTER_PUSH 0x44, 0x0e, 16, 0x9d, 2, 0x9e, 1
#else
#define PUSH pushq %rbp
#define CALL call called@PLT
#define POP popq %rbp
#define RETURN_COLUMN 16
// The frame is at rsp + 8, the return address below it.
#define AT_ENTRY 0x0c, 7, 8, 0x90, 1
// After 1 byte: 16 bytes from rsp, rbp stored there.
#define AFTER_PUSH 0x41, 0x0e, 16, 0x86, 2
#endif
        .text
        .globl  through
        .type   through, @function
through:
.Lstart:
        PUSH
.Lpushed:
        CALL
        POP
        ret
.Lend:
        .section .eh_frame,"aw",@progbits
.Lcie:  .long   .Lcie_end - .Lcie_id
.Lcie_id: .long 0
        .byte   1
        .asciz  "zR"
        .uleb128 1
        .sleb128 -8
        .byte   RETURN_COLUMN
        .uleb128 1
        .byte   0x1b
        .byte   AT_ENTRY
        .p2align 3
.Lcie_end:
        .long   .Lfde_end - .Lfde_id
.Lfde_id: .long .Lfde_id - .Lcie
        .long   .Lstart - .
        .long   .Lend - .Lstart
        .uleb128 0
        .byte   AFTER_PUSH
        .p2align 3
.Lfde_end:
        .section .note.GNU-stack,"",@progbits
//# File: after.cpp
extern "C" void thrower(int n) { throw n; }
