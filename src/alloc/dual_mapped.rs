//! Memory with two views: code and read-only data are written through one and used through the other.
//!
//! # Safety
//! Working memory of code and read-only data is a range of the writable view of shared memory, whose other view is the
//! final memory; that of data is the final memory. Either way no other allocation has those bytes until they are
//! released, and a process that was forked meanwhile touches none of them on its own account.
#![allow(unsafe_code)]

use super::in_process::{InProcessManager, StrictBacking, placement};
use super::layout::{Group, Kind, Layout, Spot};
use super::lifecycle::{Backing, InFlight, WorkingSlice};
use super::region::Ranges;
use super::space::HugePages;
use super::stripe::Stripe;
use super::traits::code_is_final;
use super::{InFlightAllocation, LayoutRequest, MemoryManager, Placement, SegmentPlacement};
use crate::base::{ExecutorAddr, Result};
use crate::sys::fork::process_identity;
use crate::sys::place::{self, Aligned};
use crate::sys::reserve::{Protection, Reservation};
use crate::sys::shared::SharedMemory;
use crate::sys::{icache, page};
use std::ops::Range;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const MIB: u64 = 1 << 20;

/// Read-only data, code, RELRO and data of a region.
const SIZES: [u64; 4] = [192 * MIB, 256 * MIB, 64 * MIB, 512 * MIB];

/// Larger runs get whole pages of their own from the strict manager: for them system calls do not matter, and shared
/// memory has no huge pages as a rule.
const LARGEST_RUN: u64 = MIB;

/// Small runs share pages, though no cache line.
const UNIT: u64 = 64;

/// From this size on, freed memory goes back to the operating system at once.
const WORTH_GIVING_BACK: u64 = 64 << 10;

/// A manager for many small links: finalizing one needs no system call.
///
/// Code and read-only data lie in shared memory that is mapped twice, once writable and once as it is used; no page of
/// either view is writable and executable, but code can be changed through the writable view as long as the process
/// lives. Several allocations share a page. Writable data is private, so that `fork` keeps its meaning; so are RELRO
/// segments, which have pages of their own. A forked child allocates from memory of its own and leaves what it
/// inherited alone: that stays usable in the child as long as the parent does not free it.
///
/// Near segments of up to 1 MiB of each kind are handled like this, others as by [`InProcessManager`].
#[derive(Debug)]
pub struct DualMappedManager {
    strict: InProcessManager,
    /// From `Arc::into_raw`; replaced in forked children only, where the previous value is never freed.
    state: AtomicPtr<State>,
}

/// Everything that belongs to one process.
#[derive(Debug)]
struct State {
    process: u64,
    regions: Mutex<Vec<Arc<DualRegion>>>,
}

impl DualMappedManager {
    /// A manager with address space reserved near the C library, where that is possible.
    ///
    /// # Errors
    /// [`Error::Memory`](crate::base::Error::Memory) when shared memory cannot be mapped twice here.
    pub fn new() -> Result<Self> {
        let state = State::new();
        state.regions().push(Arc::new(DualRegion::new()?));
        let state = AtomicPtr::new(Arc::into_raw(Arc::new(state)).cast_mut());
        Ok(Self { strict: InProcessManager::unreserved(HugePages::default()), state })
    }

    /// The state of this process: a new one if this is a child of the one that made the last.
    fn state(&self) -> Arc<State> {
        loop {
            let current = self.state.load(Ordering::Acquire);
            // SAFETY: the pointer is from `Arc::into_raw`, and the count it stands for is only given up by `drop`.
            let state = unsafe {
                Arc::increment_strong_count(current);
                Arc::from_raw(current)
            };
            if state.process == process_identity() {
                return state;
            }
            // Its lock may be held by a thread that does not exist in this process, so it is not even looked at.
            let fresh = Arc::into_raw(Arc::new(State::new())).cast_mut();
            if self.state.compare_exchange(current, fresh, Ordering::AcqRel, Ordering::Acquire).is_err() {
                // SAFETY: `fresh` is from `Arc::into_raw` above and was not published.
                drop(unsafe { Arc::from_raw(fresh) });
            }
        }
    }

