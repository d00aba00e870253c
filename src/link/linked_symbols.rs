//! What the names of a linked image stand for.

use super::globals::Globals;
use super::thread_locals::ThreadHome;
use crate::base::{AddrRange, ExecutorAddr};
use crate::graph::{LinkGraph, Permissions, Scope, Spelling, SymbolFlags, SymbolKind};
use std::sync::Arc;

/// The names of a linked image.
pub(crate) struct LinkedSymbols<'data> {
    /// With final addresses; the last is the linker's own.
    pub(crate) graphs: Vec<LinkGraph<'data>>,
    pub(crate) globals: Globals<'data>,
    pub(crate) of_global: Vec<u64>,
    pub(crate) segments: Vec<AddrRange>,
    /// Those of the segments.
    pub(crate) permissions: Vec<Permissions>,
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

    /// What other images may see: name, definition, and the object that has it. Thread-local variables are left out.
    pub(crate) fn exports(&self) -> impl Iterator<Item = (&[u8], Definition, &Arc<str>)> {
        (0..self.globals.len() as u32).filter_map(|id| {
            let name = self.globals.name(id);
            let found = self.find_placed(name).filter(|found| found.exported && !found.thread_local)?;
            let graph = self.globals.definition(id)?.graph;
            Some((name, found, self.graphs.get(graph as usize)?.name()))
        })
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
