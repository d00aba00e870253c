//! Strings and constants of mergeable sections, one copy of each across a batch.
//!
//! A section is cut into pieces: null-terminated strings, or constants of one size. Equal pieces of a group become
//! one. A piece is never less aligned than its place in its section made it: the alignment of a section counts for the
//! pieces at multiples of it. (Aligning every piece as its section would let a small object ask for gigabytes.)
//!
//! Source: generic ABI, `SHF_MERGE` and `SHF_STRINGS`.

mod dedupe;
mod map;
mod split;
#[cfg(test)]
mod tests;

pub use dedupe::MergedGroup;
pub use map::PieceMap;

use crate::base::Workers;
use dedupe::Builder;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use std::fmt;

/// How a section is cut into pieces.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MergeRole {
    /// Null-terminated strings.
    Strings {
        /// Bytes per character.
        unit: u32,
    },
    /// Constants.
    Constants {
        /// Bytes per constant.
        unit: u32,
    },
}

/// One mergeable section.
#[derive(Clone, Copy, Debug)]
pub struct MergeInput<'a> {
    /// Its content.
    pub bytes: &'a [u8],
    /// How it is cut into pieces.
    pub role: MergeRole,
    /// Its alignment in bytes, a power of two.
    pub alignment: u64,
    /// Anything else that keeps sections apart: permissions, name. Only sections of equal class, role and alignment
    /// share pieces.
    pub class: u32,
}

/// The outcome for a batch.
#[derive(Debug)]
pub struct Merged<'a> {
    /// The merged sections.
    pub groups: Vec<MergedGroup<'a>>,
    /// Where each input's bytes went, in the order of the inputs.
    pub maps: Vec<PieceMap>,
}

/// Why a section cannot be merged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MergeError {
    /// Index of the input.
    pub input: usize,
    /// Offset in it.
    pub offset: u64,
    /// What is wrong there.
    pub fault: MergeFault,
}

/// What is wrong with a mergeable section.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MergeFault {
    /// The last string has no terminator.
    Unterminated,
    /// The size is not a multiple of the unit.
    PartialUnit,
    /// The input, or the merged section with it, passes 4 GiB.
    TooLarge,
}

impl fmt::Display for MergeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unterminated => "string of a mergeable section is not null-terminated",
            Self::PartialUnit => "size of a mergeable section is not a multiple of its entry size",
            Self::TooLarge => "mergeable sections of more than 4 GiB in all",
        })
    }
}

type Key = (u32, MergeRole, u64);

/// Merges the sections of a batch. Deterministic: equal inputs give equal groups, pieces in order of appearance.
///
/// Constants of a section that is more strictly aligned than their size may be read several at a time; such a section
/// stays whole. So does one whose unit is zero.
///
/// # Errors
/// A section is malformed, or there is more than 4 GiB of them.
pub fn merge<'a>(inputs: &[MergeInput<'a>], workers: &Workers) -> Result<Merged<'a>, MergeError> {
    let (mut builders, group_of) = make_groups(inputs);
    let mut maps = Vec::with_capacity(inputs.len());
    let mut failure = None;
    let numbered: Vec<_> = inputs.iter().zip(group_of).collect();
    workers.pipeline(
        &numbered,
        |(input, _)| split::cut(input),
        |&(input, group), cut| {
            let map =
                cut.and_then(|pieces| split::place(&mut builders[group as usize], group, input, pieces));
            match map {
                Ok(map) => maps.push(map),
                Err((offset, fault)) => {
                    failure.get_or_insert(MergeError { input: maps.len(), offset, fault });
                }
            }
        },
    );
    match failure {
        Some(failure) => Err(failure),
        None => Ok(Merged { groups: builders.into_iter().map(Builder::finish).collect(), maps }),
    }
}

/// The groups, still empty, and the group of each input.
fn make_groups<'a>(inputs: &[MergeInput<'a>]) -> (Vec<Builder<'a>>, Vec<u32>) {
    let mut index: HashMap<Key, u32, FixedState> = HashMap::default();
    let mut groups: Vec<(Builder<'a>, usize)> = Vec::new();
    let mut group_of = Vec::with_capacity(inputs.len());
    for input in inputs {
        let group = *index.entry((input.class, input.role, input.alignment)).or_insert_with(|| {
            groups.push((Builder::new(input.class, input.alignment), 0));
            (groups.len() - 1) as u32
        });
        groups[group as usize].1 += input.bytes.len() / BYTES_PER_UNIQUE_PIECE;
        group_of.push(group);
    }
    let with_room = |(mut builder, pieces): (Builder<'a>, usize)| {
        builder.reserve(pieces);
        builder
    };
    (groups.into_iter().map(with_room).collect(), group_of)
}

/// A guess: in C++ objects a string takes 15 to 80 bytes, and every second one is a repetition.
const BYTES_PER_UNIQUE_PIECE: usize = 32;
