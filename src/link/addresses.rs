//! Final addresses: of every name of the batch, and of every symbol of one graph, for the fixup code.

use super::entries::{Entries, EntryOwner};
use super::externals::External;
use super::globals::{GlobalId, Globals, SymbolRef};
use super::image::{Image, SLOT};
use super::islands::{self, Islands};
use super::layout::MERGED;
use super::merging::Merging;
use super::placing::Placing;
use super::thread_locals::ThreadLocals;
use crate::arch::{self, Detour, Targets, ThreadLocal, ThreadModule};
use crate::base::Workers;
use crate::graph::symbol::NO_GLOBAL;
use crate::graph::{LinkGraph, Symbol, SymbolFlags, SymbolId, SymbolKind};
use std::collections::HashMap;

/// Everything that is needed to find the address of a symbol, once layout is final.
#[derive(Debug)]
pub(crate) struct Addresses<'a, 'data> {
    /// All graphs, the image graph last.
    pub(crate) graphs: &'a [LinkGraph<'data>],
    pub(crate) globals: &'a Globals<'data>,
    pub(crate) externals: &'a HashMap<GlobalId, External>,
    pub(crate) entries: &'a Entries,
    pub(crate) thread_locals: &'a ThreadLocals,
    pub(crate) image: &'a Image<'data>,
    pub(crate) merging: &'a Merging<'data>,
    pub(crate) islands: &'a Islands,
    /// The address of each name, once they are [resolved](Self::resolve_names).
    pub(crate) of_global: Vec<u64>,
    pub(crate) got_base: u64,
    pub(crate) plt_base: u64,
    pub(crate) plt_entry_size: u64,
}

