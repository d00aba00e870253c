//! The symbols of one dylib, found by name.
//!
//! Whoever changes a table holds the session's lock, so that a change of several names is one step for all who hold it
//! too. Lookups of what is ready take no lock but that of the name's shard.

use super::flags::{ExecutorSymbol, JitSymbolFlags};
use super::names::Name;
use super::slab::Key;
use crate::base::ExecutorAddr;
use hashbrown::HashTable;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// A definition of a name.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) hash: u64,
    pub(super) name: Name,
    pub(super) unit: Key,
    pub(super) flags: JitSymbolFlags,
    /// Whether the address may be used: everything reachable from it is linked.
    pub(super) ready: bool,
    /// Whether somebody wants it; counts for units that are asked for names.
    pub(super) requested: bool,
    pub(super) address: ExecutorAddr,
    pub(super) size: u64,
}

impl Entry {
    pub(super) fn symbol(&self) -> ExecutorSymbol {
        ExecutorSymbol { address: self.address, flags: self.flags, size: self.size }
    }
}

const SHARD_BITS: u32 = 4;

/// A shard has cache lines of its own, so that threads that look up different names do not meet.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard(RwLock<HashTable<Entry>>);

/// The symbols of one dylib.
#[derive(Debug, Default)]
pub(super) struct SymbolTable {
    shards: [Shard; 1 << SHARD_BITS],
}

impl SymbolTable {
    #[inline]
    fn shard(&self, hash: u64) -> &RwLock<HashTable<Entry>> {
        // The table within a shard goes by the lowest and the highest seven bits.
        &self.shards[(hash >> 40) as usize & ((1 << SHARD_BITS) - 1)].0
    }

    #[inline]
    fn read(&self, hash: u64) -> RwLockReadGuard<'_, HashTable<Entry>> {
        self.shard(hash).read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, hash: u64) -> RwLockWriteGuard<'_, HashTable<Entry>> {
        self.shard(hash).write().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `look` makes of the entry of a name, if there is one.
    #[inline]
    pub(super) fn get<R>(&self, hash: u64, name: &[u8], look: impl FnOnce(&Entry) -> R) -> Option<R> {
        self.read(hash).find(hash, |entry| is_it(entry, hash, name)).map(look)
    }

    /// Changes the entry of a name, if there is one.
    pub(super) fn update<R>(&self, hash: u64, name: &[u8], act: impl FnOnce(&mut Entry) -> R) -> Option<R> {
        self.write(hash).find_mut(hash, |entry| is_it(entry, hash, name)).map(act)
    }

    /// Enters a definition in place of any other of its name.
    pub(super) fn put(&self, entry: Entry) {
        let mut shard = self.write(entry.hash);
        match shard.find_mut(entry.hash, |other| is_it(other, entry.hash, entry.name.bytes())) {
            Some(other) => *other = entry,
            None => _ = shard.insert_unique(entry.hash, entry, |entry| entry.hash),
        }
    }

    /// Removes the entry of a name if it is that unit's.
    pub(super) fn remove(&self, hash: u64, name: &[u8], unit: Key) {
        let mut shard = self.write(hash);
        if let Ok(entry) = shard.find_entry(hash, |entry| entry.unit == unit && is_it(entry, hash, name)) {
            entry.remove();
        }
        if shard.is_empty() && shard.capacity() > KEPT {
            *shard = HashTable::new();
        }
    }

    /// Makes room for so many more names.
    pub(super) fn reserve(&self, count: usize) {
        let share = count >> SHARD_BITS;
        if share < KEPT {
            return;
        }
        for shard in &self.shards {
            let mut shard = shard.0.write().unwrap_or_else(PoisonError::into_inner);
            shard.reserve(share + share / 8, |entry| entry.hash);
        }
    }

    /// Calls `visit` with every entry.
    pub(super) fn for_each(&self, mut visit: impl FnMut(&Entry)) {
        for shard in &self.shards {
            shard.0.read().unwrap_or_else(PoisonError::into_inner).iter().for_each(&mut visit);
        }
    }
}

/// An empty shard gives back its memory if it had room for more entries than this.
const KEPT: usize = 64;

#[inline]
fn is_it(entry: &Entry, hash: u64, name: &[u8]) -> bool {
    entry.hash == hash && entry.name.bytes() == name
}
