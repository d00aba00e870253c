//! Objects as a debugger wants to see them: with the addresses that their sections have got.
//!
//! A debugger reads an ELF object from memory, applies the relocations of its debug sections itself, and takes the
//! addresses of sections from their headers. So the object as it was read serves, with other headers:
//!
//! - A section that is in the image has its address.
//! - One that is not (dropped, of a COMDAT group that another object won, or merged with others) is not one of memory
//!   any more. Symbols in it are ignored then, and functions at address zero are known to debuggers as discarded ones.
//! - Symbols for which the linker allocates memory are absolute ones.
//! - What debuggers do not read in the object is left out: contents that are in memory anyway, their relocations, and
//!   whatever else compilers put into objects.
//!
//! Sections that a plugin has divided are taken to be where the first of their blocks is.

use crate::base::{AddrRange, ExecutorAddr};
use crate::graph::symbol::NO_GLOBAL;
use crate::graph::{BlockId, LinkGraph, SymbolId, SymbolKind};
use crate::link::LinkView;
use object::LittleEndian as LE;
use object::elf::{self, FileHeader64, SectionHeader64};
use object::read::elf::{FileHeader as _, SectionHeader as _};
use std::mem::offset_of;

/// An object with what changes in it for debuggers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct DebugObject<'data> {
    /// The object as it was read.
    pub(crate) source: &'data [u8],
    /// What is kept of it: where it is there, its size, and where it is to be. The parts follow each other.
    pub(crate) parts: Vec<[u64; 3]>,
    /// Words to be written after that, and where; each is within the parts.
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
        let mut changes = vec![(offset_of!(FileHeader64<LE>, e_shoff) as u64, FILE_HEADER)];
        let table_size = size_of_val(sections) as u64;
        let mut parts = vec![[0, FILE_HEADER, 0], [header.e_shoff(LE), table_size, FILE_HEADER]];
        let mut end = FILE_HEADER + table_size;
        let mut symbols = None;
        for (index, (section, address)) in sections.iter().zip(addresses).enumerate() {
            let at = FILE_HEADER + (index * size_of::<Header>()) as u64;
            let kind = section.sh_type.get(LE);
            if !address.is_null() {
                changes.push((at + offset_of!(Header, sh_addr) as u64, address.0));
            } else if section.sh_flags.get(LE).0 & elf::SHF_ALLOC.0 != 0 {
                let flags = section.sh_flags.get(LE).0 & !(elf::SHF_ALLOC.0 | elf::SHF_EXECINSTR.0);
                changes.push((at + offset_of!(Header, sh_flags) as u64, flags));
            }
            if kind == elf::SHT_NULL || kind == elf::SHT_NOBITS {
                continue;
            }
            if is_read(sections, section, |section| name_of(header, sections, source, section)) {
                let (from, size) = (section.sh_offset.get(LE), section.sh_size.get(LE));
                parts.push([from, size, end]);
                changes.push((at + offset_of!(Header, sh_offset) as u64, end));
                symbols = symbols.or((kind == elf::SHT_SYMTAB).then_some([from, size, end]));
                end = end.checked_add(size)?.checked_next_multiple_of(ALIGNMENT)?;
            } else {
                let word = u64::from(section.sh_name.get(LE)) | u64::from(elf::SHT_NOBITS.0) << 32;
                changes.push((at, word));
            }
        }
        if let Some(table) = symbols {
            allocated_symbols(graph, table, symbol_address, &mut changes);
        }
        let within = |at: u64, size: u64, end: u64| at.checked_add(size).is_some_and(|last| last <= end);
        let sound = parts.iter().all(|&[from, size, _]| within(from, size, source.len() as u64))
            && changes.iter().all(|&(at, _)| within(at, 8, end));
        sound.then_some(Self { source, parts, changes, place })
    }

    /// The object with its changes made.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let size = self.parts.iter().map(|[_, size, to]| to + size).max().unwrap_or(0);
        let mut bytes = vec![0; size as usize];
        for [from, size, to] in self.parts.iter().map(|part| part.map(|word| word as usize)) {
            bytes[to..to + size].copy_from_slice(&self.source[from..from + size]);
        }
        for (at, word) in &self.changes {
            let place = usize::try_from(*at).ok().and_then(|at| bytes.get_mut(at..)?.first_chunk_mut());
            if let Some(place) = place {
                *place = word.to_le_bytes();
            }
        }
        bytes
    }
}

const FILE_HEADER: u64 = size_of::<FileHeader64<LE>>() as u64;
const ALIGNMENT: u64 = 16;

/// Whether debuggers read a section's bytes in the object: those of tables, of debug sections, of call frame records, and
/// relocations for these.
fn is_read<'o>(sections: &[Header], section: &Header, name: impl Fn(&Header) -> &'o [u8]) -> bool {
    let is_debug = |section: &Header| {
        let name = name(section);
        let alloc = section.sh_flags.get(LE).0 & elf::SHF_ALLOC.0 != 0;
        name == b".eh_frame" || !alloc && (name.starts_with(b".debug_") || name.starts_with(b".zdebug_"))
    };
    match section.sh_type.get(LE) {
        elf::SHT_SYMTAB | elf::SHT_STRTAB | elf::SHT_SYMTAB_SHNDX | elf::SHT_GROUP => true,
        elf::SHT_RELA | elf::SHT_REL | elf::SHT_CREL => {
            sections.get(section.sh_info.get(LE) as usize).is_some_and(is_debug)
        }
        _ => is_debug(section),
    }
}

fn name_of<'o>(
    header: &FileHeader64<LE>,
    sections: &[Header],
    source: &'o [u8],
    section: &Header,
) -> &'o [u8] {
    let names = || sections.get(header.shstrndx(LE, source).ok()? as usize)?.data(LE, source).ok();
    let tail = names().and_then(|names| names.get(section.sh_name.get(LE) as usize..)).unwrap_or(&[]);
    memchr::memchr(0, tail).map_or(tail, |end| &tail[..end])
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
    [table, size, moved]: [u64; 3],
    symbol_address: impl Fn(SymbolId) -> Option<ExecutorAddr>,
    changes: &mut Vec<(u64, u64)>,
) {
    const ENTRY: u64 = size_of::<elf::Sym64<LE>>() as u64;
    const VALUE: u64 = offset_of!(elf::Sym64<LE>, st_value) as u64;
    const SECTION_SHIFT: u32 = 8 * offset_of!(elf::Sym64<LE>, st_shndx) as u32;
    let is_common =
        |symbol: &crate::graph::Symbol| symbol.kind == SymbolKind::Common && symbol.global != NO_GLOBAL;
    for (id, _) in graph.symbols().filter(|(_, symbol)| is_common(symbol)) {
        let offset = u64::from(id.0) * ENTRY;
        if offset + ENTRY > size {
            continue;
        }
        let at = table.saturating_add(offset);
        let word = usize::try_from(at).ok().and_then(|at| graph.source.get(at..)?.first_chunk());
        let (Some(address), Some(word)) = (symbol_address(id), word) else { continue };
        let absolute = u64::from(elf::SHN_ABS.0) << SECTION_SHIFT;
        let first = u64::from_le_bytes(*word) & !(0xffff << SECTION_SHIFT) | absolute;
        let at = moved.saturating_add(offset);
        changes.extend([(at, first), (at.saturating_add(VALUE), address.0)]);
    }
}
