//! What of ELF depends on the machine: numbers that the psABIs give to relocations, sections, flags and symbols.

use super::{aarch64, x86_64};
use crate::graph::{Architecture, EdgeKind};

/// The numbers of one machine.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) architecture: Architecture,
    /// `e_machine`.
    pub(crate) number: u16,
    /// The edge kind of every relocation number.
    pub(crate) kinds: &'static [EdgeKind],
    /// Section flag of data that may lie out of 32-bit reach; 0 where there is none.
    pub(crate) large_section: u64,
    /// Section type of call frame records, besides `SHT_PROGBITS`.
    pub(crate) unwind_section: Option<u32>,
    /// Section index of common symbols that may lie out of 32-bit reach.
    pub(crate) large_common: Option<u16>,
    /// Flag in `st_other` of functions with a register convention of their own; 0 where there is none.
    pub(crate) variant_pcs: u8,
    /// The GNU property, and the bit of it, that says code has landing pads where PLT entries have them on demand only.
    pub(crate) landing_pads: Option<(u32, u32)>,
}

/// The numbers of an architecture's machine.
pub(crate) fn machine(architecture: Architecture) -> &'static Machine {
    match architecture {
        Architecture::X86_64 => &x86_64::MACHINE,
        Architecture::Aarch64 => &aarch64::MACHINE,
    }
}

/// The machine with this `e_machine`.
pub(crate) fn by_number(number: u16) -> Option<&'static Machine> {
    [Architecture::X86_64, Architecture::Aarch64]
        .map(machine)
        .into_iter()
        .find(|known| known.number == number)
}
