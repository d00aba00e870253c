//! All regions for one placement, made as they are needed.

use super::Placement;
use super::layout::{Group, Kind};
use super::region::{Ranges, Region, Sizes, extent};
use crate::base::Result;
use crate::sys::page::align_up;
use crate::sys::place::{self, Aligned};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const MIB: u64 = 1 << 20;

/// Read-only data, code, RELRO and data. Together less than 2 GiB, so that the C library can be in reach of all of it.
const NEAR_SIZES: Sizes = [384 * MIB, 512 * MIB, 128 * MIB, 768 * MIB];
const LOW_SIZES: Sizes = [64 * MIB, 96 * MIB, 16 * MIB, 80 * MIB];
const FAR_SIZES: Sizes = [2048 * MIB, 1024 * MIB, 1024 * MIB, 4096 * MIB];

/// How often a region's sizes are halved where there is no room for it.
const HALVINGS: u32 = 5;

const HUGE_PAGE: u64 = 2 * MIB;

/// From this size on, rounding up to whole huge pages wastes little.
const WORTH_ROUNDING: u64 = 4 * HUGE_PAGE;

/// From this size on, putting memory behind pages at once is cheaper than one fault per page.
const WORTH_POPULATING: u64 = 16 << 10;

/// How memory is put behind large contents.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum HugePages {
    /// Ask for huge pages behind contents of 2 MiB and more: writing 150 MB then takes about a third of the time. Up to
    /// 2 MiB is wasted at the end of contents of 8 MiB and more.
    #[default]
    LargeContents,
    /// Leave it to the system's setting.
    SystemDefault,
}

/// Regions for one placement.
#[derive(Debug)]
pub(super) struct Space {
    placement: Placement,
    huge_pages: HugePages,
    regions: Mutex<Vec<Arc<Region>>>,
}

/// The memory of one group.
#[derive(Debug)]
pub(super) struct Batch {
    space: Arc<Space>,
    region: Arc<Region>,
    /// Where the runs lie.
    pub(super) ranges: Ranges,
    /// Where the memory of finalize lifetime begins in each.
    finalize: [u64; Kind::ALL.len()],
}

impl Space {
    /// No region yet.
    pub(super) fn new(placement: Placement, huge_pages: HugePages) -> Arc<Self> {
        Arc::new(Self { placement, huge_pages, regions: Mutex::default() })
    }

    fn regions(&self) -> MutexGuard<'_, Vec<Arc<Region>>> {
        // The list is consistent between any two operations on it.
        self.regions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The addresses of all regions.
    pub(super) fn ranges(&self) -> Vec<Range<u64>> {
        self.regions().iter().map(|region| region.range()).collect()
    }

    /// Makes the first region, while there is still room at the best place.
    pub(super) fn reserve(&self) -> Result<()> {
        let region = self.new_region(&Group::default())?;
        self.regions().push(Arc::new(region));
        Ok(())
    }

    /// Takes memory for `group`: zero and writable.
    pub(super) fn allocate(self: &Arc<Self>, group: &Group) -> Result<Batch> {
        let group = self.prepare(group);
        let (region, ranges) = self.take(&group)?;
        for (run, range) in group.iter().zip(&ranges) {
            let contents = range.start..range.start + run.content_end;
            if !run.is_dense() || run.content < WORTH_POPULATING {
                continue;
            }
            if self.huge_pages == HugePages::LargeContents && run.content >= HUGE_PAGE {
                region.reservation().prefer_huge_pages(&huge_part(run.content, &contents, range));
            } else if run.content < HUGE_PAGE {
                region.reservation().populate(&crate::sys::page::enclosing(&contents));
            }
        }
        let mut finalize = group.map(|run| run.standard);
        for (end, range) in finalize.iter_mut().zip(&ranges) {
            *end += range.start;
        }
        Ok(Batch { space: self.clone(), region, ranges, finalize })
    }

    /// Aligns (and rounds up) runs that huge pages shall be put behind.
    fn prepare(&self, group: &Group) -> Group {
        group.map(|mut run| {
            if self.huge_pages == HugePages::LargeContents && run.is_dense() && run.content >= HUGE_PAGE {
                run.alignment = run.alignment.max(HUGE_PAGE);
                if run.content >= WORTH_ROUNDING && run.standard == run.size {
                    run.size = align_up(run.size, HUGE_PAGE).unwrap_or(run.size);
                    run.standard = run.size;
                }
            }
            run
        })
    }

