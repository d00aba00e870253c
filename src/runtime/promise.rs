//! Definitions that are linked later than a library is loaded that refers to them.
//!
//! The dynamic loader refuses a library with an undefined name, and binds all names when it loads one. So names that a link
//! will define are **promised**: each stands for an entry, a jump through a slot, and the loader is given the entry as the
//! definition. When the link is done, the promise is kept: every pointer that the loader wrote for such a name into a library
//! leads to the definition, as does the slot, for pointers that an initialiser has copied, and libraries that are loaded from
//! then on find the definition itself.
//!
//! # Limits
//!
//! An initialiser of such a library that calls a promised function ends the process with a message; one that reads a promised
//! variable, or keeps its address, has the entry instead.
//!
//! # Safety
//!
//! Entries and slots are never freed once a library may have been bound to them. Their code is written before it is executable.
#![allow(unsafe_code)]

use super::arch;
use crate::base::{Error, ExecutorAddr, Result};
use crate::sys::global_stub::{GlobalStub, GlobalSymbol};
use crate::sys::{icache, loaded};
use region::Protection;
use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char};
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of an entry.
pub(super) const ENTRY: usize = 64;

/// Names that will be defined.
#[derive(Debug)]
pub struct Promises {
    names: Vec<Vec<u8>>,
    stub: GlobalStub,
    entries: u64,
    slots: &'static [AtomicU64],
}

fn address_of<T>(pointer: *const T) -> u64 {
    pointer.expose_provenance() as u64
}

impl Promises {
    /// Promises these names to libraries that are loaded from now on.
    ///
    /// # Errors
    /// There is no memory, or the dynamic loader does not take it.
    pub fn new(names: Vec<Vec<u8>>) -> Result<Self> {
        let failed =
            |error: region::Error| Error::memory("make entries for libraries", Some(error.into_io()));
        let mut memory = region::alloc(names.len().max(1) * ENTRY, Protection::READ_WRITE).map_err(failed)?;
        let entries = address_of(memory.as_ptr::<u8>());
        let slots: &'static [AtomicU64] = (0..names.len())
            .map(|index| AtomicU64::new(entries + (index * ENTRY) as u64 + arch::EARLY))
            .collect::<Vec<_>>()
            .leak();
        for (index, (name, slot)) in names.iter().zip(slots).enumerate() {
            let text: &'static CStr =
                Box::leak(CString::new(name.clone()).unwrap_or_default().into_boxed_c_str());
            let code = arch::promised_entry(
                address_of(slot.as_ptr().cast_const()),
                address_of(text.as_ptr()),
                address_of(called_early as *const ()),
            );
            // SAFETY: memory of that many entries, which nobody else knows of yet.
            unsafe { memory.as_mut_ptr::<[u8; ENTRY]>().add(index).write(code) };
        }
        // SAFETY: the whole of this memory.
        unsafe { region::protect(memory.as_ptr::<u8>(), memory.len(), Protection::READ_EXECUTE) }
            .map_err(failed)?;
        icache::flush(entries..entries + memory.len() as u64);
        std::mem::forget(memory);
        let symbol = |(index, name)| GlobalSymbol {
            name,
            address: ExecutorAddr(entries + (index * ENTRY) as u64),
            size: 0,
            callable: true,
        };
        let stub =
            GlobalStub::new(&names.iter().map(Vec::as_slice).enumerate().map(symbol).collect::<Vec<_>>())?;
        Ok(Self { stub, entries, slots, names })
    }

    /// The names.
    #[must_use]
    pub fn names(&self) -> &[Vec<u8>] {
        &self.names
    }

    /// Has the names stand for what `find` says; returns those that it does not know.
    ///
    /// # Errors
    /// Pointers in a library cannot be rewritten.
    ///
    /// # Safety
    /// The answers are definitions of these names, and stay as long as libraries that use them. No other thread loads or
    /// unloads a library.
    pub unsafe fn keep(&self, find: &dyn Fn(&[u8]) -> Option<ExecutorAddr>) -> Result<Vec<&[u8]>> {
        let mut missing = Vec::new();
        let mut moved: HashMap<(&[u8], u64), u64> = HashMap::new();
        for (index, (name, slot)) in self.names.iter().zip(self.slots).enumerate() {
            let Some(address) = find(name) else {
                missing.push(name.as_slice());
                continue;
            };
            slot.store(address.0, Ordering::Release);
            self.stub.set(index, address);
            moved.insert((name, self.entries + (index * ENTRY) as u64), address.0);
        }
        // SAFETY: the caller's promise. Pointers to entries are replaced by what these stand for.
        unsafe { loaded::rebind(&|binding| moved.get(&(binding.name, binding.value)).copied()) }
            .map_err(|error| Error::memory("bind libraries to linked code", Some(error.into_io())))?;
        Ok(missing)
    }
}

/// What [`Promises`] needs of an error of the operating system.
trait IntoIo {
    fn into_io(self) -> std::io::Error;
}

impl IntoIo for region::Error {
    fn into_io(self) -> std::io::Error {
        match self {
            Self::SystemCall(number) => std::io::Error::from_raw_os_error(number),
            other => std::io::Error::other(other),
        }
    }
}

/// Whoever calls is an initialiser of a library.
unsafe extern "C" fn called_early(name: *const c_char) -> ! {
    // SAFETY: the name that the entry was made with, which is never freed.
    let name = unsafe { CStr::from_ptr(name) }.to_string_lossy();
    let _ = writeln!(
        std::io::stderr(),
        "error: an initialiser of a shared library calls {name}, which is linked after the library is loaded; \
         open the library with dlopen"
    );
    std::process::abort()
}

/// Binds names in all libraries of this process to other definitions: what `find` has an answer for.
///
/// # Errors
/// Pointers in a library cannot be rewritten.
///
/// # Safety
/// The answers can be used in place of what the names mean, and stay as long as the libraries. No other thread loads or unloads
/// a library.
pub unsafe fn replace(find: &dyn Fn(&[u8]) -> Option<ExecutorAddr>) -> Result<()> {
    // SAFETY: the caller's promise.
    unsafe { loaded::rebind(&|binding| find(binding.name).map(|address| address.0)) }
        .map_err(|error| Error::memory("bind libraries to linked code", Some(error.into_io())))
}
