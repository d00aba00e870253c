//! Opening an input: the bytes of one file, for as long as the link needs them.
//!
//! # Safety
//!
//! The only unsafe act here is mapping a file. The mapping is private and read-only, so nothing here can change the
//! file; but one that is truncated while it is mapped faults when the lost pages are read, and one that is rewritten in
//! place changes under its reader. As for every linker, the inputs must therefore not be written to while a link reads
//! them. Compilers, archivers and linkers replace their output by a new file, which leaves a mapping of the old one
//! whole.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memmap2::Mmap;

use crate::base::{Error, Place, Result};

/// Files below this size are read, others mapped. Measured: a mapping costs as much as reading one page and does not
/// grow with the size, since the kernel maps sixteen cached pages at each fault; reading grows by the byte.
const MAP_FROM: u64 = 4096;

/// How much is taken from an input whose size is not known beforehand (a pipe).
const STREAM_LIMIT: u64 = 1 << 32;

/// An opened input file.
#[derive(Debug)]
pub struct InputFile {
    name: Arc<str>,
    path: PathBuf,
    contents: Contents,
}

#[derive(Debug)]
enum Contents {
    Heap(Box<[u8]>),
    Mapped(Mmap),
}

impl InputFile {
    /// Opens the file at `path`, which is also the name shown to the user.
    ///
    /// # Errors
    /// The file does not exist, cannot be read, is a directory or holds nothing.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::open_as(path, path.to_string_lossy())
    }

    /// Opens the file at `path` under the name `name`: `libx.a(member.o)` for a member of a thin archive.
    ///
    /// # Errors
    /// As [`InputFile::open`].
    pub fn open_as(path: &Path, name: impl Into<Arc<str>>) -> Result<Self> {
        let name = name.into();
        let contents = read_contents(path, &name)?;
        Ok(Self { name, path: path.to_owned(), contents })
    }

    /// An input that is already in memory.
    #[must_use]
    pub fn from_bytes(name: impl Into<Arc<str>>, bytes: impl Into<Box<[u8]>>) -> Self {
        let name = name.into();
        Self { path: PathBuf::from(&*name), name, contents: Contents::Heap(bytes.into()) }
    }

    /// The contents.
    #[must_use]
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        match &self.contents {
            Contents::Heap(bytes) => bytes,
            Contents::Mapped(map) => map,
        }
    }

    /// The name the user knows it by.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Where it was opened.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file as a place for errors.
    #[must_use]
    pub fn place(&self) -> Place {
        Place::file(Arc::clone(&self.name))
    }
}

fn read_contents(path: &Path, name: &Arc<str>) -> Result<Contents> {
    let io = |source| Error::io(&**name, source);
    let mut file = File::open(path).map_err(io)?;
    let facts = file.metadata().map_err(io)?;
    if facts.is_dir() {
        let help = "name the files in it, or pass it with -L to search it for libraries";
        return Err(Error::unsupported(Place::file(Arc::clone(name)), "is a directory", help));
    }
    let contents = match facts.len() {
        size if !facts.is_file() => read_stream(&mut file, size).map_err(io)?,
        size if size < MAP_FROM => read_exactly(&mut file, size).map_err(io)?,
        size => map_or_read(&mut file, size).map_err(io)?,
    };
    match &contents {
        Contents::Heap(bytes) if bytes.is_empty() => {
            Err(Error::malformed(Place::file(Arc::clone(name)), "the file is empty"))
        }
        _ => Ok(contents),
    }
}

/// One read where the file is as long as it said.
fn read_exactly(file: &mut File, size: u64) -> std::io::Result<Contents> {
    let size = usize::try_from(size).map_err(|_| std::io::ErrorKind::FileTooLarge)?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(size)?;
    bytes.resize(size, 0);
    file.read_exact(&mut bytes)?;
    Ok(Contents::Heap(bytes.into_boxed_slice()))
}

fn read_stream(file: &mut File, size_hint: u64) -> std::io::Result<Contents> {
    let mut bytes = Vec::with_capacity(usize::try_from(size_hint.min(MAP_FROM)).unwrap_or(0));
    file.take(STREAM_LIMIT).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == STREAM_LIMIT {
        return Err(std::io::ErrorKind::FileTooLarge.into());
    }
    Ok(Contents::Heap(bytes.into_boxed_slice()))
}

/// Some file systems cannot map, and a process can run out of mappings: both can still read.
fn map_or_read(file: &mut File, size: u64) -> std::io::Result<Contents> {
    // SAFETY: the mapping is private and read-only; changes by others are covered in the module's Safety section.
    match unsafe { Mmap::map(&*file) } {
        Ok(map) => Ok(Contents::Mapped(map)),
        Err(_) => read_exactly(file, size),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_send_sync<T: Send + Sync>() {}

    #[test]
    fn is_send_and_sync() {
        assert_send_sync::<InputFile>();
    }

    #[test]
    fn small_and_large_files_give_their_bytes() {
        let dir = tempfile::tempdir().unwrap();
        for size in [1, 4095, 4096, 4097, 1 << 20] {
            let path = dir.path().join("x.o");
            let bytes: Vec<u8> = (0..size).map(|i: u32| i.wrapping_mul(31) as u8).collect();
            std::fs::write(&path, &bytes).unwrap();
            let file = InputFile::open(&path).unwrap();
            assert_eq!(file.bytes(), bytes);
            assert_eq!(file.path(), path);
            assert_eq!(matches!(file.contents, Contents::Mapped(_)), size >= 4096);
        }
    }

    #[test]
    fn what_is_no_file_is_an_error_that_says_why() {
        let dir = tempfile::tempdir().unwrap();
        let missing = InputFile::open(dir.path().join("no.o")).unwrap_err().to_string();
        assert!(missing.contains("no.o: No such file"), "{missing}");
        let directory = InputFile::open(dir.path()).unwrap_err().to_string();
        assert!(directory.contains("is a directory"), "{directory}");
        let empty = dir.path().join("empty.o");
        std::fs::write(&empty, b"").unwrap();
        let empty = InputFile::open(&empty).unwrap_err().to_string();
        assert!(empty.ends_with("empty.o: the file is empty"), "{empty}");
        let under_file = dir.path().join("empty.o/x");
        assert!(matches!(InputFile::open(under_file), Err(Error::Io { .. })));
    }

    #[test]
    fn a_pipe_is_read_to_its_end() {
        use std::io::Write;
        let (reader, mut writer) = std::io::pipe().unwrap();
        let thread = std::thread::spawn(move || writer.write_all(&[7; 100_000]).unwrap());
        let fd = std::os::fd::AsRawFd::as_raw_fd(&reader);
        let file = InputFile::open(format!("/proc/self/fd/{fd}")).unwrap();
        drop(reader);
        thread.join().unwrap();
        assert_eq!(file.bytes(), [7; 100_000]);
    }
}
