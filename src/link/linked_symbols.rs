//! What the names of a linked image stand for.

use super::globals::Globals;
use super::thread_locals::ThreadHome;
use crate::base::{AddrRange, ExecutorAddr};
use crate::graph::{LinkGraph, Scope, Spelling, SymbolFlags, SymbolKind};

/// The names of a linked image.
pub(crate) struct LinkedSymbols<'data> {
    /// With final addresses; the last is the linker's own.
    pub(crate) graphs: Vec<LinkGraph<'data>>,
    pub(crate) globals: Globals<'data>,
    pub(crate) of_global: Vec<u64>,
    pub(crate) segments: Vec<AddrRange>,
    pub(crate) thread_home: Option<ThreadHome>,
}

/// A definition of a linked image.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Definition {
    pub(crate) address: ExecutorAddr,
    pub(crate) size: u64,
    pub(crate) callable: bool,
    /// Whether other images may see it.
    pub(crate) exported: bool,
    pub(crate) thread_local: bool,
    is_absolute: bool,
}

impl LinkedSymbols<'_> {
    /// The address of a name that some object defines, hidden ones included.
    pub(crate) fn lookup(&self, name: &[u8]) -> Option<ExecutorAddr> {
        let id = self.globals.find(name)?;
        self.globals.definition(id)?;
        Some(ExecutorAddr(self.of_global[id as usize]))
    }

    /// What a name that some object defines stands for.
    pub(crate) fn find(&self, name: &[u8]) -> Option<Definition> {
        let id = self.globals.find(name)?;
        let at = self.globals.definition(id);
        let symbol = at.and_then(|at| self.graphs.get(at.graph as usize)?.symbols.get(at.symbol as usize));
        let symbol = symbol.filter(|symbol| symbol.kind != SymbolKind::Discarded)?;
        Some(Definition {
            address: ExecutorAddr(self.of_global[id as usize]),
            size: symbol.size,
            callable: symbol.flags.contains(SymbolFlags::CALLABLE),
            exported: matches!(symbol.scope(), Scope::Default | Scope::Protected),
            thread_local: symbol.flags.contains(SymbolFlags::THREAD_LOCAL),
            is_absolute: symbol.kind == SymbolKind::Absolute,
        })
    }

    /// As [`find`](Self::find), for what is in the image: what is hidden and used by nothing was dropped.
    pub(crate) fn find_placed(&self, name: &[u8]) -> Option<Definition> {
        let is_placed = |found: &Definition| {
            found.is_absolute
                || self.segments.iter().any(|segment| segment.contains(found.address))
                || self.thread_home.is_some_and(|home| home.contains(found.address))
        };
        self.find(name).filter(is_placed)
    }

    /// The names that objects define.
    pub(crate) fn names(&self) -> impl Iterator<Item = &[u8]> {
        let ids = 0..self.globals.len() as u32;
        ids.filter(|id| self.globals.definition(*id).is_some()).map(|id| self.globals.name(id))
    }

    /// How the objects spell names of C.
    pub(crate) fn spelling(&self) -> Spelling {
        self.graphs.first().map_or(Spelling::Plain, LinkGraph::spelling)
    }
}