impl<'a, 'data> Addresses<'a, 'data> {
    pub(super) fn new(
        graphs: &'a [LinkGraph<'data>],
        placing: &Placing<'a, 'data>,
        islands: &'a Islands,
    ) -> Self {
        let Placing { inputs, globals, externals, entries, thread_locals, merging, .. } = *placing;
        let image = inputs.image;
        let image_graph = &graphs[image.index as usize];
        Self {
            graphs,
            globals,
            externals,
            entries,
            thread_locals,
            image,
            merging,
            islands,
            of_global: Vec::new(),
            got_base: image_graph.blocks[image.got.index()].address.0,
            plt_base: image.plt.map_or(0, |block| image_graph.blocks[block.index()].address.0),
            plt_entry_size: arch::plt_entry_size(image_graph.architecture) as u64,
        }
    }

    /// Finds out the address of each name.
    pub(crate) fn resolve_names(&mut self, workers: &Workers) {
        let names = 0..self.globals.len() as u32;
        self.of_global = workers.map(names, |id| self.address_of_global(id));
    }

    fn address_of_global(&self, id: GlobalId) -> u64 {
        match self.globals.definition(id) {
            Some(at) => self.address_of_definition(at, EntryOwner::Global(id)),
            None if self.image.canonical.binary_search(&id).is_ok() => {
                self.plt_address(EntryOwner::Global(id)).unwrap_or(0)
            }
            None => self.externals.get(&id).map_or(0, |external| external.address().0),
        }
    }

    fn address_of_definition(&self, at: SymbolRef, owner: EntryOwner) -> u64 {
        let graph = &self.graphs[at.graph as usize];
        let symbol = &graph.symbols[at.symbol as usize];
        if symbol.flags.contains(SymbolFlags::INDIRECT)
            && let Some(address) = self.plt_address(owner)
        {
            return address;
        }
        self.own_address(at.graph, graph, symbol)
    }

    /// The address of the place that a symbol of a graph is at, whatever calls to it go through.
    #[inline]
    fn own_address(&self, index: u32, graph: &LinkGraph<'_>, symbol: &Symbol) -> u64 {
        match symbol.kind {
            SymbolKind::Defined => {
                let address = graph.blocks[symbol.block.index()].address;
                if address == MERGED {
                    return self.merged_address(index, symbol, 0).unwrap_or(0);
                }
                address.0.wrapping_add(symbol.value)
            }
            SymbolKind::Absolute => symbol.value,
            _ => 0,
        }
    }

    /// The address of the place that a definition of the batch is at.
    pub(super) fn place_of(&self, at: SymbolRef) -> u64 {
        let graph = &self.graphs[at.graph as usize];
        self.own_address(at.graph, graph, &graph.symbols[at.symbol as usize])
    }

    fn merged_address(&self, index: u32, symbol: &Symbol, addend: i64) -> Option<u64> {
        let offset = symbol.value.wrapping_add_signed(addend);
        self.merging.address(&self.graphs[self.image.index as usize], index, symbol.block, offset)
    }

    /// The address of a definition: of an indirect function, that of its resolver.
    pub(crate) fn definition_address(&self, owner: EntryOwner) -> u64 {
        match owner {
            EntryOwner::Global(id) => match self.globals.definition(id) {
                Some(at) => self.definition_address(EntryOwner::Local(at)),
                None => self.externals.get(&id).map_or(0, |external| external.address().0),
            },
            EntryOwner::Local(at) => {
                let graph = &self.graphs[at.graph as usize];
                self.own_address(at.graph, graph, &graph.symbols[at.symbol as usize])
            }
        }
    }

    /// The address that references to an entry's owner get.
    pub(crate) fn address(&self, owner: EntryOwner) -> u64 {
        match owner {
            EntryOwner::Global(id) => self.of_global[id as usize],
            EntryOwner::Local(at) => self.address_of_definition(at, owner),
        }
    }

    fn plt_address(&self, owner: EntryOwner) -> Option<u64> {
        self.plt_position(owner).map(|position| self.plt_entry_address(position))
    }

    /// The position of the PLT entry of an entry's owner.
    pub(crate) fn plt_position(&self, owner: EntryOwner) -> Option<u32> {
        match owner {
            EntryOwner::Global(id) => self.entries.of_global(id).plt,
            EntryOwner::Local(at) => {
                let graph = &self.graphs[at.graph as usize];
                self.entries.of_symbol(at.graph, graph, SymbolId(at.symbol)).plt
            }
        }
    }

    /// The name of an entry's owner, for people.
    pub(crate) fn display(&self, owner: EntryOwner) -> String {
        match owner {
            EntryOwner::Global(id) => String::from_utf8_lossy(self.globals.name(id)).into_owned(),
            EntryOwner::Local(at) => {
                self.graphs[at.graph as usize].display_symbol(SymbolId(at.symbol)).into_owned()
            }
        }
    }

    /// The address of every symbol of one graph, into a buffer that is used again. Section symbols of merged sections
    /// get [`MERGED`]: only the addend says where they point.
    pub(crate) fn fill(&self, index: u32, buffer: &mut Vec<u64>) {
        let graph = &self.graphs[index as usize];
        buffer.clear();
        buffer.extend((0u32..).zip(&graph.symbols).map(|(id, symbol)| match symbol.kind {
            SymbolKind::Defined if symbol.flags.intersects(SymbolFlags::INDIRECT) => {
                let at = SymbolRef { graph: index, symbol: id };
                self.plt_address(self.owner(at, symbol))
                    .unwrap_or_else(|| self.own_address(index, graph, symbol))
            }
            SymbolKind::Defined => {
                let address = graph.blocks[symbol.block.index()].address;
                if address != MERGED {
                    address.0.wrapping_add(symbol.value)
                } else if symbol.flags.contains(SymbolFlags::SECTION) {
                    MERGED.0
                } else {
                    self.merged_address(index, symbol, 0).unwrap_or(0)
                }
            }
            SymbolKind::Absolute => symbol.value,
            SymbolKind::External | SymbolKind::Common if symbol.global != NO_GLOBAL => {
                self.of_global[symbol.global as usize]
            }
            _ => 0,
        }));
    }

    /// Who owns the entries of a symbol.
    pub(super) fn owner(&self, at: SymbolRef, symbol: &Symbol) -> EntryOwner {
        match symbol.global {
            NO_GLOBAL => EntryOwner::Local(at),
            id => EntryOwner::Global(id),
        }
    }

    /// The address of a GOT entry by its position.
    pub(crate) fn got_address(&self, position: u32) -> u64 {
        self.got_base + u64::from(position) * SLOT
    }

    /// The address of a PLT entry by its position.
    pub(crate) fn plt_entry_address(&self, position: u32) -> u64 {
        self.plt_base + u64::from(position) * self.plt_entry_size
    }
}

