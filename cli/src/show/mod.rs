//! What the command prints about a link.

mod addrs;
mod contents;
mod graphs;
mod stats;
mod symtab;
mod times;

use crate::progress::give_way;
use jitlink::base::ExecutorAddr;
use jitlink::graph::{Architecture, LinkGraph, SymbolId};
use jitlink::link::{Batch, LinkView};
use std::io::Write;

pub(crate) use addrs::addrs;
pub(crate) use contents::contents;
pub(crate) use graphs::graphs;
pub(crate) use stats::stats;
pub(crate) use symtab::write_symtab;
pub(crate) use times::times;

/// Prints to standard output.
fn print(text: &str) {
    // Whoever closed the output does not want to read it.
    give_way(|| drop(std::io::stdout().lock().write_all(text.as_bytes())));
}

/// Prints the names of all files that are linked.
pub(crate) fn linked_files(batch: &Batch<'_>) {
    print(&batch.object_names().map(|name| format!("Linking {name}\n")).collect::<String>());
}

/// The named symbols of one graph that the image has, in the order of their addresses.
fn symbols<'a>(view: &LinkView<'a, '_>, index: usize) -> Vec<(ExecutorAddr, SymbolId, &'a [u8])> {
    let graph: &'a LinkGraph<'_> = &view.graphs()[index];
    let place = |(id, symbol): (SymbolId, &jitlink::graph::Symbol)| {
        let (block, _) = symbol.place()?;
        let name = graph.symbol_name(id);
        if name.is_empty() || is_mapping_symbol(graph, name) || !view.is_live(index, block) {
            return None;
        }
        Some((view.symbol_address(index, id)?, id, name))
    };
    let mut symbols: Vec<_> = graph.symbols().filter_map(place).collect();
    symbols.sort_by_key(|(address, id, _)| (*address, *id));
    symbols
}

/// Whether a symbol only says that code or data starts where it is: `$x`, `$d`, `$x.ANY` (AAELF64, "Mapping symbols").
fn is_mapping_symbol(graph: &LinkGraph<'_>, name: &[u8]) -> bool {
    graph.architecture() == Architecture::Aarch64
        && matches!(name, [b'$', b'x' | b'd'] | [b'$', b'x' | b'd', b'.', ..])
}
