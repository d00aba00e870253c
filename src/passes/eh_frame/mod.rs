//! DWARF call frame information (`.eh_frame`), record by record: which function each record describes, which records
//! a link keeps, and how those are written without holes.
//!
//! A hole would be fatal: a zero length word ends the section for the unwinder, and every later function is lost to
//! it. For the same reason the driver writes the records of all graphs without padding between them, and one
//! terminator after the last.
//!
//! Sources: Linux Standard Base, "Exception Frames"; the psABIs for the pointer encodings.

mod plan;
mod split;
#[cfg(test)]
mod tests;

pub use plan::{EhFramePlan, KeptRecord, Run, plan, write};
pub use split::split;

use crate::graph::{BlockId, LinkGraph};
use std::ops::Range;

/// The records of one `.eh_frame` block.
#[derive(Clone, Debug)]
pub struct EhFrame {
    /// The block they are in.
    pub block: BlockId,
    /// The records in the order of their offsets; terminators are left out.
    pub records: Vec<Record>,
}

/// A CIE or an FDE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Offset in the block.
    pub offset: u32,
    /// Bytes, length field included.
    pub size: u32,
    /// What it is.
    pub kind: RecordKind,
    /// Positions of its edges in the block's run.
    pub edges: Range<u32>,
    /// Whether its length field is the 12-byte one. Unwinders do not read that, so it is written as the 4-byte one.
    pub extended: bool,
}

impl Record {
    /// Bytes that writing it takes off its front.
    #[must_use]
    pub const fn shortened_by(&self) -> u32 {
        if self.extended { 8 } else { 0 }
    }

    const fn end(&self) -> u32 {
        self.offset + self.size
    }
}

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// Common information of several functions; its edges refer to a personality function.
    Cie,
    /// Description of one function; edges other than its function's refer to an LSDA.
    Fde {
        /// Its CIE, as an index in [`EhFrame::records`].
        cie: u32,
        /// What it describes.
        function: Function,
    },
}

/// What an FDE describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// Code of this block, of the same graph.
    In(BlockId),
    /// Code at an absolute address: there whatever the link keeps.
    Absolute,
    /// Nothing that this graph places: a COMDAT copy that lost, a symbol of another graph, or no address at all.
    Gone,
}

impl EhFrame {
    /// The CIE of an FDE, as an index in [`EhFrame::records`]; none for a CIE.
    #[must_use]
    pub fn cie_of(&self, record: u32) -> Option<u32> {
        match self.records.get(record as usize)?.kind {
            RecordKind::Cie => None,
            RecordKind::Fde { cie, .. } => Some(cie),
        }
    }

    /// Whether a record is an FDE to keep, given which blocks are.
    #[must_use]
    pub fn describes_live(&self, record: u32, is_live: impl FnOnce(BlockId) -> bool) -> bool {
        match self.records.get(record as usize).map(|record| record.kind) {
            Some(RecordKind::Fde { function: Function::In(block), .. }) => is_live(block),
            Some(RecordKind::Fde { function: Function::Absolute, .. }) => true,
            _ => false,
        }
    }

    /// The edges that a live FDE keeps alive: its own, then its CIE's, as positions in the block's run.
    #[must_use]
    pub fn edges_kept_by(&self, fde: u32) -> [Range<u32>; 2] {
        let edges =
            |record: u32| self.records.get(record as usize).map_or(0..0, |record| record.edges.clone());
        [edges(fde), self.cie_of(fde).map_or(0..0, edges)]
    }
}

/// The FDEs that describe code of this graph's blocks, sorted by block, as indexes in [`EhFrame::records`].
#[must_use]
pub fn fdes_of_blocks(eh_frame: &EhFrame, graph: &LinkGraph<'_>) -> Vec<(BlockId, u32)> {
    let mut list: Vec<(BlockId, u32)> = Vec::with_capacity(eh_frame.records.len());
    for (index, record) in (0..).zip(&eh_frame.records) {
        if let RecordKind::Fde { function: Function::In(block), .. } = record.kind
            && block.index() < graph.blocks.len()
        {
            list.push((block, index));
        }
    }
    list.sort_unstable();
    list
}