/// What the fixup code asks about the targets of one graph's edges.
#[derive(Debug)]
pub(crate) struct GraphTargets<'a, 'data> {
    pub(crate) addresses: &'a Addresses<'a, 'data>,
    pub(crate) index: u32,
    pub(crate) graph: &'a LinkGraph<'data>,
    pub(crate) of_symbol: &'a [u64],
}

impl Targets for GraphTargets<'_, '_> {
    #[inline(always)]
    fn resolve(&self, target: SymbolId, addend: i64) -> (u64, i64) {
        match self.of_symbol.get(target.index()) {
            Some(&address) if address != MERGED.0 => (address, addend),
            _ => self.resolve_merged(target, addend),
        }
    }

    fn got_entry(&self, target: SymbolId) -> Option<u64> {
        let entry = self.addresses.entries.of_symbol(self.index, self.graph, target);
        entry.got.map(|position| self.addresses.got_address(position))
    }

    fn plt_entry(&self, target: SymbolId) -> Option<u64> {
        let entry = self.addresses.entries.of_symbol(self.index, self.graph, target);
        entry.plt.map(|position| self.addresses.plt_entry_address(position))
    }

    fn detour(&self, detour: Detour, target: SymbolId, addend: i64, from: u64) -> Option<u64> {
        self.addresses.islands.nearest(detour, islands::owner(self, target.0), addend, from)
    }

    fn size(&self, target: SymbolId) -> u64 {
        let Some(symbol) = self.graph.symbols.get(target.index()) else { return 0 };
        if symbol.global == NO_GLOBAL || symbol.kind == SymbolKind::Defined {
            return symbol.size;
        }
        match (self.addresses.globals.definition(symbol.global), self.addresses.externals.get(&symbol.global))
        {
            (Some(at), _) => self.addresses.graphs[at.graph as usize].symbols[at.symbol as usize].size,
            (None, Some(External::Known(symbol))) => symbol.size,
            _ => symbol.size,
        }
    }

    fn got_base(&self) -> u64 {
        self.addresses.got_base
    }

    fn thread_local(&self, target: SymbolId) -> Option<ThreadLocal> {
        let symbol = self.graph.symbols.get(target.index())?;
        let at = SymbolRef { graph: self.index, symbol: target.0 };
        self.addresses.thread_local(self.addresses.owner(at, symbol))
    }

    fn thread_module(&self) -> ThreadModule {
        self.addresses.thread_module()
    }

    fn is_absent(&self, target: SymbolId) -> bool {
        let global = self.graph.symbols.get(target.index()).map(|symbol| symbol.global);
        global.is_some_and(|id| self.addresses.externals.get(&id) == Some(&External::Absent))
    }
}

impl GraphTargets<'_, '_> {
    #[cold]
    fn resolve_merged(&self, target: SymbolId, addend: i64) -> (u64, i64) {
        let Some(symbol) = self.graph.symbols.get(target.index()) else { return (0, addend) };
        // A pc-relative reference by section symbol has no string of its own to point to; the addend decides.
        (self.addresses.merged_address(self.index, symbol, addend).unwrap_or(0), 0)
    }
}
