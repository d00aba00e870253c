//! Objects as a debugger wants to see them: with the addresses that their sections have got.
//!
//! A debugger reads an ELF object from memory, applies the relocations of its debug sections itself, and takes the
//! addresses of sections from their headers. So the object as it was read serves, but for these headers:
//!
//! - A section that is in the image has its address.
//! - One that is not (dropped, of a COMDAT group that another object won, or merged with others) is not one of memory
//!   any more. Symbols in it are ignored then, and functions at address zero are known to debuggers as discarded ones.
//! - Symbols for which the linker allocates memory are absolute ones.
//!
//! Sections that a plugin has divided are taken to be where the first of their blocks is.

use crate::base::{AddrRange, ExecutorAddr};
use crate::graph::symbol::NO_GLOBAL;
use crate::graph::{BlockId, LinkGraph, SymbolId, SymbolKind};
use crate::link::LinkView;
use object::LittleEndian as LE;
use object::elf::{self, FileHeader64, SectionHeader64};
use object::read::elf::FileHeader as _;
use std::mem::offset_of;

/// An object with what changes in it for debuggers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct DebugObject<'data> {
    /// The object as it was read.
    pub(crate) source: &'data [u8],
    /// Words to be written, and where; each is within the object.
    pub(crate) changes: Vec<(u64, u64)>,
    /// An address of the object's in the image, which no other object has.
    pub(crate) place: ExecutorAddr,
}

type Header = SectionHeader64<LE>;

impl<'data> DebugObject<'data> {
    /// What debuggers are to see of one graph of an image; none if it was not made from an ELF object, or if nothing of it
    /// is in the image.
    pub(crate) fn of(view: &LinkView<'_, 'data>, graph: usize) -> Option<Self> {
        let block = |id| view.block_range(graph, id);
        Self::new(view.graphs().get(graph)?, block, |id| view.symbol_address(graph, id))
    }

    /// The same for a graph whose blocks are where `block_range` says, and its symbols of common memory where
    /// `symbol_address` says.
    pub(super) fn new(
        graph: &LinkGraph<'data>,
        block_range: impl Fn(BlockId) -> Option<AddrRange>,
        symbol_address: impl Fn(SymbolId) -> Option<ExecutorAddr>,
    ) -> Option<Self> {
        let source = graph.source;
        let header = FileHeader64::<LE>::parse(source).ok()?;
        let sections = header.section_headers(LE, source).ok()?;
        let addresses = addresses(graph, sections.len(), block_range);
        let place = *addresses.iter().find(|address| !address.is_null())?;
        let mut changes = Vec::with_capacity(2 * graph.blocks.len());
        for (index, (section, address)) in sections.iter().zip(addresses).enumerate() {
            let at = header.e_shoff(LE).checked_add((index * size_of::<Header>()) as u64)?;
            if !address.is_null() {
                changes.push((at + offset_of!(Header, sh_addr) as u64, address.0));
            } else if section.sh_flags.get(LE).0 & elf::SHF_ALLOC.0 != 0 {
                let flags = section.sh_flags.get(LE).0 & !(elf::SHF_ALLOC.0 | elf::SHF_EXECINSTR.0);
                changes.push((at + offset_of!(Header, sh_flags) as u64, flags));
            }
        }
        let table = sections.iter().find(|section| section.sh_type.get(LE) == elf::SHT_SYMTAB);
        if let Some(table) = table {
            allocated_symbols(graph, table.sh_offset.get(LE), symbol_address, &mut changes);
        }
        let in_object =
            |&(at, _): &(u64, u64)| at.checked_add(8).is_some_and(|end| end <= source.len() as u64);
        changes.iter().all(in_object).then_some(Self { source, changes, place })
    }

    /// The object with its changes made.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.source.to_vec();
        for (at, word) in &self.changes {
            let place = usize::try_from(*at).ok().and_then(|at| bytes.get_mut(at..)?.first_chunk_mut());
            if let Some(place) = place {
                *place = word.to_le_bytes();
            }
        }
        bytes
    }
}

/// Where each section of the object is in the image; null if it is not.
fn addresses(
    graph: &LinkGraph<'_>,
    count: usize,
    block_range: impl Fn(BlockId) -> Option<AddrRange>,
) -> Vec<ExecutorAddr> {
    let mut addresses = vec![ExecutorAddr::NULL; count];
    for (id, block) in graph.blocks() {
        let section = graph.section(block.section()).number as usize;
        let unknown = addresses.get_mut(section).filter(|address| section != 0 && address.is_null());
        let Some(address) = unknown else { continue };
        if let Some(range) = block_range(id).filter(|range| !range.is_empty()) {
            *address = range.start;
        }
    }
    addresses
}

/// Says where the symbols are for which the object asks the linker for memory: a symbol's section is within the first
/// word of its entry.
fn allocated_symbols(
    graph: &LinkGraph<'_>,
    table: u64,
    symbol_address: impl Fn(SymbolId) -> Option<ExecutorAddr>,
    changes: &mut Vec<(u64, u64)>,
) {
    const ENTRY: u64 = size_of::<elf::Sym64<LE>>() as u64;
    const VALUE: u64 = offset_of!(elf::Sym64<LE>, st_value) as u64;
    const SECTION_SHIFT: u32 = 8 * offset_of!(elf::Sym64<LE>, st_shndx) as u32;
    let is_common =
        |symbol: &crate::graph::Symbol| symbol.kind == SymbolKind::Common && symbol.global != NO_GLOBAL;
    for (id, _) in graph.symbols().filter(|(_, symbol)| is_common(symbol)) {
        let at = table.saturating_add(u64::from(id.0) * ENTRY);
        let word = usize::try_from(at).ok().and_then(|at| graph.source.get(at..)?.first_chunk());
        let (Some(address), Some(word)) = (symbol_address(id), word) else { continue };
        let absolute = u64::from(elf::SHN_ABS.0) << SECTION_SHIFT;
        let first = u64::from_le_bytes(*word) & !(0xffff << SECTION_SHIFT) | absolute;
        changes.extend([(at, first), (at.saturating_add(VALUE), address.0)]);
    }
}
