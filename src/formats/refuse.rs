//! Errors for inputs that are well-formed, but not objects that can be linked here.

use crate::base::{Error, Place};
use object::{elf, macho};

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
        "holds only gcc's link-time-optimisation code, no machine code",
        "compile with -fno-lto, or with -ffat-lto-objects to have machine code beside it",
    )
}

/// A Mach-O file of another type than `MH_OBJECT`.
pub(crate) fn not_macho_object(place: Place, filetype: u32) -> Error {
    let what = match macho::FileType(filetype) {
        macho::MH_EXECUTE => "an executable, where a relocatable object is due".to_owned(),
        macho::MH_DYLIB | macho::MH_DYLIB_STUB | macho::MH_BUNDLE => {
            "a dynamic library, where a relocatable object is due".to_owned()
        }
        _ => format!("a Mach-O file of type {filetype:#x}, where a relocatable object is due"),
    };
    Error::unsupported(place, what, MAKE_OBJECT)
}

/// A Mach-O object for a CPU that is not supported.
pub(crate) fn other_cpu(place: Place, cpu: u32) -> Error {
    Error::unsupported(
        place,
        format!("an object for CPU type {cpu:#x}"),
        "compile for x86_64 or arm64 (clang -arch arm64)",
    )
}

/// An object whose pointers are to be signed.
pub(crate) fn arm64e(place: Place) -> Error {
    Error::unsupported(
        place,
        "an arm64e object, whose pointers are signed",
        "compile with -arch arm64 instead of -arch arm64e",
    )
}

/// A Mach-O function whose address another function tells.
pub(crate) fn symbol_resolver(place: Place, name: &str) -> Error {
    Error::unsupported(
        place,
        format!("{name} is a symbol resolver (.symbol_resolver), which is not supported"),
        "call the functions that it chooses from by a pointer",
    )
}
