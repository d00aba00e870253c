//! One contiguous slab of memory, at a pretended address if so wished: for tests and for looking at what a link makes.
//!
//! # Safety
//! Working memory is the slab's own, whole pages that no other allocation has, committed until they are released.
#![allow(unsafe_code)]

use super::in_process::placement;
use super::layout::{self, Kind};
use super::lifecycle::{Backing, InFlight, WorkingSlice};
use super::ranges::RangeSet;
use super::{InFlightAllocation, LayoutRequest, MemoryManager, SegmentPlacement, SegmentRequest};
use crate::base::{AddrRange, Error, ExecutorAddr, Result};
use crate::graph::Lifetime;
use crate::sys::icache;
use crate::sys::page::{self, align_up};
use crate::sys::place::{self, Aligned};
use crate::sys::reserve::Protection;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a slab is to be like.
#[derive(Clone, Copy, Debug)]
pub struct SlabOptions {
    /// Bytes; rounded up to whole pages. At most [`LayoutRequest::MAX_SIZE`].
    pub size: u64,
    /// The address that the slab pretends to have, a multiple of the page size. Then nothing in it is executed and no
    /// action is run. `None` for its true address in this process, where it can be.
    pub address: Option<ExecutorAddr>,
    /// The page size to pretend; `None` for this process's. A power of two, and for a slab that can be executed a
    /// multiple of this process's.
    pub page_size: Option<u64>,
}

/// A manager that gives out one slab: the segments of a request in their order, each from a page boundary on.
///
/// The same requests get the same places. [`Placement`](super::Placement) is not looked at: everything lies in the slab,
/// wherever that is; what does not reach its target is reported by the fixup.
#[derive(Debug)]
pub struct SlabManager {
    slab: Arc<Slab>,
}

#[derive(Debug)]
struct Slab {
    memory: Aligned,
    /// Address of the first byte, pretended or not.
    address: u64,
    size: u64,
    page_size: u64,
    pretended: bool,
    free: Mutex<RangeSet>,
}

impl SlabManager {
    /// A slab as described.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the options make no sense together, [`Error::Memory`] when there is no room.
    pub fn new(options: SlabOptions) -> Result<Self> {
        let page_size = options.page_size.unwrap_or_else(page::size);
        let size = check(&options, page_size)?;
        // The working memory's own pages may be larger than the pretended ones.
        let memory = place::anywhere(align_up(size, page::size()).unwrap_or(size), page_size)?;
        if options.address.is_some() {
            memory.reservation.protect(&memory.range, Protection::READ_WRITE)?;
        }
        let address = options.address.map_or(memory.range.start, |address| address.0);
        let free = Mutex::new(RangeSet::full(address..address + size));
        let pretended = options.address.is_some();
        Ok(Self { slab: Arc::new(Slab { memory, address, size, page_size, pretended, free }) })
    }

    /// The addresses of the slab, pretended or not.
    #[must_use]
    pub fn range(&self) -> AddrRange {
        AddrRange::from_size(ExecutorAddr(self.slab.address), self.slab.size)
    }

    /// Copies the bytes at `address` to `bytes`: what the executing process would see there.
    ///
    /// # Errors
    /// [`Error::Invalid`] when part of these addresses is not allocated.
    pub fn read(&self, address: ExecutorAddr, bytes: &mut [u8]) -> Result<()> {
        let free = self.slab.free();
        let end = address.0.checked_add(bytes.len() as u64);
        let slab = self.slab.address..self.slab.address + self.slab.size;
        let allocated = |end| slab.start <= address.0 && end <= slab.end && !free.meets(&(address.0..end));
        if !end.is_some_and(allocated) {
            let what = format!("{} bytes at {address} are not all allocated in the slab", bytes.len());
            return Err(Error::invalid(what, None));
        }
        let source = self.slab.host(address.0) as *const u8;
        // SAFETY: allocated pages are readable; none is freed while the free list is locked.
        unsafe { std::ptr::copy_nonoverlapping(source, bytes.as_mut_ptr(), bytes.len()) };
        Ok(())
    }
}

