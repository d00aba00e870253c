//! From sections to pieces.

use super::dedupe::{Builder, hash};
use super::map::{Piece, PieceMap};
use super::{MergeFault, MergeInput, MergeRole};
use memchr::memchr_iter;

/// Fault and the offset where it is.
pub(super) type Fault = (u64, MergeFault);

/// A first guess of how long strings are; the vector grows where they are shorter.
const LIKELY_STRING: usize = 16;

/// An input's pieces, with their hashes in the outputs' place, and the unit of constants.
pub(super) struct Pieces {
    pieces: Vec<Piece>,
    unit: u32,
}

/// Cuts an input into pieces.
pub(super) fn cut(input: &MergeInput<'_>) -> Result<Pieces, Fault> {
    u32::try_from(input.bytes.len()).map_err(|_| (0, MergeFault::TooLarge))?;
    let mut cutter = Cutter { bytes: input.bytes, start: 0, pieces: Vec::new() };
    let mut constant = 0;
    match input.role {
        _ if input.bytes.is_empty() => {}
        MergeRole::Strings { unit: 1 } => cutter.strings()?,
        MergeRole::Strings { unit: 2 } => cutter.wide_strings::<2>()?,
        MergeRole::Strings { unit: 4 } => cutter.wide_strings::<4>()?,
        MergeRole::Strings { unit: 1.. } => cutter.odd_strings(input.role)?,
        MergeRole::Constants { unit } if unit > 0 && input.alignment <= u64::from(unit) => {
            cutter.constants(unit as usize)?;
            constant = unit;
        }
        MergeRole::Strings { unit: 0 } | MergeRole::Constants { .. } => cutter.cut(input.bytes.len()),
    }
    Ok(Pieces { pieces: cutter.pieces, unit: constant })
}

/// Looks an input's pieces up in its group, and adds those that are new. Apart from the cutting, so that the processor
/// can wait for several at a time.
pub(super) fn place<'a>(
    builder: &mut Builder<'a>,
    group: u32,
    input: &MergeInput<'a>,
    cut: Pieces,
) -> Result<PieceMap, Fault> {
    let Pieces { mut pieces, unit } = cut;
    let alignment = input.alignment.max(1);
    for index in 0..pieces.len() {
        let end = pieces.get(index + 1).map_or(input.bytes.len(), |next| next.input as usize);
        let piece = &mut pieces[index];
        let bytes = &input.bytes[piece.input as usize..end];
        let offset = u64::from(piece.input);
        let placed = builder.add(bytes, piece.output, lowest_bit(offset | alignment));
        piece.output = placed.map_err(|fault| (offset, fault))?;
    }
    // Checked when it was cut.
    Ok(PieceMap { group, size: input.bytes.len() as u32, unit, pieces })
}

struct Cutter<'a> {
    bytes: &'a [u8],
    start: usize,
    pieces: Vec<Piece>,
}

impl Cutter<'_> {
    /// Notes the piece from the last cut to `end`, with its hash in the output's place.
    #[inline]
    fn cut(&mut self, end: usize) {
        let output = hash(&self.bytes[self.start..end]);
        // The input is shorter than 4 GiB.
        self.pieces.push(Piece { input: self.start as u32, output });
        self.start = end;
    }

    fn strings(&mut self) -> Result<(), Fault> {
        self.pieces.reserve(self.bytes.len() / LIKELY_STRING + 1);
        for terminator in memchr_iter(0, self.bytes) {
            self.cut(terminator + 1);
        }
        self.all_cut()
    }

    fn wide_strings<const UNIT: usize>(&mut self) -> Result<(), Fault> {
        let (characters, rest) = self.bytes.as_chunks::<UNIT>();
        whole_units(self.bytes, rest)?;
        for (index, character) in characters.iter().enumerate() {
            if *character == [0; UNIT] {
                self.cut((index + 1) * UNIT);
            }
        }
        self.all_cut()
    }

    /// Characters of sizes that no compiler emits.
    #[cold]
    fn odd_strings(&mut self, role: MergeRole) -> Result<(), Fault> {
        let (MergeRole::Strings { unit } | MergeRole::Constants { unit }) = role;
        let characters = self.bytes.chunks_exact(unit as usize);
        whole_units(self.bytes, characters.remainder())?;
        for (index, character) in characters.enumerate() {
            if character.iter().all(|byte| *byte == 0) {
                self.cut((index + 1) * unit as usize);
            }
        }
        self.all_cut()
    }

    fn constants(&mut self, unit: usize) -> Result<(), Fault> {
        let count = self.bytes.len() / unit;
        whole_units(self.bytes, &self.bytes[count * unit..])?;
        self.pieces.reserve_exact(count);
        (1..=count).for_each(|index| self.cut(index * unit));
        Ok(())
    }

    fn all_cut(&self) -> Result<(), Fault> {
        let rest = self.start < self.bytes.len();
        if rest { Err((self.start as u64, MergeFault::Unterminated)) } else { Ok(()) }
    }
}

fn whole_units(bytes: &[u8], rest: &[u8]) -> Result<(), Fault> {
    let whole = bytes.len() - rest.len();
    if rest.is_empty() { Ok(()) } else { Err((whole as u64, MergeFault::PartialUnit)) }
}

/// The largest power of two that divides `value`, which is not zero.
const fn lowest_bit(value: u64) -> u64 {
    value & value.wrapping_neg()
}
