//! Reserved address space: no memory behind it until pages are committed, and none again once they are discarded.
//!
//! # Safety
//! A [`Reservation`] owns its addresses: nothing else maps there while it lives, so replacing mappings inside it cannot
//! hit anyone else's memory. Every range is checked against it. Whether the bytes of a committed range may be accessed is
//! up to whoever turns an address into a pointer.
#![allow(unsafe_code)]

use crate::base::{Error, Result};
use libc::{MAP_ANONYMOUS, MAP_FAILED, MAP_FIXED, MAP_FIXED_NOREPLACE, MAP_NORESERVE, MAP_PRIVATE};
use libc::{PROT_NONE, c_int, c_void};
use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::{PoisonError, RwLock};

pub(crate) use region::Protection;

const QUIET: c_int = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

/// Ends of all reservations, by start.
static RESERVED: RwLock<BTreeMap<u64, u64>> = RwLock::new(BTreeMap::new());

/// The reservation that holds all of `range`: nobody else maps anything in it.
pub(crate) fn reservation_of(range: &Range<u64>) -> Option<Range<u64>> {
    let reserved = RESERVED.read().unwrap_or_else(PoisonError::into_inner);
    let (&start, &end) = reserved.range(..=range.start).next_back()?;
    (range.end <= end).then_some(start..end)
}

/// A range of addresses that this process has set aside; dropping it unmaps everything in it.
#[derive(Debug)]
pub(crate) struct Reservation {
    range: Range<u64>,
}

impl Reservation {
    /// Reserves `size` bytes where the kernel likes.
    pub(crate) fn anywhere(size: u64) -> io::Result<Self> {
        Self::map(0, size, 0)
    }

    /// Reserves exactly the addresses of `range`, whole pages, if nothing is mapped there.
    pub(crate) fn at(range: &Range<u64>) -> io::Result<Self> {
        let reservation = Self::map(range.start, range.end - range.start, MAP_FIXED_NOREPLACE)?;
        // Kernels before 4.17 take the address as a hint.
        if reservation.range == *range { Ok(reservation) } else { Err(io::ErrorKind::AddrInUse.into()) }
    }

    fn map(address: u64, size: u64, flags: c_int) -> io::Result<Self> {
        // SAFETY: without MAP_FIXED, mmap leaves existing mappings alone.
        let start =
            unsafe { libc::mmap(address as *mut c_void, size as usize, PROT_NONE, QUIET | flags, -1, 0) };
        if start == MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = start as u64;
        RESERVED.write().unwrap_or_else(PoisonError::into_inner).insert(start, start + size);
        Ok(Self { range: start..start + size })
    }

    /// The addresses.
    pub(crate) fn range(&self) -> Range<u64> {
        self.range.clone()
    }

    fn check(&self, range: &Range<u64>) -> Result<()> {
        let inside = self.range.start <= range.start && range.end <= self.range.end;
        if range.start == range.end || inside && range.start < range.end {
            return Ok(());
        }
        Err(Error::invalid(format!("{range:#x?} lies outside of the reserved {:#x?}", self.range), None))
    }

    /// Changes the protection of the pages of `range`.
    pub(crate) fn protect(&self, range: &Range<u64>, protection: Protection) -> Result<()> {
        self.check(range)?;
        if range.is_empty() {
            return Ok(());
        }
        let size = (range.end - range.start) as usize;
        // SAFETY: the pages are this reservation's. Whoever holds pointers into them gave up writing (or executing) them
        // when asking for the protection.
        let outcome = unsafe { region::protect(range.start as *const u8, size, protection) };
        outcome
            .map_err(|error| refused(&format!("make {size} bytes at {:#x} {protection}", range.start), error))
    }

    /// Drops the pages of `range` and their contents; accessing them is a fault from now on.
    pub(crate) fn discard(&self, range: &Range<u64>) -> Result<()> {
        self.check(range)?;
        if range.is_empty() {
            return Ok(());
        }
        let (start, size) = (range.start as *mut c_void, (range.end - range.start) as usize);
        // SAFETY: replaces pages of this reservation that their user has given back.
        let mapped = unsafe { libc::mmap(start, size, PROT_NONE, QUIET | MAP_FIXED, -1, 0) };
        if mapped == MAP_FAILED {
            let what = format!("give back {size} bytes at {:#x}", range.start);
            return Err(Error::memory(what, Some(io::Error::last_os_error())));
        }
        Ok(())
    }

    /// Drops the contents of the pages of `range`, which are zero from now on, and keeps their protection: this takes no
    /// mapping of its own, as [`discard`](Self::discard) may.
    pub(crate) fn clear(&self, range: &Range<u64>) -> Result<()> {
        self.check(range)?;
        let (start, size) = (range.start as *mut c_void, (range.end - range.start) as usize);
        // SAFETY: drops contents of private pages of this reservation that their user has given back.
        if unsafe { libc::madvise(start, size, libc::MADV_DONTNEED) } != 0 {
            let what = format!("clear {size} bytes at {:#x}", range.start);
            return Err(Error::memory(what, Some(io::Error::last_os_error())));
        }
        Ok(())
    }

