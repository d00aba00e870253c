//! Memory and strings.

use super::Function;
use std::ffi::{c_char, c_void};

pub(super) const FUNCTIONS: &[Function] = &[
    ("__strlcat_chk", strlcat as *const ()),
    ("__strlcpy_chk", strlcpy as *const ()),
    ("memset_pattern16", memset_pattern16 as *const ()),
    ("memset_pattern4", memset_pattern4 as *const ()),
    ("memset_pattern8", memset_pattern8 as *const ()),
    ("strlcat", strlcat as *const ()),
    ("strlcpy", strlcpy as *const ()),
];

/// Fills `size` bytes with a pattern, the last copy of which may be cut off.
unsafe fn fill<const N: usize>(target: *mut c_void, pattern: *const c_void, size: usize) {
    // SAFETY: the caller gives a pattern of N bytes.
    let pattern = unsafe { pattern.cast::<[u8; N]>().read_unaligned() };
    let target = target.cast::<u8>();
    let whole = size / N;
    for position in 0..whole {
        // SAFETY: in the first `whole * N` of `size` bytes.
        unsafe { target.add(position * N).cast::<[u8; N]>().write_unaligned(pattern) };
    }
    // SAFETY: the rest of `size` bytes, fewer than N.
    unsafe { std::ptr::copy_nonoverlapping(pattern.as_ptr(), target.add(whole * N), size - whole * N) };
}

unsafe extern "C" fn memset_pattern4(target: *mut c_void, pattern: *const c_void, size: usize) {
    // SAFETY: as the caller promises: 4 bytes of pattern, `size` of memory.
    unsafe { fill::<4>(target, pattern, size) }
}

unsafe extern "C" fn memset_pattern8(target: *mut c_void, pattern: *const c_void, size: usize) {
    // SAFETY: as the caller promises: 8 bytes of pattern, `size` of memory.
    unsafe { fill::<8>(target, pattern, size) }
}

unsafe extern "C" fn memset_pattern16(target: *mut c_void, pattern: *const c_void, size: usize) {
    // SAFETY: as the caller promises: 16 bytes of pattern, `size` of memory.
    unsafe { fill::<16>(target, pattern, size) }
}

unsafe extern "C" fn strlcpy(target: *mut c_char, source: *const c_char, size: usize) -> usize {
    // SAFETY: `source` ends with a zero, and `target` has room for `size` bytes.
    unsafe {
        let length = libc::strlen(source);
        if let Some(room) = size.checked_sub(1) {
            let count = length.min(room);
            std::ptr::copy_nonoverlapping(source, target, count);
            *target.add(count) = 0;
        }
        length
    }
}

unsafe extern "C" fn strlcat(target: *mut c_char, source: *const c_char, size: usize) -> usize {
    // SAFETY: `target` has room for `size` bytes, and `source` ends with a zero.
    unsafe {
        let length = libc::strnlen(target, size);
        length + strlcpy(target.add(length), source, size - length)
    }
}
