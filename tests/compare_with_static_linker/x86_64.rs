//! x86-64.

use super::{Fixup, Image, Machine, compare, zlib};
use jitlink_test_support::arch::Arch;
use jitlink_test_support::pretended::pretended_symbol;
use jitlink_test_support::tests_dir;
use jitlink_test_support::toolchain::Compiler;
use object::ObjectSymbol;
use object::elf;

const X86_64: Machine = Machine { arch: Arch::X86_64, extent, undefined: pretended_symbol, is_right };

#[test]
fn c_code() {
    compare(&X86_64, "zlib", &zlib(), Compiler::Clang, &["-O2"], 500);
}

#[test]
fn c_code_with_a_section_per_function() {
    compare(&X86_64, "zlib-sections", &zlib(), Compiler::Gcc, &["-O2", "-ffunction-sections", "-fPIC"], 500);
}

#[test]
fn c_code_unoptimised() {
    compare(&X86_64, "zlib-O0", &zlib(), Compiler::Clang, &["-O0", "-fPIC"], 500);
}

#[test]
fn cxx_code_with_groups() {
    compare(&X86_64, "regex", &[tests_dir().join("run/std_regex.cpp")], Compiler::Clang, &["-O0"], 3000);
}

#[test]
fn cxx_code_of_two_objects() {
    let sources = ["run/std_regex.cpp", "run/exceptions_in_threads.cpp", "run/iostream.cpp"];
    let sources = sources.map(|name| tests_dir().join(name));
    compare(&X86_64, "several", &sources, Compiler::Clang, &["-O1", "-fPIC"], 1000);
}

fn extent(kind: elf::RelocationType) -> (usize, usize) {
    match kind {
        elf::R_X86_64_GOTPCRELX => (2, 4),
        elf::R_X86_64_REX_GOTPCRELX => (3, 4),
        elf::R_X86_64_64 | elf::R_X86_64_PC64 => (0, 8),
        _ => (0, 4),
    }
}

fn is_right(fixup: &Fixup<'_, '_>) -> bool {
    let Fixup { image, kind, place, addend, .. } = *fixup;
    if fixup.merged.is_some() {
        return merged_is_right(fixup);
    }
    decode(image, kind, place, addend).is_some_and(|found| leads_to(image, found, fixup.target))
}

/// A reference into a merged section leads to bytes equal to those it named in the object.
fn merged_is_right(fixup: &Fixup<'_, '_>) -> bool {
    let Fixup { image, kind, place, addend, .. } = *fixup;
    let relative = matches!(kind, elf::R_X86_64_PC32 | elf::R_X86_64_PLT32);
    let of_section = fixup.symbol.kind() == object::SymbolKind::Section;
    // Behind a section symbol the addend chooses the piece; the distance to the instruction's end is then part of it.
    let beyond = if of_section { addend + i64::from(relative) * 4 } else { 0 };
    let back = if of_section { i64::from(relative) * -4 } else { addend };
    match decode(image, kind, place, back) {
        Some(Found::Direct(address)) => fixup.leads_to_merged(address, beyond),
        _ => false,
    }
}

/// Where a stub at `address` jumps to, if it is one.
fn through_stub(image: &Image, address: u64) -> Option<u64> {
    let endbr = image.read::<4>(address)? == [0xf3, 0x0f, 0x1e, 0xfa];
    let jump = if endbr { address + 4 } else { address };
    if image.read::<2>(jump)? != [0xff, 0x25] {
        return None;
    }
    image.u64((jump + 6).wrapping_add(image.i32(jump + 2)?))
}

/// What a fixup's bytes lead to: the symbol's address, found directly or through an entry.
#[derive(Clone, Copy)]
enum Found {
    Direct(u64),
    Slot(u64),
}

/// Decodes the fixup of `kind` at `place`; `None` where the bytes are no known form.
fn decode(image: &Image, kind: elf::RelocationType, place: u64, addend: i64) -> Option<Found> {
    let relative = |value: u64| place.wrapping_add(value).wrapping_sub(addend as u64);
    let back = |value: u64| value.wrapping_sub(addend as u64);
    Some(match kind {
        elf::R_X86_64_64 => Found::Direct(back(image.u64(place)?)),
        elf::R_X86_64_32 => Found::Direct(back(u64::from(u32::from_le_bytes(image.read(place)?)))),
        elf::R_X86_64_32S => Found::Direct(back(image.i32(place)?)),
        elf::R_X86_64_PC64 => Found::Direct(relative(image.u64(place)?)),
        elf::R_X86_64_PC32 | elf::R_X86_64_PLT32 => Found::Direct(relative(image.i32(place)?)),
        elf::R_X86_64_GOTPCREL => Found::Slot(relative(image.i32(place)?)),
        elf::R_X86_64_GOTPCRELX | elf::R_X86_64_REX_GOTPCRELX => return decode_load(image, place),
        _ => return None,
    })
}

/// An instruction that loads from the GOT, or what it was rewritten to; the field is at `place`.
fn decode_load(image: &Image, place: u64) -> Option<Found> {
    let end = |value: u64| (place + 4).wrapping_add(value);
    let [first, second] = image.read(place - 2)?;
    Some(match (first, second) {
        (0xff, 0x15 | 0x25) | (0x8b, _) => Found::Slot(end(image.i32(place)?)),
        (0x67, 0xe8) | (0x8d, _) => Found::Direct(end(image.i32(place)?)),
        (0xe9, _) => Found::Direct((place + 3).wrapping_add(image.i32(place - 1)?)),
        (0xc7 | 0xf7 | 0x81, modrm) if modrm >= 0xc0 => Found::Direct(image.i32(place)?),
        _ => Found::Slot(end(image.i32(place)?)),
    })
}

fn leads_to(image: &Image, found: Found, symbol: u64) -> bool {
    match found {
        Found::Direct(address) => address == symbol || through_stub(image, address) == Some(symbol),
        Found::Slot(slot) => image.u64(slot) == Some(symbol),
    }
}
