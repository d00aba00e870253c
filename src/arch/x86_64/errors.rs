//! What helps when a fixup cannot be applied.

use super::kinds::*;
use crate::graph::EdgeKind;

/// What helps where nothing defines a weak symbol.
pub(super) const ABSENT: &str = "nothing defines the weak symbol: compile with -fPIC so that its address comes from the GOT, or define it";

/// What helps when a value does not fit a field of this kind.
pub(super) fn remedy(kind: EdgeKind) -> &'static str {
    match kind {
        ABS32 | ABS32S => {
            "compile with -fPIC or -mcmodel=large, or let the linker place the object in the low 2 GiB"
        }
        ABS16 | ABS8 | PC16 | PC8 => {
            "the field is too narrow for a linked address: use a 32-bit or 64-bit relocation in the source"
        }
        PC32 | NEG_DELTA32 => "compile with -fPIC so that the access goes through the GOT",
        PLT32 => "compile with -mcmodel=large, or link caller and target into memory within 2 GiB",
        SIZE32 => "the size needs a 64-bit field: use the SIZE64 relocation in the source",
        _ => "compile with -mcmodel=large, or keep the image below 2 GiB so that its GOT is in reach",
    }
}
