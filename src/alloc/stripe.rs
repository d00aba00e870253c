//! One kind's part of a region: what is free in it, and which of that is committed already.

use super::ranges::RangeSet;
use crate::base::Result;
use crate::sys::page;
use crate::sys::reserve::{Protection, Reservation};
use std::ops::Range;

/// Free memory is made writable in steps of this, so that small allocations rarely cost a system call.
const COMMIT_STEP: u64 = 1 << 20;

/// With more holes than this, free pages are not made inaccessible any more: each would need a mapping of its own, of
/// which the kernel allows a process 65,530.
const INACCESSIBLE_HOLES: usize = 16;

/// Addresses from which runs of one kind are handed out, next to each other: the kernel then joins their mappings.
#[derive(Debug)]
pub(super) struct Stripe {
    bounds: Range<u64>,
    free: RangeSet,
    /// Free ranges that are writable and zero.
    ready: RangeSet,
}

impl Stripe {
    /// All of `bounds` is free and not committed.
    pub(super) fn new(bounds: Range<u64>) -> Self {
        Self { free: RangeSet::full(bounds.clone()), ready: RangeSet::default(), bounds }
    }

    /// All of `bounds` is free, writable (by whatever way) and zero.
    pub(super) fn committed(bounds: Range<u64>) -> Self {
        Self { ready: RangeSet::full(bounds.clone()), ..Self::new(bounds) }
    }

    /// Whether nothing is handed out.
    pub(super) fn is_unused(&self) -> bool {
        self.free.covers(&self.bounds)
    }

    /// Whether pages that are freed can become inaccessible without taking too many mappings.
    pub(super) fn can_hide_free_pages(&self) -> bool {
        self.free.count() <= INACCESSIBLE_HOLES
    }

    /// Takes a free range.
    pub(super) fn take(&mut self, size: u64, alignment: u64) -> Option<Range<u64>> {
        self.free.take(size, alignment)
    }

    /// Makes `range`, just taken, writable.
    pub(super) fn commit(&mut self, reservation: &Reservation, range: &Range<u64>) -> Result<()> {
        if !self.ready.covers(range) {
            let pages = page::enclosing(range);
            let free_end = self.free.end_of(range.end).unwrap_or(range.end);
            let step_end = page::align_up(range.end, COMMIT_STEP).unwrap_or(pages.end);
            // Pages shared with neighbours in use are committed already; committing them again changes nothing.
            let end = step_end.min(free_end & !(page::size() - 1)).max(pages.end);
            reservation.protect(&(pages.start..end), Protection::READ_WRITE)?;
            self.ready.insert(range.end..end.min(free_end));
        }
        self.ready.remove(range);
        Ok(())
    }

    /// Takes `range` back. `ready` says which part of it is still writable, and zero.
    pub(super) fn give_back(&mut self, range: Range<u64>, ready: &[Range<u64>]) {
        for part in ready {
            self.ready.insert(part.clone());
        }
        self.free.insert(range);
    }
}
