//! Telling the host's unwinder about the `.eh_frame` of linked code, so that exceptions pass through it.
//!
//! Two unwinders are in use, and take registrations through functions of the same name but of different meaning:
//! libgcc's `__register_frame` takes a whole section that ends with a zero word; that of LLVM's libunwind takes a
//! single FDE. Which one this process has is found at run time.
//!
//! libgcc 12 keeps what is registered in one list, which it walks for each throw, and sorts a section's records at
//! the first throw after registration; libgcc 13 and later find the section by a search tree.
//!
//! # Safety
//!
//! The section that an action names must be mapped and unchanged from its registration until its deregistration has
//! returned: the unwinder reads it at every throw, and once more when it is withdrawn. The link driver gives these
//! actions only for memory that the same allocation owns, and actions are undone before the memory goes.
#![allow(unsafe_code)]

use super::action::{action, arguments, status};
use crate::base::{ActionPair, ActionStatus, AddrRange, ExecutorAddr};
use crate::sys::dl::{self, Library, OpenFlags};
use std::ffi::c_void;
use std::sync::OnceLock;

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
    unsafe { with_section(bytes, size, |unwinder, section| unwinder.apply(unwinder.register, section)) }
}

unsafe extern "C" fn deregister_eh_frame(bytes: *const u8, size: usize) -> ActionStatus {
    // SAFETY: called with the bytes of an action of `eh_frame_actions`.
    unsafe { with_section(bytes, size, |unwinder, section| unwinder.apply(unwinder.deregister, section)) }
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

type FrameFn = unsafe extern "C" fn(*const c_void);

/// What one call of a [`FrameFn`] takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Section,
    Record,
}

/// The registration functions of the unwinder in this process.
struct Unwinder {
    register: FrameFn,
    deregister: FrameFn,
    unit: Unit,
}

impl Unwinder {
    fn of_this_process() -> Option<&'static Self> {
        static FOUND: OnceLock<Option<Unwinder>> = OnceLock::new();
        FOUND.get_or_init(Self::find).as_ref()
    }

    fn find() -> Option<Self> {
        Self::find_by(dl::lookup).or_else(|| {
            // Global, so that linked code finds the same unwinder that is registered with here.
            let library = Library::open_system("libgcc_s.so.1", OpenFlags::GLOBAL | OpenFlags::KEEP).ok()?;
            Self::find_by(|name| library.lookup(name))
        })
    }

    fn find_by(lookup: impl Fn(&[u8]) -> Option<ExecutorAddr>) -> Option<Self> {
        let pair = |register, deregister, unit| {
            let [register, deregister] = [lookup(register)?, lookup(deregister)?]
                .map(|address| std::ptr::with_exposed_provenance::<()>(address.0 as usize));
            // SAFETY: the functions of the names below take one pointer-sized argument and return nothing.
            let [register, deregister] =
                unsafe { std::mem::transmute::<[*const (); 2], [FrameFn; 2]>([register, deregister]) };
            Some(Self { register, deregister, unit })
        };
        let frame = |unit| pair(b"__register_frame", b"__deregister_frame", unit);
        // Both unwinders can be in one process: the one whose `__register_frame` comes first is the one in use.
        let library = |name| Some(dl::symbol_at(lookup(name)?)?.library);
        let llvm = library(b"__unw_add_dynamic_fde");
        if llvm.is_none() || llvm != library(b"__register_frame") {
            return frame(Unit::Section);
        }
        pair(b"__unw_add_dynamic_eh_frame_section", b"__unw_remove_dynamic_eh_frame_section", Unit::Section)
            .or_else(|| frame(Unit::Record))
    }

    /// Calls `function` for `section`, or for each of its FDEs; for none of them if the section is malformed.
    fn apply(&self, function: FrameFn, section: &[u8]) -> ActionStatus {
        let call = |record: &[u8]| {
            // SAFETY: the record or section is well-formed as far as its lengths go, and stays (module documentation).
            unsafe { function(record.as_ptr().cast()) };
        };
        match self.unit {
            Unit::Section => call(section),
            Unit::Record if fdes(section).all(|fde| fde.is_ok()) => fdes(section).flatten().for_each(call),
            Unit::Record => return status::BAD_EH_FRAME,
        }
        status::OK
    }
}

/// A record that runs past its section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct CutShort;

/// The FDEs of `section` up to the terminator, each from its first byte to its last.
fn fdes(section: &[u8]) -> impl Iterator<Item = Result<&[u8], CutShort>> {
    let mut rest = Some(section);
    std::iter::from_fn(move || {
        loop {
            match split_record(rest.take()?) {
                Ok(None) => return None,
                Ok(Some(record)) => {
                    rest = Some(record.rest);
                    if !record.is_cie {
                        return Some(Ok(record.bytes));
                    }
                }
                Err(fault) => return Some(Err(fault)),
            }
        }
    })
}

struct Record<'a> {
    bytes: &'a [u8],
    is_cie: bool,
    rest: &'a [u8],
}

/// The first record of `section`; none at the terminator.
fn split_record(section: &[u8]) -> Result<Option<Record<'_>>, CutShort> {
    const EXTENDED: u32 = 0xffff_ffff;
    let (header, length) = match word(section, 0).ok_or(CutShort)? {
        0 => return Ok(None),
        EXTENDED => {
            let length = section.get(4..).and_then(|tail| tail.first_chunk()).ok_or(CutShort)?;
            (12, u64::from_ne_bytes(*length))
        }
        length => (4, u64::from(length)),
    };
    let size = usize::try_from(length).ok().and_then(|length| length.checked_add(header)).ok_or(CutShort)?;
    let (bytes, rest) = section.split_at_checked(size).ok_or(CutShort)?;
    let id = word(bytes, header).ok_or(CutShort)?;
    Ok(Some(Record { bytes, is_cie: id == 0, rest }))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|word| u32::from_ne_bytes(*word))
}

#[cfg(test)]
mod tests;
