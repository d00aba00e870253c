//! Access to thread-local variables on x86-64: `__tls_get_addr` and TLS descriptors of the psABI, "Thread-Local Storage".

use super::super::thread_locals::{POOL_ALIGNMENT, POOL_SIZE, Slot, address, offset};
use std::arch::{asm, global_asm, naked_asm};
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};

// A thread's `Slot`. Rust has no way to say that a thread-local variable is in static TLS. Its name is made from that of a
// function, since a process can hold this library more than once.
global_asm!(
    ".pushsection .tbss.{0}.slot, \"awT\", @nobits",
    ".hidden {0}.slot",
    ".globl {0}.slot",
    ".type {0}.slot, @object",
    ".size {0}.slot, 24",
    ".balign 8",
    "{0}.slot:",
    ".zero 24",
    ".popsection",
    sym tls_get_addr,
);

// The pool for initial and local exec. It has contents, all zero, so that those can be written.
global_asm!(
    ".pushsection .tdata.{0}.pool, \"awT\", @progbits",
    ".hidden {0}.pool",
    ".globl {0}.pool",
    ".type {0}.pool, @object",
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
        "mov rax, qword ptr [rip + {slot}.slot@GOTTPOFF]",
        "add rax, qword ptr fs:[0]",
        "ret",
        slot = sym tls_get_addr,
    )
}

/// The pool's offset from the thread pointer: in static TLS or not, as the dynamic loader has it.
#[unsafe(naked)]
pub(in crate::runtime) extern "C" fn thread_pool_offset() -> usize {
    naked_asm!(
        "subq $8, %rsp",
        "leaq {pool}.pool@tlsdesc(%rip), %rax",
        "call *{pool}.pool@tlscall(%rax)",
        "addq $8, %rsp",
        "ret",
        pool = sym tls_get_addr,
        options(att_syntax),
    )
}

/// The thread pointer, which offsets in static TLS count from.
pub(in crate::runtime) fn thread_pointer() -> usize {
    let pointer: usize;
    // SAFETY: the psABI has the thread pointer at its own address.
    unsafe {
        asm!("mov {}, qword ptr fs:[0]", out(reg) pointer, options(nostack, preserves_flags, pure, readonly))
    };
    pointer
}

/// Whether the processor and the system save registers of AVX and later with `xsave`.
static HAS_XSAVE: AtomicBool = AtomicBool::new(false);

/// Finds out how vector registers are saved.
pub(in crate::runtime) fn prepare_thread_locals() {
    HAS_XSAVE.store(std::arch::is_x86_feature_detected!("xsave"), Ordering::Relaxed);
}

/// `__tls_get_addr` for linked code: modules that are no [`module_word`](super::super::thread_locals::module_word) are the
/// dynamic loader's.
#[unsafe(naked)]
pub(in crate::runtime) unsafe extern "C" fn tls_get_addr(index: *const [u64; 2]) -> *mut c_void {
    naked_asm!(
        ".cfi_startproc",
        "endbr64",
        // The complement of the loader's modules is larger than any length.
        "mov rax, qword ptr [rdi]",
        "not rax",
        "mov rcx, qword ptr [rip + {slot}.slot@GOTTPOFF]",
        "cmp rax, qword ptr fs:[rcx + 8]",
        "jae 2f",
        "mov rcx, qword ptr fs:[rcx]",
        "mov rax, qword ptr [rcx + 8*rax]",
        "test rax, rax",
        "jz 2f",
        "add rax, qword ptr [rdi + 8]",
        "add rax, qword ptr fs:[0]",
        "ret",
        "2:",
        "mov rax, qword ptr [rdi]",
        "not rax",
        "test rax, rax",
        "js 3f",
        // Compilers have been known to call this with the stack not aligned.
        "push rbp",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset rbp, -16",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "and rsp, -16",
        "mov rsi, qword ptr [rdi + 8]",
        "mov rdi, rax",
        "call {address}",
        "leave",
        ".cfi_def_cfa rsp, 8",
        "ret",
        "3:",
        "jmp qword ptr [rip + {system}@GOTPCREL]",
        ".cfi_endproc",
        slot = sym tls_get_addr,
        address = sym address,
        system = sym __tls_get_addr,
    )
}