    fn allocate_dual(&self, layout: &Layout) -> Result<Option<DualBatch>> {
        let Some(group) = layout.group(Placement::Near).filter(|group| is_small(group)) else {
            return Ok(None);
        };
        let state = self.state();
        let (region, ranges) = state.take(group)?;
        let mut finalize = group.map(|run| run.standard);
        for (end, range) in finalize.iter_mut().zip(&ranges) {
            *end += range.start;
        }
        Ok(Some(DualBatch { process: state.process, region, ranges, finalize }))
    }
}

fn is_small(group: &Group) -> bool {
    group.iter().all(|run| run.size <= LARGEST_RUN && run.alignment <= LARGEST_RUN)
}

fn unit(kind: Kind) -> u64 {
    if kind == Kind::Relro { page::size() } else { UNIT }
}

impl Drop for DualMappedManager {
    fn drop(&mut self) {
        // SAFETY: the pointer is from `Arc::into_raw`; nobody can use it any more.
        drop(unsafe { Arc::from_raw(*self.state.get_mut()) });
    }
}

impl MemoryManager for DualMappedManager {
    fn page_size(&self) -> u64 {
        page::size()
    }

    fn allocate(&self, request: &LayoutRequest<'_>) -> Result<Box<dyn InFlightAllocation>> {
        let mut layout = Layout::new(request, unit)?;
        let mut dual = self.allocate_dual(&layout)?;
        let is_strict = |placement| dual.is_none() || placement != Placement::Near;
        if request.segments.iter().any(|segment| is_strict(segment.placement)) {
            // Runs that are protected need whole pages, which the near ones do not care about.
            let spots = std::mem::take(&mut layout.spots);
            layout = Layout::new(request, |_| page::size())?;
            let pairs = layout.spots.iter_mut().zip(spots);
            pairs.filter(|(spot, _)| !is_strict(spot.placement)).for_each(|(spot, small)| *spot = small);
        }
        let strict = self.strict.take(&layout, is_strict)?;
        let place = |spot: &Spot| match &dual {
            Some(batch) if spot.placement == Placement::Near => batch.place(spot),
            _ => {
                let address = strict.base(spot.placement, spot.kind) + spot.offset;
                (address, address)
            }
        };
        let (mut segments, mut working) = (Vec::<SegmentPlacement>::new(), Vec::new());
        for (spot, segment) in layout.spots.iter().zip(request.segments) {
            let (address, writable) = place(spot);
            segments.push(placement(address, segment));
            // SAFETY: the layout gives each segment its own bytes of runs that only this backing has, writable and zero.
            working.push(unsafe { WorkingSlice::at(writable, segment.content_size) });
        }
        let backing = DualBacking { dual: dual.take(), strict };
        Ok(Box::new(InFlight { backing, segments, working, runs_actions: true }))
    }
}

impl State {
    fn new() -> Self {
        Self { process: process_identity(), regions: Mutex::default() }
    }

    fn regions(&self) -> MutexGuard<'_, Vec<Arc<DualRegion>>> {
        // The list is consistent between any two operations on it.
        self.regions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, group: &Group) -> Result<(Arc<DualRegion>, Ranges)> {
        let mut regions = self.regions();
        for region in regions.iter() {
            if let Some(ranges) = region.take(group)? {
                return Ok((region.clone(), ranges));
            }
        }
        let region = Arc::new(DualRegion::new()?);
        let taken = region.take(group)?;
        regions.push(region.clone());
        taken
            .map(|ranges| (region, ranges))
            .ok_or_else(|| crate::base::Error::memory("place a small allocation in an empty region", None))
    }
}

/// A region whose read-only data and code are views of shared memory.
#[derive(Debug)]
struct DualRegion {
    reservation: Reservation,
    shared: SharedMemory,
    /// Where the shared part starts, as it is used.
    start: u64,
    stripes: Mutex<[Stripe; 4]>,
}

impl DualRegion {
    fn new() -> Result<Self> {
        let Aligned { reservation, range } = reserve()?;
        let mut start = range.start;
        let bounds = SIZES.map(|size| {
            let bounds = start..start + size;
            start = bounds.end;
            bounds
        });
        let [read_only, code, relro, data] = bounds;
        let shared = SharedMemory::new(code.end - read_only.start)?;
        shared.map_at(&reservation, &read_only, 0, Protection::READ)?;
        shared.map_at(&reservation, &code, code.start - read_only.start, Protection::READ_EXECUTE)?;
        let start = read_only.start;
        let stripes =
            [Stripe::committed(read_only), Stripe::committed(code), Stripe::new(relro), Stripe::new(data)];
        Ok(Self { reservation, shared, start, stripes: Mutex::new(stripes) })
    }

