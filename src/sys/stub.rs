//! Shared objects of tables alone, which are made here and loaded from memory: the dynamic loader then does what only
//! relocations and symbols can ask of it.
//!
//! The formats are those of the System V gABI and of the architectures' psABIs.
//!
//! # Safety
//!
//! One system call, with a C string; the descriptor that it returns is nobody else's.
#![allow(unsafe_code)]

use super::dl::{Library, OpenFlags};
use crate::base::{Error, Result};
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsRawFd, FromRawFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A shared object in memory.
pub(super) struct StubFile(File);

impl StubFile {
    pub(super) fn new(bytes: &[u8]) -> Result<Self> {
        let file = write_file(bytes);
        file.map(Self).map_err(|error| Error::memory("make a shared object in memory", Some(error)))
    }

    /// Loads it.
    pub(super) fn open(&self, flags: OpenFlags) -> Result<Library> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        Library::open(&path_of(&self.0, COUNT.fetch_add(1, Ordering::Relaxed)), flags)
    }
}

fn write_file(bytes: &[u8]) -> std::io::Result<File> {
    // SAFETY: the name is a C string.
    let fd = unsafe { libc::memfd_create(c"jitlink-symbols".as_ptr(), libc::MFD_CLOEXEC) };
    if fd < 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just made, and is nobody else's.
    let mut file = unsafe { File::from_raw_fd(fd) };
    file.write_all(bytes)?;
    Ok(file)
}

/// A path to an open file. The loader takes a path that it has seen for the same file, and descriptors are used again: so
/// each path is spelled in its own way.
fn path_of(file: &File, number: usize) -> PathBuf {
    let bits = usize::BITS - number.leading_zeros();
    let detours: String = (0..bits).map(|bit| if number >> bit & 1 == 0 { "/" } else { "/." }).collect();
    PathBuf::from(format!("/proc/self/fd{detours}/{}", file.as_raw_fd()))
}

/// Bytes of what [`headers`] makes.
pub(super) const HEADERS: usize = 64 + 3 * 56;

/// `e_machine`.
#[cfg(target_arch = "x86_64")]
const MACHINE: u16 = 62;
#[cfg(target_arch = "aarch64")]
const MACHINE: u16 = 183;

/// File header and program headers: one segment with everything, the dynamic section, and no executable stack.
pub(super) fn headers(dynamic: usize, dynamic_size: usize, end: usize) -> Vec<u8> {
    let mut out = Writer(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec());
    // A shared object, of version 1.
    out.half(3 | u32::from(MACHINE) << 16);
    out.half(1);
    out.words(&[0, 64, 0]);
    out.half(0);
    out.half(64 | 56 << 16);
    out.half(3 | 64 << 16);
    out.half(0);
    let (dynamic, dynamic_size, end) = (dynamic as u64, dynamic_size as u64, end as u64);
    // PT_LOAD, PT_DYNAMIC, PT_GNU_STACK, all readable and writable.
    for (kind, start, size, alignment) in
        [(1, 0, end, 1 << 16), (2, dynamic, dynamic_size, 8), (0x6474_e551, 0, 0, 16)]
    {
        out.half(kind);
        out.half(6);
        out.words(&[start, start, start, size, size, alignment]);
    }
    out.0
}

pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    pub(super) fn half(&mut self, value: u32) {
        self.0.extend(value.to_le_bytes());
    }

    pub(super) fn words(&mut self, values: &[u64]) {
        values.iter().for_each(|value| self.0.extend(value.to_le_bytes()));
    }

    pub(super) fn symbol(&mut self, name: u32, info: u8, section: u16, value: u64, size: u64) {
        self.half(name);
        self.half(u32::from(info) | u32::from(section) << 16);
        self.words(&[value, size]);
    }

    pub(super) fn pad(&mut self, to: usize) {
        self.0.resize(to, 0);
    }
}