/// The resolver function of TLS descriptors: takes the descriptor's address in `rax`, returns the variable's offset from
/// the thread pointer there, and keeps all other registers. The descriptor's second word has the module number in its
/// upper half, the offset in the lower one.
#[unsafe(naked)]
pub(in crate::runtime) unsafe extern "C" fn tls_descriptor() {
    naked_asm!(
        ".cfi_startproc",
        "endbr64",
        "mov qword ptr [rsp - 8], rcx",
        "mov qword ptr [rsp - 16], rdx",
        "mov rcx, qword ptr [rip + {slot}.slot@GOTTPOFF]",
        "mov edx, dword ptr [rax + 12]",
        "cmp rdx, qword ptr fs:[rcx + 8]",
        "jae 2f",
        "mov rcx, qword ptr fs:[rcx]",
        "mov rcx, qword ptr [rcx + 8*rdx]",
        "test rcx, rcx",
        "jz 2f",
        "mov eax, dword ptr [rax + 8]",
        "add rax, rcx",
        "mov rcx, qword ptr [rsp - 8]",
        "mov rdx, qword ptr [rsp - 16]",
        "ret",
        "2:",
        "mov rax, qword ptr [rax + 8]",
        "mov rcx, qword ptr [rsp - 8]",
        "mov rdx, qword ptr [rsp - 16]",
        "push rbp",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset rbp, -16",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "push rcx",
        "push rdx",
        "push rsi",
        "push rdi",
        "push r8",
        "push r9",
        "push r10",
        "push r11",
        // The standard format of `xsave` for x87, SSE, AVX, AVX-512 and APX takes 2,688 bytes.
        "and rsp, -64",
        "sub rsp, 2816",
        "mov rdi, rax",
        "cmp byte ptr [rip + {has_xsave}], 0",
        "je 3f",
        "xor edx, edx",
        "mov qword ptr [rsp + 512], rdx",
        "mov qword ptr [rsp + 520], rdx",
        "mov qword ptr [rsp + 528], rdx",
        "mov qword ptr [rsp + 536], rdx",
        "mov qword ptr [rsp + 544], rdx",
        "mov qword ptr [rsp + 552], rdx",
        "mov qword ptr [rsp + 560], rdx",
        "mov qword ptr [rsp + 568], rdx",
        "mov eax, {components}",
        "xsave64 [rsp]",
        "call {offset}",
        "mov rcx, rax",
        "mov eax, {components}",
        "xor edx, edx",
        "xrstor64 [rsp]",
        "jmp 4f",
        "3:",
        "fxsave64 [rsp]",
        "call {offset}",
        "mov rcx, rax",
        "fxrstor64 [rsp]",
        "4:",
        "mov rax, rcx",
        "lea rsp, [rbp - 64]",
        "pop r11",
        "pop r10",
        "pop r9",
        "pop r8",
        "pop rdi",
        "pop rsi",
        "pop rdx",
        "pop rcx",
        "pop rbp",
        ".cfi_def_cfa rsp, 8",
        "ret",
        ".cfi_endproc",
        has_xsave = sym HAS_XSAVE,
        // x87, SSE, AVX, three of AVX-512, the general registers of APX.
        components = const 0b1000_0000_0000_1110_0111,
        slot = sym tls_get_addr,
        offset = sym offset,
    )
}

/// The resolver function of TLS descriptors of absent weak symbols: the second word is the address that comes out.
#[unsafe(naked)]
pub(in crate::runtime) unsafe extern "C" fn absent_tls_descriptor() {
    naked_asm!("endbr64", "mov rax, qword ptr [rax + 8]", "sub rax, qword ptr fs:[0]", "ret")
}

/// The resolver function of TLS descriptors whose second word is the offset from the thread pointer.
#[unsafe(naked)]
pub(in crate::runtime) unsafe extern "C" fn static_tls_descriptor() {
    naked_asm!("endbr64", "mov rax, qword ptr [rax + 8]", "ret")
}
