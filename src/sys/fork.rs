//! Telling a forked child from its parent, without a system call.
//!
//! # Safety
//! The marker page is mapped once and never unmapped; it is only accessed as an `AtomicU64`, which it is aligned for.
#![allow(unsafe_code)]

use memmap2::MmapRaw;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

static MARKER: OnceLock<Option<MmapRaw>> = OnceLock::new();

/// A number that is another one in every process that lives at the same time: a child gets its own after `fork`.
pub(crate) fn process_identity() -> u64 {
    let Some(page) = MARKER.get_or_init(wiped_on_fork) else {
        return u64::from(std::process::id());
    };
    let cached = identity_in(page);
    match cached.load(Ordering::Acquire) {
        0 => match cached.compare_exchange(0, fresh_identity(), Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => cached.load(Ordering::Acquire),
            Err(winner) => winner,
        },
        identity => identity,
    }
}

fn identity_in(page: &MmapRaw) -> &AtomicU64 {
    // SAFETY: the page is mapped for good, zero at first, and used as nothing but this atomic.
    unsafe { AtomicU64::from_ptr(page.as_mut_ptr().cast()) }
}

/// The process id and the time: ids are used again, and a grandchild may get the one of its late grandparent.
fn fresh_identity() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    (u64::from(std::process::id()) << 32) | u64::from(now.subsec_nanos()) | 1
}

/// A page that is zero again in a child; `None` where nobody sees to that.
///
/// The kernel does, however the child was made. Emulators accept the advice and do nothing, so that the C library is asked
/// as well.
fn wiped_on_fork() -> Option<MmapRaw> {
    let page = MmapRaw::from(memmap2::MmapMut::map_anon(super::page::size() as usize).ok()?);
    // SAFETY: the range is the whole of a private anonymous mapping that this function owns.
    let advised = unsafe { libc::madvise(page.as_mut_ptr().cast(), page.len(), libc::MADV_WIPEONFORK) };
    // SAFETY: the handler stores to an atomic, which a child may do.
    let registered = unsafe { libc::pthread_atfork(None, None, Some(forget_identity)) };
    (advised == 0 && registered == 0).then_some(page)
}

/// Runs in a child, before `fork` returns there.
extern "C" fn forget_identity() {
    if let Some(Some(page)) = MARKER.get() {
        identity_in(page).store(0, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::process_identity;

    #[test]
    fn child_has_another_identity() {
        let own = process_identity();
        assert_eq!(own, process_identity());
        // SAFETY: the child compares two integers and exits without running anything else.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let differs = process_identity() != own;
            // SAFETY: ends the child at once.
            unsafe { libc::_exit(i32::from(differs)) };
        }
        let mut status = 0;
        // SAFETY: waits for the child made above.
        unsafe { libc::waitpid(child, &raw mut status, 0) };
        assert_eq!(libc::WEXITSTATUS(status), 1);
        assert_eq!(own, process_identity());
    }
}
