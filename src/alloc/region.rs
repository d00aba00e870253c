//! A reserved range of addresses, striped by kind, from which allocations take runs of private pages.

use super::layout::{Group, Kind};
use super::stripe::Stripe;
use crate::base::Result;
use crate::sys::page::{self, align_up};
use crate::sys::place::Aligned;
use crate::sys::reserve::{Protection, Reservation};
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The addresses of a group's runs, indexed by kind; empty for runs that the group has not.
pub(super) type Ranges = [Range<u64>; Kind::ALL.len()];

/// Sizes of a region's stripes, indexed by kind.
pub(super) type Sizes = [u64; Kind::ALL.len()];

/// Address space for many allocations, or for one large one.
#[derive(Debug)]
pub(super) struct Region {
    reservation: Reservation,
    stripes: Mutex<[Stripe; Kind::ALL.len()]>,
    /// Made for one group that no other region had room for: not kept when that is gone.
    pub(super) dedicated: bool,
}

impl Region {
    /// A region with stripes of the given sizes, whole pages, for whatever fits.
    pub(super) fn shared(place: Aligned, sizes: &Sizes) -> Self {
        let mut start = place.range.start;
        let stripes = sizes.map(|size| {
            let bounds = start..start + size;
            start = bounds.end;
            Stripe::new(bounds)
        });
        Self { reservation: place.reservation, stripes: Mutex::new(stripes), dedicated: false }
    }

    /// A region that exactly `group` fits into; `place` has the size and alignment of [`extent`].
    pub(super) fn dedicated(place: Aligned, group: &Group) -> Self {
        let mut end = place.range.start;
        let stripes = group.each_ref().map(|run| {
            let start = align_up(end, run.alignment).unwrap_or(end);
            end = start + run.size;
            Stripe::new(start..end)
        });
        Self { reservation: place.reservation, stripes: Mutex::new(stripes), dedicated: true }
    }

    fn stripes(&self) -> MutexGuard<'_, [Stripe; Kind::ALL.len()]> {
        // Between the operations on a stripe, whatever a panic left behind is consistent.
        self.stripes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes memory for all runs of `group`, zero and writable; `None` if there is no room for one of them.
    pub(super) fn take(&self, group: &Group) -> Result<Option<Ranges>> {
        let mut stripes = self.stripes();
        let mut taken = Ranges::default();
        for ((run, stripe), range) in group.iter().zip(stripes.iter_mut()).zip(&mut taken) {
            if run.size == 0 {
                continue;
            }
            match stripe.take(run.size, run.alignment) {
                Some(found) => *range = found,
                None => {
                    put_back(&mut *stripes, taken);
                    return Ok(None);
                }
            }
        }
        for (range, stripe) in taken.iter().zip(stripes.iter_mut()) {
            if let Err(error) = stripe.commit(&self.reservation, range) {
                put_back(&mut *stripes, taken);
                return Err(error);
            }
        }
        Ok(Some(taken))
    }

    /// Frees pages of one kind. What cannot be given back to the operating system is not used again.
    pub(super) fn give_back(&self, kind: Kind, range: Range<u64>) -> Result<()> {
        if range.is_empty() {
            return Ok(());
        }
        let hide = self.stripes()[kind as usize].can_hide_free_pages();
        if hide && self.reservation.discard(&range).is_ok() {
            self.stripes()[kind as usize].give_back(range, &[]);
            return Ok(());
        }
        self.reservation.clear(&range)?;
        let ready = if kind == Kind::Data { std::slice::from_ref(&range) } else { &[] };
        self.stripes()[kind as usize].give_back(range.clone(), ready);
        Ok(())
    }

    /// Changes the protection of pages that have been taken.
    pub(super) fn protect(&self, range: &Range<u64>, protection: Protection) -> Result<()> {
        self.reservation.protect(range, protection)
    }

    /// Whether nothing is handed out.
    pub(super) fn is_unused(&self) -> bool {
        self.stripes().iter().all(Stripe::is_unused)
    }

    /// All its addresses.
    pub(super) fn range(&self) -> Range<u64> {
        self.reservation.range()
    }

    /// What puts memory behind pages that have been taken.
    pub(super) fn reservation(&self) -> &Reservation {
        &self.reservation
    }
}

fn put_back(stripes: &mut [Stripe], taken: Ranges) {
    for (stripe, range) in stripes.iter_mut().zip(taken) {
        stripe.give_back(range, &[]);
    }
}

/// Size and alignment of a region that `group` fits into, whole pages.
pub(super) fn extent(group: &Group) -> (u64, u64) {
    let size = group
        .iter()
        .fold(0u64, |end, run| align_up(end, run.alignment).unwrap_or(end).saturating_add(run.size));
    let alignment = group.iter().map(|run| run.alignment).max().unwrap_or(1);
    (align_up(size, page::size()).unwrap_or(size), alignment.max(page::size()))
}
