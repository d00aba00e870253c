//! Where symbols divide the sections of an object: buffers that are used again from object to object.

use super::globals::is_global;
use super::object::MachObject;
use super::sections::Contents;
use crate::base::{Error, Result};
use object::LittleEndian as LE;
use object::macho::{self, Nlist64};

/// The blocks of one section: they follow each other, in the order of their addresses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SectionBlocks {
    pub(crate) first: u32,
    pub(crate) count: u32,
    /// Whether its strings or constants are merged, so that each has a place of its own.
    pub(crate) merged: bool,
    pub(crate) contents: Contents,
}

impl SectionBlocks {
    /// Those of a section that is not linked.
    pub(crate) const NONE: Self = Self { first: 0, count: 0, merged: false, contents: Contents::Plain };
}

/// A symbol in the order of places.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Place {
    /// The section, then the offset there, then zero for a symbol that begins a block.
    key: u64,
    pub(crate) symbol: u32,
}

impl Place {
    /// Offsets are below 2 to the power of this.
    const OFFSET_BITS: u32 = 55;

    fn new(section: u8, offset: u64, divides: bool, symbol: u32) -> Self {
        let key = u64::from(section) << (Self::OFFSET_BITS + 1) | offset << 1 | u64::from(!divides);
        Self { key, symbol }
    }

    pub(crate) fn section(self) -> u8 {
        (self.key >> (Self::OFFSET_BITS + 1)) as u8
    }

    pub(crate) fn offset(self) -> u64 {
        self.key >> 1 & ((1 << Self::OFFSET_BITS) - 1)
    }

    pub(crate) fn divides(self) -> bool {
        self.key & 1 == 0
    }
}

/// Buffers that one thread reuses for every object it builds.
#[derive(Debug, Default)]
pub(crate) struct Subsections {
    /// The symbols that are in sections, in the order of their places; section numbers count from 1.
    pub(crate) places: Vec<Place>,
    /// The blocks of each section.
    pub(crate) blocks: Vec<SectionBlocks>,
    /// For each block, a symbol at its start that relocations by section can refer to, or [`NO_SYMBOL`].
    pub(crate) starts: Vec<u32>,
}

/// In [`Subsections::starts`]: no such symbol was needed yet.
pub(crate) const NO_SYMBOL: u32 = u32::MAX;

impl Subsections {
    /// Collects the symbols that are in sections.
    pub(crate) fn collect(&mut self, object: &MachObject<'_>) -> Result<()> {
        self.places.clear();
        self.blocks.clear();
        self.starts.clear();
        for (index, symbol) in (0u32..).zip(object.symbols) {
            if symbol.n_type.is_stab() || symbol.n_type.typ() != macho::N_SECT {
                continue;
            }
            let (number, value) = (symbol.n_sect, symbol.n_value.get(LE));
            let section = usize::from(number).checked_sub(1).and_then(|index| object.sections.get(index));
            let Some(section) = section else { return Err(no_section(object, index, number)) };
            let offset = value.wrapping_sub(section.addr.get(LE));
            if offset > section.size.get(LE) || offset >> Place::OFFSET_BITS != 0 {
                return Err(outside(object, index, u32::from(number) - 1));
            }
            let divides = object.subsections && offset < section.size.get(LE) && divides(object, symbol);
            self.places.push(Place::new(number, offset, divides, index));
        }
        self.places.sort_unstable();
        Ok(())
    }
}

/// Whether a symbol begins a block: not an alternative entry into one, nor a label that assemblers made for themselves.
fn divides(object: &MachObject<'_>, symbol: &Nlist64<LE>) -> bool {
    if symbol.n_desc.get(LE).contains(macho::N_ALT_ENTRY) {
        return false;
    }
    let name = object.strings.get(symbol.n_strx.get(LE) as usize..).unwrap_or(&[]);
    is_global(symbol) || !(name.starts_with(b"L") || name.starts_with(b"ltmp"))
}

#[cold]
fn no_section(object: &MachObject<'_>, symbol: u32, number: u8) -> Error {
    let count = object.sections.len();
    Error::malformed(object.file(), format!("symbol {symbol} is in section {number} of {count}"))
}

#[cold]
fn outside(object: &MachObject<'_>, symbol: u32, section: u32) -> Error {
    let value = object.symbols[symbol as usize].n_value.get(LE);
    Error::malformed(
        object.file().in_section(object.section_display(section)),
        format!("symbol {symbol} at {value:#x} lies outside of its section"),
    )
}
