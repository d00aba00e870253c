//! What Mach-O calls the AArch64 edge kinds, after `mach-o/arm64/reloc.h`.
//!
//! Pointers have their addends in the field, all others in an `ARM64_RELOC_ADDEND` before the relocation; the fields of
//! instructions are zero.

use super::machine::{Kinds, Machine, Relocations};
use super::relocations::{Decoded, Decoder, Fields};
use crate::arch::aarch64::kinds::*;
use crate::arch::aarch64::{access_kind, is_branch, is_page_load};
use crate::graph::{Architecture, Edge, EdgeKind};
use object::macho;

/// `CPU_TYPE_ARM64`.
pub(crate) static MACHINE: Machine = Machine {
    architecture: Architecture::Aarch64,
    name: "arm64",
    cpu: macho::CPU_TYPE_ARM64,
    subtype: 0,
    relocation_names: &[
        "ARM64_RELOC_UNSIGNED",
        "ARM64_RELOC_SUBTRACTOR",
        "ARM64_RELOC_BRANCH26",
        "ARM64_RELOC_PAGE21",
        "ARM64_RELOC_PAGEOFF12",
        "ARM64_RELOC_GOT_LOAD_PAGE21",
        "ARM64_RELOC_GOT_LOAD_PAGEOFF12",
        "ARM64_RELOC_POINTER_TO_GOT",
        "ARM64_RELOC_TLVP_LOAD_PAGE21",
        "ARM64_RELOC_TLVP_LOAD_PAGEOFF12",
        "ARM64_RELOC_ADDEND",
        "ARM64_RELOC_AUTHENTICATED_POINTER",
    ],
    kinds: &KINDS_OF_BOTH,
};

static KINDS_OF_BOTH: Kinds = Kinds {
    absolute: ABS64,
    delta: [PREL32, PREL64],
    negated_delta: [NEG_DELTA32, NEG_DELTA64],
    thread_module: TLS_DTPMOD64,
    thread_offset: TLS_DTPREL64,
};

/// The relocations of arm64.
pub(crate) struct Aarch64;

const PAGE: (u32, u32) = (0x9f00_0000, 0x9000_0000);

impl Relocations for Aarch64 {
    const UNSIGNED: u8 = macho::ARM64_RELOC_UNSIGNED.0;
    const SUBTRACTOR: u8 = macho::ARM64_RELOC_SUBTRACTOR.0;
    const ADDEND: Option<u8> = Some(macho::ARM64_RELOC_ADDEND.0);
    const ABSOLUTE32: Option<EdgeKind> = Some(ABS32);

    #[inline(always)]
    fn edge(decoder: &mut Decoder<'_, '_>, fields: Fields, addend: Option<i64>) -> Decoded<Edge> {
        let number = macho::RelocationType(fields.number());
        if number == macho::ARM64_RELOC_POINTER_TO_GOT {
            return pointer_to_got(decoder, fields, addend.unwrap_or(0));
        }
        let pc_relative = !matches!(
            number,
            macho::ARM64_RELOC_PAGEOFF12
                | macho::ARM64_RELOC_GOT_LOAD_PAGEOFF12
                | macho::ARM64_RELOC_TLVP_LOAD_PAGEOFF12
        );
        let word = decoder.word(fields)?;
        let kind = match number {
            macho::ARM64_RELOC_BRANCH26 => is_branch(word).then_some(CALL26),
            macho::ARM64_RELOC_PAGE21 => (word & PAGE.0 == PAGE.1).then_some(ADR_PREL_PG_HI21),
            macho::ARM64_RELOC_PAGEOFF12 => access_kind(word),
            macho::ARM64_RELOC_GOT_LOAD_PAGE21 | macho::ARM64_RELOC_TLVP_LOAD_PAGE21 => {
                (word & PAGE.0 == PAGE.1).then_some(ADR_GOT_PAGE)
            }
            macho::ARM64_RELOC_GOT_LOAD_PAGEOFF12 | macho::ARM64_RELOC_TLVP_LOAD_PAGEOFF12 => {
                is_page_load(word).then_some(LD64_GOT_LO12_NC)
            }
            macho::ARM64_RELOC_AUTHENTICATED_POINTER => return Err(decoder.signed_pointer(fields)),
            _ => return Err(decoder.unknown_type(fields)),
        };
        decoder.check_form(fields, pc_relative, 2)?;
        let Some(kind) = kind else { return Err(decoder.wrong_instruction(fields, word)) };
        if !fields.external() {
            return Err(decoder.needs_symbol(fields));
        }
        let target = decoder.symbol(fields)?;
        Ok(Edge { offset: fields.offset, target, addend: addend.unwrap_or(0), kind })
    }
}

/// What stands in the field is no addend: assemblers leave the distance there from what they know nothing of.
fn pointer_to_got(decoder: &Decoder<'_, '_>, fields: Fields, addend: i64) -> Decoded<Edge> {
    if !fields.external() {
        return Err(decoder.needs_symbol(fields));
    }
    let target = decoder.symbol(fields)?;
    let kind = if fields.pc_relative() { GOTPCREL32 } else { GOTABS64 };
    decoder.check_form(fields, fields.pc_relative(), if fields.pc_relative() { 2 } else { 3 })?;
    Ok(Edge { offset: fields.offset, target, addend, kind })
}
