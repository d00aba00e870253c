//! The verifier: what holds for every graph between phases. The driver calls it in debug builds, so that a pass or a
//! plugin that breaks a graph is caught there and not where the link goes wrong later.

use super::edge::EdgeRun;
use super::edit::fixup_fits;
use super::symbol::NameRef;
use super::{
    Block, BlockId, Edge, LinkGraph, Request, Section, SectionId, SectionRole, Symbol, SymbolId, SymbolKind,
};
use crate::base::{Error, ExecutorAddr, Result};
use std::fmt::Display;

/// The address of blocks whose bytes went into other blocks during layout.
const ELSEWHERE: ExecutorAddr = ExecutorAddr(u64::MAX);

impl LinkGraph<'_> {
    /// Checks that ids, offsets, edge runs, names and section roles agree with each other. Takes time linear in the
    /// graph, and a sort of the blocks.
    ///
    /// # Errors
    /// The first fault found.
    pub fn verify(&self) -> Result<()> {
        self.sections().try_for_each(|(id, section)| self.verify_section(id, section))?;
        self.blocks().try_for_each(|(id, block)| self.verify_block(id, block))?;
        self.symbols().try_for_each(|(id, symbol)| self.verify_symbol(id, symbol))?;
        self.verify_runs()?;
        self.blocks().try_for_each(|(id, block)| self.verify_edges(id, block))
    }

    fn verify_section(&self, id: SectionId, section: &Section<'_>) -> Result<()> {
        match section.role {
            SectionRole::MergeStrings { unit: 0 } | SectionRole::MergeConstants { unit: 0 } => {
                Err(self.fault(format_args!("{id:?} ({}) merges units of no bytes", section.display_name())))
            }
            _ => Ok(()),
        }
    }

    fn verify_block(&self, id: BlockId, block: &Block<'_>) -> Result<()> {
        let fault = |what: &dyn Display| Err(self.fault(format_args!("{id:?}: {what}")));
        let Some(section) = self.sections.get(block.section.index()).filter(|section| !section.is_removed())
        else {
            return fault(&format_args!("its section, {:?}, does not exist", block.section));
        };
        let bytes = block.content.bytes().len();
        if !block.is_zero_fill() && u64::try_from(bytes) != Ok(block.size) {
            return fault(&format_args!("has {bytes:#x} bytes of content and size {:#x}", block.size));
        }
        if block.alignment_log2 > 63 || block.alignment_offset() >= block.alignment() {
            return fault(&format_args!(
                "alignment offset {:#x} is not below the alignment, 2^{}",
                block.alignment_offset, block.alignment_log2
            ));
        }
        if block.address != ELSEWHERE && block.address.0.checked_add(block.size).is_none() {
            return fault(&format_args!("{:#x} bytes from {:#x} wrap around", block.size, block.address));
        }
        match role_mismatch(section.role, block) {
            Some(what) => fault(&format_args!("{what}, which section {} rules out", section.display_name())),
            None => Ok(()),
        }
    }

    fn verify_symbol(&self, id: SymbolId, symbol: &Symbol) -> Result<()> {
        let fault = |what: &dyn Display| Err(self.fault(format_args!("{id:?}: {what}")));
        if !self.has_name(symbol.name) {
            return fault(&"its name is past the end of the names");
        }
        let Some((block, offset)) = symbol.place() else { return Ok(()) };
        match self.blocks.get(block.index()).filter(|block| !block.is_removed()) {
            None => fault(&format_args!("its block, {block:?}, does not exist")),
            Some(own) if offset > own.size => {
                fault(&format_args!("offset {offset:#x} is past {block:?} of {:#x} bytes", own.size))
            }
            Some(_) => Ok(()),
        }
    }

    fn has_name(&self, name: NameRef) -> bool {
        match name.0 & NameRef::OWN {
            0 => name == NameRef::NONE || (name.0 as usize) < self.strings.len(),
            _ => ((name.0 & !NameRef::OWN) as usize) < self.own_names.len(),
        }
    }

    /// No two blocks share edges, and all runs lie in the vector.
    fn verify_runs(&self) -> Result<()> {
        let run = |(id, block): (BlockId, &Block<'_>)| match block.edges {
            EdgeRun::Owned { start, count } if count > 0 => Some((start as usize, count as usize, id)),
            _ => None,
        };
        let mut runs: Vec<_> = self.blocks().filter_map(run).collect();
        runs.sort_unstable();
        let mut free = 0;
        for (start, count, id) in runs {
            if start < free || start + count > self.edges.len() {
                return Err(
                    self.fault(format_args!("{id:?}: its edges are another block's, or past the last"))
                );
            }
            free = start + count;
        }
        Ok(())
    }

    fn verify_edges(&self, id: BlockId, block: &Block<'_>) -> Result<()> {
        let own = matches!(block.edges, EdgeRun::Owned { .. });
        let mut last = 0;
        for edge in self.edges_of(block) {
            let what = if own { self.edge_fault(block, edge, last) } else { self.stale_target(edge) };
            if let Some(what) = what {
                return Err(self.fault(format_args!(
                    "{id:?}: {} edge at {:#x} to {:?} {what}",
                    self.kind_facts(edge.kind).name,
                    edge.offset,
                    edge.target
                )));
            }
            last = edge.offset;
        }
        Ok(())
    }

    /// What can go wrong with an edge of a relocation table that is only viewed. Its other faults are the object's: who
    /// looks at the table finds them, and says so in the object's terms.
    fn stale_target(&self, edge: Edge) -> Option<&'static str> {
        let target = self.symbols.get(edge.target.index())?;
        target.is_removed().then_some("refers to a symbol that was removed")
    }

    fn edge_fault(&self, block: &Block<'_>, edge: Edge, last: u32) -> Option<&'static str> {
        let Some(target) = self.symbols.get(edge.target.index()) else {
            return Some("refers to a symbol that does not exist");
        };
        let Some(facts) = self.kinds.get(edge.kind.index()) else {
            return Some("is of a kind that the architecture does not have");
        };
        let needs_target = block.live && facts.request != Request::Nothing;
        if !fixup_fits(block, edge.offset, facts.width) {
            Some("does not lie in the block's content")
        } else if edge.offset < last {
            Some("comes after one of a higher offset")
        } else if needs_target && refers_to_nothing(edge.target, target) {
            Some("needs a symbol that stands for nothing")
        } else {
            self.stale_target(edge)
        }
    }

    #[cold]
    fn fault(&self, what: impl Display) -> Error {
        Error::invalid(
            format!("graph {} is broken: {what}", self.name),
            Some("the object, or a pass or plugin that ran before this, broke it"),
        )
    }
}

