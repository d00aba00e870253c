//! What accesses to thread-local variables need.

use super::{Rank, Walk, need};
use crate::base::Error;
use crate::graph::symbol::NO_GLOBAL;
use crate::graph::{
    BlockId, Demands, Edge, LinkGraph, SectionFlags, SectionRole, Symbol, SymbolFlags, SymbolKind,
    ThreadAccess,
};

impl Walk<'_, '_> {
    /// Notes what an access to a thread-local variable needs.
    #[inline(never)]
    pub(super) fn note_thread_local(
        &mut self,
        index: u32,
        graph: &LinkGraph<'_>,
        id: BlockId,
        edge: &Edge,
        access: ThreadAccess,
    ) {
        self.note_thread_entry(graph, id, edge);
        let needs = match access {
            ThreadAccess::Mark => return,
            ThreadAccess::ModulePair => return self.found.thread_module = true,
            ThreadAccess::InModule => 0,
            ThreadAccess::Pair => need::THREAD_PAIR,
            ThreadAccess::Descriptor => need::THREAD_DESCRIPTOR,
            ThreadAccess::OffsetEntry => need::THREAD_OFFSET | need::THREAD_STATIC,
            ThreadAccess::Offset => need::THREAD_STATIC,
        };
        if !self.is_thread_local(graph, &graph.symbols[edge.target.index()]) {
            return self.note_fault((index, id, edge.offset), |graph| no_thread_local(graph, id, edge));
        }
        if needs != 0 {
            self.note_needs(index, graph, edge.target, needs);
        }
    }

    /// Even code of the large model reaches its entries for thread-local variables by 32 bits.
    fn note_thread_entry(&mut self, graph: &LinkGraph<'_>, id: BlockId, edge: &Edge) {
        let section = &graph.sections[graph.blocks[id.index()].section.index()];
        if section.flags.contains(SectionFlags::LARGE) && graph.kind_facts(edge.kind).pc_relative {
            self.found.demands |= Demands::TOGETHER;
        }
    }

    /// Whether a symbol is a thread-local variable, as far as the batch knows.
    fn is_thread_local(&self, graph: &LinkGraph<'_>, symbol: &Symbol) -> bool {
        let in_section = |graph: &LinkGraph<'_>, symbol: &Symbol| {
            let section = graph.blocks.get(symbol.block.index()).map(|block| block.section);
            let role =
                section.and_then(|section| graph.sections.get(section.index())).map(|found| found.role);
            matches!(role, Some(SectionRole::ThreadData | SectionRole::ThreadZeroFill))
        };
        let of_symbol = |graph: &LinkGraph<'_>, symbol: &Symbol| match symbol.kind {
            SymbolKind::Defined => in_section(graph, symbol),
            // An undefined symbol need not have a type.
            SymbolKind::External => true,
            SymbolKind::Common => symbol.flags.contains(SymbolFlags::THREAD_LOCAL),
            SymbolKind::Null | SymbolKind::Absolute | SymbolKind::Discarded => false,
        };
        let definition = (symbol.kind != SymbolKind::Defined && symbol.global != NO_GLOBAL)
            .then(|| self.ground.globals.winner(symbol.global))
            .flatten();
        match definition {
            Some((Rank::Lazy, _)) | None => of_symbol(graph, symbol),
            Some((_, at)) => {
                let graph = &self.ground.graphs[at.graph as usize];
                of_symbol(graph, &graph.symbols[at.symbol as usize])
            }
        }
    }
}

#[cold]
fn no_thread_local(graph: &LinkGraph<'_>, block: BlockId, edge: &Edge) -> Error {
    let (name, target) = (graph.kind_facts(edge.kind).name, graph.display_symbol(edge.target));
    Error::malformed(
        graph.place(block, u64::from(edge.offset)),
        format!("{name} relocation to {target}, which is no thread-local variable"),
    )
}
