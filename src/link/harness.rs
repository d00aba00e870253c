//! A test harness among the objects: it replaces definitions of what is tested and sees its local symbols.
//!
//! Global names were settled as objects came in ([`Rank::Interposing`]); local ones are settled here.

use super::globals::{GlobalId, Globals, Rank, SymbolRef, seen};
use crate::graph::symbol::LinkageScope;
use crate::graph::{LinkGraph, Linkage, Scope, SymbolId, SymbolKind};
use std::sync::Arc;

/// Makes the local symbols that a harness refers to visible to it, and those that it defines references to it.
///
/// `harness` holds the indices of the harness's objects in ascending order. Returned are names that several objects
/// have as local symbols, so that the harness cannot mean one of them.
pub(super) fn settle_locals(
    graphs: &mut [LinkGraph<'_>],
    globals: &Globals<'_>,
    harness: &[u32],
) -> Vec<(Arc<str>, GlobalId)> {
    let mut ambiguous = Vec::new();
    if harness.is_empty() {
        return ambiguous;
    }
    for (index, graph) in (0u32..).zip(graphs) {
        if harness.binary_search(&index).is_err() {
            settle_graph(index, graph, globals, &mut ambiguous);
        }
    }
    ambiguous
}

fn settle_graph(
    index: u32,
    graph: &mut LinkGraph<'_>,
    globals: &Globals<'_>,
    ambiguous: &mut Vec<(Arc<str>, GlobalId)>,
) {
    for position in 0..graph.symbols.len() {
        let id = SymbolId(position as u32);
        let symbol = &graph.symbols[position];
        let defined = matches!(symbol.kind, SymbolKind::Defined | SymbolKind::Absolute);
        if !defined || symbol.scope() != Scope::Local {
            continue;
        }
        let Some(name) = globals.find(graph.symbol_name(id)) else { continue };
        match globals.winner(name) {
            Some((Rank::Interposing, _)) => {
                globals.note(name, seen::REFERENCED);
                graph.symbols[position].kind = SymbolKind::External;
                graph.symbols[position].global = name;
            }
            _ if globals.seen(name) & seen::HARNESS == 0 => {}
            None | Some((Rank::Lazy, _)) => {
                let symbol = &mut graph.symbols[position];
                symbol.global = name;
                symbol.linkage_scope = LinkageScope::new(Linkage::Strong, Scope::Hidden);
                globals.define(name, SymbolRef { graph: index, symbol: id.0 });
            }
            Some(_) => ambiguous.push((graph.name.clone(), name)),
        }
    }
}
