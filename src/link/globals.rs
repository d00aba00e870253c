//! The batch's table of names: every global name of every object, hashed once, with the definition that wins it.
//!
//! Names get ids in the order they are first seen. Which definition wins is a minimum over packed keys, so that objects
//! can claim their definitions in any order, from several threads.

use super::prepared::{HashedSymbol, Prepared};
use crate::base::Result;
use crate::formats::{GlobalKind, GlobalSymbol, Standing, Wins};
use crate::graph::{Linkage, Scope};
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use std::borrow::Cow;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};

/// An entry of the table of names.
pub(crate) type GlobalId = u32;

/// A symbol of one graph of the batch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct SymbolRef {
    pub(crate) graph: u32,
    pub(crate) symbol: u32,
}

/// How strong a definition is: the lowest wins, then the earliest object.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub(crate) enum Rank {
    /// Strong, and of a test harness.
    Interposing = 0,
    Strong = 1,
    Common = 2,
    Weak = 3,
    /// A member of an archive that would define it, not loaded.
    Lazy = 4,
}

const GRAPH_BITS: u32 = 28;
/// How many objects one batch may hold.
pub(crate) const MAX_OBJECTS: usize = (1 << GRAPH_BITS) - 2;
const UNCLAIMED: u64 = u64::MAX;

/// Facts gathered about a name from every object that mentions it.
pub(crate) mod seen {
    /// Some object refers to it, not weakly.
    pub(crate) const REFERENCED: u8 = 1;
    /// Some object refers to it weakly.
    pub(crate) const WEAKLY_REFERENCED: u8 = 2;
    /// Some object says that it is not to be seen outside of the image.
    pub(crate) const HIDDEN: u8 = 4;
    /// Live code refers to it.
    pub(crate) const LIVE: u8 = 8;
    /// A test harness refers to it.
    pub(crate) const HARNESS: u8 = 16;
}

fn pack(rank: Rank, at: SymbolRef) -> u64 {
    (rank as u64) << 60 | u64::from(at.graph) << 32 | u64::from(at.symbol)
}

/// The table of names.
#[derive(Debug, Default)]
pub(crate) struct Globals<'data> {
    hasher: NameHasher,
    table: HashTable<Slot>,
    names: Vec<Cow<'data, [u8]>>,
    winners: Vec<AtomicU64>,
    group_owners: Vec<AtomicU32>,
    seen: Vec<AtomicU8>,
}

/// Hashes names for one table; threads can do so before the table is touched.
#[derive(Clone, Debug, Default)]
pub(crate) struct NameHasher(RandomState);

impl NameHasher {
    #[inline]
    pub(crate) fn hash(&self, name: &[u8]) -> u64 {
        let mut hasher = self.0.build_hasher();
        hasher.write(name);
        hasher.finish()
    }
}

/// The upper half of the hash stands beside the id, so that most misses and all growth stay within the table.
#[derive(Clone, Copy, Debug)]
struct Slot {
    hash: u64,
    id: GlobalId,
}

impl<'data> Globals<'data> {
    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    pub(crate) fn name(&self, id: GlobalId) -> &[u8] {
        &self.names[id as usize]
    }

    /// What hashes names for this table.
    pub(crate) fn hasher(&self) -> NameHasher {
        self.hasher.clone()
    }

    /// The id of a name, new if need be.
    #[expect(clippy::ptr_arg, reason = "borrowed names stay borrowed")]
    pub(crate) fn intern(&mut self, name: &Cow<'data, [u8]>) -> GlobalId {
        self.intern_hashed(name, self.hasher.hash(name))
    }

