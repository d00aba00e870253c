//! What reentry trampolines enter on x86-64: everything that the psABI passes arguments in is saved around the handler.
//!
//! General registers: the six of the argument sequence, `rax` (the number of vector registers of a variadic call) and
//! `r10` (the static chain). Vector registers and masks: by XSAVE, of the components that calls can pass anything in: SSE,
//! AVX, the three of AVX-512, and the general registers of APX. Never PKRU, which has a meaning of its own, nor AMX tiles,
//! which are not arguments. `r11` is scratch.

use super::super::reentry::continue_at;
use std::arch::naked_asm;
use std::arch::x86_64::{__cpuid_count, _xgetbv};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// SSE (1), AVX (2), AVX-512 masks and registers (5, 6, 7), APX (19).
const COMPONENTS: u32 = 1 << 1 | 1 << 2 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 19;

/// The legacy area and the header of XSAVE's standard format. FXSAVE has the former alone.
const LEGACY_SIZE: u64 = 512;
const HEADER_SIZE: u64 = 64;

/// What XSAVE saves; 0 where FXSAVE is used instead.
static MASK: AtomicU32 = AtomicU32::new(0);
/// How many bytes that takes.
static SIZE: AtomicU64 = AtomicU64::new(LEGACY_SIZE);

/// Finds out how vector registers are saved, before the first trampoline exists.
pub(in crate::runtime) fn prepare_reentry() {
    if !std::arch::is_x86_feature_detected!("xsave") {
        return;
    }
    let mask = COMPONENTS & enabled_components();
    let end_of = |component: u32| {
        let leaf = __cpuid_count(0xd, component);
        u64::from(leaf.ebx) + u64::from(leaf.eax)
    };
    let extended = (2..32).filter(|component| mask >> component & 1 != 0).map(end_of);
    let size = extended.fold(LEGACY_SIZE + HEADER_SIZE, u64::max);
    SIZE.store(size, Relaxed);
    MASK.store(mask, Relaxed);
}

#[target_feature(enable = "xsave")]
fn xcr0() -> u64 {
    // SAFETY: the processor has XGETBV where it has XSAVE and the system uses it.
    unsafe { _xgetbv(0) }
}

fn enabled_components() -> u32 {
    // SAFETY: called where XSAVE was detected.
    (unsafe { xcr0() }) as u32
}

/// Entered by trampolines, which have pushed their number below the return address of a call. It goes on where the
/// handler says, with the stack and all registers as the call had them.
///
/// For unwinders this is a function called by the trampoline's caller, with one word more on the stack.
#[unsafe(naked)]
pub(in crate::runtime) unsafe extern "C" fn reentry() {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_def_cfa_offset 16",
        "endbr64",
        "push rbp",
        ".cfi_def_cfa_offset 24",
        ".cfi_offset rbp, -24",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "push rax",
        "push rdi",
        "push rsi",
        "push rdx",
        "push rcx",
        "push r8",
        "push r9",
        "push r10",
        "sub rsp, qword ptr [rip + {size}]",
        "and rsp, -64",
        "mov eax, dword ptr [rip + {mask}]",
        "xor edx, edx",
        "test eax, eax",
        "jz 2f",
        // The header must be zero where XSAVE does not write it.
        "mov qword ptr [rsp + 512], rdx",
        "mov qword ptr [rsp + 520], rdx",
        "mov qword ptr [rsp + 528], rdx",
        "mov qword ptr [rsp + 536], rdx",
        "mov qword ptr [rsp + 544], rdx",
        "mov qword ptr [rsp + 552], rdx",
        "mov qword ptr [rsp + 560], rdx",
        "mov qword ptr [rsp + 568], rdx",
        "xsave64 [rsp]",
        "jmp 3f",
        "2:",
        "fxsave64 [rsp]",
        "3:",
        "mov edi, dword ptr [rbp + 8]",
        "call {continue_at}",
        "mov r11, rax",
        "mov eax, dword ptr [rip + {mask}]",
        "xor edx, edx",
        "test eax, eax",
        "jz 4f",
        "xrstor64 [rsp]",
        "jmp 5f",
        "4:",
        "fxrstor64 [rsp]",
        "5:",
        "lea rsp, [rbp - 64]",
        "pop r10",
        "pop r9",
        "pop r8",
        "pop rcx",
        "pop rdx",
        "pop rsi",
        "pop rdi",
        "pop rax",
        "pop rbp",
        ".cfi_def_cfa rsp, 16",
        ".cfi_restore rbp",
        "lea rsp, [rsp + 8]",
        ".cfi_def_cfa_offset 8",
        "jmp r11",
        ".cfi_endproc",
        size = sym SIZE,
        mask = sym MASK,
        continue_at = sym continue_at,
    )
}
