//! The initial contents of an image's writable memory, for when it is initialised again.
//!
//! # Safety
//! Reads and writes memory of an image that the caller vouches for: mapped, writable, and used by nobody at the same time.
#![allow(unsafe_code)]

use crate::base::{AddrRange, ExecutorAddr};

/// What writable memory held.
#[derive(Debug)]
pub struct Snapshot {
    contents: Vec<(ExecutorAddr, Box<[u8]>)>,
    zeros: Vec<AddrRange>,
}

/// So many bytes are looked at and written at once.
const CHUNK: u64 = 4096;

impl Snapshot {
    /// Copies what is in `contents`; what is in `zeros` is zero at first.
    ///
    /// # Safety
    /// The ranges are readable, and nobody writes to them meanwhile.
    #[must_use]
    pub unsafe fn take(contents: &[AddrRange], zeros: &[AddrRange]) -> Self {
        let copy = |range: &AddrRange| {
            let start = std::ptr::with_exposed_provenance::<u8>(range.start.0 as usize);
            // SAFETY: the caller's promise.
            (range.start, unsafe { std::slice::from_raw_parts(start, range.size() as usize) }.into())
        };
        let contents = contents.iter().filter(|range| !range.is_empty()).map(copy).collect();
        Self { contents, zeros: zeros.to_vec() }
    }

    /// Makes memory what it was. Pages that hold zeros are not written to, and take no memory by that.
    ///
    /// # Safety
    /// The ranges are writable, and nobody uses them meanwhile.
    pub unsafe fn restore(&self) {
        for (start, bytes) in &self.contents {
            let to = std::ptr::with_exposed_provenance_mut::<u8>(start.0 as usize);
            // SAFETY: the caller's promise.
            unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        }
        for range in &self.zeros {
            let mut at = range.start.0;
            while at < range.end.0 {
                let end = range.end.0.min((at & !(CHUNK - 1)).saturating_add(CHUNK));
                let start = std::ptr::with_exposed_provenance_mut::<u8>(at as usize);
                // SAFETY: as above.
                let bytes = unsafe { std::slice::from_raw_parts_mut(start, (end - at) as usize) };
                if bytes.iter().any(|byte| *byte != 0) {
                    bytes.fill(0);
                }
                at = end;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_becomes_what_it_was() {
        let mut memory = [1u8, 2, 3, 0, 0, 0, 7];
        let start = ExecutorAddr((&raw mut memory).expose_provenance() as u64);
        let part = |from: u64, size: u64| AddrRange::from_size(start.wrapping_add(from), size);
        // SAFETY: memory of this test's.
        let snapshot = unsafe { Snapshot::take(&[part(0, 3), part(3, 0)], &[part(3, 3)]) };
        let pointer = std::ptr::with_exposed_provenance_mut::<u8>(start.0 as usize);
        // SAFETY: as above.
        unsafe {
            pointer.write_bytes(9, 7);
            snapshot.restore();
        }
        assert_eq!(memory, [1, 2, 3, 0, 0, 0, 9]);
    }
}