    fn stripes(&self) -> MutexGuard<'_, [Stripe; 4]> {
        // Between the operations on a stripe, whatever a panic left behind is consistent.
        self.stripes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, group: &Group) -> Result<Option<Ranges>> {
        let mut stripes = self.stripes();
        let mut taken = Ranges::default();
        let mut outcome = Ok(true);
        for ((run, stripe), range) in group.iter().zip(stripes.iter_mut()).zip(&mut taken) {
            if run.size == 0 {
                continue;
            }
            let Some(found) = stripe.take(run.size, run.alignment) else {
                outcome = Ok(false);
                break;
            };
            *range = found;
            if let Err(error) = stripe.commit(&self.reservation, range) {
                outcome = Err(error);
                break;
            }
        }
        if matches!(outcome, Ok(true)) {
            return Ok(Some(taken));
        }
        for ((kind, stripe), range) in Kind::ALL.into_iter().zip(stripes.iter_mut()).zip(taken) {
            // Nothing has been written: what is shared is still ready.
            let ready = if is_shared(kind) { std::slice::from_ref(&range) } else { &[] };
            stripe.give_back(range.clone(), ready);
        }
        outcome.map(|_| None)
    }

    /// The address through which `address` can be written.
    fn writable(&self, kind: Kind, address: u64) -> u64 {
        if is_shared(kind) { self.shared.view() + (address - self.start) } else { address }
    }

    /// Takes back what no one uses any more.
    fn give_back(&self, kind: Kind, range: Range<u64>) -> Result<()> {
        if range.is_empty() {
            return Ok(());
        }
        if kind == Kind::Relro {
            self.reservation.discard(&range)?;
            self.stripes()[kind as usize].give_back(range, &[]);
            return Ok(());
        }
        let large = range.end - range.start >= WORTH_GIVING_BACK;
        if large && self.drop_pages(kind, &page::enclosed(&range)) {
            page::edges(&range).into_iter().for_each(|edge| self.clear(kind, edge));
        } else {
            self.clear(kind, range.clone());
        }
        self.stripes()[kind as usize].give_back(range.clone(), std::slice::from_ref(&range));
        Ok(())
    }

    /// Gives the memory of whole pages back; they read as zero again.
    fn drop_pages(&self, kind: Kind, pages: &Range<u64>) -> bool {
        if is_shared(kind) {
            return self.shared.punch(&(pages.start - self.start..pages.end - self.start));
        }
        self.reservation.clear(pages).is_ok()
    }

    fn clear(&self, kind: Kind, range: Range<u64>) {
        let start = self.writable(kind, range.start) as *mut u8;
        // SAFETY: the bytes are writable there, and were those of an allocation that is gone.
        unsafe { std::ptr::write_bytes(start, 0, (range.end - range.start) as usize) };
    }
}

fn is_shared(kind: Kind) -> bool {
    matches!(kind, Kind::ReadOnly | Kind::Code)
}

fn reserve() -> Result<Aligned> {
    let size = SIZES.iter().sum();
    match place::near_c_library(size, page::size()) {
        Some(near) => Ok(near),
        None => place::anywhere(size, page::size()),
    }
}

/// The near segments of a small request.
#[derive(Debug)]
struct DualBatch {
    process: u64,
    region: Arc<DualRegion>,
    ranges: Ranges,
    finalize: [u64; 4],
}

impl DualBatch {
    /// The final address of a segment, and the one through which it is written.
    fn place(&self, spot: &Spot) -> (u64, u64) {
        let address = self.ranges[spot.kind as usize].start + spot.offset;
        (address, self.region.writable(spot.kind, address))
    }

    fn release_from(&mut self, starts: [u64; 4]) -> Result<()> {
        let mut outcome = Ok(());
        // In a child, the memory is the parent's.
        let owned = self.process == process_identity();
        for ((kind, range), start) in Kind::ALL.into_iter().zip(&mut self.ranges).zip(starts) {
            let start = start.min(range.end);
            let freed = start..range.end;
            range.end = start;
            if owned {
                outcome = outcome.and(self.region.give_back(kind, freed));
            }
        }
        outcome
    }
}

