//! A look at the linked image before it is finalized: addresses, entries and bytes.

use super::addresses::Addresses;
use super::entries::{Entry, EntryOwner};
use super::finishing::dso_handle;
use super::globals::SymbolRef;
use super::groups::GroupKind;
use super::layout::{Layout, MERGED};
use super::liveness::Liveness;
use crate::base::{AddrRange, ExecutorAddr};
use crate::graph::symbol::NO_GLOBAL;
use crate::graph::{BlockId, Lifetime, LinkGraph, SectionId, SectionRole, SymbolId};

/// A look at the linked image before it is finalized.
#[derive(Debug)]
pub struct LinkView<'a, 'data> {
    pub(crate) addresses: &'a Addresses<'a, 'data>,
    pub(crate) layout: &'a Layout,
    pub(crate) live: &'a Liveness,
    /// Content bytes of the segments.
    pub(crate) memory: &'a [&'a [u8]],
}

impl<'a, 'data> LinkView<'a, 'data> {
    /// The graphs in the order of the objects; the last is the linker's own.
    #[must_use]
    pub fn graphs(&self) -> &'a [LinkGraph<'data>] {
        self.addresses.graphs
    }

    /// Where the image starts, as [`Linked::dso_handle`](super::Linked::dso_handle) says afterwards.
    #[must_use]
    pub fn image_base(&self) -> ExecutorAddr {
        dso_handle(self.layout)
    }

    /// Whether a block is part of the image.
    #[must_use]
    pub fn is_live(&self, graph: usize, block: BlockId) -> bool {
        self.live.is_live(graph as u32, block)
    }

    /// The address of a name that takes part in the resolution of names: a definition, or what the resolver answered.
    #[must_use]
    pub fn lookup(&self, name: &[u8]) -> Option<ExecutorAddr> {
        let id = self.addresses.globals.find(name)?;
        let known =
            self.addresses.globals.definition(id).is_some() || self.addresses.externals.contains_key(&id);
        known.then(|| ExecutorAddr(self.addresses.of_global[id as usize]))
    }

    /// The address of a symbol of one graph, local or not.
    #[must_use]
    pub fn symbol_address(&self, graph: usize, symbol: SymbolId) -> Option<ExecutorAddr> {
        let entry = self.graphs().get(graph)?.symbols.get(symbol.index())?;
        let owner = match entry.global {
            NO_GLOBAL => EntryOwner::Local(SymbolRef { graph: graph as u32, symbol: symbol.0 }),
            id => EntryOwner::Global(id),
        };
        Some(ExecutorAddr(self.addresses.address(owner)))
    }

    /// The address of the GOT entry that a graph's symbol has, or of its PLT entry's slot.
    #[must_use]
    pub fn got_entry(&self, graph: usize, symbol: SymbolId) -> Option<ExecutorAddr> {
        let entry = self.entry(graph, symbol)?;
        if let Some(position) = entry.got {
            return Some(ExecutorAddr(self.addresses.got_address(position)));
        }
        self.addresses.slot_address(entry.plt?).map(ExecutorAddr)
    }

    /// The address of the PLT entry that a graph's symbol has.
    #[must_use]
    pub fn plt_entry(&self, graph: usize, symbol: SymbolId) -> Option<ExecutorAddr> {
        let position = self.entry(graph, symbol)?.plt?;
        Some(ExecutorAddr(self.addresses.plt_entry_address(position)))
    }

    fn entry(&self, graph: usize, symbol: SymbolId) -> Option<Entry> {
        let entries = self.addresses.entries;
        Some(entries.of_symbol(graph as u32, self.graphs().get(graph)?, symbol))
    }

    /// The addresses that a block takes; none if it was dropped, takes no memory or was merged into others. A block of
    /// call frame records takes less than its size where records were dropped.
    #[must_use]
    pub fn block_range(&self, graph: usize, block: BlockId) -> Option<AddrRange> {
        let graphs = self.graphs();
        let entry = graphs.get(graph)?.blocks.get(block.index())?;
        let section = graphs[graph].section(entry.section);
        let placed = entry.address != MERGED && section.lifetime != Lifetime::NoAlloc;
        if !placed || !self.is_live(graph, block) {
            return None;
        }
        let pruned = (section.role == SectionRole::EhFrame)
            .then(|| self.layout.specials.iter().find(|s| s.graph as usize == graph && s.block == block))
            .flatten();
        Some(AddrRange::from_size(entry.address, pruned.map_or(entry.size, |special| special.size)))
    }

    /// The addresses that a section's live blocks span; none if it has no memory.
    #[must_use]
    pub fn section_range(&self, graph: usize, section: SectionId) -> Option<AddrRange> {
        let blocks = self.graphs().get(graph)?.blocks_in(section);
        blocks
            .filter_map(|(id, _)| self.block_range(graph, id))
            .reduce(|a, b| AddrRange { start: a.start.min(b.start), end: a.end.max(b.end) })
    }

    /// The bytes of the image at an address, up to the end of its segment's content; none outside.
    #[must_use]
    pub fn bytes_at(&self, address: ExecutorAddr) -> Option<&'a [u8]> {
        let (segment, bytes) = self
            .layout
            .segments
            .iter()
            .zip(self.memory)
            .find(|(segment, _)| segment.range().contains(address))?;
        bytes.get(address.0.wrapping_sub(segment.address.0) as usize..)
    }

    /// The call frame records of the image.
    pub(crate) fn eh_frame_range(&self) -> Option<AddrRange> {
        self.layout.group_range(self.graphs(), GroupKind::EhFrame)
    }

    /// Whether an address is in the zero-filled part of a segment.
    #[must_use]
    pub fn is_zero_fill(&self, address: ExecutorAddr) -> bool {
        self.layout.segments.iter().any(|segment| {
            segment.range().contains(address) && address.0 - segment.address.0 >= segment.content_size
        })
    }
}
