//! Errors for inputs that are well-formed, but not objects that can be linked here.

use crate::base::{Error, Place};
use object::elf;

const MAKE_OBJECT: &str = "compile with -c to get a relocatable object";

/// An ELF file of another type than `ET_REL`.
pub(crate) fn not_relocatable(place: Place, e_type: u16) -> Error {
    let what = match elf::FileType(e_type) {
        elf::ET_EXEC => "an executable, where a relocatable object is due",
        elf::ET_DYN => {
            "a shared object or position-independent executable, where a relocatable object is due"
        }
        elf::ET_CORE => "a core dump, where a relocatable object is due",
        _ => "an ELF file of unknown type, where a relocatable object is due",
    };
    Error::unsupported(place, what, MAKE_OBJECT)
}

/// An object for an instruction set that is not supported.
pub(crate) fn other_machine(place: Place, machine: u16) -> Error {
    Error::unsupported(
        place,
        format!("an object for machine {machine} (e_machine)"),
        "compile for x86_64 or aarch64",
    )
}

/// A gcc object that holds intermediate code only.
pub(crate) fn slim_lto(place: Place) -> Error {
    Error::unsupported(
        place,
        "a gcc link-time-optimisation object without machine code",
        "compile with -fno-lto or -ffat-lto-objects",
    )
}
