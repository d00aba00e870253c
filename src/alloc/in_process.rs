//! The default manager: memory of this process, written first and protected then.
//!
//! # Safety
//! Working memory is the final memory: whole pages that no other allocation has, committed until they are released.
#![allow(unsafe_code)]

use super::layout::{Kind, Layout};
use super::lifecycle::{Backing, InFlight, WorkingSlice};
use super::space::{Batch, HugePages, Space};
use super::traits::{REACH, in_reach};
use super::{InFlightAllocation, LayoutRequest, MemoryManager, Placement, SegmentPlacement, SegmentRequest};
use crate::base::{ExecutorAddr, Result};
use crate::sys::reserve::Protection;
use crate::sys::{icache, page};
use smallvec::SmallVec;
use std::sync::Arc;

/// The default manager: strict about what may be written and what executed, in this process.
///
/// Address space is reserved once, near the C library where there is room, and handed out by kind (read-only, code,
/// RELRO, data), so that thousands of allocations share a few mappings. Every allocation has pages of its own: they are
/// written, then protected, and never writable again (unless they are data) before they have been freed.
/// What is freed goes back to the operating system and its addresses are used again.
#[derive(Debug)]
pub struct InProcessManager {
    near: Arc<Space>,
    low: Arc<Space>,
    close: Arc<Space>,
    far: Arc<Space>,
}

impl InProcessManager {
    /// A manager with address space reserved near the C library, where that is possible.
    ///
    /// # Errors
    /// [`Error::Memory`](crate::base::Error::Memory) when the process may not have as much address space.
    pub fn new() -> Result<Self> {
        Self::with_huge_pages(HugePages::default())
    }

    /// As [`new`](Self::new), with a choice of what is put behind large contents.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn with_huge_pages(huge_pages: HugePages) -> Result<Self> {
        let manager = Self::unreserved(huge_pages);
        manager.near.reserve()?;
        Ok(manager)
    }

    /// A manager that reserves address space when it is first asked for memory.
    pub(super) fn unreserved(huge_pages: HugePages) -> Self {
        let space = |placement| Space::new(placement, huge_pages);
        Self {
            near: space(Placement::Near),
            low: space(Placement::Low),
            close: space(Placement::Close),
            far: space(Placement::Anywhere),
        }
    }

    fn space(&self, placement: Placement) -> &Arc<Space> {
        match placement {
            Placement::Near => &self.near,
            Placement::Low => &self.low,
            Placement::Close => &self.close,
            Placement::Anywhere => &self.far,
        }
    }

    /// Takes memory for those placements of `layout` that `wanted` says.
    pub(super) fn take(&self, layout: &Layout, wanted: impl Fn(Placement) -> bool) -> Result<StrictBacking> {
        let mut backing = StrictBacking::default();
        for placement in [Placement::Near, Placement::Low, Placement::Close, Placement::Anywhere] {
            if let Some(group) = layout.group(placement).filter(|_| wanted(placement)) {
                backing.0.push((placement, self.space(placement).allocate(group)?));
            }
        }
        Ok(backing)
    }
}

impl MemoryManager for InProcessManager {
    fn page_size(&self) -> u64 {
        page::size()
    }

    fn reaches(&self, placement: Placement, address: ExecutorAddr) -> bool {
        match placement {
            Placement::Near => self.near.ranges().iter().all(|range| in_reach(range, address)),
            Placement::Low => address.0 < REACH,
            Placement::Close | Placement::Anywhere => false,
        }
    }

    fn allocate(&self, request: &LayoutRequest<'_>) -> Result<Box<dyn InFlightAllocation>> {
        let layout = Layout::new(request, |_| page::size())?;
        let backing = self.take(&layout, |_| true)?;
        let place = |(spot, segment): (&super::layout::Spot, &SegmentRequest<'_>)| {
            let address = backing.base(spot.placement, spot.kind) + spot.offset;
            placement(address, segment)
        };
        let segments: Vec<_> = layout.spots.iter().zip(request.segments).map(place).collect();
        let content = |(placed, segment): (&SegmentPlacement, &SegmentRequest<'_>)| {
            // SAFETY: the layout gives each segment its own bytes of runs that only this backing has, writable and zero.
            unsafe { WorkingSlice::at(placed.address.0, segment.content_size) }
        };
        let working = segments.iter().zip(request.segments).map(content).collect();
        Ok(Box::new(InFlight { backing, segments, working, runs_actions: true }))
    }
}

