//! The C sources of real programs, as the crates pinned by `tests/corpus/Cargo.lock` carry them.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The directory of the crate `name`'s sources; fetched on first use, never built.
///
/// # Errors
/// Cargo cannot fetch the crates, or none is called `name`.
pub fn crate_dir(name: &str) -> Result<PathBuf, String> {
    static METADATA: OnceLock<Result<serde_json::Value, String>> = OnceLock::new();
    let metadata = METADATA.get_or_init(metadata).as_ref().map_err(Clone::clone)?;
    metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|package| package["name"] == name)
        .and_then(|package| PathBuf::from(package["manifest_path"].as_str()?).parent().map(PathBuf::from))
        .ok_or_else(|| format!("tests/corpus/Cargo.toml names no crate {name}"))
}

fn metadata() -> Result<serde_json::Value, String> {
    let manifest = crate::tests_dir().join("corpus/Cargo.toml");
    let out = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--format-version=1", "--locked", "--quiet", "--manifest-path"])
        .arg(manifest)
        .output()
        .map_err(|error| format!("cargo metadata: {error}"))?;
    if !out.status.success() {
        return Err(format!("cargo metadata: {}", String::from_utf8_lossy(&out.stderr)));
    }
    serde_json::from_slice(&out.stdout).map_err(|error| format!("cargo metadata: {error}"))
}