    /// Asks for huge pages behind `range`, which is committed and not yet touched. Only a hint.
    pub(crate) fn prefer_huge_pages(&self, range: &Range<u64>) {
        self.advise(range, libc::MADV_HUGEPAGE);
    }

    /// Puts (zero) memory behind `range`, which is committed, at once rather than page by page. Only a hint.
    pub(crate) fn populate(&self, range: &Range<u64>) {
        self.advise(range, libc::MADV_POPULATE_WRITE);
    }

    fn advise(&self, range: &Range<u64>, advice: c_int) {
        if range.is_empty() || self.check(range).is_err() {
            return;
        }
        // SAFETY: both kinds of advice keep the contents of the pages, which are this reservation's.
        unsafe { libc::madvise(range.start as *mut c_void, (range.end - range.start) as usize, advice) };
    }

    /// Maps `fd` from byte `offset` on at `range`, shared, in place of reserved pages that nobody uses.
    pub(crate) fn map_shared(
        &self,
        range: &Range<u64>,
        fd: c_int,
        offset: u64,
        protection: Protection,
    ) -> Result<()> {
        self.check(range)?;
        let (start, size) = (range.start as *mut c_void, (range.end - range.start) as usize);
        let protection = protection_bits(protection);
        // SAFETY: replaces pages of this reservation that, says the caller, nobody uses.
        let mapped = unsafe {
            libc::mmap(start, size, protection, libc::MAP_SHARED | MAP_FIXED, fd, offset as libc::off_t)
        };
        if mapped == MAP_FAILED {
            let what = format!("map {size} bytes of shared memory at {:#x}", range.start);
            return Err(Error::memory(what, Some(io::Error::last_os_error())));
        }
        Ok(())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        RESERVED.write().unwrap_or_else(PoisonError::into_inner).remove(&self.range.start);
        // SAFETY: the mapping is this value's own; whoever handed out addresses in it keeps it alive while they are used.
        unsafe {
            libc::munmap(self.range.start as *mut c_void, (self.range.end - self.range.start) as usize)
        };
    }
}

fn protection_bits(protection: Protection) -> c_int {
    let bit = |flag, bit| if protection.contains(flag) { bit } else { 0 };
    bit(Protection::READ, libc::PROT_READ)
        | bit(Protection::WRITE, libc::PROT_WRITE)
        | bit(Protection::EXECUTE, libc::PROT_EXEC)
}

#[cold]
fn refused(what: &str, error: region::Error) -> Error {
    match error {
        region::Error::SystemCall(code) => Error::memory(what, Some(io::Error::from_raw_os_error(code))),
        other => Error::memory(what, Some(io::Error::other(other))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::page;

    #[test]
    fn ranges_outside_are_refused() {
        let reservation = Reservation::anywhere(4 * page::size()).unwrap();
        let Range { start, end } = reservation.range();
        assert!(reservation.protect(&(start..end + 1), Protection::READ).is_err());
        assert!(reservation.discard(&(start - 1..end)).is_err());
        #[allow(clippy::reversed_empty_ranges, reason = "just such a range is to be refused")]
        let reversed = end..start;
        assert!(reservation.discard(&reversed).is_err());
    }

    #[test]
    fn ranges_belong_to_the_reservation_that_holds_them() {
        let reservation = Reservation::anywhere(2 * page::size()).unwrap();
        let Range { start, end } = reservation.range();
        assert_eq!(reservation_of(&(start + 1..end)), Some(start..end));
        assert_eq!(reservation_of(&(start..end + 1)), None);
        assert_eq!(reservation_of(&(start - 1..end)), None);
    }

    #[test]
    fn occupied_addresses_are_left_alone() {
        let first = Reservation::anywhere(4 * page::size()).unwrap();
        assert!(Reservation::at(&first.range()).is_err());
        first.protect(&first.range(), Protection::READ_WRITE).unwrap();
    }

    #[test]
    fn discarded_pages_are_zero_when_committed_again() {
        let reservation = Reservation::anywhere(page::size()).unwrap();
        let byte = reservation.range().start as *mut u8;
        reservation.protect(&reservation.range(), Protection::READ_WRITE).unwrap();
        // SAFETY: just made writable.
        unsafe { byte.write(7) };
        reservation.discard(&reservation.range()).unwrap();
        reservation.protect(&reservation.range(), Protection::READ_WRITE).unwrap();
        // SAFETY: just made readable.
        assert_eq!(unsafe { byte.read() }, 0);
    }
}
