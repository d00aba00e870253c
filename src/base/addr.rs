//! Addresses in the executing process.

use std::fmt;

/// An address in the process that executes the linked code, which need not be this one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct ExecutorAddr(pub u64);

impl ExecutorAddr {
    /// The null address: what an absent weak symbol resolves to.
    pub const NULL: Self = Self(0);

    /// This address moved up by `offset` bytes, wrapping as address arithmetic in relocations does.
    #[must_use]
    pub const fn wrapping_add(self, offset: u64) -> Self {
        Self(self.0.wrapping_add(offset))
    }

    /// Whether this is the null address.
    #[must_use]
    pub const fn is_null(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Debug for ExecutorAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl fmt::Display for ExecutorAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#018x}", self.0)
    }
}

impl fmt::LowerHex for ExecutorAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::LowerHex::fmt(&self.0, f)
    }
}

/// A half-open range of executor addresses: `start` is inside, `end` is not.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct AddrRange {
    /// First address of the range.
    pub start: ExecutorAddr,
    /// First address after the range.
    pub end: ExecutorAddr,
}

impl AddrRange {
    /// The range of `size` bytes from `start`.
    #[must_use]
    pub const fn from_size(start: ExecutorAddr, size: u64) -> Self {
        Self { start, end: ExecutorAddr(start.0.wrapping_add(size)) }
    }

    /// Length in bytes.
    #[must_use]
    pub const fn size(self) -> u64 {
        self.end.0.wrapping_sub(self.start.0)
    }

    /// Whether the range holds no byte.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.start.0 == self.end.0
    }

    /// Whether `addr` lies inside.
    #[must_use]
    pub const fn contains(self, addr: ExecutorAddr) -> bool {
        self.start.0 <= addr.0 && addr.0 < self.end.0
    }
}
