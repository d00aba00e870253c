//! What others do: loading shared libraries, and LLVM's own library.
#![allow(unsafe_code)]

use super::links::check;
use super::progress::Watch;
use super::sample::Sample;
use crate::{Outcome, place};
use jitlink::base::ExecutorAddr;
use jitlink_test_support::process::show;
use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

const SHARED_MEMORY: &str = "/dev/shm";
const REFERENCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/incremental/reference.c");

/// Loads as many shared libraries, all different files.
pub(super) fn load(count: usize) -> Outcome<()> {
    let scratch = place::at(Path::new(SHARED_MEMORY), tempfile::tempdir_in(SHARED_MEMORY))?;
    let mut sample = Sample::library()?;
    let paths: Vec<_> = (0..count).map(|index| scratch.path().join(Sample::name(index))).collect();
    for (index, path) in paths.iter().enumerate() {
        place::at(path, std::fs::write(path, sample.with(index)))?;
    }
    let name = |bytes: &[u8]| CString::new(bytes).map_err(|error| error.to_string());
    let function = name(Sample::name(0).as_bytes())?;
    let mut functions = Vec::with_capacity(count);
    let mut watch = Watch::start(count);
    for path in &paths {
        functions.push(open(&name(path.as_os_str().as_bytes())?, &function)?);
        watch.tick()?;
    }
    check(functions.into_iter())
}

fn open(path: &CStr, name: &CStr) -> Outcome<ExecutorAddr> {
    // SAFETY: the library has no initialisers.
    let library = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    if library.is_null() {
        return Err(format!("dlopen of {} fails", path.to_string_lossy()));
    }
    // SAFETY: the library is loaded and stays so.
    Ok(ExecutorAddr(unsafe { libc::dlsym(library, name.as_ptr()) } as u64))
}

/// Has `LLJIT` link as many objects.
pub(super) fn reference(count: usize) -> Outcome<()> {
    let scratch = tempfile::tempdir().map_err(|error| error.to_string())?;
    let (program, object) = (scratch.path().join("reference"), scratch.path().join("sample.o"));
    if !Path::new("/usr/include/llvm-c-22/llvm-c/LLJIT.h").exists() {
        return Err("LLVM's headers are missing: apt-get install llvm-22-dev".to_owned());
    }
    let mut compile = Command::new(place::llvm("clang", "clang-22")?);
    compile
        .args(["-O2", "-I/usr/include/llvm-c-22", "-I/usr/include/llvm-22", REFERENCE, "-o"])
        .arg(&program);
    compile.args(["-L/usr/lib/llvm-22/lib", "-lLLVM-22"]);
    place::at(&object, std::fs::write(&object, Sample::assembled()?.bytes()))?;
    for mut command in [compile, Command::new(&program)] {
        if command.get_args().len() == 0 {
            command.arg(&object).arg(count.to_string());
        }
        let status = command.status().map_err(|error| format!("{}: {error}", show(&command)))?;
        if !status.success() {
            return Err(format!("{}: {status}", show(&command)));
        }
    }
    Ok(())
}
