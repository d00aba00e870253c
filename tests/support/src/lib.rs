//! What the tests share: finding tools and sources, building with a cache, running with a deadline, mutating objects.

pub mod arch;
pub mod cache;
pub mod corpus;
pub mod directives;
pub mod generated;
pub mod mutate;
pub mod pretended;
pub mod process;
pub mod toolchain;
pub mod unwind_info;

use std::path::PathBuf;

/// The directory `tests/` of the repository.
#[must_use]
pub fn tests_dir() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .canonicalize()
        .expect("tests/ holds this package")
}

/// Whether the whole matrix of flags and the long rounds are asked for (`./test --full` sets `JITLINK_FULL`).
#[must_use]
pub fn full() -> bool {
    std::env::var_os("JITLINK_FULL").is_some_and(|value| value != "0")
}