#[derive(Debug)]
struct DualBacking {
    dual: Option<DualBatch>,
    strict: StrictBacking,
}

impl Backing for DualBacking {
    fn publish(&mut self) -> Result<()> {
        if let Some(batch) = &self.dual {
            icache::flush(batch.ranges[Kind::Code as usize].clone());
        }
        self.strict.publish()
    }

    fn seal_relro(&mut self) -> Result<()> {
        if let Some(batch) = &self.dual {
            batch.region.reservation.protect(&batch.ranges[Kind::Relro as usize], Protection::READ)?;
        }
        self.strict.seal_relro()
    }

    fn patch_code(&self, address: ExecutorAddr, bytes: [u8; 8]) -> Result<()> {
        let whole = address.0..address.0.wrapping_add(8);
        let batch = self.dual.as_ref().filter(|batch| {
            let code = &batch.ranges[Kind::Code as usize];
            code.start <= whole.start && whole.start < whole.end && whole.end <= code.end
        });
        let Some(batch) = batch.filter(|_| address.0.is_multiple_of(8)) else {
            return Err(code_is_final(address));
        };
        let writable = batch.region.writable(Kind::Code, address.0) as *mut u64;
        // SAFETY: eight aligned bytes of the writable view of code that this allocation owns; nobody else writes them
        // otherwise than here.
        unsafe { AtomicU64::from_ptr(writable) }.store(u64::from_ne_bytes(bytes), Ordering::Release);
        icache::flush(whole);
        Ok(())
    }

    fn release_finalize(&mut self) -> Result<()> {
        let dual = self.dual.as_mut().map_or(Ok(()), |batch| batch.release_from(batch.finalize));
        dual.and(self.strict.release_finalize())
    }

    fn release(&mut self) -> Result<()> {
        let dual = self.dual.take().map_or(Ok(()), |mut batch| {
            let starts = batch.ranges.each_ref().map(|range| range.start);
            batch.release_from(starts)
        });
        let strict = self.strict.release();
        dual.and(strict)
    }
}

