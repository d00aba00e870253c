//! From compact records to CIEs and FDEs.

use super::read::position_of;
use super::{Position, Record, Target};
use crate::arch::{self, compact_unwind as encodings};
use crate::base::{Error, Result};
use crate::graph::{BlockId, Edge, EdgeKind, LinkGraph, NewBlock, Permissions, Section, SectionRole};
use crate::passes::eh_frame::{EhFrame, Record as FrameRecord, RecordKind};
use encodings::{Description, Facts, Rules};
use std::collections::HashMap;

/// Adds a call frame block with records for the functions of `records` that none of `frames` describes; none where
/// there are no such functions.
///
/// # Errors
/// An encoding that makes no sense, or that says that `__eh_frame` describes its function, where nothing there does.
pub fn synthesize(
    graph: &mut LinkGraph<'_>,
    records: &[Record],
    frames: &[EhFrame],
) -> Result<Option<BlockId>> {
    let described = described(graph, frames);
    let mut writer = Writer::new(graph);
    for record in records {
        if described.binary_search(&record.function).is_ok() {
            continue;
        }
        let fault = |what: &str| {
            let place = graph.place(record.at.block, record.at.offset);
            Error::malformed(place, format!("compact unwind encoding {:#010x}: {what}", record.encoding))
        };
        let code = graph.block(record.function.block).content().bytes();
        let code = code.get(record.function.offset as usize..).unwrap_or(&[]);
        let code = code.get(..record.length as usize).unwrap_or(code);
        match writer.facts.describe(record.encoding, code).map_err(fault)? {
            Description::Nothing => {}
            Description::EhFrame => return Err(fault("no call frame record describes its function")),
            Description::Rules(rules) => writer.add(record, &rules),
        }
        if u32::try_from(writer.bytes.len()).is_err() {
            return Err(fault("the records made for this object take more than 4 GiB"));
        }
    }
    let Writer { bytes, edges, .. } = writer;
    if bytes.is_empty() {
        return Ok(None);
    }
    let section =
        Section { role: SectionRole::EhFrame, ..Section::new(&b".eh_frame"[..], Permissions::READ) };
    let section = graph.add_section(section)?;
    let block = graph.add_block(NewBlock::content(section, bytes).aligned(8))?;
    graph.add_edges(block, &edges)?;
    Ok(Some(block))
}

/// Where the functions start that call frame records describe, sorted.
fn described(graph: &LinkGraph<'_>, frames: &[EhFrame]) -> Vec<Position> {
    let mut positions: Vec<_> = frames
        .iter()
        .flat_map(|frame| frame.records.iter().filter_map(|record| start_of(graph, frame.block, record)))
        .collect();
    positions.sort_unstable();
    positions
}

/// The start of the function that an FDE describes: what the edge at its address field leads to.
#[must_use]
pub fn start_of(graph: &LinkGraph<'_>, block: BlockId, record: &FrameRecord) -> Option<Position> {
    if record.kind == RecordKind::Cie {
        return None;
    }
    let address = record.offset + if record.extended { 20 } else { 8 };
    let mut edges = graph.edges(block).slice(record.edges.clone());
    let edge = edges.find(|edge| edge.offset == address)?;
    position_of(graph, Target { symbol: edge.target, addend: edge.addend }).ok()?
}

/// How pointers in a record are written.
mod encoding {
    /// A plain address.
    pub(super) const ABSOLUTE: u8 = 0x00;
    /// The distance to it from where it is written, in as many bytes; a null stays null.
    pub(super) const DISTANCE: u8 = 0x10;
}

/// Bytes of a pointer.
const POINTER: usize = 8;

struct Writer {
    facts: &'static Facts,
    address: EdgeKind,
    distance: EdgeKind,
    bytes: Vec<u8>,
    edges: Vec<Edge>,
    /// Where the CIE for each personality is.
    cies: HashMap<Option<Target>, usize>,
}

impl Writer {
    fn new(graph: &LinkGraph<'_>) -> Self {
        let architecture = graph.architecture();
        Self {
            facts: arch::compact_unwind(architecture),
            address: arch::address_kind(architecture),
            distance: arch::distance_kind(architecture),
            bytes: Vec::new(),
            edges: Vec::new(),
            cies: HashMap::new(),
        }
    }

    /// Adds an FDE, and before it a CIE if there is none yet for this personality.
    fn add(&mut self, record: &Record, rules: &Rules) {
        let cie = match self.cies.get(&record.personality) {
            Some(cie) => *cie,
            None => self.add_cie(record.personality),
        };
        let start = self.open();
        self.word((start + 4 - cie) as u32);
        self.pointer(self.distance, Some(record.function_target));
        self.bytes.extend(u64::from(record.length).to_le_bytes());
        match record.personality {
            None => self.bytes.push(0),
            Some(_) => {
                self.bytes.push(POINTER as u8);
                self.pointer(self.distance, record.lsda);
            }
        }
        self.bytes.extend(rules.bytes());
        self.close(start);
    }

    fn add_cie(&mut self, personality: Option<Target>) -> usize {
        const VERSION: u8 = 1;
        let start = self.open();
        self.word(0);
        self.bytes.push(VERSION);
        self.bytes.extend(if personality.is_some() { &b"zPLR\0"[..] } else { &b"zR\0"[..] });
        let alignment = (encodings::DATA_ALIGNMENT & 0x7f) as u8;
        self.bytes.extend([self.facts.code_alignment, alignment, self.facts.return_address]);
        if personality.is_some() {
            self.bytes.extend([POINTER as u8 + 3, encoding::ABSOLUTE]);
            self.pointer(self.address, personality);
            self.bytes.push(encoding::DISTANCE);
        } else {
            self.bytes.push(1);
        }
        self.bytes.push(encoding::DISTANCE);
        self.bytes.extend(self.facts.at_entry);
        self.close(start);
        self.cies.insert(personality, start);
        start
    }

    /// Begins a record; its length is set when it is closed.
    fn open(&mut self) -> usize {
        let start = self.bytes.len();
        self.word(0);
        start
    }

    /// Ends a record that began at `start`; what is added to keep the next one aligned are instructions without effect.
    fn close(&mut self, start: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(POINTER), 0);
        let length = (self.bytes.len() - start - 4) as u32;
        self.bytes[start..start + 4].copy_from_slice(&length.to_le_bytes());
    }

    fn word(&mut self, word: u32) {
        self.bytes.extend(word.to_le_bytes());
    }

    fn pointer(&mut self, kind: EdgeKind, target: Option<Target>) {
        if let Some(Target { symbol, addend }) = target {
            // `synthesize` stops at 4 GiB.
            self.edges.push(Edge { offset: self.bytes.len() as u32, target: symbol, addend, kind });
        }
        self.bytes.extend([0; POINTER]);
    }
}
