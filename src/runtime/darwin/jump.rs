//! `setjmp` and `longjmp`: Darwin's `jmp_buf` is smaller than the host's, so that registers are saved by code of the
//! architecture's own; the mask of blocked signals, which `setjmp` saves and `_setjmp` does not, here.
//!
//! A buffer has 148 bytes on x86-64 and 192 on AArch64. The code lays it out with the two fields of the mask at its end.

use std::ffi::c_int;

/// The end of a buffer.
#[repr(C)]
#[derive(Debug)]
pub(in crate::runtime) struct SavedMask {
    saved: u64,
    mask: u64,
}

/// Saves the mask of blocked signals if `save` is not zero. The result is that of the first return of `setjmp`.
///
/// # Safety
/// `end` is the end of a buffer.
pub(in crate::runtime) unsafe extern "C" fn save_mask(end: *mut SavedMask, save: c_int) -> c_int {
    // SAFETY: as the caller promises; the set is filled, and longer than what is read of it.
    unsafe {
        (*end).saved = u64::from(save != 0);
        if save != 0 {
            let mut set: libc::sigset_t = std::mem::zeroed();
            libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &raw mut set);
            (*end).mask = (&raw const set).cast::<u64>().read();
        }
    }
    0
}

/// Restores the mask of blocked signals, where one was saved.
///
/// # Safety
/// `end` is the end of a buffer that `save_mask` has filled.
pub(in crate::runtime) unsafe extern "C" fn restore_mask(end: *const SavedMask) {
    // SAFETY: as the caller promises; a set of zeros is valid.
    unsafe {
        if (*end).saved != 0 {
            let mut set: libc::sigset_t = std::mem::zeroed();
            (&raw mut set).cast::<u64>().write((*end).mask);
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut());
        }
    }
}
