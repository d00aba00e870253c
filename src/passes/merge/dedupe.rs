//! One copy of each piece.

use super::MergeFault;
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use std::hash::{BuildHasher, Hasher};

/// A piece that is kept, and where it starts in its group.
#[derive(Clone, Copy, Debug)]
struct Unique<'a> {
    bytes: &'a [u8],
    output: u32,
}

/// A merged section.
#[derive(Debug)]
pub struct MergedGroup<'a> {
    /// The inputs' class.
    pub class: u32,
    /// The inputs' alignment in bytes: at least this is due to the group.
    pub alignment: u64,
    /// Bytes in all.
    pub size: u64,
    pieces: Vec<Unique<'a>>,
}

impl MergedGroup<'_> {
    /// How many pieces it holds: different ones, but for copies that a stricter alignment asked for.
    #[must_use]
    pub fn piece_count(&self) -> usize {
        self.pieces.len()
    }

    /// Writes the group's bytes, padding included.
    ///
    /// # Panics
    /// If `out` is shorter than the group.
    pub fn write(&self, out: &mut [u8]) {
        let mut end = 0;
        for piece in &self.pieces {
            let start = piece.output as usize;
            out[end..start].fill(0);
            end = start + piece.bytes.len();
            out[start..end].copy_from_slice(piece.bytes);
        }
    }
}

/// Part of a piece's hash, kept so that neither growth nor most comparisons look at bytes again.
#[derive(Clone, Copy)]
struct Slot {
    hash: u32,
    piece: u32,
}

impl Slot {
    /// A table takes buckets and tags from both ends of 64 bits.
    const fn spread(hash: u32) -> u64 {
        (hash as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

/// A group while pieces are added to it.
pub(super) struct Builder<'a> {
    group: MergedGroup<'a>,
    table: HashTable<Slot>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(class: u32, alignment: u64) -> Self {
        let group = MergedGroup { class, alignment: alignment.max(1), size: 0, pieces: Vec::new() };
        Self { group, table: HashTable::new() }
    }

    /// Makes room for `pieces` different pieces: growing costs as much again as all the lookups.
    pub(super) fn reserve(&mut self, pieces: usize) {
        self.table.reserve(pieces, |slot| Slot::spread(slot.hash));
        self.group.pieces.reserve(pieces);
    }

    pub(super) fn finish(self) -> MergedGroup<'a> {
        self.group
    }

    /// The offset in the group of a piece with these bytes and this alignment, a power of two.
    #[inline]
    pub(super) fn add(&mut self, bytes: &'a [u8], hash: u32, alignment: u64) -> Result<u32, MergeFault> {
        let pieces = &self.group.pieces;
        let is_same = |slot: &Slot| slot.hash == hash && pieces[slot.piece as usize].bytes == bytes;
        match self.table.entry(Slot::spread(hash), is_same, |slot| Slot::spread(slot.hash)) {
            Entry::Occupied(mut slot) => {
                let output = pieces[slot.get().piece as usize].output;
                if u64::from(output) & (alignment - 1) == 0 {
                    return Ok(output);
                }
                let copy = place(&mut self.group, bytes, alignment)?;
                slot.get_mut().piece = copy.piece;
                Ok(copy.output)
            }
            Entry::Vacant(slot) => {
                let Placed { piece, output } = place(&mut self.group, bytes, alignment)?;
                slot.insert(Slot { hash, piece });
                Ok(output)
            }
        }
    }
}

/// The hash of a piece, the same wherever it is computed.
#[inline]
pub(super) fn hash(bytes: &[u8]) -> u32 {
    let mut hasher = FixedState::with_seed(0).build_hasher();
    hasher.write(bytes);
    let hash = hasher.finish();
    (hash ^ hash >> 32) as u32
}

struct Placed {
    piece: u32,
    output: u32,
}

fn place<'a>(group: &mut MergedGroup<'a>, bytes: &'a [u8], alignment: u64) -> Result<Placed, MergeFault> {
    let start = group.size.checked_next_multiple_of(alignment);
    let end = start.and_then(|start| start.checked_add(bytes.len() as u64));
    let (Some(start), Some(end)) = (start, end) else { return Err(MergeFault::TooLarge) };
    let (Ok(output), Ok(_)) = (u32::try_from(start), u32::try_from(end)) else {
        return Err(MergeFault::TooLarge);
    };
    group.size = end;
    group.pieces.push(Unique { bytes, output });
    // Every piece takes a byte of a group of less than 4 GiB.
    Ok(Placed { piece: (group.pieces.len() - 1) as u32, output })
}
