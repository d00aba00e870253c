//! Where there is room for a reservation: near the C library, in the low 2 GiB, or anywhere.

use super::maps::{gaps, mappings};
use super::page;
use super::reserve::Reservation;
use crate::base::{Error, Result};
use std::io;
use std::ops::Range;

/// How far a signed 32-bit displacement reaches.
const REACH: u64 = 1 << 31;

/// What lies around the C library's anchor: the library itself, and what its neighbours need.
const NEIGHBOURHOOD: u64 = 64 << 20;

/// Addresses from here on are not for user code: 47 bits on x86-64, up to 48 on AArch64.
const USER_END: u64 = if cfg!(target_arch = "aarch64") { 1 << 48 } else { 1 << 47 };

/// What the heap and the stack keep to grow into.
const MARGIN: u64 = 256 << 20;

/// Ends of the low 2 GiB: an address one past a segment still fits 31 bits.
const LOW_END: u64 = REACH - (64 << 10);

/// Reservations start at multiples of this, so that huge pages fit.
const ALIGNMENT: u64 = 2 << 20;

/// Reserves `size` bytes anywhere, from a multiple of `alignment` on.
pub(crate) fn anywhere(size: u64, alignment: u64) -> Result<Aligned> {
    let alignment = alignment.max(ALIGNMENT);
    let padded = size.checked_add(alignment).ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory));
    let reservation = padded
        .and_then(Reservation::anywhere)
        .map_err(|error| Error::memory(format!("reserve {size} bytes of address space"), Some(error)))?;
    Ok(Aligned::new(reservation, size, alignment))
}

/// Reserves `size` bytes such that all of them and the C library are in each other's reach; `None` if there is no room.
pub(crate) fn near_c_library(size: u64, alignment: u64) -> Option<Aligned> {
    let anchor = c_library_anchor();
    let window = window_around(anchor);
    if size > window.end - window.start {
        return None;
    }
    // The kernel puts new mappings next to the libraries, as a rule: one call instead of reading the list of mappings.
    if let Ok(guess) = anywhere(size, alignment)
        && window.start <= guess.range.start
        && guess.range.end <= window.end
    {
        return Some(guess);
    }
    let window = window.start.max(lowest_address())..window.end;
    let mut candidates = fits(&window, size, alignment)?;
    candidates.sort_by_key(|candidate| candidate.start.abs_diff(anchor));
    first_free(&candidates)
}

/// Reserves `size` bytes in the low 2 GiB.
pub(crate) fn low(size: u64, alignment: u64) -> Result<Aligned> {
    let window = lowest_address()..LOW_END;
    let candidates = fits(&window, size, alignment).unwrap_or_default();
    // From the top down: the heap of a host that is not position-independent lies at the bottom.
    let from_top: Vec<_> = candidates.into_iter().rev().collect();
    first_free(&from_top).ok_or_else(|| no_low_room(size, &window))
}

#[cold]
fn no_low_room(size: u64, window: &Range<u64>) -> Error {
    let free = mappings().map(|list| gaps(&list, window, MARGIN)).unwrap_or_default();
    let largest = free.iter().map(|gap| gap.end - gap.start).max().unwrap_or(0);
    let what = format!(
        "reserve {size} bytes in the low 2 GiB, where at most {largest} bytes in a row are free; code that is not \
         position-independent must lie there: compile with -fPIC, or link less of it at a time"
    );
    Error::memory(what, None)
}

/// The best place for `size` bytes in each gap of `window`: its upper end.
fn fits(window: &Range<u64>, size: u64, alignment: u64) -> Option<Vec<Range<u64>>> {
    let alignment = alignment.max(ALIGNMENT);
    let in_gap = |gap: &Range<u64>| {
        let start = gap.end.checked_sub(size)? & !(alignment - 1);
        (start >= gap.start).then_some(start..start + size)
    };
    Some(gaps(&mappings().ok()?, window, MARGIN).iter().filter_map(in_gap).collect())
}

/// Another thread may map something there meanwhile; then the next candidate is tried.
fn first_free(candidates: &[Range<u64>]) -> Option<Aligned> {
    candidates.iter().find_map(|range| {
        let reservation = Reservation::at(range).ok()?;
        Some(Aligned { range: reservation.range(), reservation })
    })
}

/// Some function of the C library: one that is not resolved by an ifunc and that every program has.
fn c_library_anchor() -> u64 {
    libc::getpid as *const () as u64
}

fn window_around(anchor: u64) -> Range<u64> {
    let below = anchor.saturating_add(NEIGHBOURHOOD).saturating_sub(REACH);
    let above = anchor.saturating_sub(NEIGHBOURHOOD).saturating_add(REACH).min(USER_END);
    below..above.max(below)
}

/// The lowest address that the kernel lets a process map.
fn lowest_address() -> u64 {
    let text = std::fs::read_to_string("/proc/sys/vm/mmap_min_addr").unwrap_or_default();
    let limit = text.trim().parse().unwrap_or(64 << 10).max(page::size());
    page::align_up(limit, page::size()).unwrap_or(64 << 10)
}

/// A reservation and the aligned part of it that was asked for.
#[derive(Debug)]
pub(crate) struct Aligned {
    /// What owns the addresses.
    pub(crate) reservation: Reservation,
    /// The addresses asked for.
    pub(crate) range: Range<u64>,
}

impl Aligned {
    fn new(reservation: Reservation, size: u64, alignment: u64) -> Self {
        let range = reservation.range();
        let start = page::align_up(range.start, alignment).unwrap_or(range.start);
        Self { reservation, range: start..start + size }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_reaches_the_c_library_from_both_ends() {
        let size = 1 << 30;
        let Some(near) = near_c_library(size, 1 << 21) else { return };
        let anchor = c_library_anchor();
        assert_eq!(near.range.end - near.range.start, size);
        assert!(near.range.start.abs_diff(anchor) < REACH && near.range.end.abs_diff(anchor) < REACH);
    }

    /// Kernels put libraries just below the end of user addresses.
    #[test]
    fn the_window_reaches_up_to_the_last_address() {
        let anchor = USER_END - (100 << 20);
        let window = window_around(anchor);
        assert!(window.contains(&anchor) && window.end == USER_END, "{window:x?}");
        assert!(window.start.abs_diff(anchor) < REACH);
    }

    #[test]
    fn near_finds_another_gap_when_the_next_one_is_far() {
        // 4 GiB taken next to the libraries push the kernel's own choice out of reach.
        let _blocker = Reservation::anywhere(4 << 30).unwrap();
        if let Some(near) = near_c_library(64 << 20, 1 << 21) {
            assert!(near.range.start.abs_diff(c_library_anchor()) < REACH);
        }
    }

    #[test]
    fn low_stays_low() {
        let low = low(16 << 20, 1 << 21).unwrap();
        assert!(low.range.end < REACH && low.range.start.is_multiple_of(2 << 20));
        assert!(super::low(REACH, 1 << 21).unwrap_err().to_string().contains("low 2 GiB"));
    }

    #[test]
    fn alignment_is_kept() {
        let aligned = anywhere(4096, 1 << 30).unwrap();
        assert_eq!(aligned.range.start % (1 << 30), 0);
    }
}
