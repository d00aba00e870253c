//! Where a signal interrupted a thread.

use std::ffi::c_void;

/// The address of the instruction that was to be executed next, or could not be.
///
/// # Safety
/// `context` is what the kernel gave a signal handler as its third argument.
pub(in crate::runtime) unsafe fn interrupted_at(context: *mut c_void) -> u64 {
    // SAFETY: the caller gives the context.
    let context = unsafe { &*context.cast::<libc::ucontext_t>() };
    context.uc_mcontext.pc
}