/// The placement of `segment` at `address`.
pub(super) fn placement(address: u64, segment: &SegmentRequest<'_>) -> SegmentPlacement {
    SegmentPlacement { address: ExecutorAddr(address), size: segment.content_size + segment.zero_fill_size }
}

/// Pages that are protected once written; one batch per placement.
#[derive(Debug, Default)]
pub(super) struct StrictBacking(SmallVec<[(Placement, Batch); 1]>);

impl StrictBacking {
    /// Where the run of `kind` starts.
    pub(super) fn base(&self, placement: Placement, kind: Kind) -> u64 {
        let batch = self.0.iter().find(|(known, _)| *known == placement);
        batch.map_or(0, |(_, batch)| batch.range(kind).start)
    }

    /// Does it to every batch, also after a failure; returns the first failure.
    fn for_each(&mut self, act: impl Fn(&mut Batch) -> Result<()>) -> Result<()> {
        let mut outcome = Ok(());
        for (_, batch) in &mut self.0 {
            outcome = outcome.and(act(batch));
        }
        outcome
    }

    fn protect(&self, kind: Kind, protection: Protection) -> Result<()> {
        self.0.iter().try_for_each(|(_, batch)| batch.region().protect(batch.range(kind), protection))
    }
}

impl Backing for StrictBacking {
    fn publish(&mut self) -> Result<()> {
        self.protect(Kind::Code, Protection::READ_EXECUTE)?;
        for (_, batch) in &self.0 {
            icache::flush(batch.range(Kind::Code).clone());
        }
        self.protect(Kind::ReadOnly, Protection::READ)
    }

    fn seal_relro(&mut self) -> Result<()> {
        self.protect(Kind::Relro, Protection::READ)
    }

    fn release_finalize(&mut self) -> Result<()> {
        self.for_each(Batch::release_finalize)
    }

    fn release(&mut self) -> Result<()> {
        let outcome = self.for_each(Batch::release);
        self.0.clear();
        outcome
    }
}

