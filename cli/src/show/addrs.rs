//! `-show-addrs`: where symbols, sections, GOT and PLT entries are, in the target and in this process.

use super::{print, symbols};
use jitlink::base::{AddrRange, ExecutorAddr};
use jitlink::graph::{LinkGraph, SymbolId, SymbolKind};
use jitlink::link::LinkView;
use std::fmt::Write;

/// Prints the addresses of everything that check expressions can name.
pub(crate) fn addrs(view: &LinkView<'_, '_>) {
    let mut text = String::from("Registered addresses:\nSymbols:\n");
    for (index, graph) in view.graphs().iter().enumerate() {
        write_symbols(&mut text, view, index, graph);
    }
    for (index, graph) in view.graphs().iter().enumerate() {
        _ = writeln!(text, "File \"{}\":", base_name(graph.name()));
        for (id, section) in graph.sections() {
            if let Some(range) = view.section_range(index, id) {
                let zero_fill = graph.blocks_in(id).all(|(_, block)| block.is_zero_fill());
                _ = writeln!(
                    text,
                    "  Section \"{}\": {}",
                    section.display_name(),
                    region(view, range, zero_fill)
                );
            }
        }
        write_entries(&mut text, view, index, graph);
    }
    print(&text);
}

fn write_symbols(text: &mut String, view: &LinkView<'_, '_>, index: usize, graph: &LinkGraph<'_>) {
    for (address, id, name) in symbols(view, index) {
        let symbol = graph.symbol(id);
        let zero_fill = symbol.place().is_some_and(|(block, _)| graph.block(block).is_zero_fill());
        let range = AddrRange::from_size(address, symbol.size());
        let name = String::from_utf8_lossy(name);
        _ = writeln!(text, "  \"{name}\" {}", region(view, range, zero_fill));
    }
    for (id, symbol) in graph.symbols().filter(|(_, symbol)| symbol.kind() == SymbolKind::Absolute) {
        let address = ExecutorAddr(symbol.value());
        _ = writeln!(text, "  \"{}\" target addr = {address}, absolute", graph.display_symbol(id));
    }
}

fn write_entries(text: &mut String, view: &LinkView<'_, '_>, index: usize, graph: &LinkGraph<'_>) {
    const GOT_ENTRY: u64 = 8;
    let plt_entry = jitlink::arch::plt_entry_size(graph.architecture()) as u64;
    let named = || graph.symbols().map(|(id, _)| id).filter(|id| !graph.symbol_name(*id).is_empty());
    let mut write = |kind: &str, size: u64, find: &dyn Fn(SymbolId) -> Option<ExecutorAddr>| {
        let found = named().filter_map(|id| Some((find(id)?, id)));
        for (address, id) in found {
            let at = region(view, AddrRange::from_size(address, size), false);
            _ = writeln!(text, "  {kind} \"{}\": {at}", graph.display_symbol(id));
        }
    };
    write("GOT", GOT_ENTRY, &|id| view.got_entry(index, id));
    write("Stubs", plt_entry, &|id| view.plt_entry(index, id));
}

/// A range in the target, and where its bytes are in this process.
fn region(view: &LinkView<'_, '_>, range: AddrRange, zero_fill: bool) -> String {
    let (address, size) = (range.start, range.size());
    match view.bytes_at(address) {
        Some(bytes) if !zero_fill => {
            let start = bytes.as_ptr().addr() as u64;
            let end = start + size;
            format!("target addr = {address}, content: {start:#x} -- {end:#x} ({size} bytes)")
        }
        _ => format!("target addr = {address}, zero-fill: {size} bytes"),
    }
}

/// The name without its directory; what stands in parentheses is a member's.
fn base_name(name: &str) -> &str {
    let end = name.find('(').unwrap_or(name.len());
    let start = name[..end].rfind('/').map_or(0, |slash| slash + 1);
    &name[start..]
}
