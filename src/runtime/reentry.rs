//! From linked code back into the host: what a reentry trampoline leads to.
//!
//! A trampoline enters [`entry_point`] with its number. The registers that can hold arguments are saved, the handler of
//! that number says where to go on, the registers are restored, and that code is jumped to as if the caller had called
//! it: no frame is left on the stack, so that return, tail calls and exceptions pass.
//!
//! # Safety
//!
//! The address that a handler returns is jumped to. Whoever registers one vouches for its addresses.
#![allow(unsafe_code)]

use super::arch;
use crate::base::{Error, ExecutorAddr, Result};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// Says where linked code goes on that entered a trampoline.
pub trait Reenter: Send + Sync {
    /// The address at which the call that entered trampoline `position` of this handler goes on: a function that takes
    /// the same arguments. Called on the calling thread, with no lock held. A panic ends the process.
    fn reenter(&self, position: u32) -> ExecutorAddr;
}

/// Numbers for trampolines, which lead to one handler until this is dropped.
pub struct Registration {
    first: u32,
    count: u32,
}

struct Range {
    count: u32,
    handler: Arc<dyn Reenter>,
}

/// By first number; ranges do not overlap.
static HANDLERS: RwLock<BTreeMap<u32, Range>> = RwLock::new(BTreeMap::new());

/// Where the search for free numbers starts.
static NEXT: Mutex<u32> = Mutex::new(0);

/// Numbers are below this.
const LIMIT: u32 = 1 << 31;

impl Registration {
    /// Finds `count` numbers that lead to `handler`.
    ///
    /// # Errors
    /// There are two thousand million trampolines already.
    pub fn new(count: u32, handler: Arc<dyn Reenter>) -> Result<Self> {
        arch::prepare_reentry();
        let mut next = NEXT.lock().unwrap_or_else(PoisonError::into_inner);
        let mut handlers = HANDLERS.write().unwrap_or_else(PoisonError::into_inner);
        let fits = |first: u32| first.checked_add(count).is_some_and(|end| end <= LIMIT);
        let mut first = if fits(*next) { *next } else { 0 };
        // Numbers are used in turn, so that the place after the last is free unless the numbers have come round.
        let mut rounds = 0;
        while let Some((start, range)) = handlers
            .range(..first.saturating_add(count))
            .next_back()
            .filter(|(start, r)| *start + r.count > first)
        {
            first = start + range.count;
            if !fits(first) {
                first = 0;
                rounds += 1;
            }
            if rounds > 1 || !fits(first) {
                return Err(Error::invalid("too many reentry trampolines", Some("remove some")));
            }
        }
        *next = first + count;
        handlers.insert(first, Range { count, handler });
        Ok(Self { first, count })
    }

    /// How many trampolines there are.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The number of the trampoline at `position`.
    #[must_use]
    pub fn index(&self, position: u32) -> u32 {
        self.first + position.min(self.count.saturating_sub(1))
    }
}

impl std::fmt::Debug for Registration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registration").field("first", &self.first).field("count", &self.count).finish()
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let removed = HANDLERS.write().unwrap_or_else(PoisonError::into_inner).remove(&self.first);
        drop(removed);
    }
}

/// The code that trampolines enter.
#[must_use]
pub fn entry_point() -> ExecutorAddr {
    ExecutorAddr(arch::reentry as *const () as u64)
}

/// Where the call that entered the trampoline of this number goes on.
pub(super) extern "C" fn continue_at(index: u32) -> usize {
    let found = {
        let handlers = HANDLERS.read().unwrap_or_else(PoisonError::into_inner);
        let range =
            handlers.range(..=index).next_back().filter(|(first, range)| index - **first < range.count);
        range.map(|(first, range)| (index - first, Arc::clone(&range.handler)))
    };
    let Some((position, handler)) = found else {
        eprintln!("jitlink: a call through a trampoline that was removed");
        std::process::abort();
    };
    match catch_unwind(AssertUnwindSafe(|| handler.reenter(position))) {
        Ok(address) => address.0 as usize,
        // The panic's message has been printed; linked code has no way to go on.
        Err(_) => std::process::abort(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed;

    impl Reenter for Fixed {
        fn reenter(&self, position: u32) -> ExecutorAddr {
            ExecutorAddr(1000 + u64::from(position))
        }
    }

    #[test]
    fn numbers_lead_to_their_handler() {
        let a = Registration::new(3, Arc::new(Fixed)).unwrap();
        let b = Registration::new(2, Arc::new(Fixed)).unwrap();
        assert_eq!(continue_at(a.index(2)), 1002);
        assert_eq!(continue_at(b.index(0)), 1000);
        assert!(a.index(2) < b.index(0) || b.index(1) < a.index(0));
    }
}
