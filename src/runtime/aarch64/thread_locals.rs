//! Access to thread-local variables on AArch64: `__tls_get_addr` and TLS descriptors, per the ABI document "ELF for the
//! Arm 64-bit Architecture (AArch64)", "Thread-local storage".

use super::super::thread_locals::{POOL_ALIGNMENT, POOL_SIZE, Slot, address, offset};
use std::arch::{asm, global_asm, naked_asm};
use std::ffi::c_void;

// A thread's `Slot`. Rust has no way to say that a thread-local variable is in static TLS. Its name is made from that of a
// function, since a process can hold this library more than once.
global_asm!(
    ".pushsection .tbss.{0}.slot, \"awT\", %nobits",
    ".hidden {0}.slot",
    ".globl {0}.slot",
    ".type {0}.slot, %object",
    ".size {0}.slot, 24",
    ".balign 8",
    "{0}.slot:",
    ".zero 24",
    ".popsection",
    sym tls_get_addr,
);

// The pool for initial and local exec. It has contents, all zero, so that those can be written.
global_asm!(
    ".pushsection .tdata.{0}.pool, \"awT\", %progbits",
    ".hidden {0}.pool",
    ".globl {0}.pool",
    ".type {0}.pool, %object",
    ".size {0}.pool, {1}",
    ".balign {2}",
    "{0}.pool:",
    ".zero {1}",
    ".popsection",
    sym tls_get_addr,
    const POOL_SIZE,
    const POOL_ALIGNMENT,
);

const _: () = assert!(size_of::<Slot>() == 24);

unsafe extern "C" {
    /// The dynamic loader's.
    fn __tls_get_addr(index: *const [u64; 2]) -> *mut c_void;
}

/// The calling thread's slot.
#[unsafe(naked)]
pub(in crate::runtime) extern "C" fn thread_locals_slot() -> *mut Slot {
    naked_asm!(
        "adrp x0, :gottprel:{slot}.slot",
        "ldr x0, [x0, :gottprel_lo12:{slot}.slot]",
        "mrs x1, tpidr_el0",
        "add x0, x0, x1",
        "ret",
        slot = sym tls_get_addr,
    )
}

/// The pool's offset from the thread pointer: in static TLS or not, as the dynamic loader has it.
#[unsafe(naked)]
pub(in crate::runtime) extern "C" fn thread_pool_offset() -> usize {
    naked_asm!(
        "stp x29, x30, [sp, #-16]!",
        "adrp x0, :tlsdesc:{pool}.pool",
        "ldr x1, [x0, :tlsdesc_lo12:{pool}.pool]",
        "add x0, x0, :tlsdesc_lo12:{pool}.pool",
        ".tlsdesccall {pool}.pool",
        "blr x1",
        "ldp x29, x30, [sp], #16",
        "ret",
        pool = sym tls_get_addr,
    )
}

/// The thread pointer, which offsets in static TLS count from.
pub(in crate::runtime) fn thread_pointer() -> usize {
    let pointer: usize;
    // SAFETY: the register can be read by every program.
    unsafe { asm!("mrs {}, tpidr_el0", out(reg) pointer, options(nostack, preserves_flags, pure, nomem)) };
    pointer
}

/// Registers are saved alike by all processors.
pub(in crate::runtime) fn prepare_thread_locals() {}

/// `__tls_get_addr` for linked code: modules that are no [`module_word`](super::super::thread_locals::module_word) are the
/// dynamic loader's.
#[unsafe(naked)]
pub(in crate::runtime) unsafe extern "C" fn tls_get_addr(index: *const [u64; 2]) -> *mut c_void {
    naked_asm!(
        ".cfi_startproc",
        "hint #34", // bti c
        "ldp x1, x2, [x0]",
        "adrp x3, :gottprel:{slot}.slot",
        "ldr x3, [x3, :gottprel_lo12:{slot}.slot]",
        "mrs x4, tpidr_el0",
        "add x3, x3, x4",
        "ldp x3, x5, [x3]",
        // The complement of the loader's modules is larger than any length.
        "mvn x1, x1",
        "cmp x1, x5",
        "b.hs 2f",
        "ldr x3, [x3, x1, lsl #3]",
        "cbz x3, 2f",
        "add x0, x3, x2",
        "add x0, x0, x4",
        "ret",
        "2:",
        "tbnz x1, #63, 3f",
        "mov x0, x1",
        "mov x1, x2",
        "b {address}",
        "3:",
        "b {system}",
        ".cfi_endproc",
        slot = sym tls_get_addr,
        address = sym address,
        system = sym __tls_get_addr,
    )
}

