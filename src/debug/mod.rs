//! Debuggers, profilers, symbolisation: what is known of linked code, in the forms that they read.

mod dwarf;
mod jitdump;
mod object;
mod symbols;

pub(crate) use jitdump::records as jitdump_records;
pub(crate) use object::DebugObject;
pub(crate) use symbols::covers;

use crate::base::ExecutorAddr;
use crate::link::{Linked, LinkedSymbols};
use symbols::{block_at, placed, symbol_of_graph, symbol_of_object};

/// Where an address of linked code is: what a symbol table says, and if there is debug information, the source.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Location {
    /// The object, as messages call it.
    pub object: String,
    /// The symbol that the address belongs to; empty if there is none.
    pub symbol: String,
    /// How far behind the symbol's start it is.
    pub offset: u64,
    /// The source line. In code of inlined functions the first is in the innermost of them, and those of the calls follow.
    pub source: Vec<SourceLine>,
}

/// A line of source, as debug information has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourceLine {
    /// The function's name as the linker sees it; empty if it is not known.
    pub function: String,
    /// The file, with its directory.
    pub file: String,
    /// From 1 on; 0 if it is not known.
    pub line: u32,
    /// From 1 on; 0 if it is not known.
    pub column: u32,
}

impl std::fmt::Display for Location {
    /// `symbol + offset (object) at file:line`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { object, symbol, offset, source } = self;
        match (&**symbol, offset) {
            ("", _) => write!(f, "({object})")?,
            (symbol, 0) => write!(f, "{symbol} ({object})")?,
            (symbol, offset) => write!(f, "{symbol} + {offset} ({object})")?,
        }
        source.first().map_or(Ok(()), |line| write!(f, " at {line}"))
    }
}

impl std::fmt::Display for SourceLine {
    /// `file:line`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// Where an address is in an image.
///
/// Nothing is kept for this besides what the image has anyway: each call walks through symbol tables, and reads the debug
/// sections of one object.
#[must_use]
pub fn symbolize(linked: &Linked<'_>, address: ExecutorAddr) -> Option<Location> {
    in_image(&linked.symbols, address)
}

/// Where an address is in an image with these symbols.
pub(crate) fn in_image(symbols: &LinkedSymbols<'_>, address: ExecutorAddr) -> Option<Location> {
    let (number, block) = block_at(symbols, address)?;
    let graph = &symbols.graphs[number];
    let found = symbol_of_graph(graph, block, address);
    let block_range = |id| placed(symbols, graph, graph.block(id));
    let object = DebugObject::new(graph, block_range, |_| None);
    Some(Location {
        object: graph.name().to_string(),
        symbol: found.map_or_else(String::new, |found| String::from_utf8_lossy(found.name).into_owned()),
        offset: found.map_or(0, |found| found.offset),
        source: object.map_or_else(Vec::new, |object| dwarf::lines(&object.bytes(), address)),
    })
}

/// Where an address is in an object of which debuggers were told.
pub(crate) fn in_object(name: &str, object: &[u8], address: ExecutorAddr) -> Option<Location> {
    if !covers(object, address) {
        return None;
    }
    let found = symbol_of_object(object, address);
    Some(Location {
        object: name.to_owned(),
        symbol: found.map_or_else(String::new, |found| String::from_utf8_lossy(found.name).into_owned()),
        offset: found.map_or(0, |found| found.offset),
        source: dwarf::lines(object, address),
    })
}