/// Checks the options and returns the size in whole pages.
fn check(options: &SlabOptions, page_size: u64) -> Result<u64> {
    if !page_size.is_power_of_two() || page_size > SegmentRequest::MAX_ALIGNMENT {
        let help = "use a power of two, at most 1 GiB";
        return Err(Error::invalid(format!("{page_size} cannot be a page size"), Some(help)));
    }
    if options.address.is_none() && page_size < page::size() {
        let what = format!("pages of {page_size} bytes cannot be protected one by one in this process");
        return Err(Error::invalid(what, Some("give the slab a pretended address")));
    }
    let size = align_up(options.size, page_size).filter(|&size| size <= LayoutRequest::MAX_SIZE);
    let Some(size) = size else {
        let what =
            format!("a slab of {} bytes exceeds the limit of {}", options.size, LayoutRequest::MAX_SIZE);
        return Err(Error::invalid(what, None));
    };
    let address = options.address.unwrap_or_default().0;
    if !address.is_multiple_of(page_size) || address.checked_add(size).is_none() {
        let what = format!("a slab of {size} bytes in pages of {page_size} cannot lie at {address:#x}");
        return Err(Error::invalid(what, Some("use a multiple of the page size")));
    }
    Ok(size)
}

impl Slab {
    fn free(&self) -> MutexGuard<'_, RangeSet> {
        // The set is consistent between any two operations on it.
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The address in this process of what lies at `address`.
    fn host(&self, address: u64) -> u64 {
        self.memory.range.start + (address - self.address)
    }

    /// Protects pages, where protection is not pretended.
    fn protect(&self, range: &Range<u64>, protection: Protection) -> Result<()> {
        if self.pretended { Ok(()) } else { self.memory.reservation.protect(range, protection) }
    }

    /// Makes the bytes at these addresses of this process zero, which are writable and allocated no longer.
    fn clear(&self, bytes: Range<u64>) -> Result<()> {
        let pages = page::enclosed(&bytes);
        for edge in page::edges(&bytes) {
            // SAFETY: the bytes were some allocation's alone, are committed, and never were protected.
            unsafe { std::ptr::write_bytes(edge.start as *mut u8, 0, (edge.end - edge.start) as usize) };
        }
        self.memory.reservation.clear(&pages)
    }

    fn release(&self, range: Range<u64>) -> Result<()> {
        let mut free = self.free();
        if self.pretended {
            self.clear(self.host(range.start)..self.host(range.end))?;
        } else {
            self.memory.reservation.discard(&range)?;
        }
        free.insert(range);
        Ok(())
    }
}

impl MemoryManager for SlabManager {
    fn page_size(&self) -> u64 {
        self.slab.page_size
    }

    fn runs_actions(&self) -> bool {
        !self.slab.pretended
    }

    fn allocate(&self, request: &LayoutRequest<'_>) -> Result<Box<dyn InFlightAllocation>> {
        layout::check(request)?;
        let (offsets, size, alignment) = offsets(request, self.slab.page_size)?;
        let taken = if size == 0 { Some(0..0) } else { self.slab.free().take(size, alignment) };
        let range = taken.ok_or_else(|| self.exhausted(request, size))?;
        let mut backing = SlabBacking { slab: self.slab.clone(), parts: Vec::new() };
        let ends = offsets.iter().skip(1).chain([&size]);
        for ((offset, end), segment) in offsets.iter().zip(ends).zip(request.segments) {
            let range = range.start + offset..range.start + end;
            backing.parts.push(Part { range, kind: Kind::of(segment), lifetime: segment.lifetime });
        }
        self.slab.protect(&range, Protection::READ_WRITE)?;
        let place = |(part, segment): (&Part, _)| placement(part.range.start, segment);
        let segments: Vec<SegmentPlacement> = backing.parts.iter().zip(request.segments).map(place).collect();
        let content = |(part, segment): (&Part, &SegmentRequest<'_>)| {
            // SAFETY: each segment has pages of its own, which only this backing has, writable and zero.
            unsafe { WorkingSlice::at(self.slab.host(part.range.start), segment.content_size) }
        };
        let working = backing.parts.iter().zip(request.segments).map(content).collect();
        Ok(Box::new(InFlight { backing, segments, working, runs_actions: self.runs_actions() }))
    }
}

