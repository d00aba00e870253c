//! The fixups of AArch64 compared with a static linker's.

use super::MACHINE;
use crate::formats::elf::comparison::Comparison;

const AARCH64: Comparison = Comparison { machine: &MACHINE, assembler: &["-triple=aarch64-linux"] };

/// What any address allows: the code models small, with PIC, and large.
const ANYWHERE: &str = r#"
    .section .text,"ax"
    .globl _start, near
_start:
    bl function
    bl function + 16
    b function
    b.ne near
    cbz x3, near
    tbnz x3, #40, near
    ldr x4, near
    adr x5, near + 1
    adrp x6, variable
    ldr x7, [x6, :lo12:variable]
    ldr q7, [x6, :lo12:variable]
    ldr w7, [x6, :lo12:variable + 4]
    ldrh w7, [x6, :lo12:variable + 2]
    strb w7, [x6, :lo12:variable + 3]
    adrp x8, variable + 0x1234
    add x9, x8, :lo12:variable + 0x1234
    adrp x10, :pg_hi21_nc:variable
    add x10, x10, :lo12:variable
    adrp x11, :got:variable
    ldr x12, [x11, :got_lo12:variable]
    movz x13, #:abs_g3:variable
    movk x13, #:abs_g2_nc:variable
    movk x13, #:abs_g1_nc:variable
    movk x13, #:abs_g0_nc:variable
    movk x14, #:prel_g2_nc:variable
    movk x14, #:prel_g1_nc:variable
    movk x14, #:prel_g0_nc:variable
    movz x15, #:prel_g2:variable
    movz x15, #:prel_g1:variable
    adrp x16, _GLOBAL_OFFSET_TABLE_
    ldr x16, [x16, #:gotpage_lo15:variable]
near:
    ret
    .zero 0x1234
    .balign 8
function:
    ret
    .section .data,"aw"
    .globl variable, function
    .balign 16
variable:
    .xword function
    .xword variable + 0x123456789abc
    .xword function - .
    .word function - .
    .word function@PLT - .
    .hword variable - .
"#;

/// What only addresses in the low 4 GiB allow.
const LOW: &str = r#"
    .section .text,"ax"
    .globl _start, variable
_start:
    movz x0, #:abs_g1:variable
    movz x0, #:abs_g2:variable
    movz x0, #:abs_g1_s:variable
    movz x0, #:abs_g2_s:variable
    movz x0, #:abs_g0:small
    movn x0, #:abs_g0_s:small
    ret
    .section .data,"aw"
variable:
    .word variable
    .hword small
"#;

/// What that linker makes a `movz` of negative distances, too.
const FORWARD: &str = r#"
    .section .text,"ax"
    .globl _start, variable
_start:
    movz x14, #:prel_g3:variable + 0x1234567890000
    ret
    .section .data,"aw"
variable:
    .xword variable
"#;

/// Pairs alone, which that linker rewrites in the same way.
const PAIRS: &str = r#"
    .section .text,"ax"
    .globl _start, variable
_start:
    adrp x6, variable
    add x6, x6, :lo12:variable
    adrp x7, :got:variable
    ldr x7, [x7, :got_lo12:variable]
    ret
    .section .data,"aw"
variable:
    .xword variable
"#;

#[test]
fn bytes_are_the_static_linkers_at_low_addresses() {
    AARCH64.same_as_linker(ANYWHERE, 0x1_0000, 0x1_4000);
    AARCH64.same_as_linker(ANYWHERE, 0x5000_0000, 0x4fff_0000);
    AARCH64.same_as_linker(LOW, 0x20_0000, 0x1000_0000);
    AARCH64.same_as_linker(LOW, 0x7000_0000, 0x10_0000);
    AARCH64.same_as_linker(FORWARD, 0x1_0000, 0x1_4000);
}

#[test]
fn bytes_are_the_static_linkers_at_high_addresses() {
    AARCH64.same_as_linker(ANYWHERE, 0x7f00_0000_0000, 0x7f00_6000_0000);
    AARCH64.same_as_linker(ANYWHERE, 0x7fff_ffe0_0000, 0x7fff_9000_0000);
}

#[test]
fn pairs_become_what_the_static_linker_makes_of_them() {
    AARCH64.same_as_linker(PAIRS, 0x1_0000, 0x1_4000);
    AARCH64.same_as_linker(PAIRS, 0x7f00_0000_0000, 0x7f00_e000_0000);
}
