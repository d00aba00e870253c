//! A directory per set of inputs, filled once: what a test builds is kept under `target/` until its inputs change.

use crate::arch::Arch;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

/// The directory under `root` for what `key` and the architecture under test determine, filled by `fill` unless an earlier run did it.
///
/// A mark is left only when `fill` succeeded, and a lock is held meanwhile, so a run that is cut short, and two runs at
/// the same time, do no harm.
///
/// # Errors
/// `fill` failed, or a directory could not be made.
pub fn filled(
    root: &Path,
    name: &str,
    key: &impl Hash,
    fill: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<PathBuf, String> {
    let mut hasher = DefaultHasher::new();
    (Arch::under_test(), key).hash(&mut hasher);
    let dir = root.join(format!("{name}-{:016x}", hasher.finish()));
    let io = |error: std::io::Error| format!("{}: {error}", dir.display());
    std::fs::create_dir_all(&dir).map_err(io)?;
    let lock = File::create(dir.join(".lock")).map_err(io)?;
    lock.lock().map_err(io)?;
    let done = dir.join(".done");
    if !done.exists() {
        fill(&dir)?;
        File::create(done).map_err(io)?;
    }
    Ok(dir)
}
