//! Adding sections, blocks and symbols.

use super::align::Congruence;
use crate::base::{ExecutorAddr, Result};
use crate::graph::edge::EdgeRun;
use crate::graph::symbol::LinkageScope;
use crate::graph::{
    Block, BlockId, Content, Lifetime, LinkGraph, Linkage, Permissions, Scope, Section, SectionFlags,
    SectionId, SectionRole, Symbol, SymbolFlags, SymbolId, SymbolKind,
};
use std::borrow::Cow;

impl<'data> Section<'data> {
    /// A regular section of standard lifetime.
    #[must_use]
    pub fn new(name: impl Into<Cow<'data, [u8]>>, permissions: Permissions) -> Self {
        Self {
            name: name.into(),
            permissions,
            lifetime: Lifetime::Standard,
            role: SectionRole::Regular,
            flags: SectionFlags::empty(),
            number: 0,
        }
    }
}

/// A block to be added by [`LinkGraph::add_block`].
#[derive(Clone, Debug)]
pub struct NewBlock<'data> {
    section: SectionId,
    content: Content<'data>,
    size: u64,
    address: ExecutorAddr,
    alignment: u64,
    alignment_offset: u64,
}

impl<'data> NewBlock<'data> {
    /// A block of these bytes, borrowed or owned.
    #[must_use]
    pub fn content(section: SectionId, bytes: impl Into<Cow<'data, [u8]>>) -> Self {
        let bytes = bytes.into();
        let size = bytes.len() as u64;
        Self::with(section, Content::from(bytes), size)
    }

    /// A block of `size` zero bytes.
    #[must_use]
    pub fn zero_fill(section: SectionId, size: u64) -> Self {
        Self::with(section, Content::ZeroFill, size)
    }

    fn with(section: SectionId, content: Content<'data>, size: u64) -> Self {
        Self { section, content, size, address: ExecutorAddr::NULL, alignment: 1, alignment_offset: 0 }
    }

    /// The same, at a multiple of `alignment` bytes, which is a power of two.
    #[must_use]
    pub fn aligned(mut self, alignment: u64) -> Self {
        self.alignment = alignment;
        self
    }

    /// The same, `offset` bytes after a multiple of its alignment.
    #[must_use]
    pub fn alignment_offset(mut self, offset: u64) -> Self {
        self.alignment_offset = offset;
        self
    }

    /// The same, with this address before layout: what tells which blocks of a section are neighbours.
    #[must_use]
    pub fn at(mut self, address: ExecutorAddr) -> Self {
        self.address = address;
        self
    }
}

impl<'data> From<Cow<'data, [u8]>> for Content<'data> {
    fn from(bytes: Cow<'data, [u8]>) -> Self {
        match bytes {
            Cow::Borrowed(bytes) => Self::Borrowed(bytes),
            Cow::Owned(bytes) => Self::Owned(bytes),
        }
    }
}

/// A symbol to be added by [`LinkGraph::add_symbol`]: strong, visible to everyone and unnamed unless told otherwise.
#[derive(Clone, Debug)]
pub struct NewSymbol<'data> {
    kind: SymbolKind,
    block: BlockId,
    value: u64,
    size: u64,
    name: Cow<'data, [u8]>,
    linkage: Linkage,
    scope: Scope,
    flags: SymbolFlags,
}

impl<'data> NewSymbol<'data> {
    /// The place `offset` bytes into `block`.
    #[must_use]
    pub fn defined(block: BlockId, offset: u64) -> Self {
        Self { block, ..Self::with(SymbolKind::Defined, offset) }
    }

    /// An address that no layout moves.
    #[must_use]
    pub fn absolute(address: ExecutorAddr) -> Self {
        Self::with(SymbolKind::Absolute, address.0)
    }

    /// What another graph, or the resolver, defines under this name.
    #[must_use]
    pub fn external(name: impl Into<Cow<'data, [u8]>>) -> Self {
        Self::with(SymbolKind::External, 0).named(name)
    }

