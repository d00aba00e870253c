//! What Darwin's compilers and headers name, for Mach-O code that runs on a system with another C library.
//!
//! Most functions of C are the same on both, and the host's own serve. Here is the rest:
//!
//! - names that compilers emit or headers rename: `__stack_chk_guard`, `__stdoutp`, `__error`, `__sincos_stret`,
//!   `memset_pattern16`, `fopen$DARWIN_EXTSN` and so on;
//! - functions that take the same values in another layout or by other numbers: `jmp_buf` (`jump`), `struct stat` and
//!   flags of `open` and `mmap` (`files`), statically initialised mutexes (`threads`), categories of `setlocale` and
//!   numbers of `sysconf` and clocks (`numbers`), of signals (`signals`), the table of character classes (`ctype`);
//! - on AArch64, functions with a variable number of arguments, which Darwin passes on the stack (`variadic`), and those
//!   on `long double`, which Darwin has no wider than `double`.
//!
//! Functions of the host whose arguments Darwin lays out otherwise, and that nothing here translates, are not given
//! (`REFUSED`): a name that is missing is a clear error, memory written past a structure's end is none.
//!
//! Values of `errno` and requests of `ioctl` are the host's; Darwin's headers have others beyond the first dozens.
//!
//! # Safety
//!
//! All functions here are called by linked code, as Darwin's manual pages say that they may be; what they are given,
//! they use as those pages say.
#![allow(unsafe_code)]

mod ctype;
pub(super) mod files;
mod jump;
mod libc_names;
mod math;
mod memory;
mod numbers;
mod process;
mod signals;
#[cfg(test)]
mod tests;
mod threads;
#[cfg(any(target_arch = "aarch64", test))]
pub(super) mod variadic;

use super::arch;
use super::builtins::{Builtin, BuiltinKind};
use crate::base::ExecutorAddr;
use std::sync::OnceLock;

pub(super) use jump::{SavedMask, restore_mask, save_mask};
use libc_names::{REFUSED, RENAMED};

/// What a name of Darwin's stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Darwin<'name> {
    /// A function or datum that is here.
    Here(Builtin),
    /// What the host's libraries have under this name.
    Host(&'name [u8]),
    /// Nothing: the host has the name, and means something else by it.
    Refused,
}

/// What `name`, as C spells it, stands for in code for Darwin.
#[must_use]
pub fn lookup(name: &[u8]) -> Darwin<'_> {
    // Variants of a function for other standards or editions of the system; those that matter here are in the table.
    let base = name.iter().position(|byte| *byte == b'$').map_or(name, |end| &name[..end]);
    for name in [name, base] {
        if let Ok(found) = table().binary_search_by(|entry| entry.0.as_bytes().cmp(name)) {
            return Darwin::Here(table()[found].1);
        }
    }
    if let Ok(found) = RENAMED.binary_search_by(|(darwin, _)| darwin.as_bytes().cmp(base)) {
        return Darwin::Host(RENAMED[found].1.as_bytes());
    }
    let is_in = |names: &[&str]| names.binary_search_by(|other| other.as_bytes().cmp(base)).is_ok();
    if is_in(REFUSED) || is_in(arch::DARWIN_REFUSED) {
        return Darwin::Refused;
    }
    arch::darwin_name(base).map_or(Darwin::Host(base), Darwin::Host)
}

/// A name and the function it stands for.
pub(super) type Function = (&'static str, *const ());

type Table = Vec<(&'static str, Builtin)>;

fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        let groups: [&[Function]; 9] = [
            math::FUNCTIONS,
            memory::FUNCTIONS,
            ctype::FUNCTIONS,
            files::FUNCTIONS,
            numbers::FUNCTIONS,
            process::FUNCTIONS,
            signals::FUNCTIONS,
            threads::FUNCTIONS,
            arch::DARWIN_FUNCTIONS,
        ];
        let mut table: Table =
            groups.into_iter().flatten().map(|&(name, address)| (name, function(address))).collect();
        table.extend([
            ("_DefaultRuneLocale", ctype::default_locale()),
            ("__stack_chk_guard", process::guard()),
        ]);
        table.sort_unstable_by_key(|(name, _)| *name);
        table
    })
}

fn function(address: *const ()) -> Builtin {
    Builtin { address: ExecutorAddr(address as u64), kind: BuiltinKind::Function }
}

fn datum<T>(data: &'static T) -> Builtin {
    let kind = BuiltinKind::Data { size: size_of::<T>(), align: align_of::<T>() };
    Builtin { address: ExecutorAddr(std::ptr::from_ref(data) as u64), kind }
}

/// Says to the program that something went wrong: sets `errno`, returns -1.
fn fail(number: std::ffi::c_int) -> std::ffi::c_int {
    // SAFETY: errno is this thread's.
    unsafe { *libc::__errno_location() = number };
    -1
}
