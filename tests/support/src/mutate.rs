//! Damage to ELF objects, from a seed: the same number always gives the same mutant.

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

const HEADER_SIZE: usize = 64;
const SECTION_HEADER_SIZE: usize = 64;
/// Offset and width of each field of an ELF header, a section header, a symbol and a RELA entry.
const HEADER_FIELDS: &[(usize, usize)] = &[
    (4, 1),
    (5, 1),
    (6, 1),
    (16, 2),
    (18, 2),
    (20, 4),
    (40, 8),
    (48, 4),
    (52, 2),
    (58, 2),
    (60, 2),
    (62, 2),
];
const SECTION_FIELDS: &[(usize, usize)] =
    &[(0, 4), (4, 4), (8, 8), (16, 8), (24, 8), (32, 8), (40, 4), (44, 4), (48, 8), (56, 8)];
const SYMBOL_FIELDS: &[(usize, usize)] = &[(0, 4), (4, 1), (5, 1), (6, 2), (8, 8), (16, 8)];
const RELA_FIELDS: &[(usize, usize)] = &[(0, 8), (8, 4), (12, 4), (16, 8)];
const SYMBOL_SIZE: usize = 24;
const RELA_SIZE: usize = 24;

const SHT_SYMTAB: u32 = 2;
const SHT_STRTAB: u32 = 3;
const SHT_RELA: u32 = 4;
const SHT_GROUP: u32 = 17;
const SHT_CREL: u32 = 0x4000_0014;

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

/// One section's place in the file, as its header says; nothing here is trusted to lie inside the file.
struct Section {
    header: usize,
    kind: u32,
    name: String,
    range: Range<usize>,
}

/// What an object is made of, found once and then damaged many times.
pub struct Victim {
    bytes: Vec<u8>,
    sections: Vec<Section>,
}

impl Victim {
    /// Looks over `bytes`, a well-formed little-endian 64-bit ELF object.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        let sections = sections(&bytes);
        Self { bytes, sections }
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
            2 => self.field(bytes, random, &[0], HEADER_FIELDS),
            3 | 4 => {
                let headers: Vec<usize> = self.sections.iter().map(|section| section.header).collect();
                self.field(bytes, random, &headers, SECTION_FIELDS);
            }
            5 | 6 => self.entry(bytes, random, &[SHT_SYMTAB], SYMBOL_SIZE, SYMBOL_FIELDS),
            7 | 8 => self.entry(bytes, random, &[SHT_RELA], RELA_SIZE, RELA_FIELDS),
            9 => self
                .inside(bytes, random, |section| matches!(section.kind, SHT_GROUP | SHT_CREL | SHT_STRTAB)),
            10 => self.inside(bytes, random, |section| {
                [".eh_frame", ".note", ".llvm", ".debug"].iter().any(|name| section.name.starts_with(name))
            }),
            _ => self.splice(bytes, random),
        }
    }

    fn field(&self, bytes: &mut [u8], random: &mut Random, starts: &[usize], fields: &[(usize, usize)]) {
        let (Some(start), Some((at, width))) = (random.pick(starts), random.pick(fields)) else { return };
        let value = self.value(bytes, start + at, width, random);
        write(bytes, start + at, width, value);
    }

    fn entry(
        &self,
        bytes: &mut [u8],
        random: &mut Random,
        kinds: &[u32],
        size: usize,
        fields: &[(usize, usize)],
    ) {
        let tables: Vec<usize> =
            (0..self.sections.len()).filter(|i| kinds.contains(&self.sections[*i].kind)).collect();
        let Some(table) = random.pick(&tables) else { return };
        let range = &self.sections[table].range;
        let start = range.start + random.below(range.len() / size) * size;
        self.field(bytes, random, &[start], fields);
    }

    fn inside(&self, bytes: &mut [u8], random: &mut Random, wanted: impl Fn(&Section) -> bool) {
        let found: Vec<usize> = (0..self.sections.len()).filter(|i| wanted(&self.sections[*i])).collect();
        if let Some(index) = random.pick(&found) {
            flip_bits(bytes, self.sections[index].range.clone(), random);
        }
    }

    /// Copies one header, or one section's beginning, over another.
    fn splice(&self, bytes: &mut [u8], random: &mut Random) {
        if self.sections.len() < 2 {
            return;
        }
        let from = &self.sections[random.below(self.sections.len())];
        let to = &self.sections[random.below(self.sections.len())];
        let (from, to, size) = if random.below(2) == 0 {
            (from.header, to.header, SECTION_HEADER_SIZE)
        } else {
            (from.range.start, to.range.start, from.range.len().min(to.range.len()).min(256))
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

fn truncate(bytes: &mut Vec<u8>, random: &mut Random) {
    let near_a_structure = random.below(2) == 0;
    let limit = if near_a_structure { bytes.len().min(2 * HEADER_SIZE) } else { bytes.len() };
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

fn sections(bytes: &[u8]) -> Vec<Section> {
    let table = read(bytes, 40, 8) as usize;
    let count = read(bytes, 60, 2) as usize;
    let header = |index: usize| table + index * SECTION_HEADER_SIZE;
    let names = read(bytes, header(read(bytes, 62, 2) as usize) + 24, 8) as usize;
    let describe = |index| {
        let at = header(index);
        let start = read(bytes, at + 24, 8) as usize;
        Section {
            header: at,
            kind: read(bytes, at + 4, 4) as u32,
            name: text(bytes, names + read(bytes, at, 4) as usize),
            range: start..start + read(bytes, at + 32, 8) as usize,
        }
    };
    (0..count).map(describe).collect()
}

fn text(bytes: &[u8], at: usize) -> String {
    let rest = bytes.get(at..).unwrap_or_default();
    let end = rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
    String::from_utf8_lossy(&rest[..end]).into_owned()
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
