//! Relocation sections to edge runs: RELA is viewed in place, REL and CREL are decoded.

use super::object::ElfObject;
use crate::arch;
use crate::base::{Error, Place, Result};
use crate::graph::edge::EdgeRun;
use crate::graph::{Edge, EdgeKind, LinkGraph, Rela, SymbolId};
use object::LittleEndian as LE;
use object::elf::{self, Rel64, SectionHeader64};
use object::read::elf::{Crel, CrelIterator};

/// Gives the block of section `target` the edges in relocation section `index`.
pub(crate) fn attach<'data>(
    object: &ElfObject<'data>,
    index: u32,
    header: &SectionHeader64<LE>,
    block: u32,
    graph: &mut LinkGraph<'data>,
) -> Result<()> {
    let run = match header.sh_type.get(LE) {
        elf::SHT_RELA => EdgeRun::Rela(object.table::<Rela>(index, "relocation table")?),
        elf::SHT_REL => decode_rel(object, index, block, graph)?,
        _ => decode_crel(object, index, block, graph)?,
    };
    let block = &mut graph.blocks[block as usize];
    if block.edges.len() != 0 && run.len() != 0 {
        return Err(Error::malformed(
            object.file().in_section(object.section_display(index)),
            "a second relocation section for the same section",
        ));
    }
    if run.len() != 0 {
        block.edges = run;
    }
    Ok(())
}

fn decode_rel<'data>(
    object: &ElfObject<'data>,
    index: u32,
    block: u32,
    graph: &mut LinkGraph<'data>,
) -> Result<EdgeRun<'data>> {
    let table: &[Rel64<LE>] = object.table(index, "relocation table")?;
    let relocations = table.iter().map(|entry| Ok(Crel::from_rel(entry, LE)));
    push_edges(object, index, block, graph, relocations, false)
}

fn decode_crel<'data>(
    object: &ElfObject<'data>,
    index: u32,
    block: u32,
    graph: &mut LinkGraph<'data>,
) -> Result<EdgeRun<'data>> {
    let bytes = object.section_bytes(index)?;
    let place = || object.file().in_section(object.section_display(index));
    let entries =
        CrelIterator::new(bytes).map_err(|e| Error::malformed(place(), format!("bad CREL header: {e}")))?;
    // Every entry takes at least one byte: a larger count is a lie, and must not size anything.
    if entries.len() > bytes.len() {
        return Err(Error::malformed(place(), format!("CREL count {} is past the section", entries.len())));
    }
    let has_addends = entries.is_rela();
    let relocations =
        entries.map(|entry| entry.map_err(|e| Error::malformed(place(), format!("bad CREL entry: {e}"))));
    push_edges(object, index, block, graph, relocations, has_addends)
}

fn push_edges<'data>(
    object: &ElfObject<'data>,
    index: u32,
    block: u32,
    graph: &mut LinkGraph<'data>,
    relocations: impl Iterator<Item = Result<Crel>>,
    has_addends: bool,
) -> Result<EdgeRun<'data>> {
    let start = graph.edges.len();
    for relocation in relocations {
        let relocation = relocation?;
        let edge = edge_of(object, index, block, graph, relocation, has_addends)?;
        graph.edges.push(edge);
    }
    let run = &mut graph.edges[start..];
    if !run.is_sorted_by_key(|edge| edge.offset) {
        run.sort_by_key(|edge| edge.offset);
    }
    Ok(EdgeRun::Owned { start: narrow(object, start)?, count: narrow(object, run.len())? })
}

fn edge_of(
    object: &ElfObject<'_>,
    index: u32,
    block: u32,
    graph: &LinkGraph<'_>,
    relocation: Crel,
    has_addends: bool,
) -> Result<Edge> {
    let number = relocation.r_type.0 as usize;
    let kind = graph.relocation_kinds.get(number).copied().unwrap_or(EdgeKind::UNKNOWN);
    let place = || place_of(object, index, relocation.r_offset);
    if kind == EdgeKind::UNKNOWN {
        return Err(unknown_relocation(place(), relocation.r_type.0));
    }
    let offset = u32::try_from(relocation.r_offset)
        .map_err(|_| Error::malformed(place(), "relocation offset is past its section"))?;
    let addend = if has_addends {
        relocation.r_addend
    } else {
        arch::implicit_addend(graph.architecture, kind, graph.blocks[block as usize].content.bytes(), offset)
            .ok_or_else(|| Error::malformed(place(), "relocation offset is past its section"))?
    };
    Ok(Edge { offset, target: SymbolId(relocation.r_sym), addend, kind })
}

/// The error for a relocation number that the architecture does not define for relocatable objects.
pub(crate) fn unknown_relocation(place: Place, number: u32) -> Error {
    Error::unsupported(
        place,
        format!("unknown relocation type {number}"),
        "its meaning for relocatable objects is in no psABI that is supported here",
    )
}

fn place_of(object: &ElfObject<'_>, index: u32, offset: u64) -> Place {
    let target = object.sections[index as usize].sh_info.get(LE);
    object.file().in_section(object.section_display(target)).at(offset)
}

fn narrow(object: &ElfObject<'_>, count: usize) -> Result<u32> {
    u32::try_from(count).map_err(|_| Error::malformed(object.file(), "more than 2^32 relocations"))
}
