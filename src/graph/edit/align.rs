//! Alignment as arithmetic: addresses that are some offset modulo a power of two.

use crate::graph::Block;

/// The addresses that are `offset` modulo `1 << log2`; `offset` is less than that.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Congruence {
    pub(super) log2: u8,
    pub(super) offset: u64,
}

impl Congruence {
    /// From an alignment in bytes; none unless that is a power of two above `offset`.
    pub(super) fn new(alignment: u64, offset: u64) -> Option<Self> {
        let log2 = alignment.trailing_zeros() as u8;
        (alignment.is_power_of_two() && offset < alignment).then_some(Self { log2, offset })
    }

    const fn mask(self) -> u64 {
        (1u64 << self.log2).wrapping_sub(1)
    }

    /// These addresses, all moved by `distance`, backwards as two's complement.
    pub(super) const fn moved(self, distance: u64) -> Self {
        Self { log2: self.log2, offset: self.offset.wrapping_add(distance) & self.mask() }
    }

    /// The addresses that are in both; none when there are none.
    pub(super) fn and(self, other: Self) -> Option<Self> {
        let (coarse, fine) = if self.log2 >= other.log2 { (self, other) } else { (other, self) };
        (coarse.offset & fine.mask() == fine.offset).then_some(coarse)
    }
}

impl Block<'_> {
    /// Where it may lie.
    pub(super) const fn congruence(&self) -> Congruence {
        Congruence { log2: self.alignment_log2, offset: self.alignment_offset as u64 }
    }
}
