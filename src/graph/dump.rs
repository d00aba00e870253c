//! Graphs as text: sections, their blocks in the order of addresses, and in each block its symbols and edges. The same
//! graph always gives the same text.

use super::text::{Printable, Reference, Traits, definitions_of, permissions, write_flags};
use super::{
    Block, BlockId, Edge, Lifetime, LinkGraph, Section, SectionId, SectionRole, SymbolId, SymbolKind,
};
use std::fmt::{self, Display, Formatter};

/// A graph to be shown as text.
#[derive(Clone, Copy, Debug)]
pub struct Dump<'graph>(&'graph LinkGraph<'graph>);

impl LinkGraph<'_> {
    /// The graph as text, for people.
    #[must_use]
    pub fn dump(&self) -> Dump<'_> {
        Dump(self)
    }
}

impl Display for Dump<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let graph = self.0;
        writeln!(f, "graph {} {}", Printable(graph.name.as_bytes()), graph.architecture.name())?;
        let definitions = graph.definitions_in_order();
        let blocks = graph.blocks_in_order();
        for (id, section) in graph.sections() {
            write_section(f, id, section)?;
            let start = blocks.partition_point(|&block| graph.block(block).section < id);
            for &block in blocks[start..].iter().take_while(|&&block| graph.block(block).section == id) {
                write_block(f, graph, block)?;
                write_definitions(f, graph, definitions_of(&definitions, block))?;
                graph.edges(block).try_for_each(|edge| write_edge(f, graph, graph.block(block), edge))?;
            }
        }
        write_elsewhere(f, graph)
    }
}

fn write_section(f: &mut Formatter<'_>, id: SectionId, section: &Section<'_>) -> fmt::Result {
    write!(f, "\n{id:?} {} {}", Printable(&section.name), permissions(section.permissions))?;
    f.write_str(match section.lifetime {
        Lifetime::Standard => " standard",
        Lifetime::Finalize => " finalize",
        Lifetime::NoAlloc => " no-alloc",
    })?;
    match section.role {
        SectionRole::Regular => {}
        SectionRole::EhFrame => f.write_str(" eh-frame")?,
        SectionRole::MergeStrings { unit } => write!(f, " merge-strings({unit})")?,
        SectionRole::MergeConstants { unit } => write!(f, " merge-constants({unit})")?,
        SectionRole::Initializers(phase, priority) => write!(f, " initializers({phase:?}, {priority})")?,
        SectionRole::Finalizers(phase, priority) => write!(f, " finalizers({phase:?}, {priority})")?,
        SectionRole::ThreadData => f.write_str(" thread-data")?,
        SectionRole::ThreadZeroFill => f.write_str(" thread-zero-fill")?,
        SectionRole::ThreadDescriptors => f.write_str(" thread-descriptors")?,
        SectionRole::CompactUnwind => f.write_str(" compact-unwind")?,
    }
    write_flags(f, section.flags.iter_names().map(|(name, _)| name))?;
    f.write_str("\n")
}

fn write_block(f: &mut Formatter<'_>, graph: &LinkGraph<'_>, id: BlockId) -> fmt::Result {
    let block = graph.block(id);
    write!(f, "  {id:?} {} size {:#x} align {}", block.address, block.size, block.alignment())?;
    if block.alignment_offset > 0 {
        write!(f, "+{}", block.alignment_offset)?;
    }
    let content = if block.is_zero_fill() { " zero-fill" } else { " content" };
    let live = if block.live { " live" } else { "" };
    writeln!(f, "{content}{live}")
}

fn write_definitions(
    f: &mut Formatter<'_>,
    graph: &LinkGraph<'_>,
    definitions: &[(BlockId, u64, SymbolId)],
) -> fmt::Result {
    for &(_, offset, id) in definitions {
        write!(f, "    {offset:#06x} symbol ")?;
        write_symbol(f, graph, id)?;
    }
    Ok(())
}

/// Name, size and traits of a symbol, to the end of the line.
fn write_symbol(f: &mut Formatter<'_>, graph: &LinkGraph<'_>, id: SymbolId) -> fmt::Result {
    let (symbol, name) = (graph.symbol(id), graph.symbol_name(id));
    if name.is_empty() {
        f.write_str("(unnamed)")?;
    } else {
        write!(f, "{}", Printable(name))?;
    }
    if symbol.size > 0 {
        write!(f, " size {:#x}", symbol.size)?;
    }
    writeln!(f, " {}", Traits(symbol))
}

fn write_edge(f: &mut Formatter<'_>, graph: &LinkGraph<'_>, block: &Block<'_>, edge: Edge) -> fmt::Result {
    let address = block.address.wrapping_add(u64::from(edge.offset));
    let (kind, target) = (graph.kind_facts(edge.kind).name, Reference(graph, edge.target));
    write!(f, "    {:#06x} edge {address:#x} {kind} -> {target}", edge.offset)?;
    match edge.addend {
        0 => f.write_str("\n"),
        addend => writeln!(f, " {} {:#x}", if addend < 0 { '-' } else { '+' }, addend.unsigned_abs()),
    }
}

/// Symbols that are in no block.
fn write_elsewhere(f: &mut Formatter<'_>, graph: &LinkGraph<'_>) -> fmt::Result {
    let lists = [
        (SymbolKind::Absolute, "absolute"),
        (SymbolKind::Common, "common"),
        (SymbolKind::External, "external"),
        (SymbolKind::Discarded, "discarded"),
    ];
    for (kind, title) in lists {
        let symbols = graph.symbols_by_name(kind);
        if !symbols.is_empty() {
            writeln!(f, "\n{title}")?;
        }
        for id in symbols {
            let value = graph.symbol(id).value;
            match kind {
                SymbolKind::Absolute => write!(f, "  {value:#018x} ")?,
                SymbolKind::Common => write!(f, "  align {value} ")?,
                _ => f.write_str("  ")?,
            }
            write_symbol(f, graph, id)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::graph::testing::{empty_graph, varied_graph};

    const SHOWN: &str = r#"graph test.o x86_64

section0 .text r-x standard
  block0 0x0000000000000100 size 0x20 align 16 content live
    0x0000 symbol f size 0x10 strong default
    0x0010 symbol g size 0x10 strong default
    0x0004 edge 0x104 WORD -> puts - 0x4
    0x0008 edge 0x108 QUAD -> .bss block1+0x0 + 0x10
    0x0010 edge 0x110 WORD -> puts

section1 .bss rw- standard keep c-identifier
  block1 0x0000000000000000 size 0x40 align 8+4 zero-fill
    0x0000 symbol (unnamed) strong local section

section2 a{b|\\& r-- no-alloc

absolute
  0x0000000000000042 page\n"size" strong default

common
  align 16 buf\xff size 0x40 weak default

external
  puts strong default
"#;

    #[test]
    fn shows_everything_in_order() {
        assert_eq!(varied_graph().dump().to_string(), SHOWN);
    }

    #[test]
    fn removed_entities_do_not_show() {
        let mut graph = varied_graph();
        graph.remove_section(crate::graph::SectionId(1), crate::graph::References::Remove).unwrap();
        let text = graph.dump().to_string();
        assert!(!text.contains(".bss") && !text.contains("block1") && !text.contains("unnamed"), "{text}");
    }

    #[test]
    fn an_empty_graph_is_one_line() {
        assert_eq!(empty_graph().dump().to_string(), "graph test.o x86_64\n");
    }
}
