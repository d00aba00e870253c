//! Host code for x86-64, per the System V psABI.
//!
//! # Safety
//!
//! Each naked function keeps to the C calling convention: it changes no callee-saved register but those it restores,
//! and calls with the stack aligned to 16 bytes.
#![allow(unsafe_code)]

mod cpu_model;
mod crash;
mod darwin;
mod promise;
mod reentry;
mod thread_locals;
mod tlv;

use super::program::OutermostFn;
#[cfg(target_env = "gnu")]
use super::static_libc::{self, HandlerFn};
use super::{callbacks, dlfcn};
use std::arch::naked_asm;
#[cfg(target_env = "gnu")]
use std::ffi::c_int;
use std::ffi::c_void;

/// Calls the resolver of an indirect function, which takes no argument here.
///
/// # Safety
/// `resolver` is the address of such a function.
pub(super) unsafe fn call_ifunc_resolver(resolver: usize) -> usize {
    let resolver = std::ptr::with_exposed_provenance::<()>(resolver);
    // SAFETY: the caller gives a resolver's address.
    let resolver: unsafe extern "C" fn() -> usize = unsafe { std::mem::transmute(resolver) };
    // SAFETY: as above.
    unsafe { resolver() }
}

/// Calls `function(data)` from a frame that ends the stack for unwinders, as `_start` does: its return address and
/// its caller's frame pointer are declared unknown.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn call_outermost(function: OutermostFn, data: *mut c_void) {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_undefined rip",
        "push rbp",
        ".cfi_adjust_cfa_offset 8",
        ".cfi_undefined rbp",
        "xor ebp, ebp",
        "mov rax, rdi",
        "mov rdi, rsi",
        "call rax",
        "pop rbp",
        ".cfi_adjust_cfa_offset -8",
        "ret",
        ".cfi_endproc",
    )
}

/// Calls `function(data)` and returns null, or the exception that [`personality`](super::catch::personality) has caught: the
/// landing pad stands where there would be a table.
#[unsafe(naked)]
pub(super) unsafe extern "C-unwind" fn call_catching(
    function: OutermostFn,
    data: *mut c_void,
) -> *mut c_void {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_personality 0x1b, {personality}",
        ".cfi_lsda 0x1b, .Ljitlink_caught",
        "push rbp",
        ".cfi_adjust_cfa_offset 8",
        "mov rax, rdi",
        "mov rdi, rsi",
        "call rax",
        "xor eax, eax",
        ".Ljitlink_caught:",
        "pop rbp",
        ".cfi_adjust_cfa_offset -8",
        "ret",
        ".cfi_endproc",
        personality = sym super::catch::personality,
    )
}

/// `atexit`, with its return address as one more argument.
#[cfg(target_env = "gnu")]
#[unsafe(naked)]
pub(super) unsafe extern "C" fn atexit(handler: HandlerFn) -> c_int {
    naked_asm!("mov rsi, [rsp]", "jmp {}", sym static_libc::register_at_exit)
}

/// `at_quick_exit`, with its return address as one more argument.
#[cfg(target_env = "gnu")]
#[unsafe(naked)]
pub(super) unsafe extern "C" fn at_quick_exit(handler: HandlerFn) -> c_int {
    naked_asm!("mov rsi, [rsp]", "jmp {}", sym static_libc::register_at_quick_exit)
}

/// `pthread_atfork`, with its return address as one more argument.
#[cfg(target_env = "gnu")]
#[unsafe(naked)]
pub(super) unsafe extern "C" fn pthread_atfork(
    prepare: Option<HandlerFn>,
    parent: Option<HandlerFn>,
    child: Option<HandlerFn>,
) -> c_int {
    naked_asm!("mov rcx, [rsp]", "jmp {}", sym static_libc::register_at_fork)
}

pub(super) use crash::interrupted_at;

/// The number of the architecture in ELF files.
pub(super) const ELF_MACHINE: u32 = 62;
/// Code of a function of one argument that calls `function` with a second one.
pub(super) fn bound_call(function: u64, second: u64) -> Vec<u8> {
    const ENDBR64: [u8; 4] = [0xf3, 0x0f, 0x1e, 0xfa];
    const MOVABS_RSI: [u8; 2] = [0x48, 0xbe];
    const MOVABS_RAX: [u8; 2] = [0x48, 0xb8];
    const JMP_RAX: [u8; 2] = [0xff, 0xe0];
    let (second, function) = (second.to_le_bytes(), function.to_le_bytes());
    [&ENDBR64[..], &MOVABS_RSI, &second, &MOVABS_RAX, &function, &JMP_RAX].concat()
}

/// `PerformCustomCallback`, with its return address as one more argument.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn perform_custom_callback() {
    naked_asm!("mov rdx, [rsp]", "jmp {}", sym callbacks::perform)
}

/// `jit_dispatch`, with its return address as one more argument.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn jit_dispatch() {
    naked_asm!("mov r8, [rsp]", "jmp {}", sym callbacks::dispatch)
}

/// `dlopen`, with its return address as one more argument.
#[unsafe(naked)]
pub(super) unsafe extern "C-unwind" fn dlopen() {
    naked_asm!("mov rdx, [rsp]", "jmp {}", sym dlfcn::open_anything)
}

/// `jit_dlopen`, with its return address as one more argument.
#[unsafe(naked)]
pub(super) unsafe extern "C-unwind" fn jit_dlopen() {
    naked_asm!("mov rdx, [rsp]", "jmp {}", sym dlfcn::open_dylib)
}

/// `dlsym`, with its return address as one more argument.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn dlsym() {
    naked_asm!("mov rdx, [rsp]", "jmp {}", sym dlfcn::find_anywhere)
}

/// `jit_dlsym`, with its return address as one more argument.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn jit_dlsym() {
    naked_asm!("mov rdx, [rsp]", "jmp {}", sym dlfcn::find_in_dylib)
}

/// `dlvsym`, with its return address as one more argument.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn dlvsym() {
    naked_asm!("mov rcx, [rsp]", "jmp {}", sym dlfcn::find_version)
}

pub(super) use thread_locals::{
    absent_tls_descriptor, prepare_thread_locals, static_tls_descriptor, thread_locals_slot, thread_pointer,
    thread_pool_offset, tls_descriptor, tls_get_addr,
};

/// What the compilers' support library has on this architecture alone.
pub(super) use cpu_model::entries as builtins;
pub(super) use promise::{EARLY, promised_entry};
pub(super) use reentry::{prepare_reentry, reentry};

/// Makes what the name of a builtin stands for ready for use.
pub(super) fn prepare_builtin(name: &[u8]) {
    if name.starts_with(b"__cpu_") {
        cpu_model::fill();
    }
}

/// What native code does at a division by zero.
#[cold]
pub(super) fn divide_by_zero() {
    // SAFETY: raises the processor's division error, from which the kernel delivers SIGFPE; declares what it changes.
    unsafe {
        std::arch::asm!("div {0:e}", in(reg) 0, inout("eax") 1 => _, inout("edx") 0 => _);
    }
}

/// What code for Darwin expects.
pub(super) use darwin::*;
pub(super) use tlv::tlv_address;
