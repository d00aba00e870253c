//! From bytes and edges to records.

use super::{Position, RECORD_SIZE, Record, Target};
use crate::arch::{self, compact_unwind as encodings};
use crate::base::{Error, Result};
use crate::graph::{BlockId, Edge, LinkGraph, SymbolKind};

/// Offsets in a record.
const FUNCTION: u32 = 0;
const LENGTH: usize = 8;
const ENCODING: usize = 12;
const PERSONALITY: u32 = 16;
const LSDA: u32 = 24;

/// Reads the compact unwind records of a block, whose edges are sorted by offset.
///
/// Records of functions that this graph does not place (a coalesced definition that lost) are left out.
///
/// # Errors
/// A block that is not whole records; an edge that is not an address in one of the three fields for them; a function
/// that has no edge or does not lie in a block of code as long as the record says; an LSDA without personality.
pub fn read(graph: &LinkGraph<'_>, block: BlockId) -> Result<Vec<Record>> {
    let content = graph.block(block).content().bytes();
    if !content.len().is_multiple_of(RECORD_SIZE) || u32::try_from(content.len()).is_err() {
        let what = format!("{} bytes of compact unwind records of {RECORD_SIZE} bytes", content.len());
        return Err(Error::malformed(graph.place(block, 0), what));
    }
    let mut records = Vec::with_capacity(content.len() / RECORD_SIZE);
    let mut edges = graph.edges(block).peekable();
    for (start, bytes) in (0u32..).step_by(RECORD_SIZE).zip(content.chunks_exact(RECORD_SIZE)) {
        let mut fields = Fields::default();
        while let Some(edge) = edges.next_if(|edge| edge.offset < start + RECORD_SIZE as u32) {
            fields.take(graph, start, &edge).map_err(|what| at(graph, block, edge.offset, what))?;
        }
        let record = fields.record(graph, Position { block, offset: u64::from(start) }, bytes);
        records.extend(record.map_err(|what| at(graph, block, start, what))?);
    }
    match edges.next() {
        Some(edge) => Err(at(graph, block, edge.offset, "a relocation past the last record")),
        None => Ok(records),
    }
}

fn at(graph: &LinkGraph<'_>, block: BlockId, offset: u32, what: &str) -> Error {
    let what = format!("compact unwind record: {what}");
    Error::malformed(graph.place(block, u64::from(offset)), what)
}

/// What the edges of a record lead to.
#[derive(Default)]
struct Fields {
    function: Option<Target>,
    personality: Option<Target>,
    lsda: Option<Target>,
}

impl Fields {
    fn take(&mut self, graph: &LinkGraph<'_>, start: u32, edge: &Edge) -> Result<(), &'static str> {
        let field = match edge.offset - start {
            FUNCTION => &mut self.function,
            PERSONALITY => &mut self.personality,
            LSDA => &mut self.lsda,
            _ => return Err("a relocation of what is no address"),
        };
        if edge.kind != arch::address_kind(graph.architecture()) {
            return Err("a relocation that does not store an address");
        }
        match field.replace(Target { symbol: edge.target, addend: edge.addend }) {
            Some(_) => Err("two relocations of one field"),
            None => Ok(()),
        }
    }

    fn record(
        self,
        graph: &LinkGraph<'_>,
        at: Position,
        bytes: &[u8],
    ) -> Result<Option<Record>, &'static str> {
        let length = number(bytes, LENGTH);
        let target = self.function.ok_or("it describes no function")?;
        let Some(function) = position_of(graph, target)? else { return Ok(None) };
        let end = function.offset.checked_add(u64::from(length));
        if end.is_none_or(|end| end > graph.block(function.block).size()) {
            return Err("its function ends past the code that it is in");
        }
        if self.lsda.is_some() && self.personality.is_none() {
            return Err("language-specific data without a personality function to read it");
        }
        let set_by_images = encodings::HAS_LSDA | encodings::PERSONALITY;
        Ok(Some(Record {
            at,
            function,
            function_target: target,
            length,
            encoding: number(bytes, ENCODING) & !set_by_images,
            personality: self.personality,
            lsda: self.lsda,
        }))
    }
}

/// Where a target is; none if that is in another graph, or nowhere.
pub(super) fn position_of(graph: &LinkGraph<'_>, target: Target) -> Result<Option<Position>, &'static str> {
    let symbol = graph.symbols.get(target.symbol.index()).ok_or("a symbol that does not exist")?;
    match symbol.kind() {
        SymbolKind::Defined => {
            let offset = symbol.value().checked_add_signed(target.addend);
            let offset = offset.ok_or("an address before the code that it is in")?;
            Ok(Some(Position { block: symbol.block, offset }))
        }
        SymbolKind::External | SymbolKind::Discarded => Ok(None),
        _ => Err("its function is not in a section"),
    }
}

fn number(bytes: &[u8], offset: usize) -> u32 {
    bytes.get(offset..).and_then(|rest| rest.first_chunk()).map_or(0, |word| u32::from_le_bytes(*word))
}
