//! The result of a link: the image, finalized, and what was found out about it.

use super::globals::Globals;
use super::initializers::InitFunctions;
use super::stats::LinkStats;
use crate::alloc::FinalizedAllocation;
use crate::base::{AddrRange, ExecutorAddr, Result, Warning};
use crate::graph::{LinkGraph, SymbolFlags, SymbolKind};
use std::sync::Arc;

/// A linked, finalized image. Dropping it deallocates it: nothing of it may run any more.
pub struct Linked<'data> {
    pub(crate) allocation: Box<dyn FinalizedAllocation>,
    pub(crate) graphs: Vec<LinkGraph<'data>>,
    pub(crate) globals: Globals<'data>,
    pub(crate) of_global: Vec<u64>,
    pub(crate) segments: Vec<AddrRange>,
    pub(crate) dso_handle: ExecutorAddr,
    pub(crate) init: InitFunctions,
    pub(crate) warnings: Vec<Warning>,
    pub(crate) stats: LinkStats,
}

/// A definition of a linked image.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Definition {
    pub(crate) address: ExecutorAddr,
    pub(crate) size: u64,
    pub(crate) callable: bool,
}

impl std::fmt::Debug for Linked<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Linked")
            .field("segments", &self.segments)
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

impl<'data> Linked<'data> {
    /// The address of a name that some object defines, hidden ones included.
    #[must_use]
    pub fn lookup(&self, name: &[u8]) -> Option<ExecutorAddr> {
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
        })
    }

    /// Functions to run before `main` and at exit.
    #[must_use]
    pub fn init_functions(&self) -> &InitFunctions {
        &self.init
    }

    /// What `__dso_handle` stands for in this image.
    #[must_use]
    pub fn dso_handle(&self) -> ExecutorAddr {
        self.dso_handle
    }

    /// The addresses of the segments.
    #[must_use]
    pub fn segments(&self) -> &[AddrRange] {
        &self.segments
    }

    /// The addresses of the sections called `name`, in the order of the objects: one range per block, and so per section
    /// of an ELF object. Sections that were dropped, are empty, or were merged with others have none.
    ///
    /// What reads a section of its own after the link (`.llvm_stackmaps`, for one) finds it by this.
    pub fn section_ranges(&self, name: &[u8]) -> impl Iterator<Item = AddrRange> {
        let is_placed = |range: &AddrRange| {
            !range.is_empty() && self.segments.iter().any(|segment| segment.contains(range.start))
        };
        let blocks =
            self.graphs.iter().flat_map(|graph| graph.blocks().map(move |(_, block)| (graph, block)));
        let named = blocks.filter(move |(graph, block)| graph.section(block.section()).name == name);
        named.map(|(_, block)| AddrRange::from_size(block.address(), block.size())).filter(is_placed)
    }

    /// The graphs with final addresses; the last is the linker's own.
    #[must_use]
    pub fn graphs(&self) -> &[LinkGraph<'data>] {
        &self.graphs
    }

    /// Names of the objects linked.
    pub fn object_names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.graphs.iter().map(LinkGraph::name)
    }

    /// What could not be honoured as asked.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Counts and times.
    #[must_use]
    pub fn stats(&self) -> &LinkStats {
        &self.stats
    }

    /// Keeps the memory alone, and lets go of the objects it was made from.
    #[must_use]
    pub fn into_allocation(self) -> Box<dyn FinalizedAllocation> {
        self.allocation
    }

    /// Deallocates the image: deallocate actions run in reverse order, then the memory is freed.
    ///
    /// # Errors
    /// The first action that fails; what comes after it has been done nevertheless.
    pub fn deallocate(self) -> Result<()> {
        self.allocation.deallocate()
    }
}