impl Drop for DualBacking {
    fn drop(&mut self) {
        // Nobody is left to tell about a failure; what could not be given back is not used again.
        let _ = self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alloc::testing::*;
    use crate::alloc::{FinalizeRequest, FinalizedAllocation, SegmentRequest};
    use crate::graph::{Lifetime, Permissions};
    use jitlink_test_support::arch::Arch;

    fn finalize(allocation: Box<dyn InFlightAllocation>) -> Box<dyn FinalizedAllocation> {
        allocation.finalize(FinalizeRequest::default()).unwrap()
    }

    #[test]
    fn code_runs_again_and_again() {
        let manager = DualMappedManager::new().unwrap();
        (0..50).for_each(|_| link_small(&manager));
        assert_no_writable_code();
    }

    #[test]
    fn managers_can_be_shared() {
        fn shared<T: Send + Sync>() {}
        shared::<DualMappedManager>();
    }

    #[test]
    fn small_links_share_pages_and_mappings() {
        let manager = DualMappedManager::new().unwrap();
        let segments = [segment(CODE, 40), segment(Permissions::READ, 40), segment(DATA, 40)];
        let all: Vec<_> =
            (0..10_000).map(|_| finalize(manager.allocate(&request(&segments)).unwrap())).collect();
        let pages: std::collections::HashSet<_> =
            all.iter().map(|one| one.segments()[0].address.0 / page::size()).collect();
        assert!(pages.len() <= 160, "{} pages", pages.len());
        let region = manager.state().regions()[0].reservation.range();
        let mappings = mappings_in(&[region]);
        assert!(mappings < 12, "{mappings} mappings");
    }

    #[test]
    fn views_differ_in_what_they_allow() {
        let manager = DualMappedManager::new().unwrap();
        let mut allocation = manager.allocate(&request(&[segment(CODE, 8), segment(DATA, 8)])).unwrap();
        let code = allocation.segments()[0].address.0;
        let data = allocation.segments()[1].address.0;
        let working = allocation.working_memory();
        assert_ne!(working[0].as_ptr() as u64, code);
        assert_eq!(working[1].as_ptr() as u64, data);
        assert_eq!(protection_at(working[0].as_ptr() as u64), "rw-s");
        assert_eq!(protection_at(data), "rw-p");
        // An emulator lists what is executable for its guest alone together with what is not.
        if !Arch::host().is_emulated() {
            assert_eq!(protection_at(code), "r-xs");
        }
    }

    #[test]
    fn relro_is_private_and_sealed() {
        let manager = DualMappedManager::new().unwrap();
        let relro = SegmentRequest { relro: true, ..segment(Permissions::READ, 8) };
        let allocation = manager.allocate(&request(&[relro, segment(CODE, 8)])).unwrap();
        let address = allocation.segments()[0].address.0;
        assert_eq!(protection_at(address), "rw-p");
        let finalized = finalize(allocation);
        assert_eq!(protection_at(address), "r--p");
        drop(finalized);
        assert_eq!(protection_at(address), "---p");
    }

    #[test]
    fn other_placements_and_large_runs_are_strict() {
        let manager = DualMappedManager::new().unwrap();
        let low = SegmentRequest { placement: Placement::Low, ..segment(CODE, 64) };
        let far =
            SegmentRequest { placement: Placement::Anywhere, zero_fill_size: 3 << 30, ..segment(DATA, 64) };
        let gone = SegmentRequest { lifetime: Lifetime::Finalize, ..segment(DATA, 64) };
        let mut allocation = manager.allocate(&request(&[gone, low, far, segment(CODE, 64)])).unwrap();
        for index in [1, 3] {
            allocation.working_memory()[index][..RETURN_42.len()].copy_from_slice(RETURN_42);
        }
        let finalized = finalize(allocation);
        assert!(finalized.segments()[1].address.0 < 1 << 31);
        assert_eq!(call(finalized.segments()[1].address), 42);
        assert_eq!(call(finalized.segments()[3].address), 42);
        let large = finalize(manager.allocate(&request(&[segment(CODE, 2 << 20)])).unwrap());
        assert_eq!(protection_at(large.segments()[0].address.0), "r-xp");
        assert_no_writable_code();
    }

    #[test]
    fn freed_memory_is_zero_and_used_again() {
        let manager = DualMappedManager::new().unwrap();
        let mut places = std::collections::HashSet::new();
        for size in [100, 5_000, 70_000, 900_000].into_iter().cycle().take(200) {
            let segments = [segment(Permissions::READ, size), segment(CODE, size), segment(DATA, size)];
            let mut allocation = manager.allocate(&request(&segments)).unwrap();
            for bytes in allocation.working_memory() {
                assert!(bytes.iter().all(|&byte| byte == 0));
                bytes.fill(0xaa);
            }
            places.insert(allocation.segments()[1].address);
            drop(finalize(allocation));
        }
        assert_eq!(places.len(), 1);
    }

    #[test]
    fn child_allocates_from_its_own_memory() {
        let manager = DualMappedManager::new().unwrap();
        let mut allocation = manager.allocate(&request(&[segment(CODE, 64), segment(DATA, 8)])).unwrap();
        allocation.working_memory()[0][..RETURN_42.len()].copy_from_slice(RETURN_42);
        let inherited = finalize(allocation);
        let code = inherited.segments()[0].address;
        let parents = manager.state().regions()[0].reservation.range();
        // SAFETY: the child uses nothing that another thread of this process could have locked but the allocator of the
        // C library, which sees to forks itself.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let mut own = manager.allocate(&request(&[segment(CODE, 64)])).unwrap();
            let fresh = own.segments()[0].address;
            own.working_memory()[0][..RETURN_42.len()].copy_from_slice(RETURN_42);
            let own = finalize(own);
            let fine = !parents.contains(&fresh.0) && call(fresh) == 42 && call(code) == 42;
            drop((own, inherited));
            // SAFETY: ends the child at once.
            unsafe { libc::_exit(i32::from(fine)) };
        }
        let mut status = 0;
        // SAFETY: waits for the child made above.
        unsafe { libc::waitpid(child, &raw mut status, 0) };
        assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 1, "{status:#x}");
        assert_eq!(call(code), 42);
    }

    #[test]
    fn threads_do_not_get_in_each_others_way() {
        let manager = DualMappedManager::new().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..32 {
                scope.spawn(|| (0..100).for_each(|_| link_small(&manager)));
            }
        });
    }
}
