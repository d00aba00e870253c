//! Where things are.

use crate::Outcome;
use jitlink_test_support::toolchain;
use std::path::{Path, PathBuf};

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Where Cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    // This program is TARGET/PROFILE/xtask.
    let from_program =
        std::env::current_exe().ok().and_then(|program| Some(program.parent()?.parent()?.to_path_buf()));
    from_program.unwrap_or_else(|| root().join("target"))
}

/// Where corpora are when nobody says otherwise.
pub(crate) fn corpora() -> PathBuf {
    target().join("corpora")
}

/// A program of LLVM 22, or what to install.
pub(crate) fn llvm(name: &str, package: &str) -> Outcome<PathBuf> {
    let path = toolchain::llvm(name);
    if path.exists() { Ok(path) } else { Err(missing(&path.display().to_string(), package)) }
}

/// A program that is looked for as a shell does, or what to install.
pub(crate) fn program(name: &str, package: &str) -> Outcome<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut all = std::env::split_paths(&path).map(|dir| dir.join(name));
    all.find(|path| path.is_file()).ok_or_else(|| missing(name, package))
}

fn missing(what: &str, package: &str) -> String {
    format!("{what} is missing: apt-get install {package}")
}

/// Prefixes an error with the path it is about.
pub(crate) fn at<T>(path: &Path, done: std::io::Result<T>) -> Outcome<T> {
    done.map_err(|error| format!("{}: {error}", path.display()))
}

/// A program that was built together with this one.
pub(crate) fn beside(name: &str) -> PathBuf {
    std::env::current_exe().map(|program| program.with_file_name(name)).unwrap_or_else(|_| name.into())
}
