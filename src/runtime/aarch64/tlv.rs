//! Thread-local variables of code for Darwin on AArch64.

use super::tls_descriptor;
use std::arch::naked_asm;

/// The function in each descriptor of a variable: takes the descriptor's address in `x0`, returns that of the variable
/// there, and keeps all other registers but flags. The descriptor's second word is the complement of the module's number,
/// its third the variable's offset there; put together they are what the function of an ELF descriptor takes, which keeps
/// registers, too.
#[unsafe(naked)]
pub(in crate::runtime) unsafe extern "C" fn tlv_address() {
    naked_asm!(
        ".cfi_startproc",
        "hint #34", // bti c
        "stp x29, x30, [sp, #-32]!",
        ".cfi_def_cfa_offset 32",
        ".cfi_offset x29, -32",
        ".cfi_offset x30, -24",
        "ldp x30, x0, [x0, #8]",
        "mvn w30, w30",
        "orr x0, x0, x30, lsl #32",
        "str x0, [sp, #24]",
        "add x0, sp, #16",
        "bl {tls_descriptor}",
        "mrs x30, tpidr_el0",
        "add x0, x0, x30",
        "ldp x29, x30, [sp], #32",
        ".cfi_def_cfa_offset 0",
        "ret",
        ".cfi_endproc",
        tls_descriptor = sym tls_descriptor,
    )
}