impl SlabManager {
    #[cold]
    fn exhausted(&self, request: &LayoutRequest<'_>, size: u64) -> Error {
        let total = self.slab.size;
        Error::memory(
            format!("find {size} bytes for {} in a slab of {total}: make the slab larger", request.name),
            None,
        )
    }
}

/// Where each segment starts, the size of all of them, and the alignment they need together.
fn offsets(request: &LayoutRequest<'_>, page_size: u64) -> Result<(Vec<u64>, u64, u64)> {
    let mut offsets = Vec::with_capacity(request.segments.len());
    let (mut end, mut alignment) = (0u64, page_size);
    for segment in request.segments {
        alignment = alignment.max(segment.alignment);
        let start = align_up(end, segment.alignment.max(page_size));
        let next = start.and_then(|start| start.checked_add(segment.size()?.max(1)));
        let next = next.and_then(|next| align_up(next, page_size));
        let (Some(start), Some(next)) = (start, next) else {
            return Err(Error::invalid(format!("{}: too large for any slab", request.name), None));
        };
        offsets.push(start);
        end = next;
    }
    Ok((offsets, end, alignment))
}

#[derive(Debug)]
struct Part {
    range: Range<u64>,
    kind: Kind,
    lifetime: Lifetime,
}

#[derive(Debug)]
struct SlabBacking {
    slab: Arc<Slab>,
    parts: Vec<Part>,
}

impl SlabBacking {
    fn protect(&self, kind: Kind, protection: Protection) -> Result<()> {
        self.parts
            .iter()
            .filter(|part| part.kind == kind)
            .try_for_each(|part| self.slab.protect(&part.range, protection))
    }

    fn release_if(&mut self, goes: impl Fn(&Part) -> bool) -> Result<()> {
        let mut outcome = Ok(());
        for part in &mut self.parts {
            if goes(part) && !part.range.is_empty() {
                let range = std::mem::take(&mut part.range);
                outcome = outcome.and(self.slab.release(range));
            }
        }
        outcome
    }
}

impl Backing for SlabBacking {
    fn publish(&mut self) -> Result<()> {
        self.protect(Kind::Code, Protection::READ_EXECUTE)?;
        if !self.slab.pretended {
            let code = self.parts.iter().filter(|part| part.kind == Kind::Code);
            code.for_each(|part| icache::flush(part.range.clone()));
        }
        self.protect(Kind::ReadOnly, Protection::READ)
    }

    fn seal_relro(&mut self) -> Result<()> {
        self.protect(Kind::Relro, Protection::READ)
    }

    fn release_finalize(&mut self) -> Result<()> {
        self.release_if(|part| part.lifetime == Lifetime::Finalize)
    }

    fn release(&mut self) -> Result<()> {
        self.release_if(|_| true)
    }
}

