//! The fixups of x86-64 compared with a static linker's.

use super::MACHINE;
use crate::formats::elf::comparison::Comparison;

const X86_64: Comparison =
    Comparison { machine: &MACHINE, assembler: &["-triple=x86_64-linux", "-mattr=+egpr"] };

/// What any address allows: the code models small with PIC, medium and large.
const ANYWHERE: &str = r#"
    .section .text,"ax"
    .globl _start
_start:
    call function
    call function + 16
    jmp function
    jne function
    jmp near
    leaq function(%rip), %rax
    leaq near(%rip), %rax
    movl variable(%rip), %ecx
    movb $1, variable+3(%rip)
    callq *function@GOTPCREL(%rip)
    jmpq *function@GOTPCREL(%rip)
    movl function@GOTPCREL(%rip), %edx
    movq function@GOTPCREL(%rip), %rdx
    movq variable@GOTPCREL(%rip), %r9
    movq variable@GOTPCREL(%rip), %r16
    movq variable@GOTPCREL(%rip), %r31
    movq variable@GOTPCREL+4(%rip), %rdx
    pushq function@GOTPCREL(%rip)
    movw variable@GOTPCREL(%rip), %ax
    movabsq $_GLOBAL_OFFSET_TABLE_-., %r11
    leaq _GLOBAL_OFFSET_TABLE_(%rip), %r12
    movabsq $function@GOT, %rax
    movabsq $function@GOT + 1, %rax
    movabsq $variable@GOTOFF, %rax
    movabsq $function@PLTOFF, %rax
    movl $function@GOT, %eax
    movabsq $function, %rax
near:
    ret
    .zero 0x1234
function:
    ret
    .section .data,"aw"
    .globl variable, function
    .type variable, @object
    .size variable, 0x123456
variable:
    .quad function
    .quad variable + 0x123456789abc
    .quad function - .
    .long function - .
    .long function@PLT - .
    .long function@GOTPCREL
    .long variable@SIZE
    .quad variable@SIZE
    .reloc ., R_X86_64_PC16, variable - 8
    .word 0
    .reloc ., R_X86_64_PC8, variable + 0x30
    .byte 0
    .reloc ., R_X86_64_NONE, function
    .byte 0x55
"#;

/// What only addresses in the low 2 GiB allow. (That linker keeps operands without a REX prefix in the GOT.)
const LOW: &str = r#"
    .section .text,"ax"
    .globl _start, function, variable
_start:
    movl $variable, %eax
    movq $variable, %rax
    movl variable, %ecx
    movl variable(,%rcx,4), %ecx
    testq %rdx, variable@GOTPCREL(%rip)
    addq variable@GOTPCREL(%rip), %r9
    adcq variable@GOTPCREL(%rip), %rax
    sbbq variable@GOTPCREL(%rip), %rax
    addq variable@GOTPCREL(%rip), %r17
    testq %r31, variable@GOTPCREL(%rip)
    xorq variable@GOTPCREL(%rip), %r12
    cmpq variable@GOTPCREL(%rip), %r15
function:
    ret
    .section .data,"aw"
variable:
    .long function
    .reloc ., R_X86_64_16, small
    .word 0
    .reloc ., R_X86_64_8, small + 0x40
    .byte 0
    .reloc ., R_X86_64_32S, variable
    .long 0
"#;

#[test]
fn bytes_are_the_static_linkers_at_low_addresses() {
    X86_64.same_as_linker(ANYWHERE, 0x1_0000, 0x1_2000);
    X86_64.same_as_linker(ANYWHERE, 0x5000_0000, 0x4fff_f000);
    X86_64.same_as_linker(LOW, 0x20_0000, 0x1000_0000);
    X86_64.same_as_linker(LOW, 0x7000_0000, 0x10_0000);
}

#[test]
fn bytes_are_the_static_linkers_at_high_addresses() {
    X86_64.same_as_linker(ANYWHERE, 0x7f00_0000_0000, 0x7f00_1000_0000);
    X86_64.same_as_linker(ANYWHERE, 0x7fff_ffe0_0000, 0x7fff_8000_0000);
}