    /// `size` zero bytes that the linker allocates unless another graph defines the name.
    #[must_use]
    pub fn common(name: impl Into<Cow<'data, [u8]>>, size: u64, alignment: u64) -> Self {
        Self { size, ..Self::with(SymbolKind::Common, alignment) }.named(name)
    }

    fn with(kind: SymbolKind, value: u64) -> Self {
        Self {
            kind,
            block: Symbol::NULL.block,
            value,
            size: 0,
            name: Cow::Borrowed(&[]),
            linkage: Linkage::Strong,
            scope: Scope::Default,
            flags: SymbolFlags::empty(),
        }
    }

    /// The same, with this name.
    #[must_use]
    pub fn named(mut self, name: impl Into<Cow<'data, [u8]>>) -> Self {
        self.name = name.into();
        self
    }

    /// The same, with this linkage.
    #[must_use]
    pub fn linkage(mut self, linkage: Linkage) -> Self {
        self.linkage = linkage;
        self
    }

    /// The same, with this scope.
    #[must_use]
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// The same, with these flags.
    #[must_use]
    pub fn flags(mut self, flags: SymbolFlags) -> Self {
        self.flags = flags;
        self
    }

    /// The same, naming this many bytes.
    #[must_use]
    pub fn size(mut self, size: u64) -> Self {
        self.size = size;
        self
    }
}

impl<'data> LinkGraph<'data> {
    /// Adds a section.
    ///
    /// # Errors
    /// If there are too many.
    pub fn add_section(&mut self, section: Section<'data>) -> Result<SectionId> {
        let id = SectionId(self.next_id(self.sections.len(), 1)?);
        self.sections.push(section);
        Ok(id)
    }

    /// Adds a block without edges.
    ///
    /// # Errors
    /// If the section is not of this graph or the alignment makes no sense.
    pub fn add_block(&mut self, new: NewBlock<'data>) -> Result<BlockId> {
        self.check_section(new.section)?;
        let (alignment_log2, alignment_offset) =
            self.alignment_fields(new.alignment, new.alignment_offset)?;
        let id = BlockId(self.next_id(self.blocks.len(), 1)?);
        self.blocks.push(Block {
            address: new.address,
            size: new.size,
            content: new.content,
            edges: EdgeRun::EMPTY,
            section: new.section,
            alignment_offset,
            alignment_log2,
            live: false,
        });
        Ok(id)
    }

    /// Adds a symbol. A name that is to be resolved across graphs must be there before the batch's names are resolved.
    ///
    /// # Errors
    /// If the place does not exist, a common symbol's alignment is no power of two, or there are too many.
    pub fn add_symbol(&mut self, new: NewSymbol<'data>) -> Result<SymbolId> {
        match new.kind {
            SymbolKind::Defined => self.check_offset(new.block, new.value)?,
            SymbolKind::Common => drop(self.alignment_fields(new.value, 0)?),
            _ => {}
        }
        let id = SymbolId(self.next_id(self.symbols.len(), 1)?);
        let name = self.add_name(new.name)?;
        self.symbols.push(Symbol {
            value: new.value,
            size: new.size,
            block: new.block,
            name,
            kind: new.kind,
            linkage_scope: LinkageScope::new(new.linkage, new.scope),
            flags: new.flags,
            ..Symbol::NULL
        });
        Ok(id)
    }

    pub(super) fn alignment_fields(&self, alignment: u64, offset: u64) -> Result<(u8, u32)> {
        let Some(congruence) = Congruence::new(alignment, offset) else {
            return Err(self.refuse(format_args!(
                "alignment {alignment:#x} with offset {offset:#x} is not a power of two above its offset"
            )));
        };
        match u32::try_from(congruence.offset) {
            Ok(offset) => Ok((congruence.log2, offset)),
            Err(_) => Err(self.refuse(format_args!("alignment offset {offset:#x} has more than 32 bits"))),
        }
    }

    pub(super) fn check_offset(&self, block: BlockId, offset: u64) -> Result<()> {
        let size = self.check_block(block)?.size;
        if offset <= size {
            return Ok(());
        }
        Err(self.refuse(format_args!("offset {offset:#x} is past {block:?} of {size:#x} bytes")))
    }
}