impl Drop for SlabBacking {
    fn drop(&mut self) {
        // Nobody is left to tell about a failure; what could not be given back is not used again.
        let _ = self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alloc::FinalizeRequest;
    use crate::alloc::testing::*;
    use crate::graph::Permissions;
    use std::sync::Mutex;

    fn pretended(size: u64, page_size: u64) -> SlabManager {
        let address = Some(ExecutorAddr(0x1_0000_0000));
        SlabManager::new(SlabOptions { size, address, page_size: Some(page_size) }).unwrap()
    }

    fn addresses(allocation: &dyn InFlightAllocation) -> Vec<u64> {
        allocation.segments().iter().map(|placed| placed.address.0).collect()
    }

    #[test]
    fn pretended_addresses_are_in_request_order() {
        let manager = pretended(1 << 20, 4096);
        let wide = SegmentRequest { alignment: 0x8000, zero_fill_size: 5000, ..segment(DATA, 100) };
        let segments = [segment(CODE, 5000), wide, segment(Permissions::READ, 1)];
        let allocation = manager.allocate(&request(&segments)).unwrap();
        assert_eq!(addresses(&*allocation), [0x1_0000_0000, 0x1_0000_8000, 0x1_0000_a000]);
        drop(allocation);
        let again = manager.allocate(&request(&segments)).unwrap();
        assert_eq!(addresses(&*again)[0], 0x1_0000_0000);
    }

    #[test]
    fn pretended_slab_runs_nothing_and_can_be_read() {
        static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());
        let manager = pretended(1 << 20, 16384);
        let mut allocation = manager.allocate(&request(&[segment(CODE, 4)])).unwrap();
        allocation.working_memory()[0].copy_from_slice(&[1, 2, 3, 4]);
        let actions = vec![pair(&LOG, 1, 2)];
        let relro_actions = vec![logging(&LOG, 0)];
        let finalized = allocation.finalize(FinalizeRequest { relro_actions, actions }).unwrap();
        let start = finalized.segments()[0].address;
        let mut bytes = [9; 6];
        manager.read(start, &mut bytes).unwrap();
        assert_eq!(bytes, [1, 2, 3, 4, 0, 0]);
        assert!(manager.read(ExecutorAddr(start.0 - 1), &mut bytes).is_err());
        assert!(manager.read(ExecutorAddr(u64::MAX), &mut bytes).is_err());
        finalized.deallocate().unwrap();
        assert!(manager.read(start, &mut bytes).is_err());
        assert!(LOG.lock().unwrap().is_empty());
        assert!(!manager.runs_actions());
    }

    #[test]
    fn real_slab_executes() {
        let manager =
            SlabManager::new(SlabOptions { size: 1 << 20, address: None, page_size: None }).unwrap();
        (0..3).for_each(|_| link_small(&manager));
        let finalized = manager
            .allocate(&request(&[segment(CODE, 8)]))
            .unwrap()
            .finalize(FinalizeRequest::default())
            .unwrap();
        assert_eq!(protection_at(finalized.segments()[0].address.0), "r-xp");
        assert_no_writable_code();
    }

    #[test]
    fn finalize_lifetime_is_freed() {
        let manager = pretended(8192, 4096);
        let gone = SegmentRequest { lifetime: Lifetime::Finalize, ..segment(DATA, 8) };
        let finalized = manager.allocate(&request(&[gone, segment(DATA, 8)])).unwrap();
        let finalized = finalized.finalize(FinalizeRequest::default()).unwrap();
        let next = manager.allocate(&request(&[segment(DATA, 8)])).unwrap();
        assert_eq!(addresses(&*next), [0x1_0000_0000]);
        drop(finalized);
    }

    #[test]
    fn full_slab_says_so() {
        let manager = pretended(4096, 4096);
        let error = manager.allocate(&request(&[segment(DATA, 4097)])).err().unwrap();
        assert!(error.to_string().contains("larger"), "{error}");
        assert!(manager.allocate(&request(&[segment(DATA, 4096)])).is_ok());
        assert!(manager.allocate(&request(&[])).is_ok());
        assert!(manager.allocate(&request(&[segment(DATA, 4096)])).is_ok());
    }

    #[test]
    fn senseless_options_are_refused() {
        let good = SlabOptions { size: 4096, address: Some(ExecutorAddr(4096)), page_size: Some(4096) };
        let bad = [
            SlabOptions { page_size: Some(0), ..good },
            SlabOptions { page_size: Some(3), ..good },
            SlabOptions { size: u64::MAX, ..good },
            SlabOptions { size: 65 << 30, ..good },
            SlabOptions { address: Some(ExecutorAddr(5)), ..good },
            SlabOptions { address: Some(ExecutorAddr(u64::MAX - 4095)), size: 8192, ..good },
            SlabOptions { address: None, page_size: Some(64), ..good },
        ];
        for options in bad {
            assert!(SlabManager::new(options).is_err(), "{options:?}");
        }
        assert!(SlabManager::new(SlabOptions { page_size: Some(64), ..good }).is_ok());
    }

    #[test]
    fn empty_slab_has_no_room() {
        let manager = pretended(0, 4096);
        assert!(manager.allocate(&request(&[segment(DATA, 1)])).is_err());
    }
}
