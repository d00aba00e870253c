//! Compact unwind records: which function each describes, call frame records (`.eh_frame`) for functions that nothing
//! else describes, and the table of a whole image that an unwinder which knows compact encodings searches.
//!
//! Unwinders that read DWARF only are given one FDE for each function of a compact record, so that exceptions pass
//! through it and are caught in it. An encoding is right at calls, and so is such an FDE: a debugger or profiler that
//! stops in a function's prologue or epilogue finds its caller by other means or not at all.
//!
//! Records are kept with their function: an FDE keeps LSDA and personality, and is there whether DWARF was in the object
//! or is made here.
//!
//! Sources: the header `mach-o/compact_unwind_encoding.h`; Linux Standard Base, "Exception Frames".

mod read;
mod synthesize;
#[cfg(test)]
mod tests;
mod unwind_info;

pub use read::read;
pub use synthesize::{start_of, synthesize};
pub use unwind_info::{Entry, UnwindInfo, build};

use crate::graph::{BlockId, SymbolId};

/// Size of a record in bytes.
pub const RECORD_SIZE: usize = 32;

/// What a record says about a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// The record's own place.
    pub at: Position,
    /// Where the function starts.
    pub function: Position,
    /// The same, as an edge gives it.
    pub function_target: Target,
    /// Bytes of code.
    pub length: u32,
    /// How to leave its frame; without the bits that an image sets.
    pub encoding: u32,
    /// The function that interprets the LSDA.
    pub personality: Option<Target>,
    /// Data that tells where exceptions are caught.
    pub lsda: Option<Target>,
}

/// A place in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The block.
    pub block: BlockId,
    /// Offset there.
    pub offset: u64,
}

/// What an edge leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    /// A symbol.
    pub symbol: SymbolId,
    /// What is added to its address.
    pub addend: i64,
}