    /// As [`Self::intern`], with the name's hash by [`Self::hasher`].
    #[inline]
    #[expect(clippy::ptr_arg, reason = "borrowed names stay borrowed")]
    fn intern_hashed(&mut self, name: &Cow<'data, [u8]>, hash: u64) -> GlobalId {
        let names = &self.names;
        let same = |slot: &Slot| slot.hash == hash && *names[slot.id as usize] == **name;
        match self.table.entry(hash, same, |slot| slot.hash) {
            Entry::Occupied(entry) => entry.get().id,
            Entry::Vacant(entry) => {
                let id = names.len() as GlobalId;
                entry.insert(Slot { hash, id });
                self.names.push(name.clone());
                self.winners.push(AtomicU64::new(UNCLAIMED));
                self.group_owners.push(AtomicU32::new(u32::MAX));
                self.seen.push(AtomicU8::new(0));
                id
            }
        }
    }

    /// The id of a name that some object mentions.
    pub(crate) fn find(&self, name: &[u8]) -> Option<GlobalId> {
        let hash = self.hasher.hash(name);
        let same = |slot: &Slot| slot.hash == hash && *self.names[slot.id as usize] == *name;
        self.table.find(hash, same).map(|slot| slot.id)
    }

    /// The definition that wins a name, so far.
    #[inline]
    pub(crate) fn winner(&self, id: GlobalId) -> Option<(Rank, SymbolRef)> {
        let packed = self.winners[id as usize].load(Relaxed);
        if packed == UNCLAIMED {
            return None;
        }
        let rank = match packed >> 60 {
            0 => Rank::Interposing,
            1 => Rank::Strong,
            2 => Rank::Common,
            3 => Rank::Weak,
            _ => Rank::Lazy,
        };
        let graph = (packed >> 32) as u32 & ((1 << GRAPH_BITS) - 1);
        Some((rank, SymbolRef { graph, symbol: packed as u32 }))
    }

    /// The definition of a name within the batch, common symbols and archive members left out.
    #[inline]
    pub(crate) fn definition(&self, id: GlobalId) -> Option<SymbolRef> {
        match self.winner(id) {
            Some((Rank::Interposing | Rank::Strong | Rank::Weak, at)) => Some(at),
            _ => None,
        }
    }

    /// Claims a name for a definition; the strongest and then earliest claim stands.
    pub(crate) fn claim(&self, id: GlobalId, rank: Rank, at: SymbolRef) {
        self.winners[id as usize].fetch_min(pack(rank, at), Relaxed);
    }

    /// Gives a name a definition whatever claims it had: the linker's own symbols, allocated commons, overrides.
    pub(crate) fn define(&self, id: GlobalId, at: SymbolRef) {
        self.winners[id as usize].store(pack(Rank::Strong, at), Relaxed);
    }

    /// Leaves a name without a definition.
    pub(crate) fn withdraw(&self, id: GlobalId) {
        self.winners[id as usize].store(UNCLAIMED, Relaxed);
    }

    /// Claims the COMDAT group named `id` for an object: the earliest object keeps its copy.
    pub(crate) fn claim_group(&self, id: GlobalId, object: u32) {
        self.group_owners[id as usize].fetch_min(object, Relaxed);
    }

    pub(crate) fn owns_group(&self, id: GlobalId, object: u32) -> bool {
        self.group_owners[id as usize].load(Relaxed) == object
    }

    /// The facts gathered about a name: bits of [`seen`].
    #[inline]
    pub(crate) fn seen(&self, id: GlobalId) -> u8 {
        self.seen[id as usize].load(Relaxed)
    }

    /// Adds facts about a name.
    #[inline]
    pub(crate) fn note(&self, id: GlobalId, facts: u8) {
        let cell = &self.seen[id as usize];
        if cell.load(Relaxed) & facts != facts {
            cell.fetch_or(facts, Relaxed);
        }
    }

