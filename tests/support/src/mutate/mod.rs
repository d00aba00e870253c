//! Damage to objects, from a seed: the same number always gives the same mutant.

mod elf;
mod macho;

use std::ops::Range;

/// A small, fixed generator (splitmix64), so that a seed means the same mutant on every machine and for ever.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The generator for `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`; zero when `limit` is zero.
    pub fn below(&mut self, limit: usize) -> usize {
        if limit == 0 { 0 } else { (self.next_u64() % limit as u64) as usize }
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        if from.is_empty() { None } else { from.get(self.below(from.len())).copied() }
    }
}

/// Offset and width of a field of a structure.
type Field = (usize, usize);

/// The structures of a format: where fields are that linkers read.
struct Shape {
    header: &'static [Field],
    section: &'static [Field],
    section_size: usize,
    symbol: &'static [Field],
    symbol_size: usize,
    relocation: &'static [Field],
    relocation_size: usize,
}

/// What a part of an object is to the damage.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Symbols,
    Relocations,
    /// Bytes that linkers parse: names, groups, compressed tables.
    Parsed,
    /// Bytes that linkers look into: call frames, notes, debug information.
    LookedInto,
    Other,
}

/// Values that have broken linkers before: extremes, off-by-ones, reserved section indices.
const VALUES: &[u64] = &[
    0,
    1,
    2,
    3,
    7,
    8,
    0x7f,
    0x80,
    0xff,
    0xff00,
    0xfff1,
    0xfff2,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    u64::MAX - 1,
    u64::MAX,
];

/// One part's place in the file, as its header says; nothing here is trusted to lie inside the file.
struct Part {
    /// Its header, where it has one.
    header: Option<usize>,
    sort: Sort,
    range: Range<usize>,
}

/// What an object is made of, found once and then damaged many times.
pub struct Victim {
    bytes: Vec<u8>,
    shape: &'static Shape,
    parts: Vec<Part>,
}

impl Victim {
    /// Looks over `bytes`, a well-formed little-endian 64-bit ELF or Mach-O object.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        let is_mach = bytes.starts_with(&macho::MAGIC);
        let (shape, parts) =
            if is_mach { (&macho::SHAPE, macho::parts(&bytes)) } else { (&elf::SHAPE, elf::parts(&bytes)) };
        Self { bytes, shape, parts }
    }

    /// The undamaged object.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The mutant of `seed`: one to four kinds of damage on top of each other.
    #[must_use]
    pub fn mutant(&self, seed: u64) -> Vec<u8> {
        let mut random = Random::new(seed);
        let mut bytes = self.bytes.clone();
        for _ in 0..=random.below(4) {
            self.damage(&mut bytes, &mut random);
        }
        bytes
    }

    fn damage(&self, bytes: &mut Vec<u8>, random: &mut Random) {
        match random.below(12) {
            0 => {
                let whole = 0..bytes.len();
                flip_bits(bytes, whole, random);
            }
            1 => truncate(bytes, random),
            2 => self.field(bytes, random, &[0], self.shape.header),
            3 | 4 => {
                let headers: Vec<usize> = self.parts.iter().filter_map(|part| part.header).collect();
                self.field(bytes, random, &headers, self.shape.section);
            }
            5 | 6 => self.entry(bytes, random, Sort::Symbols, self.shape.symbol_size, self.shape.symbol),
            7 | 8 => {
                self.entry(
                    bytes,
                    random,
                    Sort::Relocations,
                    self.shape.relocation_size,
                    self.shape.relocation,
                );
            }
            9 => self.inside(bytes, random, Sort::Parsed),
            10 => self.inside(bytes, random, Sort::LookedInto),
            _ => self.splice(bytes, random),
        }
    }

    fn field(&self, bytes: &mut [u8], random: &mut Random, starts: &[usize], fields: &[Field]) {
        let (Some(start), Some((at, width))) = (random.pick(starts), random.pick(fields)) else { return };
        let value = self.value(bytes, start + at, width, random);
        write(bytes, start + at, width, value);
    }

    fn entry(&self, bytes: &mut [u8], random: &mut Random, sort: Sort, size: usize, fields: &[Field]) {
        let tables = self.of_sort(sort);
        let Some(table) = random.pick(&tables) else { return };
        let range = &self.parts[table].range;
        let start = range.start + random.below(range.len() / size) * size;
        self.field(bytes, random, &[start], fields);
    }

    fn inside(&self, bytes: &mut [u8], random: &mut Random, sort: Sort) {
        if let Some(index) = random.pick(&self.of_sort(sort)) {
            flip_bits(bytes, self.parts[index].range.clone(), random);
        }
    }

    fn of_sort(&self, sort: Sort) -> Vec<usize> {
        (0..self.parts.len()).filter(|index| self.parts[*index].sort == sort).collect()
    }

    /// Copies one header, or one part's beginning, over another.
    fn splice(&self, bytes: &mut [u8], random: &mut Random) {
        if self.parts.len() < 2 {
            return;
        }
        let from = &self.parts[random.below(self.parts.len())];
        let to = &self.parts[random.below(self.parts.len())];
        let headers = from.header.zip(to.header).filter(|_| random.below(2) == 0);
        let (from, to, size) = match headers {
            Some((from, to)) => (from, to, self.shape.section_size),
            None => (from.range.start, to.range.start, from.range.len().min(to.range.len()).min(256)),
        };
        if from.max(to).checked_add(size).is_some_and(|end| end <= bytes.len()) {
            bytes.copy_within(from..from + size, to);
        }
    }

    /// A new value for a field: a troublesome one, the file's size or near it, or the old one a little changed.
    fn value(&self, bytes: &[u8], at: usize, width: usize, random: &mut Random) -> u64 {
        let size = self.bytes.len() as u64;
        match random.below(4) {
            0 | 1 => random.pick(VALUES).unwrap_or(0),
            2 => size.wrapping_add(random.below(65) as u64).wrapping_sub(32),
            _ => read(bytes, at, width).wrapping_add(random.below(9) as u64).wrapping_sub(4),
        }
    }
}

fn flip_bits(bytes: &mut [u8], range: Range<usize>, random: &mut Random) {
    for _ in 0..=random.below(4) {
        let at = range.start.saturating_add(random.below(range.len()));
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << random.below(8);
        }
    }
}

/// Where headers and the first tables are.
const NEAR_START: usize = 128;

fn truncate(bytes: &mut Vec<u8>, random: &mut Random) {
    let near_a_structure = random.below(2) == 0;
    let limit = if near_a_structure { bytes.len().min(NEAR_START) } else { bytes.len() };
    bytes.truncate(random.below(limit));
}

fn read(bytes: &[u8], at: usize, width: usize) -> u64 {
    let field = bytes.get(at..at.saturating_add(width)).unwrap_or_default();
    field.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

fn write(bytes: &mut [u8], at: usize, width: usize, value: u64) {
    if let Some(field) = bytes.get_mut(at..at.saturating_add(width)) {
        field.copy_from_slice(&value.to_le_bytes()[..width]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_always_gives_the_same_mutant() {
        let victim = Victim::new(vec![0; 512]);
        assert_eq!(victim.mutant(7), victim.mutant(7));
        assert!((0..32).any(|seed| victim.mutant(seed) != victim.bytes()));
    }

    #[test]
    fn the_generator_is_splitmix64() {
        assert_eq!(Random::new(0).next_u64(), 0xe220_a839_7b1d_cdaf);
    }
}
