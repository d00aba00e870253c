//! Graphs for what the command line itself defines: absolute symbols and sections made of files.

use crate::args::{AbsoluteDefinition, CreatedSection};
use jitlink::arch;
use jitlink::base::{Error, ExecutorAddr, Result};
use jitlink::graph::{
    Architecture, LinkGraph, NewBlock, NewSymbol, Permissions, Section, SectionFlags, SymbolFlags,
};

/// What a created section is aligned to, as in LLVM's tool.
const ALIGNMENT: u64 = 16;

/// A graph of absolute symbols.
pub(crate) fn absolute<'a>(
    definitions: &'a [AbsoluteDefinition],
    architecture: Architecture,
) -> Result<LinkGraph<'a>> {
    let mut graph = empty("<absolute symbols>", architecture);
    for definition in definitions {
        let symbol = NewSymbol::absolute(ExecutorAddr(definition.address));
        graph.add_symbol(symbol.named(definition.name.as_bytes()))?;
    }
    Ok(graph)
}

/// A graph with one read-only section of these bytes, kept whether referred to or not.
pub(crate) fn section<'a>(
    created: &'a CreatedSection,
    bytes: &'a [u8],
    architecture: Architecture,
) -> Result<LinkGraph<'a>> {
    let mut graph = empty(&format!("<sectcreate {}>", created.section), architecture);
    let mut section = Section::new(created.section.as_bytes(), Permissions::READ);
    section.flags |= SectionFlags::KEEP;
    let section = graph.add_section(section)?;
    let block = graph.add_block(NewBlock::content(section, bytes).aligned(ALIGNMENT))?;
    for (name, offset) in &created.symbols {
        if *offset > bytes.len() as u64 {
            let what = format!(
                "-sectcreate: {name} at offset {offset:#x} lies past the end of {} ({:#x} bytes)",
                created.file.display(),
                bytes.len()
            );
            return Err(Error::invalid(what, None));
        }
        let symbol = NewSymbol::defined(block, *offset).named(name.as_bytes());
        graph.add_symbol(symbol.flags(SymbolFlags::KEEP))?;
    }
    Ok(graph)
}

fn empty<'a>(name: &str, architecture: Architecture) -> LinkGraph<'a> {
    LinkGraph::new(name, architecture, arch::kinds(architecture))
}
