//! What compilers expect of their support library: functions and data that object files refer to without any source
//! naming them.
//!
//! gcc and clang link each program with `libgcc.a` or compiler-rt for these. A program that is linked in memory finds
//! most of them in `libgcc_s.so.1`, which this process has loaded; that library's are to be preferred, since they are
//! what the program would use natively. Here is what it lacks, or lacks in some versions:
//!
//! - 128-bit and 64-bit integer arithmetic, conversions between 128-bit integers and floating point, bit counts,
//!   overflow-checked arithmetic, integer powers, complex multiplication and division;
//! - what an architecture has of its own, in `runtime/<arch>/`: on x86-64 the processor model, on AArch64 the
//!   processor's features and the outline atomics.
//!
//! Not here:
//!
//! - `atexit`, `at_quick_exit`, `pthread_atfork`, `__stack_chk_fail_local` and the `stat` family, which belong to the
//!   C library: see [`static_libc`](super::static_libc);
//! - arithmetic on `long double`, `__float128` and `_Float16` (names with `xf`, `tf`, `hf`, `xc`, `tc`, `hc`), which
//!   stable Rust cannot express, `_Unwind_*`, `__emutls_*` and `__gcc_personality_v0`: they come from `libgcc_s.so.1`.
//!
//! # Safety
//!
//! The table holds the addresses of functions in this program and of data that lives as long as it. Calling one is the
//! act of the linked code, which must do so as its compiler's documentation of the support library says; functions that
//! take a pointer to a result write through it, as that documentation requires.
#![allow(unsafe_code)]

mod bits;
mod checked;
mod complex;
mod float;
mod integer;
#[cfg(test)]
mod tests;

use std::sync::OnceLock;

use super::arch;
use crate::base::ExecutorAddr;

/// A function or datum of the support library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Builtin {
    /// Where it is in this process.
    pub address: ExecutorAddr,
    /// What it is.
    pub kind: BuiltinKind,
}

/// What a [`Builtin`] is, and so how linked code can refer to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuiltinKind {
    /// A function: a reference out of reach goes through a stub.
    Function,
    /// Data that is initialised and constant from now on. Compilers assume it to be in the same image and refer to it
    /// with 32-bit offsets: where it is out of reach, a copy in the linked image serves as well.
    Data {
        /// Size in bytes.
        size: usize,
        /// Alignment in bytes.
        align: usize,
    },
}

/// The function or datum of this name.
#[must_use]
pub fn lookup(name: &[u8]) -> Option<Builtin> {
    if !name.starts_with(b"__") {
        return None;
    }
    let table = table();
    let found = table.binary_search_by(|entry| entry.name.as_bytes().cmp(name)).ok()?;
    arch::prepare_builtin(name);
    table.get(found).map(|entry| entry.builtin)
}

/// All names, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    table().iter().map(|entry| entry.name)
}

/// A name with what it stands for.
#[derive(Debug)]
pub(super) struct Entry {
    name: &'static str,
    builtin: Builtin,
}

/// A name and the function it stands for.
pub(super) type Function = (&'static str, *const ());

fn table() -> &'static [Entry] {
    static TABLE: OnceLock<Vec<Entry>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let groups =
            [integer::FUNCTIONS, bits::FUNCTIONS, checked::FUNCTIONS, float::FUNCTIONS, complex::FUNCTIONS];
        let mut table: Vec<_> =
            groups.into_iter().flatten().map(|&(name, address)| function(name, address)).collect();
        table.extend(arch::builtins());
        table.sort_unstable_by_key(|entry| entry.name);
        table
    })
}

/// The entry of a function.
pub(super) fn function(name: &'static str, address: *const ()) -> Entry {
    let builtin = Builtin { address: ExecutorAddr(address as u64), kind: BuiltinKind::Function };
    Entry { name, builtin }
}

/// The entry of data.
pub(super) fn data<T>(name: &'static str, data: &'static [T]) -> Entry {
    let kind = BuiltinKind::Data { size: size_of_val(data), align: align_of::<T>() };
    Entry { name, builtin: Builtin { address: ExecutorAddr(data.as_ptr() as u64), kind } }
}
