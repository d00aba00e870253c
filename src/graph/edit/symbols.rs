//! Changing what symbols stand for, and the facts of symbols and blocks.

use crate::base::{Error, ExecutorAddr, Result};
use crate::graph::symbol::{LinkageScope, NO_GLOBAL};
use crate::graph::{BlockId, Content, LinkGraph, Linkage, Scope, Symbol, SymbolFlags, SymbolId, SymbolKind};
use std::borrow::Cow;

impl<'data> LinkGraph<'data> {
    /// Makes a symbol stand for the place `offset` bytes into `block`.
    ///
    /// # Errors
    /// If symbol or block are not of this graph, or the offset is past the block.
    pub fn make_defined(&mut self, symbol: SymbolId, block: BlockId, offset: u64) -> Result<()> {
        self.check_offset(block, offset)?;
        self.redefine(symbol, SymbolKind::Defined, block, offset)
    }

    /// Makes a symbol stand for an address that no layout moves.
    ///
    /// # Errors
    /// If the symbol is not of this graph.
    pub fn make_absolute(&mut self, symbol: SymbolId, address: ExecutorAddr) -> Result<()> {
        self.redefine(symbol, SymbolKind::Absolute, Symbol::NULL.block, address.0)
    }

    /// Makes a symbol stand for what is defined elsewhere under its name; a local one becomes visible to everyone.
    ///
    /// # Errors
    /// If the symbol is not of this graph or has no name.
    pub fn make_external(&mut self, symbol: SymbolId) -> Result<()> {
        let linkage_scope = self.check_symbol(symbol)?.linkage_scope;
        if self.symbol_name(symbol).is_empty() {
            return Err(
                self.refuse(format_args!("{symbol:?} has no name by which it could be found elsewhere"))
            );
        }
        self.redefine(symbol, SymbolKind::External, Symbol::NULL.block, 0)?;
        if linkage_scope.scope() == Scope::Local {
            self.set_scope(symbol, Scope::Default)?;
        }
        Ok(())
    }

    fn redefine(&mut self, symbol: SymbolId, kind: SymbolKind, block: BlockId, value: u64) -> Result<()> {
        let symbol = self.symbol_mut(symbol)?;
        (symbol.kind, symbol.block, symbol.value) = (kind, block, value);
        Ok(())
    }

    /// Renames a symbol. Where names of a batch were resolved already, that knows nothing of the new one.
    ///
    /// # Errors
    /// If the symbol is not of this graph.
    pub fn set_symbol_name(&mut self, symbol: SymbolId, name: impl Into<Cow<'data, [u8]>>) -> Result<()> {
        self.check_symbol(symbol)?;
        let name = self.add_name(name.into())?;
        let symbol = self.symbol_mut(symbol)?;
        (symbol.name, symbol.global) = (name, NO_GLOBAL);
        Ok(())
    }

    /// Changes how a symbol's definition competes with others.
    ///
    /// # Errors
    /// If the symbol is not of this graph.
    pub fn set_linkage(&mut self, symbol: SymbolId, linkage: Linkage) -> Result<()> {
        let symbol = self.symbol_mut(symbol)?;
        symbol.linkage_scope = LinkageScope::new(linkage, symbol.scope());
        Ok(())
    }

    /// Changes who sees a symbol.
    ///
    /// # Errors
    /// If the symbol is not of this graph.
    pub fn set_scope(&mut self, symbol: SymbolId, scope: Scope) -> Result<()> {
        let symbol = self.symbol_mut(symbol)?;
        symbol.linkage_scope = LinkageScope::new(symbol.linkage(), scope);
        Ok(())
    }

    /// Changes the further facts of a symbol, [`SymbolFlags::KEEP`] among them.
    ///
    /// # Errors
    /// If the symbol is not of this graph.
    pub fn set_symbol_flags(&mut self, symbol: SymbolId, flags: SymbolFlags) -> Result<()> {
        self.symbol_mut(symbol)?.flags = flags;
        Ok(())
    }

