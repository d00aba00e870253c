//! Thread-local variables of loaded libraries: what the dynamic loader knows of them.
//!
//! It tells nobody but relocations. So a shared object is made that consists of relocations alone, is loaded from memory
//! and stays; the loader fills in what was asked for. A relocation for the offset from the thread pointer makes it give
//! the variable's library static TLS, where that is still possible, even if the library was loaded without.
//!
//! The formats are those of the System V gABI and of the architectures' psABIs.
//!
//! # Safety
//!
//! The words that the loader filled in lie in the object that was loaded for them, which is never unloaded.
#![allow(unsafe_code)]

use super::dl::OpenFlags;
use super::loaded;
use super::stub::{HEADERS, StubFile, Writer, headers};
use crate::base::{Error, Result};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Where a thread-local variable of a loaded library is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ThreadVariable {
    /// Its module, as the loader's `__tls_get_addr` takes it.
    pub(crate) module: u64,
    /// Its offset there.
    pub(crate) offset: u64,
    /// What differs by whether its offset from the thread pointer was asked for.
    pub(crate) access: Access,
}

/// How a variable is reached without `__tls_get_addr`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Access {
    /// Its offset from the thread pointer, in every thread.
    ThreadOffset(i64),
    /// A TLS descriptor.
    Descriptor([u64; 2]),
}

/// Answers by name, and whether the offset from the thread pointer was asked for. What is loaded stays.
static KNOWN: Mutex<Option<HashMap<Question, ThreadVariable>>> = Mutex::new(None);

type Question = (Vec<u8>, bool);

/// The thread-local variables of these names, each with whether its offset from the thread pointer is asked for; `None` where
/// no loaded library exports one.
///
/// # Errors
/// The loader cannot give a variable the same offset in every thread.
pub(crate) fn thread_variables(names: &[(&[u8], bool)]) -> Result<Vec<Option<ThreadVariable>>> {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_default();
    let key = |&(name, offset): &(&[u8], bool)| (name.to_vec(), offset);
    let unknown = |name: &&(&[u8], bool)| !known.contains_key(&key(name)) && loaded::is_thread_local(name.0);
    let asked: Vec<(&[u8], bool)> = names.iter().filter(unknown).copied().collect();
    if !asked.is_empty() {
        for (name, variable) in asked.iter().zip(ask(&asked)?) {
            known.extend(variable.map(|variable| (key(name), variable)));
        }
    }
    Ok(names.iter().map(|name| known.get(&key(name)).copied()).collect())
}

/// Words that the loader fills in for one variable: module and offset, then either the offset from the thread pointer or a
/// descriptor.
const WORDS: usize = 4;

fn ask(names: &[(&[u8], bool)]) -> Result<Vec<Option<ThreadVariable>>> {
    let mut owners: Vec<_> = names.iter().filter_map(|(name, _)| loaded::thread_local_owner(name)).collect();
    owners.retain(|owner| !owner.is_empty());
    owners.sort_unstable();
    owners.dedup();
    let file = StubFile::new(&stub(names, &owners))?;
    let library = file.open(OpenFlags::KEEP).map_err(|error| refused(names, &error))?;
    let Some(slots) = library.lookup(SLOTS) else { return Ok(vec![None; names.len()]) };
    let slots = std::ptr::with_exposed_provenance::<[u64; WORDS]>(slots.0 as usize);
    // SAFETY: the library has that many of them at this symbol, aligned, and stays.
    let slots = unsafe { std::slice::from_raw_parts(slots, names.len()) };
    let variable =
        |(&(_, in_all_threads), &[module, offset, first, second]): (&(&[u8], bool), &[u64; WORDS])| {
            let access = if in_all_threads {
                Access::ThreadOffset(first.cast_signed())
            } else {
                Access::Descriptor([first, second])
            };
            (module != 0).then_some(ThreadVariable { module, offset, access })
        };
    Ok(names.iter().zip(slots).map(variable).collect())
}

fn refused(names: &[(&[u8], bool)], error: &Error) -> Error {
    let names: Vec<_> =
        names.iter().filter(|(_, offset)| *offset).map(|(name, _)| String::from_utf8_lossy(name)).collect();
    Error::invalid(
        format!(
            "the offset of {} from the thread pointer differs from thread to thread: {error}",
            names.join(", ")
        ),
        Some("compile with -fPIC, or load the library at the start of the process (LD_PRELOAD)"),
    )
}

/// The symbol at the words that are filled in.
const SLOTS: &[u8] = b"slots";

