//! Sections of call frame records, put together into tables for an unwinder that looks for a table in a list.
//!
//! That is libgcc up to version 12. It walks the list at each throw and at each deregistration, and reads and sorts all
//! records of a table at the first throw after its registration. So there are about as many tables as each has
//! records: both grow with the square root of what is registered, and so does the cost of each image that comes or goes.
//!
//! Its list is in the order of where the code of each table begins, and it looks for an address in the last table that
//! begins before it, and in no other. So tables may not overlap: one takes what is side by side in memory that
//! nobody else has code in, and sections whose code overlaps are always in one. A table cannot be changed. Its
//! successors are registered before it is withdrawn, in such an order that each image is found at any time.

use smallvec::{SmallVec, smallvec};
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::ptr::NonNull;

/// What libgcc keeps of a table in memory that is ours (`struct object`, six words; more where it has extensions).
const OBJECT_WORDS: usize = 8;

/// The fewest records that tables are made as large as.
const SMALLEST_CAPACITY: usize = 32;

/// Begins each table: no records. A table's first word is taken for a record by the function that withdraws it, which
/// must not find a terminator; half of this address is not zero.
#[repr(align(8))]
struct NoRecords([u32; 2]);

static NO_RECORDS: NoRecords = NoRecords([0; 2]);

/// What registers tables.
pub(super) trait Registry {
    /// Registers a table, which is not freed before it is withdrawn.
    fn register(&self, table: &Table);

    /// Withdraws a table.
    fn withdraw(&self, table: &Table);
}

/// A section of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Section {
    /// Address of its first record.
    pub(super) address: usize,
    /// From the first byte of the code it describes to the last.
    pub(super) code: Range<u64>,
    /// The number of its records.
    pub(super) functions: usize,
    /// The memory around the code in which nobody else has code; empty if there is no such.
    pub(super) area: Range<u64>,
}

/// Room for the unwinder's own words, and the null-terminated array of sections after it.
#[derive(Debug)]
pub(super) struct Table {
    words: NonNull<[usize]>,
}

// SAFETY: the words belong to the table alone, and to the unwinder, which locks what it keeps.
unsafe impl Send for Table {}

impl Table {
    pub(super) fn new(sections: impl IntoIterator<Item = usize>) -> Self {
        let mut words = vec![0; OBJECT_WORDS];
        words.push((&raw const NO_RECORDS.0[1]).expose_provenance());
        words.extend(sections);
        words.push(0);
        Self { words: NonNull::from(Box::leak(words.into_boxed_slice())) }
    }

    /// Where the unwinder keeps its own words.
    pub(super) fn object(&self) -> *mut usize {
        self.words.as_ptr().cast()
    }

    /// The array.
    pub(super) fn array(&self) -> *const usize {
        // SAFETY: the words are more than the object's.
        unsafe { self.object().add(OBJECT_WORDS) }
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        // SAFETY: made by leaking such a box; the unwinder does not know the table any more.
        drop(unsafe { Box::from_raw(self.words.as_ptr()) });
    }
}

/// Sections that are side by side, in one table.
#[derive(Debug)]
struct Leaf {
    /// By the start of their code.
    sections: Vec<Section>,
    end: u64,
    functions: usize,
    /// Where all of them are; empty if that is not one area.
    area: Range<u64>,
    table: Table,
}

impl Leaf {
    fn new(sections: Vec<Section>) -> Self {
        let end = sections.iter().map(|section| section.code.end).max().unwrap_or(0);
        let functions = sections.iter().map(|section| section.functions).sum();
        let first = sections.first().map_or(0..0, |section| section.area.clone());
        let area = if sections.iter().all(|section| section.area == first) { first } else { 0..0 };
        let table = Table::new(sections.iter().map(|section| section.address));
        Self { sections, end, functions, area, table }
    }
}

/// The leaves that something changes, in order. Hardly ever more than two.
type Keys = SmallVec<[u64; 2]>;

/// Everything that is registered.
#[derive(Debug, Default)]
pub(super) struct Tables {
    /// By where their code begins; their code does not overlap.
    leaves: BTreeMap<u64, Leaf>,
    /// Where the code of the section at an address begins.
    starts: hashbrown::HashMap<usize, u64, foldhash::fast::FixedState>,
    /// Sections whose code is not known, each with a table.
    alone: HashMap<usize, Table>,
    functions: usize,
}

impl Tables {
    /// Registers a section whose code is known.
    pub(super) fn insert(&mut self, section: Section, registry: &impl Registry) {
        self.functions += section.functions;
        self.starts.insert(section.address, section.code.start);
        let mut old = self.overlapping(&section.code);
        if old.is_empty() {
            old = self.joined_by(&section);
        }
        self.replace(&old, registry, |sections| {
            let place = sections.partition_point(|before| before.code.start <= section.code.start);
            sections.insert(place, section);
        });
    }

    /// Registers a section by itself.
    pub(super) fn insert_alone(&mut self, address: usize, registry: &impl Registry) {
        let table = Table::new([address]);
        registry.register(&table);
        self.alone.insert(address, table);
    }

    /// Withdraws the section at `address`; `false` if there is none.
    pub(super) fn remove(&mut self, address: usize, registry: &impl Registry) -> bool {
        if let Some(table) = self.alone.remove(&address) {
            registry.withdraw(&table);
            return true;
        }
        let Some(start) = self.starts.remove(&address) else { return false };
        let Some((&key, leaf)) = self.leaves.range(..=start).next_back() else { return false };
        let (area, rest) = (leaf.area.clone(), leaf.functions);
        let mut old = Keys::from_elem(key, 1);
        // What has become small joins a neighbour, but does not fill it up: the next one in would divide it again.
        if leaf.sections.len() > 1 && rest < self.capacity() / 4 {
            let room = self.capacity() / 2;
            let other = self.before(key, &area, room).or_else(|| self.after(key + 1, &area, room));
            old.extend(other.map(|(key, _)| key));
            old.sort_unstable();
        }
        let mut functions = 0;
        self.replace(&old, registry, |sections| {
            if let Some(place) = sections.iter().position(|section| section.address == address) {
                functions = sections.remove(place).functions;
            }
        });
        self.functions -= functions;
        true
    }

