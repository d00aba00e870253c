//! What code for Darwin expects of x86-64 code here. The calling conventions are the same.

use super::super::darwin::{self, SavedMask, restore_mask, save_mask};
use std::arch::naked_asm;
use std::ffi::{c_int, c_void};

/// Functions of the host that mean something else on Darwin for x86-64: structures without the suffix `$INODE64` are
/// those of old. Sorted.
pub(in crate::runtime) const DARWIN_REFUSED: &[&str] = &["fstat", "fstatat", "lstat", "stat"];

/// Functions that Darwin has another way on this architecture.
pub(in crate::runtime) const DARWIN_FUNCTIONS: &[darwin::Function] = &[];

/// The host's name of a function that has another on this architecture alone.
pub(in crate::runtime) fn darwin_name(_name: &[u8]) -> Option<&[u8]> {
    None
}

pub(in crate::runtime) use darwin::files::{
    fcntl as darwin_fcntl, open as darwin_open, openat as darwin_openat,
};

// A `jmp_buf` of 37 words of 32 bits: rbx, rbp, rsp, r12 to r15, rip; mxcsr and the control word of the x87; the mask.
const MASK: usize = 72;
const _: () = assert!(MASK + size_of::<SavedMask>() <= 148);

macro_rules! setjmp {
    ($name:ident, $doc:literal, $save:literal) => {
        #[doc = $doc]
        #[unsafe(naked)]
        pub(in crate::runtime) unsafe extern "C" fn $name(buffer: *mut c_void, save: c_int) -> c_int {
            naked_asm!(
                $save,
                "mov [rdi], rbx",
                "mov [rdi + 8], rbp",
                "lea rax, [rsp + 8]",
                "mov [rdi + 16], rax",
                "mov [rdi + 24], r12",
                "mov [rdi + 32], r13",
                "mov [rdi + 40], r14",
                "mov [rdi + 48], r15",
                "mov rax, [rsp]",
                "mov [rdi + 56], rax",
                "stmxcsr [rdi + 64]",
                "fnstcw [rdi + 68]",
                "add rdi, {mask}",
                "jmp {save_mask}",
                mask = const MASK,
                save_mask = sym save_mask,
            )
        }
    };
}

setjmp!(darwin_setjmp, "`setjmp`, which saves the mask of blocked signals.", "mov esi, 1");
setjmp!(darwin_setjmp_without_mask, "`_setjmp`, which does not.", "xor esi, esi");
setjmp!(darwin_sigsetjmp, "`sigsetjmp`, which does if told so.", "");

/// `longjmp`, `_longjmp` and `siglongjmp`.
#[unsafe(naked)]
pub(in crate::runtime) unsafe extern "C" fn darwin_longjmp(buffer: *const c_void, value: c_int) -> ! {
    naked_asm!(
        "push rdi",
        "push rsi",
        "sub rsp, 8",
        "add rdi, {mask}",
        "call {restore_mask}",
        "add rsp, 8",
        "pop rax",
        "pop rdi",
        "cmp eax, 1",
        "adc eax, 0", // zero becomes one
        "ldmxcsr [rdi + 64]",
        "fldcw [rdi + 68]",
        "mov rbx, [rdi]",
        "mov rbp, [rdi + 8]",
        "mov rsp, [rdi + 16]",
        "mov r12, [rdi + 24]",
        "mov r13, [rdi + 32]",
        "mov r14, [rdi + 40]",
        "mov r15, [rdi + 48]",
        "jmp [rdi + 56]",
        mask = const MASK,
        restore_mask = sym restore_mask,
    )
}

/// `__chkstk_darwin`: touches each page of the `rax` bytes below the stack pointer, changing no register.
#[unsafe(naked)]
pub(in crate::runtime) unsafe extern "C" fn darwin_chkstk() {
    naked_asm!(
        ".cfi_startproc",
        "push rcx",
        ".cfi_adjust_cfa_offset 8",
        "push rax",
        ".cfi_adjust_cfa_offset 8",
        "lea rcx, [rsp + 24]",
        "2:",
        "cmp rax, 4096",
        "jb 3f",
        "sub rcx, 4096",
        "test [rcx], cl",
        "sub rax, 4096",
        "jmp 2b",
        "3:",
        "sub rcx, rax",
        "test [rcx], cl",
        "pop rax",
        ".cfi_adjust_cfa_offset -8",
        "pop rcx",
        ".cfi_adjust_cfa_offset -8",
        "ret",
        ".cfi_endproc",
    )
}
