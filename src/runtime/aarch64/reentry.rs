//! What reentry trampolines enter on AArch64: everything that AAPCS64 passes arguments in is saved around the handler.
//!
//! `x0`-`x7` and `q0`-`q7` hold arguments, `x8` the address of an indirect result; `x15` and `x18` are the static chain of
//! different compilers, and what lies between is saved with them. `x9` has the trampoline's number, `x16` and `x17` are for
//! code like this. Functions with a convention of their own (SVE, `aarch64_vector_pcs`) pass more, and are marked in symbol
//! tables: they are never bound lazily.

use super::super::reentry::continue_at;
use std::arch::naked_asm;

/// Nothing has to be found out here.
pub(in crate::runtime) fn prepare_reentry() {}

/// Entered by trampolines, which have their number in `w9`. It goes on where the handler says, with the stack and all
/// argument registers as the call had them.
///
/// For unwinders this is a function called by the trampoline's caller.
#[unsafe(naked)]
pub(in crate::runtime) unsafe extern "C" fn reentry() {
    naked_asm!(
        ".cfi_startproc",
        "hint #34",
        "stp x29, x30, [sp, #-16]!",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset x29, -16",
        ".cfi_offset x30, -8",
        "mov x29, sp",
        ".cfi_def_cfa_register x29",
        "sub sp, sp, #256",
        "stp q0, q1, [sp]",
        "stp q2, q3, [sp, #32]",
        "stp q4, q5, [sp, #64]",
        "stp q6, q7, [sp, #96]",
        "stp x0, x1, [sp, #128]",
        "stp x2, x3, [sp, #144]",
        "stp x4, x5, [sp, #160]",
        "stp x6, x7, [sp, #176]",
        "stp x8, x10, [sp, #192]",
        "stp x11, x12, [sp, #208]",
        "stp x13, x14, [sp, #224]",
        "stp x15, x18, [sp, #240]",
        "mov w0, w9",
        "bl {continue_at}",
        "mov x16, x0",
        "ldp q0, q1, [sp]",
        "ldp q2, q3, [sp, #32]",
        "ldp q4, q5, [sp, #64]",
        "ldp q6, q7, [sp, #96]",
        "ldp x0, x1, [sp, #128]",
        "ldp x2, x3, [sp, #144]",
        "ldp x4, x5, [sp, #160]",
        "ldp x6, x7, [sp, #176]",
        "ldp x8, x10, [sp, #192]",
        "ldp x11, x12, [sp, #208]",
        "ldp x13, x14, [sp, #224]",
        "ldp x15, x18, [sp, #240]",
        "mov sp, x29",
        ".cfi_def_cfa_register sp",
        "ldp x29, x30, [sp], #16",
        ".cfi_def_cfa_offset 0",
        ".cfi_restore x29",
        ".cfi_restore x30",
        "br x16",
        ".cfi_endproc",
        continue_at = sym continue_at,
    )
}
