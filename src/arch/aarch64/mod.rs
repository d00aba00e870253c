//! AArch64 (LP64, little-endian), after "ELF for the Arm 64-bit Architecture (AArch64)".

mod compact_unwind;
mod detour;
mod errors;
mod fixup;
mod insn;
pub mod kinds;
mod plt;
mod recognise;
mod redirect;
mod relax;
#[cfg(test)]
mod tests;
mod thread_local;

pub use fixup::fix_up;
pub use plt::PLT_ENTRY_SIZE;
pub use recognise::{access_kind, is_branch, is_page_load};

use super::ArchFacts;

pub(super) static FACTS: ArchFacts = ArchFacts {
    kinds: &kinds::KINDS,
    pointer_size: 8,
    plt_entry_size: PLT_ENTRY_SIZE,
    write_plt_entry: plt::write_plt_entry,
    trampoline_size: redirect::TRAMPOLINE_SIZE,
    write_trampoline: redirect::write_trampoline,
    patchable_jump: redirect::patchable_jump,
    implicit_addend: fixup::implicit_addend,
    fragment_frame: (&ENTER_FRAGMENTS, &LEAVE_FRAGMENTS),
    detours: Some(&detour::FACTS),
    pointers: (kinds::ABS64, kinds::PREL64),
    compact_unwind: &compact_unwind::FACTS,
    executable_thread_offset,
    module_base_is_thread_pointer: false,
    tls_resolver_size: 0,
    tls_get_addr_offset: 0,
    write_tls_resolver: |_, _| None,
};

/// Variant I: the variables follow a control block of 16 bytes at the thread pointer, rounded up to their alignment.
fn executable_thread_offset(_size: u64, alignment: u64) -> i64 {
    16_u64.checked_next_multiple_of(alignment.max(1)).unwrap_or(16).cast_signed()
}

/// `bti c; stp x29, x30, [sp, #-16]!; mov x29, sp`.
const ENTER_FRAGMENTS: [u8; 12] = [0x5f, 0x24, 0x03, 0xd5, 0xfd, 0x7b, 0xbf, 0xa9, 0xfd, 0x03, 0x00, 0x91];
/// `ldp x29, x30, [sp], #16; ret`.
const LEAVE_FRAGMENTS: [u8; 8] = [0xfd, 0x7b, 0xc1, 0xa8, 0xc0, 0x03, 0x5f, 0xd6];
