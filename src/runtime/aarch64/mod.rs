//! Host code for AArch64, per AAPCS64.
//!
//! # Safety
//!
//! Each naked function keeps to the C calling convention: it changes no callee-saved register but those it restores,
//! and calls with the stack aligned to 16 bytes.
#![allow(unsafe_code)]

mod cpu_features;
mod crash;
mod darwin;
mod outline_atomics;
mod promise;
mod reentry;
mod thread_locals;
mod tlv;

pub(super) use crash::interrupted_at;
pub(super) use promise::{EARLY, promised_entry};
pub(super) use reentry::{prepare_reentry, reentry};

/// The number of the architecture in ELF files.
pub(super) const ELF_MACHINE: u32 = 183;

use super::builtins::Entry;
use super::program::OutermostFn;
#[cfg(target_env = "gnu")]
use super::static_libc::{self, HandlerFn};
use super::{callbacks, dlfcn};
use std::arch::naked_asm;
#[cfg(target_env = "gnu")]
use std::ffi::c_int;
use std::ffi::c_void;

/// Set in a resolver's first argument when there is a second one (`sys/ifunc.h`).
const IFUNC_ARG_HWCAP: u64 = 1 << 62;

const AT_HWCAP3: u64 = 29;
const AT_HWCAP4: u64 = 30;

/// A resolver's second argument: `__ifunc_arg_t` of `sys/ifunc.h`, which grows at its end and begins with its size.
#[repr(C)]
struct IfuncArg {
    size: u64,
    hwcap: [u64; 4],
}

/// Calls the resolver of an indirect function with the hardware capabilities.
///
/// # Safety
/// `resolver` is the address of such a function.
pub(super) unsafe fn call_ifunc_resolver(resolver: usize) -> usize {
    // SAFETY: getauxval only reads; it gives zero for what the kernel has not told.
    let hwcap =
        [libc::AT_HWCAP, libc::AT_HWCAP2, AT_HWCAP3, AT_HWCAP4].map(|tag| unsafe { libc::getauxval(tag) });
    let argument = IfuncArg { size: size_of::<IfuncArg>() as u64, hwcap };
    let resolver = std::ptr::with_exposed_provenance::<()>(resolver);
    // SAFETY: the caller gives a resolver's address.
    let resolver: unsafe extern "C" fn(u64, *const IfuncArg) -> usize =
        unsafe { std::mem::transmute(resolver) };
    // SAFETY: as above; the argument outlives the call.
    unsafe { resolver(hwcap[0] | IFUNC_ARG_HWCAP, &raw const argument) }
}

/// Calls `function(data)` from a frame that ends the stack for unwinders, as `_start` does: its return address and
/// its caller's frame pointer are declared unknown.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn call_outermost(function: OutermostFn, data: *mut c_void) {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_undefined x30",
        "stp x29, x30, [sp, #-16]!",
        ".cfi_def_cfa_offset 16",
        ".cfi_undefined x29",
        "mov x29, #0",
        "mov x9, x0",
        "mov x0, x1",
        "blr x9",
        "ldp x29, x30, [sp], #16",
        ".cfi_def_cfa_offset 0",
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
        "stp x29, x30, [sp, #-16]!",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset x29, -16",
        ".cfi_offset x30, -8",
        "mov x29, sp",
        "mov x9, x0",
        "mov x0, x1",
        "blr x9",
        "mov x0, #0",
        ".Ljitlink_caught:",
        "ldp x29, x30, [sp], #16",
        ".cfi_def_cfa_offset 0",
        "ret",
        ".cfi_endproc",
        personality = sym super::catch::personality,
    )
}

/// `atexit`, with its return address as one more argument.
#[cfg(target_env = "gnu")]
#[unsafe(naked)]
pub(super) unsafe extern "C" fn atexit(handler: HandlerFn) -> c_int {
    naked_asm!("mov x1, x30", "b {}", sym static_libc::register_at_exit)
}

/// `at_quick_exit`, with its return address as one more argument.
#[cfg(target_env = "gnu")]
#[unsafe(naked)]
pub(super) unsafe extern "C" fn at_quick_exit(handler: HandlerFn) -> c_int {
    naked_asm!("mov x1, x30", "b {}", sym static_libc::register_at_quick_exit)
}

/// `pthread_atfork`, with its return address as one more argument.
#[cfg(target_env = "gnu")]
#[unsafe(naked)]
pub(super) unsafe extern "C" fn pthread_atfork(
    prepare: Option<HandlerFn>,
    parent: Option<HandlerFn>,
    child: Option<HandlerFn>,
) -> c_int {
    naked_asm!("mov x3, x30", "b {}", sym static_libc::register_at_fork)
}

/// Code of a function of one argument that calls `function` with a second one.
pub(super) fn bound_call(function: u64, second: u64) -> Vec<u8> {
    const BTI_C: u32 = 0xd503_245f;
    const MOVZ: u32 = 0xd280_0000;
    const MOVK: u32 = 0xf280_0000;
    const BR_X16: u32 = 0xd61f_0200;
    let load = |register: u32, value: u64| {
        (0..4u32).map(move |group| {
            let bits = (value >> (16 * group)) as u32 & 0xffff;
            let operation = if group == 0 { MOVZ } else { MOVK };
            operation | group << 21 | bits << 5 | register
        })
    };
    let words = [BTI_C].into_iter().chain(load(1, second)).chain(load(16, function)).chain([BR_X16]);
    words.flat_map(u32::to_le_bytes).collect()
}

/// `PerformCustomCallback`, with its return address as one more argument.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn perform_custom_callback() {
    naked_asm!("mov x2, x30", "b {}", sym callbacks::perform)
}

/// `jit_dispatch`, with its return address as one more argument.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn jit_dispatch() {
    naked_asm!("mov x4, x30", "b {}", sym callbacks::dispatch)
}

/// `dlopen`, with its return address as one more argument.
#[unsafe(naked)]
pub(super) unsafe extern "C-unwind" fn dlopen() {
    naked_asm!("mov x2, x30", "b {}", sym dlfcn::open_anything)
}

/// `jit_dlopen`, with its return address as one more argument.
#[unsafe(naked)]
pub(super) unsafe extern "C-unwind" fn jit_dlopen() {
    naked_asm!("mov x2, x30", "b {}", sym dlfcn::open_dylib)
}

/// `dlsym`, with its return address as one more argument.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn dlsym() {
    naked_asm!("mov x2, x30", "b {}", sym dlfcn::find_anywhere)
}

/// `jit_dlsym`, with its return address as one more argument.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn jit_dlsym() {
    naked_asm!("mov x2, x30", "b {}", sym dlfcn::find_in_dylib)
}

/// `dlvsym`, with its return address as one more argument.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn dlvsym() {
    naked_asm!("mov x3, x30", "b {}", sym dlfcn::find_version)
}

pub(super) use thread_locals::{
    absent_tls_descriptor, prepare_thread_locals, static_tls_descriptor, thread_locals_slot, thread_pointer,
    thread_pool_offset, tls_descriptor, tls_get_addr,
};

/// What the compilers' support library has on this architecture alone.
pub(super) fn builtins() -> impl Iterator<Item = Entry> {
    cpu_features::entries().into_iter().chain(outline_atomics::entries())
}

/// Makes what the name of a builtin stands for ready for use: all are from the start.
pub(super) fn prepare_builtin(_name: &[u8]) {}

/// What native code does at a division by zero: nothing, since the division instructions give zero.
pub(super) fn divide_by_zero() {}

/// What code for Darwin expects.
pub(super) use darwin::*;
pub(super) use tlv::tlv_address;