impl Drop for StrictBacking {
    fn drop(&mut self) {
        // Nobody is left to tell about a failure; what could not be given back is not used again.
        let _ = self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alloc::testing::*;
    use crate::alloc::{FinalizeRequest, FinalizedAllocation};
    use crate::base::{ActionPair, Error};
    use crate::graph::{Lifetime, Permissions};
    use std::sync::Mutex;

    const GIB: u64 = 1 << 30;

    fn rounds(quick: usize, full: usize) -> usize {
        if std::env::var_os("JITLINK_FULL").is_some() { full } else { quick }
    }

    fn finalize(allocation: Box<dyn InFlightAllocation>) -> Box<dyn FinalizedAllocation> {
        allocation.finalize(FinalizeRequest::default()).unwrap()
    }

    #[test]
    fn managers_can_be_shared() {
        fn shared<T: Send + Sync>() {}
        shared::<InProcessManager>();
        shared::<Box<dyn MemoryManager>>();
        shared::<Box<dyn FinalizedAllocation>>();
    }

    #[test]
    fn code_runs() {
        link_small(&InProcessManager::new().unwrap());
    }

    #[test]
    fn near_segments_reach_each_other_and_the_c_library() {
        let manager = InProcessManager::new().unwrap();
        let segments = [segment(CODE, 8), segment(Permissions::READ, 8), segment(DATA, 8)];
        let allocation = manager.allocate(&request(&segments)).unwrap();
        let mut addresses: Vec<_> = allocation.segments().iter().map(|placed| placed.address.0).collect();
        addresses.push(libc::getpid as *const () as u64);
        let (low, high) = (addresses.iter().min().unwrap(), addresses.iter().max().unwrap());
        assert!(high - low < 2 * GIB, "{addresses:#x?}");
    }

    #[test]
    fn protections_are_what_was_asked_for() {
        let manager = InProcessManager::new().unwrap();
        let relro = SegmentRequest { relro: true, ..segment(Permissions::READ, 8) };
        let segments = [segment(CODE, 8), segment(Permissions::READ, 8), segment(DATA, 8), relro];
        let allocation = manager.allocate(&request(&segments)).unwrap();
        for placed in allocation.segments() {
            assert_eq!(protection_at(placed.address.0), "rw-p");
        }
        let finalized = finalize(allocation);
        let found: Vec<_> =
            finalized.segments().iter().map(|placed| protection_at(placed.address.0)).collect();
        assert_eq!(found, ["r-xp", "r--p", "rw-p", "r--p"]);
        assert_no_writable_code();
        let code = finalized.segments()[0].address.0;
        finalized.deallocate().unwrap();
        assert_eq!(protection_at(code), "---p");
    }

    #[test]
    fn published_pages_stay_as_they_are_while_others_come_and_go() {
        let manager = InProcessManager::new().unwrap();
        let kept = finalize(manager.allocate(&request(&[segment(CODE, 8)])).unwrap());
        let page = kept.segments()[0].address.0 & !(page::size() - 1);
        for _ in 0..50 {
            let other = manager.allocate(&request(&[segment(CODE, 8)])).unwrap();
            assert_ne!(other.segments()[0].address.0 & !(page::size() - 1), page);
            assert_eq!(protection_at(page), "r-xp");
            drop(finalize(other));
        }
    }

    #[test]
    fn many_small_allocations_share_few_mappings() {
        let manager = InProcessManager::new().unwrap();
        let segments = [segment(CODE, 40), segment(Permissions::READ, 40), segment(DATA, 40)];
        let count = rounds(10_000, 30_000);
        let link = || finalize(manager.allocate(&request(&segments)).unwrap());
        let mut all: Vec<_> = (0..count).map(|_| Some(link())).collect();
        let mappings = || mappings_in(&manager.near.ranges());
        assert!(mappings() < 20, "{} mappings", mappings());
        // Every other one freed leaves thousands of holes.
        all.iter_mut().step_by(2).for_each(|one| drop(one.take()));
        assert!(mappings() < 150, "{} mappings with holes", mappings());
        all.iter_mut().step_by(2).for_each(|one| *one = Some(link()));
        assert!(mappings() < 150, "{} mappings with holes filled", mappings());
        drop(all);
        assert!(mappings() < 150, "{} mappings in the end", mappings());
        let range = manager.near.ranges().remove(0);
        assert!(resident_in(range) < 1 << 20);
    }

    #[test]
    fn freed_memory_is_used_again_and_given_back() {
        let manager = InProcessManager::new().unwrap();
        let segments = [segment(CODE, 300), segment(Permissions::READ, 20_000), segment(DATA, 5_000)];
        let mut addresses = std::collections::HashSet::new();
        let mut held = std::collections::VecDeque::new();
        for _ in 0..rounds(3_000, 100_000) {
            let finalized = finalize(manager.allocate(&request(&segments)).unwrap());
            addresses.insert(finalized.segments()[0].address);
            held.push_back(finalized);
            if held.len() > 8 {
                held.pop_front();
            }
        }
        assert!(addresses.len() < 32, "{} places", addresses.len());
        let ranges = manager.near.ranges();
        let mappings = mappings_in(&ranges);
        assert!(mappings < 60, "{mappings} mappings");
        assert!(resident_in(ranges[0].clone()) < 1 << 20);
    }

    #[test]
    fn actions_run_in_order_and_are_undone_in_reverse() {
        static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());
        let manager = InProcessManager::new().unwrap();
        let allocation = manager.allocate(&request(&[segment(CODE, 8)])).unwrap();
        let finalized = allocation
            .finalize(FinalizeRequest {
                relro_actions: vec![logging(&LOG, 1)],
                actions: vec![
                    pair(&LOG, 2, 12),
                    ActionPair { finalize: Some(logging(&LOG, 3)), deallocate: None },
                    ActionPair { finalize: None, deallocate: Some(logging(&LOG, 14)) },
                ],
            })
            .unwrap();
        assert_eq!(*LOG.lock().unwrap(), [1, 2, 3]);
        finalized.deallocate().unwrap();
        assert_eq!(*LOG.lock().unwrap(), [1, 2, 3, 14, 12]);
    }

