//! Libraries that a program is linked with, and definitions of the program's that they use.
//!
//! # Safety
//!
//! Libraries are bound to definitions of the linked program, for which the caller vouches.
#![allow(unsafe_code)]

use super::ProcessSymbols;
use crate::base::{Error, Place, Result, Warning};
use crate::inputs::{InputFile, SharedLibrary};
use crate::link::Linked;
use crate::runtime::promise::{self, Promises};
use crate::sys::dl::{self, Library, OpenFlags};
use crate::sys::loaded;
use std::path::Path;

impl ProcessSymbols {
    /// As [`load`](Self::load), for a library that may refer to what is linked later: names that nothing defines so far, and
    /// that `will_define` is true for. [`bind_libraries`](Self::bind_libraries) binds them.
    ///
    /// # Errors
    /// What the dynamic loader says.
    pub fn load_for(&mut self, path: &Path, will_define: &dyn Fn(&[u8]) -> bool) -> Result<()> {
        let flags = OpenFlags::GLOBAL | OpenFlags::KEEP;
        self.libraries.push(open_for(path, flags, will_define, &mut self.promises)?);
        Ok(())
    }

    /// The variables of loaded libraries of which a process has one, however many objects define them: inline variables,
    /// static members of templates, and the like. A program that defines them, too, is to use those:
    /// see [`Batch::yield_weak`](crate::link::Batch::yield_weak).
    #[must_use]
    pub fn vague_variables(&self) -> Vec<Vec<u8>> {
        self.libraries.iter().filter_map(Library::base).flat_map(loaded::vague_variables).collect()
    }

    /// Binds libraries to what a link has defined: names that they could not find when they were [loaded](Self::load_for), and
    /// C++'s allocation functions, if the program replaces them. Says what could not be bound.
    ///
    /// # Errors
    /// A library's name is defined, but hidden; or its pointers cannot be rewritten.
    ///
    /// # Safety
    /// The image stays as long as the libraries, the initialisers of neither have run, and no other thread loads or unloads a
    /// library.
    pub unsafe fn bind_libraries(&self, linked: &Linked<'_>) -> Result<Vec<Warning>> {
        let find = |name: &[u8]| linked.exported(name);
        for promises in &self.promises {
            // SAFETY: the caller's promise.
            let missing = unsafe { promises.keep(&find) }?;
            if let Some(name) = missing.first() {
                let what = format!(
                    "a shared library refers to {}, which is hidden or was dropped",
                    String::from_utf8_lossy(name)
                );
                return Err(Error::invalid(what, Some("define it with default visibility")));
            }
        }
        if CPP_ALLOCATION.iter().any(|name| find(name).is_some()) {
            let of_cpp = |name: &[u8]| if CPP_ALLOCATION.contains(&name) { find(name) } else { None };
            // SAFETY: replacements of the standard's functions, as C++ lets a program have them; the rest is the caller's promise.
            unsafe { promise::replace(&of_cpp) }?;
        }
        Ok(C_ALLOCATION
            .iter()
            .filter(|name| find(name).is_some())
            .take(1)
            .map(|name| not_replaced(name))
            .collect())
    }
}

/// Loads a library that may refer to what is linked later, for which `promises` are made.
///
/// # Errors
/// What the dynamic loader says.
pub(crate) fn open_for(
    path: &Path,
    flags: OpenFlags,
    will_define: &dyn Fn(&[u8]) -> bool,
    promises: &mut Vec<Promises>,
) -> Result<Library> {
    loop {
        let error = match Library::open(path, flags) {
            Ok(library) => return Ok(library),
            Err(error) => error,
        };
        let is_promised =
            |name: &[u8]| promises.iter().any(|one| one.names().iter().any(|known| known == name));
        let mut names = missing_names(path, &error);
        names.retain(|name| will_define(name) && !is_promised(name) && dl::lookup(name).is_none());
        if names.is_empty() {
            return Err(error);
        }
        promises.push(Promises::new(names)?);
    }
}

/// Names that may keep a library from being loaded: those that it refers to itself, and the one that the loader names, which
/// may be one of a library that it needs. None if the loader complains of something else.
fn missing_names(path: &Path, error: &Error) -> Vec<Vec<u8>> {
    let text = error.to_string();
    let Some((_, rest)) = text.split_once("undefined symbol: ") else { return Vec::new() };
    let named = rest.split([',', ' ', '\n']).next().unwrap_or("").as_bytes();
    let mut names = vec![named.to_vec()];
    if let Ok(file) = InputFile::open(path)
        && let Ok(library) = SharedLibrary::parse(&file)
    {
        names.extend(library.undefined().map(<[u8]>::to_vec));
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// The allocation functions that a C++ program may replace.
const CPP_ALLOCATION: [&[u8]; 20] = [
    b"_Znwm",
    b"_ZnwmRKSt9nothrow_t",
    b"_ZnwmSt11align_val_t",
    b"_ZnwmSt11align_val_tRKSt9nothrow_t",
    b"_Znam",
    b"_ZnamRKSt9nothrow_t",
    b"_ZnamSt11align_val_t",
    b"_ZnamSt11align_val_tRKSt9nothrow_t",
    b"_ZdlPv",
    b"_ZdlPvm",
    b"_ZdlPvRKSt9nothrow_t",
    b"_ZdlPvSt11align_val_t",
    b"_ZdlPvmSt11align_val_t",
    b"_ZdlPvSt11align_val_tRKSt9nothrow_t",
    b"_ZdaPv",
    b"_ZdaPvm",
    b"_ZdaPvRKSt9nothrow_t",
    b"_ZdaPvSt11align_val_t",
    b"_ZdaPvmSt11align_val_t",
    b"_ZdaPvSt11align_val_tRKSt9nothrow_t",
];

const C_ALLOCATION: [&[u8]; 5] = [b"malloc", b"free", b"calloc", b"realloc", b"posix_memalign"];

/// The host has allocated by the C library's functions already, and goes on to free what it has.
fn not_replaced(name: &[u8]) -> Warning {
    let name = String::from_utf8_lossy(name);
    Warning(crate::base::Located {
        place: Place::file("the program"),
        what: format!(
            "its {name} is used by linked code alone: shared libraries go on with that of the C library"
        ),
        help: Some("do not mix the two, or load a replacement with LD_PRELOAD".into()),
    })
}
