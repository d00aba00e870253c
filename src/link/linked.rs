//! The result of a link: the image, finalized, and what was found out about it.

use super::initializers::InitFunctions;
use super::linked_symbols::{Definition, LinkedSymbols};
use super::stats::LinkStats;
use crate::alloc::FinalizedAllocation;
use crate::base::{AddrRange, ExecutorAddr, Result, Warning};
use crate::graph::LinkGraph;
use std::sync::Arc;

/// A linked, finalized image. Dropping it deallocates it: nothing of it may run any more.
pub struct Linked<'data> {
    pub(crate) allocation: Box<dyn FinalizedAllocation>,
    pub(crate) symbols: LinkedSymbols<'data>,
    pub(crate) writable: WritableMemory,
    pub(crate) dso_handle: ExecutorAddr,
    pub(crate) init: InitFunctions,
    pub(crate) warnings: Vec<Warning>,
    pub(crate) stats: LinkStats,
}

/// Memory of an image that its code can write to. What was moved there from a library is none of it: that stays the library's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WritableMemory {
    /// What has contents.
    pub content: Vec<AddrRange>,
    /// What is zero at first.
    pub zero_fill: Vec<AddrRange>,
}

impl std::fmt::Debug for Linked<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Linked")
            .field("segments", &self.symbols.segments)
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

impl<'data> Linked<'data> {
    /// The address of a name that some object defines, hidden ones included.
    #[must_use]
    pub fn lookup(&self, name: &[u8]) -> Option<ExecutorAddr> {
        self.symbols.lookup(name)
    }

    /// What a name that some object defines stands for.
    pub(crate) fn find(&self, name: &[u8]) -> Option<Definition> {
        self.symbols.find(name)
    }

    /// The address of a name that other images may see; not of a thread-local variable.
    pub(crate) fn exported(&self, name: &[u8]) -> Option<ExecutorAddr> {
        let found = self.symbols.find_placed(name)?;
        (found.exported && !found.thread_local).then_some(found.address)
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
        &self.symbols.segments
    }

    /// What its code can write to.
    #[must_use]
    pub fn writable_memory(&self) -> &WritableMemory {
        &self.writable
    }

    /// The addresses of the sections called `name`, in the order of the objects: one range per block, and so per section
    /// of an ELF object. Sections that were dropped, are empty, or were merged with others have none.
    ///
    /// What reads a section of its own after the link (`.llvm_stackmaps`, for one) finds it by this.
    pub fn section_ranges(&self, name: &[u8]) -> impl Iterator<Item = AddrRange> {
        let is_placed = |range: &AddrRange| {
            !range.is_empty() && self.symbols.segments.iter().any(|segment| segment.contains(range.start))
        };
        let blocks =
            self.symbols.graphs.iter().flat_map(|graph| graph.blocks().map(move |(_, block)| (graph, block)));
        let named = blocks.filter(move |(graph, block)| graph.section(block.section()).name == name);
        named.map(|(_, block)| AddrRange::from_size(block.address(), block.size())).filter(is_placed)
    }

    /// The graphs with final addresses; the last is the linker's own.
    #[must_use]
    pub fn graphs(&self) -> &[LinkGraph<'data>] {
        &self.symbols.graphs
    }

    /// Names of the objects linked.
    pub fn object_names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.symbols.graphs.iter().map(LinkGraph::name)
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

    /// The memory, and what its symbols are.
    pub(crate) fn into_parts(self) -> (Box<dyn FinalizedAllocation>, LinkedSymbols<'data>) {
        (self.allocation, self.symbols)
    }

    /// Deallocates the image: deallocate actions run in reverse order, then the memory is freed.
    ///
    /// # Errors
    /// The first action that fails; what comes after it has been done nevertheless.
    pub fn deallocate(self) -> Result<()> {
        self.allocation.deallocate()
    }
}
