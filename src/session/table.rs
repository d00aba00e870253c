//! The symbols of one dylib, found by name.
//!
//! Whoever changes a table holds the session's lock, so that a change of several names is one step for all who hold it
//! too. Lookups of what is ready do without that one: readers of a sharded lock share no cache line, and those who change
//! many names let them in every so often.

use super::flags::{ExecutorSymbol, JitSymbolFlags};
use super::names::Name;
use super::slab::Key;
use crate::base::ExecutorAddr;
use crossbeam_utils::sync::{ShardedLock, ShardedLockReadGuard, ShardedLockWriteGuard};
use hashbrown::HashTable;
use std::sync::PoisonError;

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

/// The symbols of one dylib.
#[derive(Debug, Default)]
pub(super) struct SymbolTable(ShardedLock<Entries>);

impl SymbolTable {
    #[inline]
    fn read(&self) -> ShardedLockReadGuard<'_, Entries> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> ShardedLockWriteGuard<'_, Entries> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `look` makes of the entry of a name, if there is one.
    #[inline]
    pub(super) fn get<R>(&self, hash: u64, name: &[u8], look: impl FnOnce(&Entry) -> R) -> Option<R> {
        self.read().0.find(hash, |entry| is_it(entry, hash, name)).map(look)
    }

    /// Changes the entry of a name, if there is one.
    pub(super) fn update<R>(&self, hash: u64, name: &[u8], act: impl FnOnce(&mut Entry) -> R) -> Option<R> {
        self.write().get_mut(hash, name).map(act)
    }

    /// Calls `act` with each of the items and the entries, which it may change.
    pub(super) fn edit<T>(&self, items: impl IntoIterator<Item = T>, mut act: impl FnMut(&mut Entries, T)) {
        let mut items = items.into_iter().peekable();
        while items.peek().is_some() {
            let mut entries = self.write();
            items.by_ref().take(AT_ONCE).for_each(|item| act(&mut entries, item));
            entries.give_back();
        }
    }

    /// Makes room for so many more names.
    pub(super) fn reserve(&self, count: usize) {
        if count >= AT_ONCE {
            self.write().0.reserve(count, |entry| entry.hash);
        }
    }

    /// Calls `visit` with every entry.
    pub(super) fn for_each(&self, visit: impl FnMut(&Entry)) {
        self.read().0.iter().for_each(visit);
    }
}

/// How many names are changed while readers wait.
const AT_ONCE: usize = 1024;

/// An empty table gives back its memory if it had room for more entries than this.
const KEPT: usize = 1024;

/// The definitions of a dylib by name.
#[derive(Debug, Default)]
pub(super) struct Entries(HashTable<Entry>);

impl Entries {
    /// The entry of a name.
    pub(super) fn get_mut(&mut self, hash: u64, name: &[u8]) -> Option<&mut Entry> {
        self.0.find_mut(hash, |entry| is_it(entry, hash, name))
    }

    /// Enters a definition in place of any other of its name.
    pub(super) fn put(&mut self, entry: Entry) {
        match self.get_mut(entry.hash, entry.name.bytes()) {
            Some(other) => *other = entry,
            None => _ = self.0.insert_unique(entry.hash, entry, |entry| entry.hash),
        }
    }

    /// Removes the entry of a name if it is that unit's.
    pub(super) fn remove(&mut self, hash: u64, name: &[u8], unit: Key) {
        if let Ok(entry) = self.0.find_entry(hash, |entry| entry.unit == unit && is_it(entry, hash, name)) {
            entry.remove();
        }
    }

    fn give_back(&mut self) {
        if self.0.is_empty() && self.0.capacity() > KEPT {
            self.0 = HashTable::new();
        }
    }
}

#[inline]
fn is_it(entry: &Entry, hash: u64, name: &[u8]) -> bool {
    entry.hash == hash && entry.name.bytes() == name
}
