//! What Mach-O calls the x86-64 edge kinds, after `mach-o/x86_64/reloc.h`.
//!
//! Addends stand in the fields. A field of a pc-relative relocation to a symbol holds what is to be added to the distance
//! from the field's end, so that four is subtracted for the kinds, which count from the field itself; the `SIGNED_N` types,
//! whose fields do not end their instructions, make no difference then. A field of one to a section holds the distance
//! that the object itself has, from the end of the instruction.

use super::machine::{Kinds, Machine, Relocations};
use super::relocations::{Decoded, Decoder, Fields};
use crate::arch::x86_64::kinds::*;
use crate::graph::{Architecture, Edge, EdgeKind};
use object::macho;

/// `CPU_TYPE_X86_64`.
pub(crate) static MACHINE: Machine = Machine {
    architecture: Architecture::X86_64,
    name: "x86_64",
    cpu: macho::CPU_TYPE_X86_64,
    subtype: 3,
    relocation_names: &[
        "X86_64_RELOC_UNSIGNED",
        "X86_64_RELOC_SIGNED",
        "X86_64_RELOC_BRANCH",
        "X86_64_RELOC_GOT_LOAD",
        "X86_64_RELOC_GOT",
        "X86_64_RELOC_SUBTRACTOR",
        "X86_64_RELOC_SIGNED_1",
        "X86_64_RELOC_SIGNED_2",
        "X86_64_RELOC_SIGNED_4",
        "X86_64_RELOC_TLV",
    ],
    kinds: &KINDS_OF_BOTH,
};

static KINDS_OF_BOTH: Kinds = Kinds {
    absolute: ABS64,
    delta: [PC32, PC64],
    negated_delta: [NEG_DELTA32, NEG_DELTA64],
    thread_module: DTPMOD64,
    thread_offset: DTPOFF64,
};

/// The relocations of x86-64.
pub(crate) struct X86_64;

impl Relocations for X86_64 {
    const UNSIGNED: u8 = macho::X86_64_RELOC_UNSIGNED.0;
    const SUBTRACTOR: u8 = macho::X86_64_RELOC_SUBTRACTOR.0;
    const ADDEND: Option<u8> = None;
    const ABSOLUTE32: Option<EdgeKind> = Some(ABS32);

    #[inline(always)]
    fn edge(decoder: &mut Decoder<'_, '_>, fields: Fields, _addend: Option<i64>) -> Decoded<Edge> {
        // A load of the address of a descriptor of a thread-local variable is one of a GOT entry that holds it.
        let (kind, after, symbol_only) = match macho::RelocationType(fields.number()) {
            macho::X86_64_RELOC_SIGNED => (PC32, 0, false),
            macho::X86_64_RELOC_BRANCH => (PLT32, 0, false),
            macho::X86_64_RELOC_GOT_LOAD | macho::X86_64_RELOC_TLV => (REX_GOTPCRELX, 0, true),
            macho::X86_64_RELOC_GOT => (GOTPCREL, 0, true),
            macho::X86_64_RELOC_SIGNED_1 => (PC32, 1, false),
            macho::X86_64_RELOC_SIGNED_2 => (PC32, 2, false),
            macho::X86_64_RELOC_SIGNED_4 => (PC32, 4, false),
            _ => return Err(decoder.unknown_type(fields)),
        };
        decoder.check_form(fields, true, 2)?;
        let content = i64::from(decoder.word(fields)?.cast_signed());
        if fields.external() {
            return Ok(Edge {
                offset: fields.offset,
                target: decoder.symbol(fields)?,
                addend: content - 4,
                kind,
            });
        }
        if symbol_only {
            return Err(decoder.needs_symbol(fields));
        }
        let end = decoder.address(fields.offset).wrapping_add(4 + after);
        let (target, inside) = decoder.place(fields, end.wrapping_add_signed(content))?;
        Ok(Edge { offset: fields.offset, target, addend: inside - 4 - after.cast_signed(), kind })
    }
}