    /// Notes what a global symbol says of its name, and claims it if it is a definition.
    pub(crate) fn claim_symbol(&self, id: GlobalId, object: u32, global: &GlobalSymbol<'_>, discarded: bool) {
        let at = SymbolRef { graph: object, symbol: global.symbol };
        let mut facts = 0;
        if matches!(global.scope, Scope::Hidden) {
            facts |= seen::HIDDEN;
        }
        match (global.kind, global.linkage) {
            (GlobalKind::Undefined, Linkage::Strong) => facts |= seen::REFERENCED,
            (GlobalKind::Undefined, Linkage::Weak) => facts |= seen::WEAKLY_REFERENCED,
            _ if discarded => {}
            (GlobalKind::Defined, Linkage::Strong) => self.claim(id, Rank::Strong, at),
            (GlobalKind::Defined, Linkage::Weak) => self.claim(id, Rank::Weak, at),
            (GlobalKind::Common, _) => self.claim(id, Rank::Common, at),
        }
        self.note(id, facts);
    }

    /// What a test harness's symbol says and claims beyond that.
    pub(crate) fn claim_for_harness(
        &self,
        id: GlobalId,
        object: u32,
        global: &GlobalSymbol<'_>,
        discarded: bool,
    ) {
        match (global.kind, global.linkage) {
            (GlobalKind::Undefined, _) => self.note(id, seen::HARNESS),
            (GlobalKind::Defined, Linkage::Strong) if !discarded => {
                self.claim(id, Rank::Interposing, SymbolRef { graph: object, symbol: global.symbol });
            }
            _ => {}
        }
    }
}

/// The view of the table that an object's builder gets.
#[derive(Debug)]
pub(crate) struct ObjectWins<'a, 'data> {
    pub(crate) globals: &'a Globals<'data>,
    pub(crate) object: u32,
    /// Whether the object is of a test harness.
    pub(crate) harness: bool,
}

impl Wins for ObjectWins<'_, '_> {
    #[inline]
    fn standing(&self, id: u32, symbol: u32) -> Standing {
        match self.globals.winner(id) {
            Some((_, at)) if at == SymbolRef { graph: self.object, symbol } => Standing::Wins,
            Some((Rank::Strong, _)) => Standing::LosesToStrong,
            Some((Rank::Interposing, _)) if self.harness => Standing::LosesToStrong,
            _ => Standing::Loses,
        }
    }
}

/// The ids of the names of all objects: one run of symbols and one of COMDAT groups per object.
#[derive(Debug, Default)]
pub(crate) struct NameIds {
    symbols: Vec<GlobalId>,
    groups: Vec<GlobalId>,
    starts: Vec<(u32, u32)>,
}

impl NameIds {
    /// Interns the names of the next object.
    pub(crate) fn add<'data>(
        &mut self,
        globals: &mut Globals<'data>,
        object: &Prepared<'data>,
    ) -> Result<()> {
        let Prepared { object, symbols } = object;
        let start = self.symbols.len();
        self.starts.push((start as u32, self.groups.len() as u32));
        let first = object.first_global();
        self.symbols.resize(start + object.global_count(), u32::MAX);
        let ids = &mut self.symbols[start..];
        for HashedSymbol { hash, global } in symbols {
            ids[(global.symbol - first) as usize] = globals.intern_hashed(&global.name, *hash);
        }
        for group in 0..object.group_count() {
            let (symbol, name) = object.group_signature(group)?;
            let known = symbol.checked_sub(first).and_then(|index| ids.get(index as usize)).copied();
            let id =
                known.filter(|&id| id != u32::MAX).unwrap_or_else(|| globals.intern(&Cow::Borrowed(name)));
            self.groups.push(id);
        }
        Ok(())
    }

    /// For each symbol of an object from its first global one on: its id, or `u32::MAX`.
    pub(crate) fn symbols(&self, object: usize) -> &[GlobalId] {
        let start = self.starts[object].0 as usize;
        let end = self.starts.get(object + 1).map_or(self.symbols.len(), |next| next.0 as usize);
        &self.symbols[start..end]
    }

    /// For each COMDAT group of an object: the id of its signature.
    pub(crate) fn groups(&self, object: usize) -> &[GlobalId] {
        let start = self.starts[object].1 as usize;
        let end = self.starts.get(object + 1).map_or(self.groups.len(), |next| next.1 as usize);
        &self.groups[start..end]
    }
}
