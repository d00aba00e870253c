//! x86-64, after the System V psABI for LP64.

mod compact_unwind;
mod errors;
mod fixup;
pub mod kinds;
mod plt;
mod redirect;
mod relax;
#[cfg(test)]
mod tests;
mod thread_local;
mod tls_resolver;

pub use fixup::fix_up;
pub use plt::{PLT_ENTRY_SIZE, write_plt_entry};
pub use relax::can_relax;

use super::{ArchFacts, PltEntry};
use crate::base::{Error, Result};
use crate::graph::EdgeKind;

pub(super) static FACTS: ArchFacts = ArchFacts {
    kinds: &kinds::KINDS,
    pointer_size: 8,
    plt_entry_size: PLT_ENTRY_SIZE,
    write_plt_entry: write_plt_entry_to_slice,
    trampoline_size: redirect::TRAMPOLINE_SIZE,
    write_trampoline: redirect::write_trampoline,
    patchable_jump: redirect::patchable_jump,
    implicit_addend,
    fragment_frame: (&ENTER_FRAGMENTS, &LEAVE_FRAGMENTS),
    detours: None,
    pointers: (kinds::ABS64, kinds::PC64),
    compact_unwind: &compact_unwind::FACTS,
    executable_thread_offset,
    module_base_is_thread_pointer: true,
    tls_resolver_size: tls_resolver::SIZE,
    tls_get_addr_offset: tls_resolver::GET_ADDR as u64,
    write_tls_resolver: tls_resolver::write,
};

/// Variant II: the variables end at the thread pointer, rounded up to their alignment.
fn executable_thread_offset(size: u64, alignment: u64) -> i64 {
    size.checked_next_multiple_of(alignment.max(1)).unwrap_or(size).wrapping_neg().cast_signed()
}

/// `sub $8, %rsp`: a call leaves the stack 8 bytes off its alignment.
const ENTER_FRAGMENTS: [u8; 4] = [0x48, 0x83, 0xec, 0x08];
/// `add $8, %rsp; ret`.
const LEAVE_FRAGMENTS: [u8; 5] = [0x48, 0x83, 0xc4, 0x08, 0xc3];

/// The psABI has no relocations without addends; where a tool makes them nevertheless, the field holds it, signed.
fn implicit_addend(kind: EdgeKind, field: &[u8]) -> Option<i64> {
    let width = kinds::KINDS.get(kind.index())?.width as usize;
    let field = field.get(..width)?;
    (width <= 8).then(|| super::signed_number(field))
}

fn write_plt_entry_to_slice(bytes: &mut [u8], entry: PltEntry) -> Result<()> {
    let (size, PltEntry { address, slot, .. }) = (bytes.len(), entry);
    let bytes = bytes.try_into().map_err(|_| {
        Error::invalid(format!("a PLT entry of {size} bytes instead of {PLT_ENTRY_SIZE}"), None)
    })?;
    write_plt_entry(bytes, address, slot).map_err(|distance| {
        let what = format!("the PLT entry at {address:#x} is {distance:#x} bytes from its GOT slot");
        Error::invalid(what, Some("keep code and data of one image within 2 GiB"))
    })
}
