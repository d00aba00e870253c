//! Blocks: runs of content that are placed, kept or dropped as a whole.

use super::SectionId;
use super::edge::EdgeRun;
use crate::base::{AddrRange, ExecutorAddr};

/// A block's bytes before fixup.
#[derive(Clone, Debug)]
pub enum Content<'data> {
    /// As many zero bytes as the block is long.
    ZeroFill,
    /// Bytes of the mapped input.
    Borrowed(&'data [u8]),
    /// Bytes of the graph's own.
    Owned(Vec<u8>),
}

impl Content<'_> {
    /// The bytes; none for zero-fill.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::ZeroFill => &[],
            Self::Borrowed(bytes) => bytes,
            Self::Owned(bytes) => bytes,
        }
    }
}

/// A run of content that is placed, kept or dropped as a whole.
#[derive(Clone, Debug)]
pub struct Block<'data> {
    pub(crate) address: ExecutorAddr,
    pub(crate) size: u64,
    pub(crate) content: Content<'data>,
    pub(crate) edges: EdgeRun<'data>,
    pub(crate) section: SectionId,
    pub(crate) alignment_offset: u32,
    pub(crate) alignment_log2: u8,
    pub(crate) live: bool,
}

impl Block<'_> {
    /// What a removed block leaves in its place.
    pub(crate) const REMOVED: Self = Self {
        address: ExecutorAddr::NULL,
        size: 0,
        content: Content::ZeroFill,
        edges: EdgeRun::EMPTY,
        section: SectionId(u32::MAX),
        alignment_offset: 0,
        alignment_log2: 0,
        live: false,
    };

    /// Whether an edit removed it: only its id is left, and nothing iterates over it.
    pub(crate) fn is_removed(&self) -> bool {
        self.section == Self::REMOVED.section
    }

    /// The section it belongs to.
    #[must_use]
    pub fn section(&self) -> SectionId {
        self.section
    }

    /// Size in bytes, in memory.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Address in the executing process: before layout, the offset in the object's section.
    #[must_use]
    pub fn address(&self) -> ExecutorAddr {
        self.address
    }

    /// The addresses it covers.
    #[must_use]
    pub fn range(&self) -> AddrRange {
        AddrRange::from_size(self.address, self.size)
    }

    /// The bytes before fixup.
    #[must_use]
    pub fn content(&self) -> &Content<'_> {
        &self.content
    }

    /// Whether the block is all zero and takes no bytes of the object.
    #[must_use]
    pub fn is_zero_fill(&self) -> bool {
        matches!(self.content, Content::ZeroFill)
    }

    /// Alignment in bytes, a power of two: the address is `alignment_offset` modulo this.
    #[must_use]
    pub fn alignment(&self) -> u64 {
        1 << self.alignment_log2
    }

    /// What the address is modulo the alignment.
    #[must_use]
    pub fn alignment_offset(&self) -> u64 {
        u64::from(self.alignment_offset)
    }

    /// Whether dead stripping keeps it (before dead stripping: false).
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.live
    }
}
