//! Sections with live support (Mach-O): a block of theirs is kept if it refers to what is live.

use super::Walk;
use crate::graph::{BlockId, Lifetime, Section, SectionFlags, SectionRole, Spelling, SymbolKind};

impl Walk<'_, '_> {
    /// Visits blocks that support what is live: those of sections with [`SectionFlags::LIVE_SUPPORT`] that refer to it.
    pub(super) fn keep_support(&mut self) {
        /// Support for what is itself support is looked for so often; what is left then is kept.
        const ROUNDS: usize = 8;
        if self.ground.graphs.first().is_none_or(|graph| graph.spelling() == Spelling::Plain) {
            return;
        }
        let mut rest = self.support();
        for round in 0..=ROUNDS {
            let before = rest.len();
            let supporting;
            (supporting, rest) = rest.into_iter().partition::<Vec<_>, _>(|&(graph, block)| {
                round == ROUNDS || self.refers_to_live(graph, block)
            });
            supporting.into_iter().for_each(|(graph, block)| self.push(graph, block));
            self.drain();
            self.finish();
            if rest.len() == before || rest.is_empty() {
                return;
            }
        }
    }

    fn support(&self) -> Vec<(u32, BlockId)> {
        let supports = |section: &Section<'_>| {
            section.flags.contains(SectionFlags::LIVE_SUPPORT)
                && section.role != SectionRole::EhFrame
                && section.lifetime != Lifetime::NoAlloc
        };
        let mut all = Vec::new();
        for (index, graph) in (0u32..).zip(self.ground.graphs) {
            if graph.sections.iter().any(supports) {
                let blocks = graph.blocks().filter(|(id, block)| {
                    supports(&graph.sections[block.section.index()]) && !self.ground.live.is_live(index, *id)
                });
                all.extend(blocks.map(|(id, _)| (index, id)));
            }
        }
        all
    }

    fn refers_to_live(&self, index: u32, block: BlockId) -> bool {
        let graph = &self.ground.graphs[index as usize];
        graph.edges(block).any(|edge| {
            let Some(symbol) = graph.symbols.get(edge.target.index()) else { return false };
            match symbol.kind {
                SymbolKind::Defined => self.ground.live.is_live(index, symbol.block),
                SymbolKind::External => self.ground.globals.definition(symbol.global).is_some_and(|at| {
                    let symbol = &self.ground.graphs[at.graph as usize].symbols[at.symbol as usize];
                    symbol.kind == SymbolKind::Defined && self.ground.live.is_live(at.graph, symbol.block)
                }),
                _ => false,
            }
        })
    }
}
