//! The functions of one graph of an image, in the order of their addresses.

use crate::graph::{BlockId, LinkGraph, Permissions, Scope, SymbolFlags};
use crate::link::LinkView;

/// A function with its code.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Function<'a> {
    pub(super) name: String,
    pub(super) address: u64,
    pub(super) code: &'a [u8],
}

/// Where a function begins in its block, and how long its symbol says it is.
struct Start {
    block: BlockId,
    offset: u64,
    size: u64,
    is_local: bool,
    name: String,
}

/// The functions of a graph; a block of code that has none is one by the name of its section.
pub(super) fn functions<'a>(view: &LinkView<'a, '_>, number: usize) -> Vec<Function<'a>> {
    let graph = &view.graphs()[number];
    let mut starts = starts(graph);
    starts.sort_by(|a, b| {
        (a.block, a.offset, a.is_local, a.size == 0).cmp(&(b.block, b.offset, b.is_local, b.size == 0))
    });
    starts.dedup_by_key(|start| (start.block, start.offset));
    let mut functions = Vec::with_capacity(starts.len());
    let mut rest = &starts[..];
    for (id, block) in graph.blocks() {
        let skipped = rest.partition_point(|start| start.block < id);
        rest = &rest[skipped..];
        let (own, others) = rest.split_at(rest.partition_point(|start| start.block == id));
        rest = others;
        let section = graph.section(block.section());
        let Some(range) = view.block_range(number, id).filter(|range| !range.is_empty()) else { continue };
        if !section.permissions.contains(Permissions::EXECUTE) {
            continue;
        }
        let code = |offset: u64, end: u64| {
            let size = usize::try_from(end.checked_sub(offset)?).ok().filter(|size| *size > 0)?;
            view.bytes_at(range.start.wrapping_add(offset))?.get(..size)
        };
        if own.is_empty() {
            let name = format!("[{}]", section.display_name());
            functions.extend(code(0, range.size()).map(|code| Function {
                name,
                address: range.start.0,
                code,
            }));
        }
        for (index, start) in own.iter().enumerate() {
            let next = own.get(index + 1).map_or(range.size(), |next| next.offset.min(range.size()));
            let end = if start.size == 0 { next } else { start.offset.saturating_add(start.size).min(next) };
            let address = range.start.wrapping_add(start.offset).0;
            functions.extend(code(start.offset, end).map(|code| Function {
                name: start.name.clone(),
                address,
                code,
            }));
        }
    }
    functions
}

fn starts(graph: &LinkGraph<'_>) -> Vec<Start> {
    let mut starts = Vec::new();
    for (id, symbol) in graph.symbols() {
        let Some((block, offset)) = symbol.place() else { continue };
        let code = graph.section(graph.block(block).section()).permissions.contains(Permissions::EXECUTE);
        let name = graph.symbol_name(id);
        // Labels in assembly are functions, too; on AArch64, `$x` and `$d` are not.
        let is_named =
            !matches!(name, [] | [b'$' | b'.', ..]) && !symbol.flags().contains(SymbolFlags::SECTION);
        if code && is_named {
            let name = String::from_utf8_lossy(name).into_owned();
            let is_local = symbol.scope() == Scope::Local;
            starts.push(Start { block, offset, size: symbol.size(), is_local, name });
        }
    }
    starts
}
