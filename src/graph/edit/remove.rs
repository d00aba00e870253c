//! Removing symbols, blocks and sections. Their ids stay taken, so that all others keep their meaning.

use super::edges::VACANT;
use crate::base::{Error, Result};
use crate::graph::edge::EdgeRun;
use crate::graph::{Block, BlockId, LinkGraph, SectionFlags, SectionId, Symbol, SymbolId};

/// What becomes of edges that refer to a symbol to be removed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum References {
    /// While there are any, nothing is removed.
    Refuse,
    /// They are removed too.
    Remove,
    /// They stay, and the caller changes or removes them before the next phase: the verifier accepts none.
    Leave,
}

impl LinkGraph<'_> {
    /// Removes symbols.
    ///
    /// # Errors
    /// If one is not of this graph, or edges refer to one and `references` refuses that; then nothing is removed.
    pub fn remove_symbols(&mut self, symbols: &[SymbolId], references: References) -> Result<()> {
        let mut condemned = vec![false; self.symbols.len()];
        for &id in symbols {
            self.check_symbol(id)?;
            condemned[id.index()] = true;
        }
        self.remove_condemned(&condemned, &[], references)
    }

    /// Removes blocks, their edges and the symbols defined in them.
    ///
    /// # Errors
    /// If one is not of this graph, or edges of other blocks refer to their symbols and `references` refuses that; then
    /// nothing is removed.
    pub fn remove_blocks(&mut self, blocks: &[BlockId], references: References) -> Result<()> {
        let mut condemned_blocks = vec![false; self.blocks.len()];
        for &id in blocks {
            self.check_block(id)?;
            condemned_blocks[id.index()] = true;
        }
        let doomed = |symbol: &Symbol| {
            symbol.place().is_some_and(|(block, _)| is_condemned(&condemned_blocks, block.index()))
        };
        let condemned: Vec<bool> = self.symbols.iter().map(doomed).collect();
        self.remove_condemned(&condemned, &condemned_blocks, references)?;
        for &id in blocks {
            if let EdgeRun::Owned { start, count } = self.blocks[id.index()].edges {
                let start = start as usize;
                self.edges[start..start + count as usize].fill(VACANT);
            }
            self.blocks[id.index()] = Block::REMOVED;
        }
        Ok(())
    }

    /// Removes a section, its blocks, their edges and the symbols defined in them.
    ///
    /// # Errors
    /// As [`remove_blocks`](Self::remove_blocks).
    pub fn remove_section(&mut self, section: SectionId, references: References) -> Result<()> {
        self.check_section(section)?;
        let blocks: Vec<_> = self.blocks_in(section).map(|(id, _)| id).collect();
        self.remove_blocks(&blocks, references)?;
        self.sections[section.index()].flags.insert(SectionFlags::REMOVED);
        Ok(())
    }

    /// Removes the condemned symbols; references from condemned blocks do not count.
    fn remove_condemned(&mut self, symbols: &[bool], blocks: &[bool], references: References) -> Result<()> {
        match references {
            References::Refuse => self.refuse_references(symbols, blocks)?,
            References::Remove => self.remove_references(symbols, blocks)?,
            References::Leave => {}
        }
        for (symbol, _) in self.symbols.iter_mut().zip(symbols).filter(|(_, condemned)| **condemned) {
            *symbol = Symbol::REMOVED;
        }
        Ok(())
    }

    fn refuse_references(&self, symbols: &[bool], blocks: &[bool]) -> Result<()> {
        match self.blocks_referring(symbols, blocks).next() {
            None => Ok(()),
            Some((block, target)) => Err(Error::invalid(
                format!(
                    "graph {}: cannot remove {target:?} ({}): an edge of {block:?} refers to it",
                    self.name,
                    self.display_symbol(target)
                ),
                Some("change or remove the edges that refer to it first"),
            )),
        }
    }

    fn remove_references(&mut self, symbols: &[bool], blocks: &[bool]) -> Result<()> {
        let referring: Vec<_> = self.blocks_referring(symbols, blocks).map(|(block, _)| block).collect();
        for block in referring {
            self.remove_edges(block, |edge| is_condemned(symbols, edge.target.index()))?;
        }
        Ok(())
    }

    /// Blocks with an edge to a condemned symbol, each with the first such target.
    fn blocks_referring(
        &self,
        symbols: &[bool],
        blocks: &[bool],
    ) -> impl Iterator<Item = (BlockId, SymbolId)> {
        self.blocks().filter(|(id, _)| !is_condemned(blocks, id.index())).filter_map(|(id, block)| {
            let edge = self.edges_of(block).find(|edge| is_condemned(symbols, edge.target.index()))?;
            Some((id, edge.target))
        })
    }
}

fn is_condemned(list: &[bool], index: usize) -> bool {
    list.get(index).copied().unwrap_or(false)
}
