//! Thread-local variables of code for Darwin on x86-64.

use super::tls_descriptor;
use std::arch::naked_asm;

/// The function in each descriptor of a variable: takes the descriptor's address in `rdi`, returns that of the variable in
/// `rax`, and keeps all other registers. The descriptor's second word is the complement of the module's number, its third the variable's
/// offset there; put together they are what the function of an ELF descriptor takes, which keeps registers, too.
#[unsafe(naked)]
pub(in crate::runtime) unsafe extern "C" fn tlv_address() {
    naked_asm!(
        ".cfi_startproc",
        "endbr64",
        "sub rsp, 24",
        ".cfi_adjust_cfa_offset 24",
        "mov eax, dword ptr [rdi + 8]",
        "not eax",
        "shl rax, 32",
        "or rax, qword ptr [rdi + 16]",
        "mov qword ptr [rsp + 8], rax",
        "mov rax, rsp",
        "call {tls_descriptor}",
        "add rax, qword ptr fs:[0]",
        "add rsp, 24",
        ".cfi_adjust_cfa_offset -24",
        "ret",
        ".cfi_endproc",
        tls_descriptor = sym tls_descriptor,
    )
}