    /// About as many records in a table as there are tables. To sort a record takes much longer than to pass a table.
    fn capacity(&self) -> usize {
        (self.functions.isqrt() / 2).max(SMALLEST_CAPACITY)
    }

    /// The leaves whose code overlaps.
    fn overlapping(&self, code: &Range<u64>) -> Keys {
        let before_end = self.leaves.range(..code.end).rev();
        let mut keys: Keys =
            before_end.take_while(|(_, leaf)| leaf.end > code.start).map(|(key, _)| *key).collect();
        keys.reverse();
        keys
    }

    /// The leaves beside a section, which overlaps with none, that go into one with it: those before it that are not larger
    /// than all behind them together, so that a section is put into a new table only as often as its table doubles. Where
    /// sections arrive such that this leaves too many tables, all that fit, on both sides.
    fn joined_by(&self, section: &Section) -> Keys {
        let capacity = self.capacity();
        let crowded = self.leaves.len() > 5 * self.functions.isqrt() + SMALLEST_CAPACITY;
        let (mut keys, mut weight) = (Keys::new(), section.functions);
        loop {
            let fitting = capacity.saturating_sub(weight);
            let room = if crowded { fitting } else { fitting.min(weight) };
            let first = keys.first().map_or(section.code.start, |key: &u64| (*key).min(section.code.start));
            if let Some((key, functions)) = self.before(first, &section.area, room) {
                keys.insert(0, key);
                weight += functions;
                continue;
            }
            let behind = keys.last().map_or(section.code.start, |key| (key + 1).max(section.code.start));
            let Some((key, functions)) = self.after(behind, &section.area, room).filter(|_| crowded) else {
                return keys;
            };
            keys.push(key);
            weight += functions;
        }
    }

    /// The leaf before `place`, and its size, if it is in the same area and has not more than `room` records.
    fn before(&self, place: u64, area: &Range<u64>, room: usize) -> Option<(u64, usize)> {
        self.leaves.range(..place).next_back().and_then(|leaf| fitting(leaf, area, room))
    }

    /// The same for the leaf at `place` or after.
    fn after(&self, place: u64, area: &Range<u64>, room: usize) -> Option<(u64, usize)> {
        self.leaves.range(place..).next().and_then(|leaf| fitting(leaf, area, room))
    }

    /// Changes the sections of the leaves `old`, registers tables of what there is then, and withdraws theirs.
    ///
    /// At any time, the last table that begins before an address must be one that has its section. So new tables come in
    /// descending order, for a table with no successor yet would hide what an old one has behind it, and old ones go in
    /// ascending order, for one that is left may begin where a new one does, and be seen instead.
    fn replace(&mut self, old: &Keys, registry: &impl Registry, change: impl FnOnce(&mut Vec<Section>)) {
        let mut sections = Vec::new();
        let mut tables: SmallVec<[Table; 2]> = SmallVec::new();
        for leaf in old.iter().filter_map(|key| self.leaves.remove(key)) {
            tables.push(leaf.table);
            if sections.is_empty() { sections = leaf.sections } else { sections.extend(leaf.sections) }
        }
        change(&mut sections);
        for part in divide(sections, self.capacity()).into_iter().rev() {
            let leaf = Leaf::new(part);
            registry.register(&leaf.table);
            self.leaves.insert(leaf.sections.first().map_or(0, |section| section.code.start), leaf);
        }
        tables.iter().for_each(|table| registry.withdraw(table));
    }
}

fn fitting((key, leaf): (&u64, &Leaf), area: &Range<u64>, room: usize) -> Option<(u64, usize)> {
    let fits = leaf.functions <= room && leaf.area == *area && !area.is_empty();
    fits.then_some((*key, leaf.functions))
}

/// Divides sections, which are sorted, into as few equal parts as the capacity asks for. Those that overlap stay
/// together, whatever the capacity; those of different areas do not.
fn divide(sections: Vec<Section>, capacity: usize) -> SmallVec<[Vec<Section>; 2]> {
    let total: usize = sections.iter().map(|section| section.functions).sum();
    let area = sections.first().map_or(0..0, |section| section.area.clone());
    let together =
        total <= capacity && !area.is_empty() && sections.iter().all(|section| section.area == area);
    match sections.len() {
        0 => SmallVec::new(),
        1 => smallvec![sections],
        _ if together => smallvec![sections],
        _ => divide_evenly(sections, total.div_ceil(total.div_ceil(capacity).max(1))),
    }
}

fn divide_evenly(sections: Vec<Section>, part_size: usize) -> SmallVec<[Vec<Section>; 2]> {
    let mut parts: SmallVec<[Vec<Section>; 2]> = SmallVec::new();
    let (mut functions, mut end) = (0, 0);
    for section in sections {
        let joins = parts.last().and_then(|part| part.last()).is_some_and(|last| {
            let beside = last.area == section.area && !section.area.is_empty() && functions < part_size;
            beside || section.code.start < end
        });
        functions = if joins { functions } else { 0 } + section.functions;
        end = end.max(section.code.end);
        match parts.last_mut() {
            Some(part) if joins => part.push(section),
            _ => parts.push(vec![section]),
        }
    }
    parts
}

#[cfg(test)]
mod tests;
