//! The link graph: what an object consists of, in terms that no file format and no architecture dictates.
//!
//! A [`LinkGraph`] is flat vectors of [sections](Section), [blocks](Block) and [symbols](Symbol), named by `u32` ids.
//! A block's [edges](Edge) are one contiguous run, sorted by offset; in a graph made from an ELF object the run is a
//! view of the mapped relocation table until [`LinkGraph::edges_mut`] or an edit gives the block edges of its own.

mod block;
mod dot;
mod dump;
pub(crate) mod edge;
mod edit;
mod ids;
mod memory;
mod section;
mod spelling;
pub(crate) mod symbol;
#[cfg(test)]
mod testing;
mod text;
mod verify;

pub use block::{Block, Content};
pub use dot::Dot;
pub use dump::Dump;
pub use edge::{Demands, Edge, EdgeKind, Edges, KindFacts, Rela, Request, ThreadAccess};
pub use edit::{NewBlock, NewSymbol, References};
pub use ids::{BlockId, SectionId, SymbolId};
pub use memory::{Lifetime, Permissions};
pub use section::{InitPhase, Section, SectionFlags, SectionRole, is_c_identifier};
pub use spelling::Spelling;
pub use symbol::{Linkage, Scope, Symbol, SymbolFlags, SymbolKind};

use crate::base::{ExecutorAddr, Place};
use edge::EdgeRun;
use memchr::memchr;
use std::borrow::Cow;
use std::sync::Arc;
use symbol::NameRef;

/// An instruction set with its psABI.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Architecture {
    /// x86-64, System V psABI.
    X86_64,
    /// AArch64 (LP64), little-endian.
    Aarch64,
}

impl Architecture {
    /// The architecture this library itself is compiled for.
    #[must_use]
    pub const fn host() -> Self {
        if cfg!(target_arch = "aarch64") { Self::Aarch64 } else { Self::X86_64 }
    }

    /// The name compilers use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        }
    }
}

/// What an object consists of: sections, blocks, symbols and edges.
#[derive(Clone, Debug)]
pub struct LinkGraph<'data> {
    pub(crate) name: Arc<str>,
    pub(crate) architecture: Architecture,
    pub(crate) kinds: &'static [KindFacts],
    pub(crate) relocation_kinds: &'static [EdgeKind],
    pub(crate) sections: Vec<Section<'data>>,
    pub(crate) blocks: Vec<Block<'data>>,
    pub(crate) symbols: Vec<Symbol>,
    pub(crate) edges: Vec<Edge>,
    pub(crate) strings: &'data [u8],
    pub(crate) own_names: Vec<Cow<'data, [u8]>>,
    /// Whether its code has landing pads for indirect branches, so that what the linker adds must have them too.
    pub(crate) landing_pads: bool,
    pub(crate) spelling: Spelling,
    /// The object it was made from, for those who look for what the graph leaves out; empty if it was made otherwise.
    pub(crate) source: &'data [u8],
}

