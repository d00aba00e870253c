//! From an address to the symbol it belongs to, by what a linked image or a debugger's object says.

use crate::base::{AddrRange, ExecutorAddr};
use crate::graph::{Block, BlockId, Lifetime, LinkGraph, SymbolFlags};
use crate::link::LinkedSymbols;
use object::LittleEndian as LE;
use object::elf::{self, FileHeader64, SectionHeader64, Sym64};
use object::pod;
use object::read::elf::{FileHeader as _, SectionHeader as _};

/// A symbol, and how far behind its start an address is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Found<'a> {
    pub(super) name: &'a [u8],
    pub(super) offset: u64,
}

/// A symbol that might be the one at an offset of its section.
#[derive(Clone, Copy)]
struct Candidate<'a> {
    name: &'a [u8],
    start: u64,
    size: u64,
    is_local: bool,
}

/// The best of the symbols for an offset: one that covers it, then the nearest before it of those without a size.
fn best<'a>(candidates: impl Iterator<Item = Candidate<'a>>, offset: u64) -> Option<Found<'a>> {
    let fits = |candidate: &Candidate<'_>| {
        let inside = offset.checked_sub(candidate.start);
        // Names that begin so mark stretches of data and code on AArch64.
        inside.is_some_and(|inside| candidate.size == 0 || inside < candidate.size)
            && !matches!(candidate.name, [] | [b'$', ..])
    };
    let key = |candidate: &Candidate<'_>| (candidate.size != 0, candidate.start, !candidate.is_local);
    let found = candidates.filter(fits).max_by_key(key)?;
    Some(Found { name: found.name, offset: offset - found.start })
}

/// The graph and block that an address is in.
pub(super) fn block_at(symbols: &LinkedSymbols<'_>, address: ExecutorAddr) -> Option<(usize, BlockId)> {
    let in_image = symbols.segments.iter().any(|segment| segment.contains(address));
    let mut graphs = symbols.graphs.iter().enumerate().filter(|_| in_image);
    graphs.find_map(|(number, graph)| {
        let is_here = |(_, block): &(BlockId, &Block<'_>)| {
            placed(symbols, graph, block).is_some_and(|range| range.contains(address))
        };
        let (block, _) = graph.blocks().find(is_here)?;
        Some((number, block))
    })
}

/// Where a block is, if it is in the image.
pub(super) fn placed(
    symbols: &LinkedSymbols<'_>,
    graph: &LinkGraph<'_>,
    block: &Block<'_>,
) -> Option<AddrRange> {
    let loaded = graph.section(block.section).lifetime != Lifetime::NoAlloc;
    let inside = symbols.segments.iter().any(|segment| segment.contains(block.address));
    (loaded && inside).then(|| block.range())
}

/// The symbol of a graph at an address in one of its blocks.
pub(super) fn symbol_of_graph<'g>(
    graph: &'g LinkGraph<'_>,
    block: BlockId,
    address: ExecutorAddr,
) -> Option<Found<'g>> {
    let offset = address.0.wrapping_sub(graph.block(block).address.0);
    let symbols = graph.symbols_in(block).filter(|(_, symbol)| !symbol.flags.contains(SymbolFlags::SECTION));
    let candidate = |(id, symbol): (crate::graph::SymbolId, &crate::graph::Symbol)| Candidate {
        name: graph.symbol_name(id),
        start: symbol.value,
        size: symbol.size,
        is_local: symbol.scope() == crate::graph::Scope::Local,
    };
    best(symbols.map(candidate), offset)
}

/// Whether an address is in a section of a debugger's object.
pub(crate) fn covers(object: &[u8], address: ExecutorAddr) -> bool {
    tables(object).is_some_and(|tables| tables.section_at(address).is_some())
}

/// The symbol of a debugger's object at an address in one of its sections.
pub(super) fn symbol_of_object(object: &[u8], address: ExecutorAddr) -> Option<Found<'_>> {
    let tables = tables(object)?;
    let (index, section) = tables.section_at(address)?;
    let table = tables.sections.iter().find(|section| section.sh_type.get(LE) == elf::SHT_SYMTAB)?;
    let entries: &[Sym64<LE>] = pod::slice_from_all_bytes(table.data(LE, object).ok()?).ok()?;
    let strings = tables.sections.get(table.sh_link.get(LE) as usize)?.data(LE, object).ok()?;
    let in_section = entries.iter().filter(|entry| {
        usize::from(entry.st_shndx.get(LE).0) == index && entry.st_type() != elf::STT_SECTION
    });
    let candidate = |entry: &Sym64<LE>| {
        let tail = strings.get(entry.st_name.get(LE) as usize..).unwrap_or(&[]);
        Candidate {
            name: memchr::memchr(0, tail).map_or(tail, |end| &tail[..end]),
            start: entry.st_value.get(LE),
            size: entry.st_size.get(LE),
            is_local: entry.st_bind() == elf::STB_LOCAL,
        }
    };
    best(in_section.map(candidate), address.0.wrapping_sub(section.sh_addr.get(LE)))
}

struct Tables<'o> {
    sections: &'o [SectionHeader64<LE>],
}

fn tables(object: &[u8]) -> Option<Tables<'_>> {
    let header = FileHeader64::<LE>::parse(object).ok()?;
    Some(Tables { sections: header.section_headers(LE, object).ok()? })
}

impl<'o> Tables<'o> {
    fn section_at(&self, address: ExecutorAddr) -> Option<(usize, &'o SectionHeader64<LE>)> {
        self.sections.iter().enumerate().find(|(_, section)| {
            let range = AddrRange::from_size(ExecutorAddr(section.sh_addr.get(LE)), section.sh_size.get(LE));
            section.sh_flags.get(LE).0 & elf::SHF_ALLOC.0 != 0 && range.contains(address)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(offset: u64, symbols: &[(&'static str, u64, u64, bool)]) -> Option<(String, u64)> {
        let candidates = symbols.iter().map(|&(name, start, size, is_local)| Candidate {
            name: name.as_bytes(),
            start,
            size,
            is_local,
        });
        best(candidates, offset).map(|found| (String::from_utf8_lossy(found.name).into(), found.offset))
    }

    #[test]
    fn the_symbol_that_covers_an_offset_is_the_one() {
        let symbols = [
            ("$x", 0, 0, true),
            ("first", 0, 8, false),
            ("also", 0, 8, true),
            ("label", 4, 0, true),
            ("", 4, 4, true),
            ("second", 16, 4, true),
        ];
        let at = |offset| found(offset, &symbols);
        assert_eq!(at(0), Some(("first".into(), 0)));
        assert_eq!(at(7), Some(("first".into(), 7)));
        assert_eq!(at(8), Some(("label".into(), 4)));
        assert_eq!(at(19), Some(("second".into(), 3)));
        assert_eq!(found(3, &symbols[3..]), None);
    }
}