    fn take(&self, group: &Group) -> Result<(Arc<Region>, Ranges)> {
        let mut regions = self.regions();
        for region in regions.iter() {
            if let Some(ranges) = region.take(group)? {
                return Ok((region.clone(), ranges));
            }
        }
        let region = Arc::new(self.new_region(group)?);
        let taken = region.take(group)?;
        regions.push(region.clone());
        // A region is made such that the group fits.
        taken.map(|ranges| (region, ranges)).ok_or_else(|| {
            crate::base::Error::memory("place an allocation in the region that was made for it", None)
        })
    }

    /// Forgets a region that was made for what has just been freed.
    fn tidy(&self, region: &Arc<Region>) {
        if region.dedicated && region.is_unused() {
            self.regions().retain(|known| !Arc::ptr_eq(known, region));
        }
    }

    fn new_region(&self, group: &Group) -> Result<Region> {
        let sizes = match self.placement {
            Placement::Near | Placement::Close => &NEAR_SIZES,
            Placement::Low => &LOW_SIZES,
            Placement::Anywhere => &FAR_SIZES,
        };
        let (size, alignment) = extent(group);
        if self.placement == Placement::Close {
            let place = place::near_c_library(size, alignment);
            return Ok(Region::dedicated(place.map_or_else(|| place::anywhere(size, alignment), Ok)?, group));
        }
        if self.placement == Placement::Near {
            let near = first_fitting(sizes, group, place::near_c_library);
            let near =
                near.or_else(|| Some(Region::dedicated(place::near_c_library(size, alignment)?, group)));
            if let Some(region) = near {
                return Ok(region);
            }
        }
        let reserve: fn(u64, u64) -> Result<Aligned> =
            if self.placement == Placement::Low { place::low } else { place::anywhere };
        if let Some(region) = first_fitting(sizes, group, |size, alignment| reserve(size, alignment).ok()) {
            return Ok(region);
        }
        Ok(Region::dedicated(reserve(size, alignment)?, group))
    }
}

/// A region for many allocations, as large as there is room for, if `group` fits.
fn first_fitting(
    sizes: &Sizes,
    group: &Group,
    reserve: impl Fn(u64, u64) -> Option<Aligned>,
) -> Option<Region> {
    let alignment = group.iter().map(|run| run.alignment).max().unwrap_or(1);
    // Room for a run of wide alignment wherever its stripe starts.
    let needs = |run: &super::layout::Run| run.size.saturating_add(run.alignment);
    for halvings in 0..HALVINGS {
        let sizes = sizes.map(|size| size >> halvings);
        if group.iter().zip(sizes).any(|(run, size)| run.size > 0 && needs(run) > size) {
            return None;
        }
        if let Some(place) = reserve(sizes.iter().sum(), alignment.min(HUGE_PAGE)) {
            return Some(Region::shared(place, &sizes));
        }
    }
    None
}

/// The whole huge pages that contents touch, as far as they are the run's; without the last where it is mostly empty.
fn huge_part(content: u64, contents: &Range<u64>, run: &Range<u64>) -> Range<u64> {
    let whole = contents.end & !(HUGE_PAGE - 1);
    let rounded = align_up(contents.end, HUGE_PAGE).unwrap_or(whole);
    let end = if content >= WORTH_ROUNDING && rounded <= run.end { rounded } else { whole };
    contents.start..end.max(contents.start)
}

impl Batch {
    /// The run of one kind.
    pub(super) fn range(&self, kind: Kind) -> &Range<u64> {
        &self.ranges[kind as usize]
    }

    /// The region that the runs are in.
    pub(super) fn region(&self) -> &Region {
        &self.region
    }

    /// Frees the parts with finalize lifetime.
    pub(super) fn release_finalize(&mut self) -> Result<()> {
        self.release_from(self.finalize)
    }

    /// Frees everything.
    pub(super) fn release(&mut self) -> Result<()> {
        let starts = self.ranges.each_ref().map(|range| range.start);
        let outcome = self.release_from(starts);
        self.space.tidy(&self.region);
        outcome
    }

    fn release_from(&mut self, starts: [u64; Kind::ALL.len()]) -> Result<()> {
        let mut outcome = Ok(());
        for ((kind, range), start) in Kind::ALL.into_iter().zip(&mut self.ranges).zip(starts) {
            let start = start.min(range.end);
            let freed = start..range.end;
            range.end = start;
            outcome = outcome.and(self.region.give_back(kind, freed));
        }
        outcome
    }
}
