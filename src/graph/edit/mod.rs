//! Building and editing graphs: what users, passes and plugins change goes through here.
//!
//! Ids are stable: what is removed leaves its place empty, and every other id keeps its meaning. Requests that make no
//! sense (an id of another graph, an offset past its block) are errors and change nothing.

mod align;
mod blocks;
mod build;
mod edges;
mod remove;
mod symbols;
#[cfg(test)]
mod tests;

pub use build::{NewBlock, NewSymbol};
pub(super) use edges::fixup_fits;
pub use remove::References;

use super::symbol::NameRef;
use super::{Block, BlockId, LinkGraph, Section, SectionId, Symbol, SymbolId};
use crate::base::{Error, Result};
use std::borrow::Cow;
use std::fmt::Debug;

impl<'data> LinkGraph<'data> {
    /// A section, to change its name, permissions, lifetime, role or flags.
    ///
    /// # Errors
    /// If the id is not of this graph.
    pub fn section_mut(&mut self, id: SectionId) -> Result<&mut Section<'data>> {
        self.check_section(id)?;
        Ok(&mut self.sections[id.index()])
    }

    fn check_section(&self, id: SectionId) -> Result<&Section<'data>> {
        match self.sections.get(id.index()) {
            Some(section) if !section.is_removed() => Ok(section),
            _ => Err(self.not_here(id)),
        }
    }

    fn check_block(&self, id: BlockId) -> Result<&Block<'data>> {
        match self.blocks.get(id.index()) {
            Some(block) if !block.is_removed() => Ok(block),
            _ => Err(self.not_here(id)),
        }
    }

    fn block_mut(&mut self, id: BlockId) -> Result<&mut Block<'data>> {
        self.check_block(id)?;
        Ok(&mut self.blocks[id.index()])
    }

    fn check_symbol(&self, id: SymbolId) -> Result<&Symbol> {
        match self.symbols.get(id.index()) {
            Some(symbol) if !symbol.is_removed() => Ok(symbol),
            _ => Err(self.not_here(id)),
        }
    }

    fn symbol_mut(&mut self, id: SymbolId) -> Result<&mut Symbol> {
        self.check_symbol(id)?;
        Ok(&mut self.symbols[id.index()])
    }

    /// Stores a name of the graph's own. The empty name takes no room.
    fn add_name(&mut self, name: Cow<'data, [u8]>) -> Result<NameRef> {
        if name.is_empty() && self.resolve_name(NameRef::NONE).is_empty() {
            return Ok(NameRef::NONE);
        }
        let index = self.next_id(self.own_names.len(), 1)?;
        if index & NameRef::OWN != 0 {
            return Err(self.refuse("more than 2^31 names"));
        }
        self.own_names.push(name);
        Ok(NameRef(index | NameRef::OWN))
    }

    /// The first of `count` ids in a vector of `len` elements. The largest id stays free: it means "none".
    fn next_id(&self, len: usize, count: usize) -> Result<u32> {
        match (u32::try_from(len), u32::try_from(len.saturating_add(count))) {
            (Ok(id), Ok(_)) => Ok(id),
            _ => Err(self.refuse("more than 2^32 entities of one sort")),
        }
    }

    #[cold]
    fn not_here(&self, id: impl Debug) -> Error {
        self.refuse(format!("{id:?} is not in this graph"))
    }

    #[cold]
    fn refuse(&self, what: impl std::fmt::Display) -> Error {
        Error::invalid(format!("graph {}: {what}", self.name), None)
    }
}
