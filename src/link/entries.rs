//! GOT and PLT entries: one of each per symbol for the whole batch.

use super::globals::{GlobalId, SymbolRef};
use super::mark::need;
use crate::graph::symbol::NO_GLOBAL;
use crate::graph::{LinkGraph, SymbolId};

/// What an entry is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum EntryOwner {
    /// A name of the batch's table.
    Global(GlobalId),
    /// A symbol without one.
    Local(SymbolRef),
}

/// The entries of one symbol, as positions in their tables.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Entry {
    pub(crate) got: Option<u32>,
    pub(crate) plt: Option<u32>,
}

/// All entries of a batch.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    /// Owners of the GOT entries, in order.
    pub(crate) got: Vec<EntryOwner>,
    /// Owners of the PLT entries, in order.
    pub(crate) plt: Vec<EntryOwner>,
    of_global: Vec<u32>,
    of_local: Vec<(SymbolRef, u32)>,
    entries: Vec<Entry>,
}

const NO_ENTRY: u32 = u32::MAX;

impl Entries {
    /// Makes the entries that the marks ask for: `global_needs` by name, `local_needs` repeated and in any order.
    pub(crate) fn new(global_needs: &[u8], mut local_needs: Vec<(SymbolRef, u8)>) -> Self {
        let mut entries = Self::default();
        if global_needs.iter().any(|needs| needs & (need::GOT | need::PLT) != 0) {
            entries.of_global = vec![NO_ENTRY; global_needs.len()];
            for (id, needs) in (0u32..).zip(global_needs) {
                if let Some(index) = entries.add(EntryOwner::Global(id), *needs) {
                    entries.of_global[id as usize] = index;
                }
            }
        }
        local_needs.sort_unstable();
        let mut rest = local_needs.as_slice();
        while let [(at, _), ..] = rest {
            let run = rest.partition_point(|(other, _)| other == at);
            let needs = rest[..run].iter().fold(0, |all, (_, needs)| all | needs);
            if let Some(index) = entries.add(EntryOwner::Local(*at), needs) {
                entries.of_local.push((*at, index));
            }
            rest = &rest[run..];
        }
        entries
    }

    fn add(&mut self, owner: EntryOwner, needs: u8) -> Option<u32> {
        let mut entry = Entry::default();
        if needs & need::GOT != 0 {
            entry.got = Some(self.got.len() as u32);
            self.got.push(owner);
        }
        if needs & need::PLT != 0 {
            entry.plt = Some(self.plt.len() as u32);
            self.plt.push(owner);
        }
        (entry != Entry::default()).then(|| {
            self.entries.push(entry);
            (self.entries.len() - 1) as u32
        })
    }

    /// The entries of a name.
    pub(crate) fn of_global(&self, id: GlobalId) -> Entry {
        match self.of_global.get(id as usize) {
            Some(&index) if index != NO_ENTRY => self.entries[index as usize],
            _ => Entry::default(),
        }
    }

    /// The entries of a graph's symbol.
    pub(crate) fn of_symbol(&self, graph_index: u32, graph: &LinkGraph<'_>, symbol: SymbolId) -> Entry {
        match graph.symbols.get(symbol.index()).map(|symbol| symbol.global) {
            None => Entry::default(),
            Some(NO_GLOBAL) => {
                let at = SymbolRef { graph: graph_index, symbol: symbol.0 };
                let found = self.of_local.binary_search_by_key(&at, |(other, _)| *other);
                found.map_or(Entry::default(), |index| self.entries[self.of_local[index].1 as usize])
            }
            Some(id) => self.of_global(id),
        }
    }
}
