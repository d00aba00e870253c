//! What the C library keeps in its static part, so that `dlsym` does not find it: glibc's `libc_nonshared.a`.
//!
//! In a static link these are part of each image, and tie the handlers they register to it by its `__dso_handle`. Here
//! they are functions of the host. The image is that of the handler; for a handler outside of all images (a function
//! of a shared library), that of the caller, by its return address. In that order, since a compiler may turn
//! `return atexit(f);` into a jump, and the return address is then that of another image's code, or of the host's.
//!
//! # Safety
//!
//! Handlers are called by the C library only, as its own functions of these names would have them called. The
//! `stat` family passes its arguments to the kernel, which checks them.
#![allow(unsafe_code)]

use crate::base::ExecutorAddr;

/// The address of the function `name`, if it is one that linked code expects to be linked statically.
///
/// To be asked before `dlsym`: an old `pthread_atfork` that some C libraries still export ties handlers to no image.
/// Names that newer C libraries export (the `stat` family) are given only where this process's does not. Nothing is
/// given for C libraries other than glibc, which export all of their functions.
#[must_use]
pub fn lookup(name: &[u8]) -> Option<ExecutorAddr> {
    #[cfg(target_env = "gnu")]
    return glibc::lookup(name);
    #[cfg(not(target_env = "gnu"))]
    None
}

#[cfg(target_env = "gnu")]
pub(super) use glibc::{HandlerFn, register_at_exit, register_at_fork, register_at_quick_exit};

#[cfg(target_env = "gnu")]
mod glibc {
    use super::super::arch;
    use super::super::exit_handlers::{self, dso_handle};
    use super::stat;
    use crate::base::ExecutorAddr;
    use crate::sys::dl;
    use std::ffi::{c_int, c_void};

    pub(in crate::runtime) use super::super::exit_handlers::HandlerFn;

    unsafe extern "C" {
        fn __register_atfork(
            prepare: Option<HandlerFn>,
            parent: Option<HandlerFn>,
            child: Option<HandlerFn>,
            dso_handle: *mut c_void,
        ) -> c_int;
        fn __stack_chk_fail() -> !;
    }

    /// When a name is given.
    #[derive(Clone, Copy, PartialEq, Eq)]
    pub(super) enum Given {
        Always,
        IfMissing,
    }

