//! What helps when a fixup cannot be applied.

use super::kinds::*;
use crate::graph::EdgeKind;

/// What helps when a value does not fit a field of this kind.
pub(super) fn remedy(kind: EdgeKind) -> &'static str {
    match kind {
        ABS32 | MOVW_UABS_G1 | MOVW_SABS_G1 | MOVW_UABS_G2 | MOVW_SABS_G2 => {
            "use the kinds for 64-bit addresses (-mcmodel=large), or let the linker place the object in the low 2 GiB"
        }
        ABS16 | PREL16 | MOVW_UABS_G0 | MOVW_SABS_G0 | MOVW_PREL_G0 => {
            "the field is too narrow for a linked address: use a wider relocation in the source"
        }
        ADR_PREL_PG_HI21 | PREL32 | GOTREL32 | MOVW_PREL_G1 | MOVW_PREL_G2 => {
            "compile with -fPIC so that the access goes through the GOT, or with -mcmodel=large"
        }
        ADR_PREL_LO21 | LD_PREL_LO19 => {
            "the tiny code model reaches 1 MiB: compile with -mcmodel=small, or -fPIC for symbols of other images"
        }
        GOT_LD_PREL19 => "the tiny code model reaches a GOT within 1 MiB: compile with -mcmodel=small",
        LDST16_ABS_LO12_NC | LDST32_ABS_LO12_NC | LDST64_ABS_LO12_NC | LDST128_ABS_LO12_NC => {
            "the access needs its target aligned to its size: align the variable, or use smaller accesses"
        }
        TSTBR14 | CONDBR19 => {
            "branch over a `b` to the target instead, or keep the two in one section: only `b` and `bl` can be extended"
        }
        CALL26 | JUMP26 | PLT32 => {
            "call through a pointer, or link caller and target into memory within 128 MiB, in smaller sections"
        }
        LD64_GOTPAGE_LO15 | LD64_GOTOFF_LO15 => {
            "the GOT is too large for -fpic: compile with -fPIC, or link fewer objects together"
        }
        _ => "keep the image below 2 GiB so that its GOT is in reach",
    }
}
