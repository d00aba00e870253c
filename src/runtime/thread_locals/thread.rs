//! The calling thread's blocks: the slow path, and their end.
//!
//! # Safety
//!
//! The slot is the calling thread's, and only that thread touches it. It is written while signals are blocked.
#![allow(unsafe_code)]

use super::super::arch;
use super::registry::{self, Thread};
use crate::base::{Error, Result};
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr::{null, null_mut};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a thread has in its static TLS; code of the architecture reads the first two words.
#[repr(C)]
pub(in crate::runtime) struct Slot {
    table: *const AtomicUsize,
    length: usize,
    thread: *mut Thread,
}

/// The key of thread-specific data whose destructor frees blocks; none if there are no more keys.
static KEY: OnceLock<Option<libc::pthread_key_t>> = OnceLock::new();

/// Sees to it that blocks are freed when their threads exit, and that a forked child can go on.
pub(super) fn prepare() -> Result<()> {
    let make = || {
        arch::prepare_thread_locals();
        let mut key = 0;
        // SAFETY: writes one key; the destructor has the type asked for.
        let created = unsafe { libc::pthread_key_create(&raw mut key, Some(exit)) };
        // SAFETY: the handlers take and release a lock.
        let registered = unsafe {
            libc::pthread_atfork(Some(registry::hold), Some(registry::let_go), Some(registry::let_go))
        };
        (created == 0 && registered == 0).then_some(key)
    };
    match KEY.get_or_init(make) {
        Some(_) => Ok(()),
        None => {
            Err(Error::invalid("no key of thread-specific data is left for thread-local variables", None))
        }
    }
}

/// The address of `offset` in the calling thread's block of a module, which is made if need be.
pub(in crate::runtime) extern "C" fn address(number: u32, offset: usize) -> *mut u8 {
    let slot = arch::thread_locals_slot();
    // SAFETY: the calling thread's own slot.
    if let Some(block) = unsafe { (*slot).block(number) } {
        return block.wrapping_add(offset);
    }
    with_signals_blocked(|| {
        // SAFETY: as above; no handler interrupts.
        let slot = unsafe { &mut *slot };
        let found = slot.add_block(number);
        slot.block(number).filter(|_| found).map_or(null_mut(), |block| block.wrapping_add(offset))
    })
}

/// The offset from the thread pointer of what a descriptor's second word says.
pub(in crate::runtime) extern "C" fn offset(argument: u64) -> usize {
    let (number, offset) = ((argument >> 32) as u32, argument as u32);
    address(number, offset as usize).addr().wrapping_sub(arch::thread_pointer())
}

impl Slot {
    fn block(&self, number: u32) -> Option<*mut u8> {
        if number as usize >= self.length {
            return None;
        }
        // SAFETY: the table is this thread's, of that length, and lives until this thread replaces it.
        let offset = unsafe { (*self.table.add(number as usize)).load(Ordering::Acquire) };
        (offset != 0)
            .then(|| std::ptr::with_exposed_provenance_mut(arch::thread_pointer().wrapping_add(offset)))
    }

    fn add_block(&mut self, number: u32) -> bool {
        let mut registry = registry::lock();
        if self.thread.is_null() {
            self.thread = registry.add_thread(arch::thread_pointer());
            self.arm();
        }
        // SAFETY: made above or before, and removed by this thread only; the lock is held.
        let thread = unsafe { &mut *self.thread };
        let found = registry.add_block(thread, number);
        (self.table, self.length) = (thread.table.as_ptr(), thread.table.len());
        found
    }

    /// Has [`exit`] called when the thread exits. Without memory for that the blocks stay when the thread has gone.
    fn arm(&self) {
        if let Some(Some(key)) = KEY.get() {
            // SAFETY: the key exists.
            unsafe { libc::pthread_setspecific(*key, self.thread.cast()) };
        }
    }
}

/// After how many rounds over thread-specific data the blocks go. glibc makes four; of these, the last is too late for
/// data whose destructors come after this one.
const ROUNDS: u32 = 4;

/// Runs when a thread exits, once in each round of destructors of thread-specific data.
unsafe extern "C" fn exit(data: *mut c_void) {
    let thread = data.cast::<Thread>();
    with_signals_blocked(|| {
        let mut registry = registry::lock();
        // SAFETY: the data was set by this thread to its own state, which is there until it is removed below.
        let rounds = unsafe {
            (*thread).rounds += 1;
            (*thread).rounds
        };
        // SAFETY: the calling thread's own slot; no handler interrupts.
        let slot = unsafe { &mut *arch::thread_locals_slot() };
        if rounds < ROUNDS {
            return slot.arm();
        }
        *slot = Slot { table: null(), length: 0, thread: null_mut() };
        // SAFETY: it was in the list, and the slot no longer leads to it.
        unsafe { registry.remove_thread(thread) };
    });
}

fn with_signals_blocked<T>(work: impl FnOnce() -> T) -> T {
    let (mut all, mut old) = (MaybeUninit::uninit(), MaybeUninit::uninit());
    // SAFETY: the first call fills the set that the second reads; that fills the other.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), old.as_mut_ptr());
    }
    let result = work();
    // SAFETY: the set that was filled above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, old.as_ptr(), null_mut()) };
    result
}