/// The relocations `DTPMOD64`, `DTPOFF64`, `TPOFF64` and `TLSDESC`.
#[cfg(target_arch = "x86_64")]
const RELOCATIONS: [u64; 4] = [16, 17, 18, 36];
#[cfg(target_arch = "aarch64")]
const RELOCATIONS: [u64; 4] = [1028, 1029, 1030, 1031];

/// A shared object whose relocations ask for these variables. It depends on their owners, which need not be visible to all
/// of the process.
fn stub(names: &[(&[u8], bool)], owners: &[Vec<u8>]) -> Vec<u8> {
    let count = names.len() + 2;
    let mut strings = vec![0];
    let mut string = |name: &[u8]| {
        let start = strings.len() as u32;
        strings.extend(name);
        strings.push(0);
        start
    };
    let slots_name = string(SLOTS);
    let string_offsets: Vec<u32> = names.iter().map(|(name, _)| string(name)).collect();
    let owners: Vec<u32> = owners.iter().map(|owner| string(owner)).collect();
    let symbols = HEADERS.next_multiple_of(8);
    let hash = symbols + 24 * count;
    let relocations = (hash + 4 * (3 + count)).next_multiple_of(8);
    let relocation_count = 3 * names.len();
    let dynamic = relocations + 24 * relocation_count;
    let slots = dynamic + 16 * (9 + owners.len());
    let strings_at = slots + 8 * WORDS * names.len();
    let end = strings_at + strings.len();

    let mut out = Writer(headers(dynamic, slots - dynamic, end));
    out.pad(symbols);
    out.words(&[0, 0, 0]);
    // Global, an object, in a section.
    out.symbol(slots_name, 1 << 4 | 1, 1, slots as u64, 0);
    for name in string_offsets {
        // Weak, a thread-local variable, undefined.
        out.symbol(name, 2 << 4 | 6, 0, 0, 0);
    }
    // One bucket, whose chain is the one symbol that is defined.
    [1, count as u32, 1].iter().for_each(|word| out.half(*word));
    (0..count).for_each(|_| out.half(0));
    out.pad(relocations);
    let [module, offset, thread_offset, descriptor] = RELOCATIONS;
    for (index, (_, in_all_threads)) in (0u64..).zip(names) {
        let (slot, symbol) = (slots as u64 + 8 * WORDS as u64 * index, (index + 2) << 32);
        let third = if *in_all_threads { thread_offset } else { descriptor };
        for (position, kind) in (0..).zip([module, offset, third]) {
            out.words(&[slot + 8 * position, symbol | kind, 0]);
        }
    }
    let size = 24 * relocation_count;
    // DT_HASH, DT_STRTAB, DT_SYMTAB, DT_STRSZ, DT_SYMENT, DT_RELA, DT_RELASZ, DT_RELAENT.
    let entries = [
        (4, hash),
        (5, strings_at),
        (6, symbols),
        (10, strings.len()),
        (11, 24),
        (7, relocations),
        (8, size),
        (9, 24),
    ];
    entries.iter().for_each(|(tag, value)| out.words(&[*tag, *value as u64]));
    // DT_NEEDED.
    owners.iter().for_each(|owner| out.words(&[1, u64::from(*owner)]));
    out.words(&[0, 0]);
    out.pad(strings_at);
    out.0.extend(strings);
    out.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_the_c_library_are_found() {
        let names: [(&[u8], bool); 3] = [(b"errno", true), (b"errno", false), (b"no_such_variable", true)];
        let [Some(with), Some(without), None] = thread_variables(&names).unwrap()[..] else {
            panic!("errno is a variable of the C library");
        };
        // SAFETY: has no preconditions.
        let errno = unsafe { libc::__errno_location() }.addr() as u64;
        let Access::ThreadOffset(offset) = with.access else { panic!("{with:?}") };
        let elsewhere = std::thread::spawn(move || {
            // SAFETY: has no preconditions.
            unsafe { libc::__errno_location() }.addr() as u64
        });
        let distance = |address: u64| address.cast_signed() - offset;
        assert_eq!(distance(errno) % 16, 0);
        assert_ne!(distance(elsewhere.join().unwrap()), distance(errno));
        assert!(matches!(without.access, Access::Descriptor([function, _]) if function != 0), "{without:?}");
        assert_eq!((with.module, with.offset), (without.module, without.offset));
        assert_eq!(thread_variables(&names).unwrap()[0], Some(with));
    }

    #[test]
    fn what_is_no_thread_local_variable_is_not_found() {
        assert_eq!(thread_variables(&[(b"stdout", true), (b"malloc", false)]).unwrap(), [None, None]);
    }
}