    #[test]
    fn failing_action_undoes_everything() {
        static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());
        let manager = InProcessManager::new().unwrap();
        let allocation = manager.allocate(&request(&[segment(CODE, 8)])).unwrap();
        let code = allocation.segments()[0].address.0;
        let actions = vec![pair(&LOG, 1, 11), pair(&LOG, 2, 12), pair(&LOG, 0, 10), pair(&LOG, 3, 13)];
        let error = allocation.finalize(FinalizeRequest { relro_actions: vec![], actions }).err().unwrap();
        assert!(matches!(error, Error::Action { status: 77, .. }), "{error}");
        assert_eq!(*LOG.lock().unwrap(), [1, 2, 0, 12, 11]);
        assert_eq!(protection_at(code), "---p");
    }

    #[test]
    fn failing_relro_action_runs_nothing_else() {
        static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());
        let manager = InProcessManager::new().unwrap();
        let allocation = manager.allocate(&request(&[segment(CODE, 8)])).unwrap();
        let request =
            FinalizeRequest { relro_actions: vec![logging(&LOG, 0)], actions: vec![pair(&LOG, 1, 2)] };
        assert!(allocation.finalize(request).is_err());
        assert_eq!(*LOG.lock().unwrap(), [0]);
    }

    #[test]
    fn failing_deallocation_still_frees() {
        static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());
        let manager = InProcessManager::new().unwrap();
        let allocation = manager.allocate(&request(&[segment(CODE, 8)])).unwrap();
        let actions = vec![pair(&LOG, 1, 11), pair(&LOG, 2, 0)];
        let finalized = allocation.finalize(FinalizeRequest { relro_actions: vec![], actions }).unwrap();
        let code = finalized.segments()[0].address.0;
        assert!(finalized.deallocate().is_err());
        assert_eq!(*LOG.lock().unwrap(), [1, 2, 0, 11]);
        assert_eq!(protection_at(code), "---p");
    }

    #[test]
    fn relro_is_writable_until_its_actions_have_run() {
        unsafe extern "C" fn store(bytes: *const u8, size: usize) -> u32 {
            // SAFETY: the eight bytes of an address, as given below.
            let address = unsafe { std::slice::from_raw_parts(bytes, size) };
            let address = u64::from_ne_bytes(address.try_into().unwrap());
            write(address, 5);
            0
        }
        let manager = InProcessManager::new().unwrap();
        let relro = SegmentRequest { relro: true, ..segment(Permissions::READ, 8) };
        let allocation = manager.allocate(&request(&[relro])).unwrap();
        let slot = allocation.segments()[0].address;
        let action = crate::base::Action {
            call: ExecutorAddr(store as *const () as u64),
            bytes: SmallVec::from_slice(&slot.0.to_ne_bytes()),
        };
        let request = FinalizeRequest { relro_actions: vec![action], actions: vec![] };
        let _finalized = allocation.finalize(request).unwrap();
        assert_eq!((read(slot.0), protection_at(slot.0).as_str()), (5, "r--p"));
    }

    #[test]
    fn dropping_frees_what_is_not_finalized() {
        let manager = InProcessManager::new().unwrap();
        let mut allocation = manager.allocate(&request(&[segment(DATA, 8)])).unwrap();
        allocation.working_memory()[0].fill(1);
        let address = allocation.segments()[0].address.0;
        allocation.abandon();
        assert_eq!(protection_at(address), "---p");
        let again = manager.allocate(&request(&[segment(DATA, 8)])).unwrap();
        assert_eq!((again.segments()[0].address.0, read(address)), (address, 0));
    }

    #[test]
    fn dropping_the_manager_keeps_its_allocations() {
        let manager = InProcessManager::new().unwrap();
        let finalized = finalize(manager.allocate(&request(&[segment(DATA, 8)])).unwrap());
        drop(manager);
        let address = finalized.segments()[0].address.0;
        write(address, 1);
        drop(finalized);
    }

    #[test]
    fn finalize_lifetime_ends_with_finalization() {
        let manager = InProcessManager::new().unwrap();
        let gone = SegmentRequest { lifetime: Lifetime::Finalize, ..segment(Permissions::READ, 8) };
        let finalized = finalize(manager.allocate(&request(&[gone, segment(Permissions::READ, 8)])).unwrap());
        let found: Vec<_> =
            finalized.segments().iter().map(|placed| protection_at(placed.address.0)).collect();
        assert_eq!(found, ["---p", "r--p"]);
    }

    #[test]
    fn huge_zero_fill_costs_nothing() {
        let manager = InProcessManager::new().unwrap();
        for (placement, size) in [(Placement::Anywhere, 3 * GIB), (Placement::Near, 1_800 << 20)] {
            let bss = SegmentRequest { placement, zero_fill_size: size, ..segment(DATA, 16) };
            let code = SegmentRequest { placement, ..segment(CODE, 8) };
            let finalized = finalize(manager.allocate(&request(&[bss, code])).unwrap());
            let range = range_of(&finalized.segments()[0]);
            assert_eq!((read(range.start), read(range.end - 1)), (0, 0));
            write(range.end - 1, 1);
            if placement == Placement::Near {
                assert!(finalized.segments()[1].address.0.abs_diff(range.end) < 2 * GIB);
            }
            finalized.deallocate().unwrap();
        }
    }

    #[test]
    fn wide_alignment_is_kept() {
        let manager = InProcessManager::new().unwrap();
        for alignment in [64 << 10, 2 << 20, GIB] {
            let wide = SegmentRequest { alignment, ..segment(DATA, 100) };
            let allocation = manager.allocate(&request(&[segment(DATA, 1), wide, segment(CODE, 1)])).unwrap();
            assert_eq!(allocation.segments()[1].address.0 % alignment, 0);
        }
    }

    #[test]
    fn large_contents_can_be_written() {
        for huge_pages in [HugePages::LargeContents, HugePages::SystemDefault] {
            let manager = InProcessManager::with_huge_pages(huge_pages).unwrap();
            let segments =
                [segment(CODE, 9_000_000), segment(DATA, 3_000_000), segment(Permissions::READ, 100_000)];
            let mut allocation = manager.allocate(&request(&segments)).unwrap();
            allocation.working_memory().into_iter().for_each(|bytes| bytes.fill(3));
            let finalized = finalize(allocation);
            for placed in finalized.segments() {
                let range = range_of(placed);
                assert_eq!((read(range.start), read(range.end - 1)), (3, 3));
            }
            assert_no_writable_code();
        }
    }

    #[test]
    fn low_segments_are_low() {
        let manager = InProcessManager::new().unwrap();
        let low = |segment| SegmentRequest { placement: Placement::Low, ..segment };
        let segments = [low(segment(CODE, 64)), low(segment(DATA, 64)), segment(DATA, 8)];
        let mut allocation = manager.allocate(&request(&segments)).unwrap();
        allocation.working_memory()[0][..RETURN_42.len()].copy_from_slice(RETURN_42);
        let finalized = finalize(allocation);
        let ends: Vec<_> = finalized.segments().iter().map(|placed| range_of(placed).end).collect();
        assert!(ends[0] < 2 * GIB && ends[1] < 2 * GIB && ends[2] > 4 * GIB, "{ends:#x?}");
        assert_eq!(call(finalized.segments()[0].address), 42);
    }

    #[test]
    fn close_segments_lie_side_by_side() {
        let manager = InProcessManager::new().unwrap();
        let close = |segment| SegmentRequest { placement: Placement::Close, ..segment };
        let segments =
            [close(segment(CODE, 64)), close(segment(DATA, 64)), close(segment(Permissions::READ, 64))];
        // Others before and between take nothing of it.
        let _before = finalize(manager.allocate(&request(&[segment(CODE, 1 << 20)])).unwrap());
        let ranges: Vec<_> = (0..2)
            .map(|_| {
                let mut allocation = manager.allocate(&request(&segments)).unwrap();
                allocation.working_memory()[0][..RETURN_42.len()].copy_from_slice(RETURN_42);
                finalize(allocation)
            })
            .collect();
        for finalized in &ranges {
            let places = finalized.segments().iter().map(range_of);
            let (start, end) =
                places.fold((u64::MAX, 0), |(start, end), r| (start.min(r.start), end.max(r.end)));
            assert!(end - start <= 3 * page::size(), "{start:#x}..{end:#x}");
            assert_eq!(call(finalized.segments()[0].address), 42);
        }
        assert!(!manager.reaches(Placement::Close, ranges[0].segments()[0].address));
    }

    #[test]
    fn exhausted_low_memory_is_an_error_that_says_so() {
        let manager = InProcessManager::new().unwrap();
        let low = SegmentRequest { placement: Placement::Low, zero_fill_size: 3 * GIB, ..segment(DATA, 64) };
        let error = manager.allocate(&request(&[low])).err().unwrap();
        assert!(error.to_string().contains("low 2 GiB"), "{error}");
        let modest = SegmentRequest { zero_fill_size: GIB, ..low };
        assert!(manager.allocate(&request(&[modest])).is_ok());
    }

    #[test]
    fn full_regions_are_followed_by_others() {
        let manager = InProcessManager::new().unwrap();
        let bss = SegmentRequest { zero_fill_size: 500 << 20, ..segment(DATA, 0) };
        let held: Vec<_> =
            (0..6).map(|_| manager.allocate(&request(&[bss, segment(CODE, 1)])).unwrap()).collect();
        for allocation in &held {
            let [bss, code] = allocation.segments() else { unreachable!() };
            assert!(code.address.0.abs_diff(bss.address.0 + bss.size) < 2 * GIB);
        }
    }

    #[test]
    fn threads_do_not_get_in_each_others_way() {
        let manager = InProcessManager::new().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..32 {
                scope.spawn(|| (0..rounds(30, 500)).for_each(|_| link_small(&manager)));
            }
        });
        assert_no_writable_code();
    }
}