impl<'data> LinkGraph<'data> {
    /// An empty graph. `kinds` is the architecture's table of edge kinds, indexed by [`EdgeKind`].
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, architecture: Architecture, kinds: &'static [KindFacts]) -> Self {
        Self {
            name: name.into(),
            architecture,
            kinds,
            relocation_kinds: &[],
            sections: Vec::new(),
            blocks: Vec::new(),
            symbols: Vec::new(),
            edges: Vec::new(),
            strings: &[],
            own_names: Vec::new(),
            landing_pads: false,
            spelling: Spelling::Plain,
            source: &[],
        }
    }

    /// How its symbols spell names of C.
    #[must_use]
    pub fn spelling(&self) -> Spelling {
        self.spelling
    }

    /// The input it was made from, as the user named it.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The architecture its code is for.
    #[must_use]
    pub fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// Says how its symbols spell names of C. Among objects, a graph goes by their spelling.
    pub fn set_spelling(&mut self, spelling: Spelling) {
        self.spelling = spelling;
    }

    /// The constant facts of an edge kind.
    #[must_use]
    pub fn kind_facts(&self, kind: EdgeKind) -> &'static KindFacts {
        self.kinds.get(kind.index()).unwrap_or(&self.kinds[EdgeKind::UNKNOWN.index()])
    }

    /// All sections with their ids.
    pub fn sections(&self) -> impl Iterator<Item = (SectionId, &Section<'data>)> {
        let all = (0..).map(SectionId).zip(&self.sections);
        all.filter(|(_, section)| !section.is_removed())
    }

    /// All blocks with their ids.
    pub fn blocks(&self) -> impl Iterator<Item = (BlockId, &Block<'data>)> {
        (0..).map(BlockId).zip(&self.blocks).filter(|(_, block)| !block.is_removed())
    }

    /// The blocks of one section.
    pub fn blocks_in(&self, section: SectionId) -> impl Iterator<Item = (BlockId, &Block<'data>)> {
        self.blocks().filter(move |(_, block)| block.section == section)
    }

    /// All symbols with their ids, null ones included.
    pub fn symbols(&self) -> impl Iterator<Item = (SymbolId, &Symbol)> {
        (0..).map(SymbolId).zip(&self.symbols)
    }

    /// The symbols defined in one block, in the order of their ids. Looks at every symbol of the graph.
    pub fn symbols_in(&self, block: BlockId) -> impl Iterator<Item = (SymbolId, &Symbol)> {
        self.symbols().filter(move |(_, symbol)| symbol.place().is_some_and(|(own, _)| own == block))
    }

    /// A section by its id.
    ///
    /// # Panics
    /// If the id is of another graph.
    #[must_use]
    pub fn section(&self, id: SectionId) -> &Section<'data> {
        &self.sections[id.index()]
    }

    /// The first section of that name.
    #[must_use]
    pub fn find_section(&self, name: &str) -> Option<SectionId> {
        self.sections().find(|(_, section)| *section.name == *name.as_bytes()).map(|(id, _)| id)
    }

    /// A block by its id.
    ///
    /// # Panics
    /// If the id is of another graph.
    #[must_use]
    pub fn block(&self, id: BlockId) -> &Block<'data> {
        &self.blocks[id.index()]
    }

    /// A symbol by its id.
    ///
    /// # Panics
    /// If the id is of another graph.
    #[must_use]
    pub fn symbol(&self, id: SymbolId) -> &Symbol {
        &self.symbols[id.index()]
    }

    /// A symbol's name, without its version; empty for unnamed symbols and section symbols.
    #[must_use]
    pub fn symbol_name(&self, id: SymbolId) -> &[u8] {
        self.symbols.get(id.index()).map_or(&[], |symbol| self.resolve_name(symbol.name))
    }

    /// A symbol's name with the lifetime of the input, or a copy where the graph owns the name.
    pub(crate) fn cloned_name(&self, id: SymbolId) -> Cow<'data, [u8]> {
        let Some(name) = self.symbols.get(id.index()).map(|symbol| symbol.name) else {
            return Cow::default();
        };
        if name.0 & NameRef::OWN != 0 {
            let index = (name.0 & !NameRef::OWN) as usize;
            return self.own_names.get(index).cloned().unwrap_or_default();
        }
        let tail = self.strings.get(name.0 as usize..).unwrap_or(&[]);
        Cow::Borrowed(memchr(0, tail).map_or(tail, |end| &tail[..end]))
    }

    /// A symbol's name for people: a section symbol goes by its section's name.
    #[must_use]
    pub fn display_symbol(&self, id: SymbolId) -> Cow<'_, str> {
        let name = self.symbol_name(id);
        if !name.is_empty() {
            return String::from_utf8_lossy(name);
        }
        match self.symbols.get(id.index()).and_then(Symbol::place) {
            Some((block, _)) => self.section(self.block(block).section).display_name(),
            None => Cow::Borrowed("<unnamed>"),
        }
    }

    /// The address of a symbol that this graph places itself: after layout, the final one.
    #[must_use]
    pub fn symbol_address(&self, id: SymbolId) -> Option<ExecutorAddr> {
        let symbol = self.symbols.get(id.index())?;
        match symbol.kind {
            SymbolKind::Defined => Some(self.block(symbol.block).address.wrapping_add(symbol.value)),
            SymbolKind::Absolute => Some(ExecutorAddr(symbol.value)),
            _ => None,
        }
    }

    /// The edges of a block, in the order of their offsets.
    #[must_use]
    pub fn edges(&self, block: BlockId) -> Edges<'_> {
        self.edges_of(&self.blocks[block.index()])
    }

    pub(crate) fn edges_of<'graph>(&'graph self, block: &'graph Block<'_>) -> Edges<'graph> {
        match block.edges {
            EdgeRun::Rela(table) => Edges::rela(table, self.relocation_kinds),
            EdgeRun::Owned { start, count } => {
                let start = start as usize;
                Edges::owned(self.edges.get(start..start + count as usize).unwrap_or(&[]))
            }
        }
    }

    /// The relocation number that a viewed relocation table gives the fixup at an offset, for messages.
    pub(crate) fn relocation_number(&self, block: BlockId, offset: u32) -> Option<u32> {
        match self.blocks.get(block.index())?.edges {
            EdgeRun::Rela(table) => edge::number_at(table, offset),
            EdgeRun::Owned { .. } => None,
        }
    }

    /// Makes sure that a block's edges are in the order of their offsets, as compilers write them.
    pub(crate) fn sort_edges(&mut self, block: BlockId) {
        let EdgeRun::Rela(table) = self.blocks[block.index()].edges else { return };
        if edge::is_sorted(table) {
            return;
        }
        let start = self.edges.len();
        self.edges.extend(table.iter().map(|rela| edge::decode_rela(rela, self.relocation_kinds)));
        self.edges[start..].sort_by_key(|edge| edge.offset);
        self.blocks[block.index()].edges = EdgeRun::Owned { start: start as u32, count: table.len() as u32 };
    }

    /// The place of an offset in a block, for messages: in its section, whose blocks are taken to follow each other.
    #[must_use]
    pub fn place(&self, block: BlockId, offset: u64) -> Place {
        let before = &self.blocks[..block.index()];
        let block = self.block(block);
        let siblings = before.iter().filter(|other| other.section == block.section);
        let offset = siblings.fold(offset, |offset, other| offset.saturating_add(other.size));
        Place::file(self.name.clone()).in_section(self.section(block.section).display_name()).at(offset)
    }

    fn resolve_name(&self, name: NameRef) -> &[u8] {
        if name.0 & NameRef::OWN != 0 {
            let index = (name.0 & !NameRef::OWN) as usize;
            return self.own_names.get(index).map_or(&[], |name| name);
        }
        let tail = self.strings.get(name.0 as usize..).unwrap_or(&[]);
        memchr(0, tail).map_or(tail, |end| &tail[..end])
    }
}
