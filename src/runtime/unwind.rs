//! Telling the host's unwinder about the `.eh_frame` of linked code, so that exceptions pass through it.
//!
//! Two unwinders are in use, and take registrations through functions of the same name but of different meaning:
//! libgcc's `__register_frame` takes a whole section that ends with a zero word; that of LLVM's libunwind takes a
//! single FDE. Which one this process has is found at run time (`host`).
//!
//! libgcc up to version 12 keeps what is registered in one list, which it walks for each throw, and sorts a section's
//! records at the first throw after registration. So that thousands of images do not make a list as long as that, it gets
//! them in tables (`tables`). libgcc 13 and later have a search tree, and get them one by one. LLVM's unwinder walks a list
//! of functions in any case.
//!
//! Nothing is registered while a process forks, so that a child can throw. Only where another thread looked for a frame at
//! that very moment may it find a lock of the unwinder's taken for ever.
//!
//! # Safety
//!
//! The section that an action names must be mapped and unchanged from its registration until its deregistration has
//! returned: the unwinder reads it at every throw, and once more when it is withdrawn. The link driver gives these
//! actions only for memory that the same allocation owns, and actions are undone before the memory goes.
#![allow(unsafe_code)]

mod host;
mod records;
mod tables;

use super::action::{action, arguments, status};
use crate::base::{ActionPair, ActionStatus, AddrRange};
use host::Unwinder;
use records::word;

/// Size of the zero word that ends a section's records.
const TERMINATOR: usize = 4;

/// Registers the `.eh_frame` section in `range`, which ends with a zero word, and withdraws it at deallocation.
///
/// No action for a section without records. The actions return [`status::BAD_EH_FRAME`] for a section without
/// terminator or (where the unwinder takes single records) whose records do not fill it, and [`status::NO_UNWINDER`].
/// Records in the 64-bit DWARF format are for LLVM's unwinder only: libgcc's does not know them.
#[must_use]
pub fn eh_frame_actions(range: AddrRange) -> ActionPair {
    if range.size() <= TERMINATOR as u64 {
        return ActionPair::default();
    }
    let words = [range.start.0, range.size()];
    ActionPair {
        finalize: Some(action(register_eh_frame, words)),
        deallocate: Some(action(deregister_eh_frame, words)),
    }
}

unsafe extern "C" fn register_eh_frame(bytes: *const u8, size: usize) -> ActionStatus {
    // SAFETY: called with the bytes of an action of `eh_frame_actions`.
    unsafe { with_section(bytes, size, Unwinder::register) }
}

unsafe extern "C" fn deregister_eh_frame(bytes: *const u8, size: usize) -> ActionStatus {
    // SAFETY: called with the bytes of an action of `eh_frame_actions`.
    unsafe { with_section(bytes, size, Unwinder::withdraw) }
}

/// Does `work` for the section that the argument bytes name, unless it is empty.
///
/// # Safety
/// The bytes are those of an action of [`eh_frame_actions`], whose range is mapped.
unsafe fn with_section(
    bytes: *const u8,
    size: usize,
    work: impl FnOnce(&Unwinder, &[u8]) -> ActionStatus,
) -> ActionStatus {
    // SAFETY: the caller gives an action's bytes.
    let Some([start, length]) = (unsafe { arguments(bytes, size) }) else {
        return status::BAD_ARGUMENTS;
    };
    let start = std::ptr::with_exposed_provenance::<u8>(start as usize);
    // SAFETY: the section is mapped and nothing writes to it while it is registered.
    let section = unsafe { std::slice::from_raw_parts(start, length as usize) };
    match (word(section, 0), section.last_chunk::<TERMINATOR>()) {
        (Some(0), _) => status::OK,
        (Some(_), Some([0, 0, 0, 0])) => {
            Unwinder::of_this_process().map_or(status::NO_UNWINDER, |unwinder| work(unwinder, section))
        }
        _ => status::BAD_EH_FRAME,
    }
}

#[cfg(test)]
mod tests;