    /// Changes how many bytes a symbol names.
    ///
    /// # Errors
    /// If the symbol is not of this graph.
    pub fn set_symbol_size(&mut self, symbol: SymbolId, size: u64) -> Result<()> {
        self.symbol_mut(symbol)?.size = size;
        Ok(())
    }

    /// Changes whether a block is live. Before dead stripping this means nothing: what must be kept is said by
    /// [`SymbolFlags::KEEP`] or [`SectionFlags::KEEP`](crate::graph::SectionFlags::KEEP).
    ///
    /// # Errors
    /// If the block is not of this graph.
    pub fn set_live(&mut self, block: BlockId, live: bool) -> Result<()> {
        self.block_mut(block)?.live = live;
        Ok(())
    }

    /// Changes a block's address.
    ///
    /// # Errors
    /// If the block is not of this graph.
    pub fn set_address(&mut self, block: BlockId, address: ExecutorAddr) -> Result<()> {
        self.block_mut(block)?.address = address;
        Ok(())
    }

    /// Changes a block's alignment: its address will be `offset` modulo `alignment` bytes.
    ///
    /// # Errors
    /// If the block is not of this graph, or `alignment` is no power of two above `offset`.
    pub fn set_alignment(&mut self, block: BlockId, alignment: u64, offset: u64) -> Result<()> {
        let (log2, offset) = self.alignment_fields(alignment, offset)?;
        let block = self.block_mut(block)?;
        (block.alignment_log2, block.alignment_offset) = (log2, offset);
        Ok(())
    }

    /// The bytes of a block, to be changed in place; borrowed bytes are copied first.
    ///
    /// # Errors
    /// If the block is not of this graph or is zero-fill.
    pub fn content_mut(&mut self, id: BlockId) -> Result<&mut [u8]> {
        if self.check_block(id)?.is_zero_fill() {
            let what = format!("graph {}: {id:?} is zero-fill and has no bytes to change", self.name);
            return Err(Error::invalid(what, Some("give it content first")));
        }
        let content = &mut self.blocks[id.index()].content;
        if let Content::Borrowed(bytes) = content {
            *content = Content::Owned(bytes.to_vec());
        }
        match content {
            Content::Owned(bytes) => Ok(bytes),
            Content::ZeroFill | Content::Borrowed(_) => Ok(&mut []),
        }
    }

    /// Replaces the bytes of a block, and with them its size.
    ///
    /// # Errors
    /// If the block is not of this graph, or a symbol or an edge would lie past its new end.
    pub fn set_content(&mut self, block: BlockId, bytes: impl Into<Cow<'data, [u8]>>) -> Result<()> {
        let bytes = bytes.into();
        self.check_resize(block, bytes.len() as u64)?;
        let block = self.block_mut(block)?;
        block.size = bytes.len() as u64;
        block.content = Content::from(bytes);
        Ok(())
    }

    /// Makes a block `size` zero bytes.
    ///
    /// # Errors
    /// If the block is not of this graph, has edges that store something, or a symbol would lie past its new end.
    pub fn set_zero_fill(&mut self, block: BlockId, size: u64) -> Result<()> {
        self.check_resize(block, size)?;
        if self.edges(block).any(|edge| self.kind_facts(edge.kind).width > 0) {
            return Err(self.refuse(format_args!("{block:?} has edges, which need bytes to change")));
        }
        let block = self.block_mut(block)?;
        (block.size, block.content) = (size, Content::ZeroFill);
        Ok(())
    }

    fn check_resize(&self, block: BlockId, size: u64) -> Result<()> {
        if size >= self.check_block(block)?.size {
            return Ok(());
        }
        let end = |offset: u32, width: u8| u64::from(offset) + u64::from(width);
        if self.edges(block).any(|edge| end(edge.offset, self.kind_facts(edge.kind).width) > size) {
            return Err(self.refuse(format_args!("an edge of {block:?} would lie past its end, {size:#x}")));
        }
        match self.symbols_in(block).find(|(_, symbol)| symbol.value > size) {
            Some((id, _)) => Err(self.refuse(format_args!("{id:?} would lie past the end of {block:?}"))),
            None => Ok(()),
        }
    }
}
