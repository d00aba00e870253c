//! Shared memory that can be mapped twice: writable here, executable or read-only there.
//!
//! # Safety
//! The writable view is only handed out as a base pointer; the memory object is anonymous, so nobody else can shrink it.
#![allow(unsafe_code)]

use super::reserve::{Protection, Reservation};
use crate::base::{Error, Result};
use memmap2::{MmapOptions, MmapRaw};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::{AsRawFd, FromRawFd};

/// Memory with a writable view.
#[derive(Debug)]
pub(crate) struct SharedMemory {
    file: File,
    view: MmapRaw,
}

impl SharedMemory {
    /// `size` bytes, all zero; memory is taken as it is touched.
    pub(crate) fn new(size: u64) -> Result<Self> {
        let make = || {
            let file = anonymous_file()?;
            file.set_len(size)?;
            let view = MmapOptions::new().len(size as usize).no_reserve_swap().map_raw(&file)?;
            Ok(Self { file, view })
        };
        make().map_err(|error| Error::memory(format!("make {size} bytes of shared memory"), Some(error)))
    }

    /// Maps the bytes from `offset` on at `range` of `reservation`, whose pages nobody uses.
    pub(crate) fn map_at(
        &self,
        reservation: &Reservation,
        range: &Range<u64>,
        offset: u64,
        protection: Protection,
    ) -> Result<()> {
        reservation.map_shared(range, self.file.as_raw_fd(), offset, protection)
    }

    /// Address of the first byte in the writable view.
    pub(crate) fn view(&self) -> u64 {
        self.view.as_mut_ptr() as u64
    }

    /// Gives the memory of whole pages `range` (offsets) back; they read as zero again. `false` if that is not possible.
    pub(crate) fn punch(&self, range: &Range<u64>) -> bool {
        if range.is_empty() || range.end > self.view.len() as u64 {
            return range.is_empty();
        }
        let mode = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
        let (start, size) = (range.start as libc::off_t, (range.end - range.start) as libc::off_t);
        // SAFETY: the range lies in the memory object; whoever used those bytes has given them back.
        unsafe { libc::fallocate(self.file.as_raw_fd(), mode, start, size) == 0 }
    }
}

/// A memory file that cannot be executed as a program: that is what hardened kernels insist on, and old ones do not know.
fn anonymous_file() -> io::Result<File> {
    let create = |flags| {
        // SAFETY: the name is a C string.
        unsafe { libc::memfd_create(c"jitlink".as_ptr(), flags) }
    };
    let mut fd = create(libc::MFD_CLOEXEC | libc::MFD_NOEXEC_SEAL);
    if fd < 0 {
        fd = create(libc::MFD_CLOEXEC);
    }
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a file descriptor just made and owned by nobody else.
    Ok(unsafe { File::from_raw_fd(fd) })
}
