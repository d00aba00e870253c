//! Telling `perf` what code was made at run time, in both of its ways:
//!
//! - `/tmp/perf-PID.map`: a line for each function, with its first address, size and name. `perf report` reads it, and
//!   nothing else is needed; it knows neither lines nor code, and of code that has gone it says what came later.
//! - `jit-PID.dump`: records with times, code, lines and call frame records (the jitdump format). `perf record -k mono`
//!   notes that the file exists, since it is mapped, and `perf inject --jit` makes ELF files of what is in it.
//!
//! # Safety
//!
//! Unsafe are the mapping that `perf` goes by, which nothing looks into, and reading an action's bytes.
#![allow(unsafe_code)]

use super::action::status;
use super::arch;
use crate::base::{Action, ActionPair, ActionStatus, Error, ExecutorAddr, Result};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{Seek, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

/// "JiTD".
const MAGIC: u32 = 0x4a69_5444;
const VERSION: u32 = 1;
const HEADER_SIZE: u32 = 40;

/// The record that tells of code, and where in it things are that are filled in late.
const CODE_LOAD: u32 = 0;
const TIME: usize = 8;
const PROCESS: usize = 16;
const ADDRESS: usize = 24;
const SIZE: usize = 40;
const NUMBER: usize = 48;
const NAME: usize = 56;

struct Files {
    process: u32,
    dump: File,
    map: File,
    /// Numbers of records of code.
    next: u64,
}

static FILES: OnceLock<Mutex<Files>> = OnceLock::new();

/// Has code reported that is linked from now on, until the process ends: in `jit-PID.dump` in `directory`, and in
/// `/tmp/perf-PID.map`. Returns the path of the former. Children that are forked report nothing.
///
/// # Errors
/// A file cannot be written, or this was called before.
pub fn start(directory: &Path) -> Result<PathBuf> {
    let process = std::process::id();
    let path = directory.join(format!("jit-{process}.dump"));
    let map_path = PathBuf::from(format!("/tmp/perf-{process}.map"));
    let create = |path: &Path| {
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(true);
        // Somebody else might have put a link there, to have it written over.
        let file = options.custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC).open(path);
        file.map_err(|error| Error::io(path.display().to_string(), error))
    };
    let (mut dump, map) = (create(&path)?, create(&map_path)?);
    let failed = |error| Error::io(path.display().to_string(), error);
    dump.write_all(&header(process)).map_err(failed)?;
    mark(&dump).map_err(failed)?;
    let files = Mutex::new(Files { process, dump, map, next: 0 });
    FILES.set(files).map_err(|_| Error::invalid("code is reported to perf already", None))?;
    Ok(path)
}

/// Whether code is reported.
#[must_use]
pub fn is_started() -> bool {
    FILES.get().is_some()
}

/// Reports functions: jitdump records without times, process, thread and numbers. The action returns
/// [`status::BAD_ARGUMENTS`] for what are no records; a file that cannot be written (any more) is no failure of the link.
#[must_use]
pub fn report_action(records: Vec<u8>) -> ActionPair {
    let call = ExecutorAddr(report as *const () as usize as u64);
    ActionPair { finalize: Some(Action { call, bytes: records.into() }), deallocate: None }
}

fn header(process: u32) -> Vec<u8> {
    let words = [MAGIC, VERSION, HEADER_SIZE, arch::ELF_MACHINE, 0, process];
    let mut header: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).collect();
    header.extend(now().to_le_bytes());
    // No flags.
    header.extend([0; 8]);
    header
}

/// The time by the clock that `perf record -k mono` uses, in nanoseconds.
fn now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the time is written to a place for it.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Maps the dump as code would be, which `perf record` notes. The mapping stays.
fn mark(dump: &File) -> std::io::Result<()> {
    let protection = libc::PROT_READ | libc::PROT_EXEC;
    let size = HEADER_SIZE as usize;
    // SAFETY: a new mapping, which nobody uses.
    let at =
        unsafe { libc::mmap(std::ptr::null_mut(), size, protection, libc::MAP_PRIVATE, dump.as_raw_fd(), 0) };
    if at == libc::MAP_FAILED { Err(std::io::Error::last_os_error()) } else { Ok(()) }
}

unsafe extern "C" fn report(bytes: *const u8, size: usize) -> ActionStatus {
    if size == 0 {
        return status::OK;
    }
    // SAFETY: called with the bytes of an action of `report_action`.
    let mut records = unsafe { std::slice::from_raw_parts(bytes, size) }.to_vec();
    let Some(files) = FILES.get() else { return status::OK };
    let mut files = files.lock().unwrap_or_else(PoisonError::into_inner);
    if files.process != std::process::id() {
        return status::OK;
    }
    // SAFETY: gives this thread's number.
    let thread = unsafe { libc::syscall(libc::SYS_gettid) } as u32;
    match complete(&mut records, [files.process, thread], &mut files.next) {
        Some(map) => {
            // Who has no more room for the files does not want the program to end for that.
            let _ = files.dump.seek(std::io::SeekFrom::End(0)).and_then(|_| files.dump.write_all(&records));
            let _ = files.map.write_all(map.as_bytes());
            status::OK
        }
        None => status::BAD_ARGUMENTS,
    }
}

/// Fills in what was left out in records; returns the lines for the map.
fn complete(records: &mut [u8], who: [u32; 2], next: &mut u64) -> Option<String> {
    let (mut map, mut rest) = (String::new(), records);
    let time = now();
    while !rest.is_empty() {
        let [kind, size] = [0, 4].map(|at| word(rest, at));
        let (record, others) =
            rest.split_at_mut_checked(size? as usize).filter(|(r, _)| r.len() > PROCESS)?;
        record[TIME..TIME + 8].copy_from_slice(&time.to_le_bytes());
        if kind? == CODE_LOAD {
            for (at, who) in [PROCESS, PROCESS + 4].into_iter().zip(who) {
                *record.get_mut(at..)?.first_chunk_mut()? = who.to_le_bytes();
            }
            *record.get_mut(NUMBER..)?.first_chunk_mut()? = next.to_le_bytes();
            *next += 1;
            let [address, size] = [ADDRESS, SIZE].map(|at| double_word(record, at));
            let name = record.get(NAME..)?.split(|byte| *byte == 0).next()?;
            _ = writeln!(map, "{:x} {:x} {}", address?, size?, String::from_utf8_lossy(name));
        }
        rest = others;
    }
    Some(map)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn double_word(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}