/// Null symbols of an object are its own business as long as nothing live needs them. Symbol 0 of an ELF object stands
/// for the value zero.
fn refers_to_nothing(id: SymbolId, symbol: &Symbol) -> bool {
    symbol.kind == SymbolKind::Null && id != SymbolId(0)
}

/// What of a block its section's role rules out.
fn role_mismatch(role: SectionRole, block: &Block<'_>) -> Option<&'static str> {
    (role == SectionRole::ThreadZeroFill && !block.is_zero_fill()).then_some("has content")
}

#[cfg(test)]
mod tests {
    use crate::base::ExecutorAddr;
    use crate::graph::edge::EdgeRun;
    use crate::graph::symbol::NameRef;
    use crate::graph::testing::{QUAD, WORD, edge, small_graph, view};
    use crate::graph::{
        BlockId, Content, EdgeKind, LinkGraph, NewSymbol, References, SectionId, SectionRole, SymbolId,
        SymbolKind,
    };

    /// What the verifier says about the small graph (with one edge) after something broke it.
    fn fault(break_it: impl FnOnce(&mut LinkGraph<'static>)) -> String {
        let (mut graph, block) = small_graph();
        graph.add_edges(block, &[edge(0, SymbolId(2), WORD), edge(8, SymbolId(1), QUAD)]).unwrap();
        graph.verify().unwrap();
        break_it(&mut graph);
        graph.verify().unwrap_err().to_string()
    }

    macro_rules! faults {
        ($($name:ident: $break_it:expr => $text:literal;)*) => {$(
            #[test]
            fn $name() {
                let text = fault($break_it);
                assert!(text.contains($text), "{text}");
            }
        )*};
    }

    faults! {
        a_block_without_section: |graph| graph.blocks[0].section = SectionId(1) => "its section, section1, does not exist";
        content_of_another_size: |graph| graph.blocks[0].size = 33 => "has 0x20 bytes of content and size 0x21";
        an_alignment_offset_above_the_alignment: |graph| graph.blocks[0].alignment_offset = 16 => "offset 0x10 is not below";
        an_impossible_alignment: |graph| graph.blocks[0].alignment_log2 = 64 => "2^64";
        a_block_around_the_end_of_memory: |graph| graph.blocks[0].address = ExecutorAddr(u64::MAX - 3) => "wrap around";
        a_symbol_past_its_block: |graph| graph.symbols[0].value = 33 => "symbol0: offset 0x21 is past block0 of 0x20 bytes";
        a_symbol_without_block: |graph| graph.symbols[0].block = BlockId(4) => "its block, block4, does not exist";
        a_symbol_with_a_name_of_nowhere: |graph| graph.symbols[0].name = NameRef(NameRef::OWN | 9) => "past the end of the names";
        a_name_past_the_string_table: |graph| graph.symbols[0].name = NameRef(1) => "past the end of the names";
        an_edge_to_no_symbol: |graph| graph.edges[0].target = SymbolId(3) => "WORD edge at 0x0 to symbol3 refers to a symbol that does not exist";
        an_edge_past_the_content: |graph| graph.edges[1].offset = 25 => "QUAD edge at 0x19 to symbol1 does not lie in";
        an_edge_out_of_order: |graph| graph.edges[0].offset = 9 => "after one of a higher offset";
        an_edge_of_a_foreign_kind: |graph| graph.edges[0].kind = EdgeKind(200) => "kind that the architecture does not have";
        edges_past_the_last: |graph| graph.blocks[0].edges = EdgeRun::Owned { start: 1, count: 2 } => "past the last";
        zero_fill_with_fixups: |graph| graph.blocks[0].content = Content::ZeroFill => "does not lie in the block's content";
        content_of_zero_fill_thread_locals: |graph| graph.sections[0].role = SectionRole::ThreadZeroFill => "has content, which section .text rules out";
        strings_of_no_width: |graph| graph.sections[0].role = SectionRole::MergeStrings { unit: 0 } => "merges units of no bytes";
    }

    #[test]
    fn blocks_that_share_edges() {
        let text = fault(|graph| {
            let tail = graph.split_block(BlockId(0), 16).unwrap();
            graph.blocks[tail.index()].edges = EdgeRun::Owned { start: 1, count: 1 };
        });
        assert!(text.contains("block1: its edges are another block's"), "{text}");
    }

    #[test]
    fn the_message_names_the_graph() {
        let text = fault(|graph| graph.blocks[0].size = 0);
        assert!(text.starts_with("graph test.o is broken: block0: "), "{text}");
    }

    #[test]
    fn removed_targets() {
        let text = fault(|graph| graph.remove_symbols(&[SymbolId(2)], References::Leave).unwrap());
        assert!(text.contains("refers to a symbol that was removed"), "{text}");
        let text = fault(|graph| {
            view(graph, BlockId(0), &[edge(0, SymbolId(2), WORD)]);
            graph.remove_symbols(&[SymbolId(2)], References::Leave).unwrap();
        });
        assert!(text.contains("refers to a symbol that was removed"), "{text}");
        let text = fault(|graph| {
            graph.remove_blocks(&[BlockId(0)], References::Refuse).unwrap();
            graph.symbols[0].kind = SymbolKind::Defined;
            graph.symbols[0].block = BlockId(0);
        });
        assert!(text.contains("its block, block0, does not exist"), "{text}");
    }

    #[test]
    fn a_view_is_the_object_s_own_business() {
        let (mut graph, block) = small_graph();
        view(&mut graph, block, &[edge(30, SymbolId(9), WORD), edge(0, SymbolId(0), QUAD)]);
        graph.verify().unwrap();
    }

    #[test]
    fn null_symbols_matter_to_live_blocks_only() {
        let (mut graph, block) = small_graph();
        let null = graph.add_symbol(NewSymbol::external(b"gone")).unwrap();
        graph.symbols[null.index()].kind = SymbolKind::Null;
        graph.add_edge(block, edge(0, null, EdgeKind::KEEP_ALIVE)).unwrap();
        graph.set_live(block, true).unwrap();
        graph.verify().unwrap();
        graph.add_edge(block, edge(0, null, WORD)).unwrap();
        assert!(graph.verify().unwrap_err().to_string().contains("a symbol that stands for nothing"));
        graph.set_live(block, false).unwrap();
        graph.verify().unwrap();
    }
}