    pub(super) type Entry = (&'static [u8], Given, *const ());

    /// Sorted by name.
    pub(super) const TABLE: [Entry; 15] = [
        (b"__pthread_atfork", Given::Always, arch::pthread_atfork as *const ()),
        (b"__stack_chk_fail_local", Given::Always, __stack_chk_fail as *const ()),
        (b"at_quick_exit", Given::Always, arch::at_quick_exit as *const ()),
        (b"atexit", Given::Always, arch::atexit as *const ()),
        (b"fstat", Given::IfMissing, stat::fstat as *const ()),
        (b"fstat64", Given::IfMissing, stat::fstat as *const ()),
        (b"fstatat", Given::IfMissing, stat::fstatat as *const ()),
        (b"fstatat64", Given::IfMissing, stat::fstatat as *const ()),
        (b"lstat", Given::IfMissing, stat::lstat as *const ()),
        (b"lstat64", Given::IfMissing, stat::lstat as *const ()),
        (b"mknod", Given::IfMissing, stat::mknod as *const ()),
        (b"mknodat", Given::IfMissing, stat::mknodat as *const ()),
        (b"pthread_atfork", Given::Always, arch::pthread_atfork as *const ()),
        (b"stat", Given::IfMissing, stat::stat as *const ()),
        (b"stat64", Given::IfMissing, stat::stat as *const ()),
    ];

    pub(super) fn lookup(name: &[u8]) -> Option<ExecutorAddr> {
        let index = TABLE.binary_search_by_key(&name, |(name, ..)| name).ok()?;
        let (name, given, function) = TABLE.get(index)?;
        if *given == Given::IfMissing && dl::lookup(name).is_some() {
            return None;
        }
        Some(ExecutorAddr(function.addr() as u64))
    }

    pub(in crate::runtime) unsafe extern "C" fn register_at_exit(handler: HandlerFn, caller: usize) -> c_int {
        // SAFETY: the caller of atexit gives a handler that may be called at exit.
        unsafe {
            exit_handlers::register_at_exit(
                handler,
                std::ptr::null_mut(),
                dso_handle(&[handler as usize, caller]),
            )
        }
    }

    pub(in crate::runtime) unsafe extern "C" fn register_at_quick_exit(
        handler: HandlerFn,
        caller: usize,
    ) -> c_int {
        // SAFETY: the caller of at_quick_exit gives a handler that may be called then.
        unsafe { exit_handlers::register_at_quick_exit(handler, dso_handle(&[handler as usize, caller])) }
    }

    pub(in crate::runtime) unsafe extern "C" fn register_at_fork(
        prepare: Option<HandlerFn>,
        parent: Option<HandlerFn>,
        child: Option<HandlerFn>,
        caller: usize,
    ) -> c_int {
        let address = |handler: Option<HandlerFn>| handler.map_or(0, |handler| handler as usize);
        let handle = dso_handle(&[address(prepare), address(parent), address(child), caller]);
        // SAFETY: the caller of pthread_atfork gives handlers that may be called at each fork.
        unsafe { __register_atfork(prepare, parent, child, handle) }
    }
}

/// The `stat` family for a C library that has only `__xstat` and its kin (glibc before 2.33). On 64-bit architectures
/// the C library's `struct stat` is the kernel's.
#[cfg(any(target_env = "gnu", test))]
mod stat {
    use std::ffi::{c_char, c_int, c_long, c_uint};

    /// A system call's result, as the C library returns it: it has set `errno` already.
    fn result(value: c_long) -> c_int {
        if value < 0 { -1 } else { 0 }
    }

    pub(super) unsafe extern "C" fn fstatat(
        directory: c_int,
        path: *const c_char,
        out: *mut libc::stat,
        flags: c_int,
    ) -> c_int {
        // SAFETY: the kernel checks the pointers.
        result(unsafe { libc::syscall(libc::SYS_newfstatat, directory, path, out, flags) })
    }

    pub(super) unsafe extern "C" fn stat(path: *const c_char, out: *mut libc::stat) -> c_int {
        // SAFETY: as in `fstatat`.
        unsafe { fstatat(libc::AT_FDCWD, path, out, 0) }
    }

    pub(super) unsafe extern "C" fn lstat(path: *const c_char, out: *mut libc::stat) -> c_int {
        // SAFETY: as in `fstatat`.
        unsafe { fstatat(libc::AT_FDCWD, path, out, libc::AT_SYMLINK_NOFOLLOW) }
    }

    pub(super) unsafe extern "C" fn fstat(file: c_int, out: *mut libc::stat) -> c_int {
        // SAFETY: the kernel checks the pointer.
        result(unsafe { libc::syscall(libc::SYS_fstat, file, out) })
    }

    pub(super) unsafe extern "C" fn mknodat(
        directory: c_int,
        path: *const c_char,
        mode: libc::mode_t,
        device: libc::dev_t,
    ) -> c_int {
        // The kernel takes 32 bits of a device number, which are the low ones of the C library's.
        let Ok(device) = c_uint::try_from(device) else {
            // SAFETY: errno is this thread's.
            unsafe { *libc::__errno_location() = libc::EINVAL };
            return -1;
        };
        // SAFETY: the kernel checks the pointer.
        result(unsafe { libc::syscall(libc::SYS_mknodat, directory, path, mode, device) })
    }

    pub(super) unsafe extern "C" fn mknod(
        path: *const c_char,
        mode: libc::mode_t,
        device: libc::dev_t,
    ) -> c_int {
        // SAFETY: as in `mknodat`.
        unsafe { mknodat(libc::AT_FDCWD, path, mode, device) }
    }
}

#[cfg(test)]
mod tests;
