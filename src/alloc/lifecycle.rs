//! The one way from working memory to finalized memory and back, whatever the memory is.
//!
//! # Safety
//! A [`WorkingSlice`] is made by whoever owns the memory, for as long as its backing lives; the slices of one allocation
//! are disjoint, and borrowing the allocation mutably is the only way to get at them.
#![allow(unsafe_code)]

use super::actions::{self, UndoList};
use super::traits::code_is_final;
use super::{FinalizeRequest, FinalizedAllocation, InFlightAllocation, SegmentPlacement};
use crate::base::{ExecutorAddr, Result};
use std::ptr::NonNull;

/// The memory of one allocation. Dropping it releases it.
pub(super) trait Backing: Send + Sync + 'static {
    /// Makes code executable and read-only data read-only. The working memory is not used again.
    fn publish(&mut self) -> Result<()>;

    /// Makes RELRO segments read-only.
    fn seal_relro(&mut self) -> Result<()>;

    /// Frees what has finalize lifetime.
    fn release_finalize(&mut self) -> Result<()>;

    /// Stores eight bytes of published code at once.
    fn patch_code(&self, address: ExecutorAddr, bytes: [u8; 8]) -> Result<()> {
        let _ = bytes;
        Err(code_is_final(address))
    }

    /// Frees everything; nothing is left to do when called again.
    fn release(&mut self) -> Result<()>;
}

/// The content bytes of a segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct WorkingSlice {
    start: NonNull<u8>,
    size: usize,
}

// SAFETY: a plain address; access goes through a mutable borrow of the allocation that has the slice.
unsafe impl Send for WorkingSlice {}
// SAFETY: as above.
unsafe impl Sync for WorkingSlice {}

impl WorkingSlice {
    /// `size` bytes from `start` on.
    ///
    /// # Safety
    /// The bytes are initialized, writable, and accessed by nobody else, until the backing is published or dropped.
    pub(super) unsafe fn new(start: NonNull<u8>, size: usize) -> Self {
        Self { start, size }
    }

    /// `size` bytes from `address` on; without looking at the address when there are none.
    ///
    /// # Safety
    /// As for [`new`](Self::new).
    pub(super) unsafe fn at(address: u64, size: u64) -> Self {
        let start = NonNull::new(address as *mut u8).unwrap_or(NonNull::dangling());
        Self { start, size: size as usize }
    }
}

/// An allocation that is being written.
pub(super) struct InFlight<B: Backing> {
    /// The memory.
    pub(super) backing: B,
    /// Where the segments lie.
    pub(super) segments: Vec<SegmentPlacement>,
    /// Their contents.
    pub(super) working: Vec<WorkingSlice>,
    /// Whether linked code can be run.
    pub(super) runs_actions: bool,
}

impl<B: Backing> InFlightAllocation for InFlight<B> {
    fn segments(&self) -> &[SegmentPlacement] {
        &self.segments
    }

    fn working_memory(&mut self) -> Vec<&mut [u8]> {
        let bytes = |slice: &mut WorkingSlice| {
            // SAFETY: by `WorkingSlice::new` the bytes are valid and nobody else's; the result borrows `self` mutably,
            // which owns the backing, not yet published.
            unsafe { std::slice::from_raw_parts_mut(slice.start.as_ptr(), slice.size) }
        };
        self.working.iter_mut().map(bytes).collect()
    }

    fn finalize(self: Box<Self>, request: FinalizeRequest) -> Result<Box<dyn FinalizedAllocation>> {
        let Self { mut backing, segments, runs_actions, .. } = *self;
        backing.publish()?;
        if runs_actions {
            request.relro_actions.iter().try_for_each(actions::run)?;
        }
        backing.seal_relro()?;
        // From here on, dropping it undoes what has been done.
        let mut finalized = Box::new(Finalized { undo: UndoList::default(), backing, segments });
        if runs_actions {
            request.actions.into_iter().try_for_each(|pair| finalized.undo.perform(pair))?;
        }
        finalized.backing.release_finalize()?;
        Ok(finalized)
    }
}

/// An allocation that is in use.
struct Finalized<B: Backing> {
    undo: UndoList,
    backing: B,
    segments: Vec<SegmentPlacement>,
}

impl<B: Backing> FinalizedAllocation for Finalized<B> {
    fn segments(&self) -> &[SegmentPlacement] {
        &self.segments
    }

    fn patch_code(&self, address: ExecutorAddr, bytes: [u8; 8]) -> Result<()> {
        self.backing.patch_code(address, bytes)
    }

    fn deallocate(mut self: Box<Self>) -> Result<()> {
        let undone = self.undo.undo();
        undone.and(self.backing.release())
    }
}

impl<B: Backing> Drop for Finalized<B> {
    fn drop(&mut self) {
        // Nobody is left to tell about a failure; the backing is released all the same.
        let _ = self.undo.undo();
    }
}