/// The resolver function of TLS descriptors: takes the descriptor's address in `x0`, returns the variable's offset from
/// the thread pointer there, and keeps all other registers but flags (of scalable vectors, the part that AAPCS64 has as
/// vector registers, which is what compilers rely on). The descriptor's second word has the module number in its upper
/// half, the offset in the lower one.
#[unsafe(naked)]
pub(in crate::runtime) unsafe extern "C" fn tls_descriptor() {
    naked_asm!(
        ".cfi_startproc",
        "hint #34", // bti c
        "stp x1, x2, [sp, #-32]!",
        ".cfi_def_cfa_offset 32",
        "str x3, [sp, #16]",
        "ldr x0, [x0, #8]",
        "adrp x1, :gottprel:{slot}.slot",
        "ldr x1, [x1, :gottprel_lo12:{slot}.slot]",
        "mrs x2, tpidr_el0",
        "add x1, x1, x2",
        "ldp x1, x2, [x1]",
        "lsr x3, x0, #32",
        "cmp x3, x2",
        "b.hs 2f",
        "ldr x1, [x1, x3, lsl #3]",
        "cbz x1, 2f",
        "add x0, x1, w0, uxtw",
        "ldr x3, [sp, #16]",
        "ldp x1, x2, [sp], #32",
        ".cfi_def_cfa_offset 0",
        "ret",
        "2:",
        ".cfi_def_cfa_offset 32",
        "stp x29, x30, [sp, #-16]!",
        ".cfi_def_cfa_offset 48",
        ".cfi_offset x29, -48",
        ".cfi_offset x30, -40",
        "mov x29, sp",
        ".cfi_def_cfa x29, 48",
        "stp x4, x5, [sp, #-16]!",
        "stp x6, x7, [sp, #-16]!",
        "stp x8, x9, [sp, #-16]!",
        "stp x10, x11, [sp, #-16]!",
        "stp x12, x13, [sp, #-16]!",
        "stp x14, x15, [sp, #-16]!",
        "stp x16, x17, [sp, #-16]!",
        "str x18, [sp, #-16]!",
        "stp q0, q1, [sp, #-32]!",
        "stp q2, q3, [sp, #-32]!",
        "stp q4, q5, [sp, #-32]!",
        "stp q6, q7, [sp, #-32]!",
        "stp q8, q9, [sp, #-32]!",
        "stp q10, q11, [sp, #-32]!",
        "stp q12, q13, [sp, #-32]!",
        "stp q14, q15, [sp, #-32]!",
        "stp q16, q17, [sp, #-32]!",
        "stp q18, q19, [sp, #-32]!",
        "stp q20, q21, [sp, #-32]!",
        "stp q22, q23, [sp, #-32]!",
        "stp q24, q25, [sp, #-32]!",
        "stp q26, q27, [sp, #-32]!",
        "stp q28, q29, [sp, #-32]!",
        "stp q30, q31, [sp, #-32]!",
        "bl {offset}",
        "ldp q30, q31, [sp], #32",
        "ldp q28, q29, [sp], #32",
        "ldp q26, q27, [sp], #32",
        "ldp q24, q25, [sp], #32",
        "ldp q22, q23, [sp], #32",
        "ldp q20, q21, [sp], #32",
        "ldp q18, q19, [sp], #32",
        "ldp q16, q17, [sp], #32",
        "ldp q14, q15, [sp], #32",
        "ldp q12, q13, [sp], #32",
        "ldp q10, q11, [sp], #32",
        "ldp q8, q9, [sp], #32",
        "ldp q6, q7, [sp], #32",
        "ldp q4, q5, [sp], #32",
        "ldp q2, q3, [sp], #32",
        "ldp q0, q1, [sp], #32",
        "ldr x18, [sp], #16",
        "ldp x16, x17, [sp], #16",
        "ldp x14, x15, [sp], #16",
        "ldp x12, x13, [sp], #16",
        "ldp x10, x11, [sp], #16",
        "ldp x8, x9, [sp], #16",
        "ldp x6, x7, [sp], #16",
        "ldp x4, x5, [sp], #16",
        "ldp x29, x30, [sp], #16",
        ".cfi_def_cfa sp, 32",
        "ldr x3, [sp, #16]",
        "ldp x1, x2, [sp], #32",
        ".cfi_def_cfa_offset 0",
        "ret",
        ".cfi_endproc",
        slot = sym tls_get_addr,
        offset = sym offset,
    )
}

/// The resolver function of TLS descriptors of absent weak symbols: the second word is the address that comes out.
#[unsafe(naked)]
pub(in crate::runtime) unsafe extern "C" fn absent_tls_descriptor() {
    naked_asm!(
        "hint #34", // bti c
        "str x1, [sp, #-16]!",
        "ldr x0, [x0, #8]",
        "mrs x1, tpidr_el0",
        "sub x0, x0, x1",
        "ldr x1, [sp], #16",
        "ret",
    )
}

/// The resolver function of TLS descriptors whose second word is the offset from the thread pointer.
#[unsafe(naked)]
pub(in crate::runtime) unsafe extern "C" fn static_tls_descriptor() {
    naked_asm!("hint #34", "ldr x0, [x0, #8]", "ret")
}
