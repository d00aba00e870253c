//! The members of archives: LLVM's own, as Debian has them, and those of Rust's standard library.

use super::build::Builder;
use crate::{Outcome, place};
use object::read::archive::ArchiveFile;
use std::path::{Path, PathBuf};
use std::process::Command;

const LLVM: &str = "/usr/lib/llvm-22/lib";

pub(super) fn llvm_core(builder: &mut Builder) -> Outcome<()> {
    llvm(builder, &["LLVMCore"])
}

pub(super) fn llvm_codegen(builder: &mut Builder) -> Outcome<()> {
    llvm(builder, &["LLVMCore", "LLVMCodeGen", "LLVMX86CodeGen"])
}

fn llvm(builder: &mut Builder, names: &[&str]) -> Outcome<()> {
    for name in names {
        let path = Path::new(LLVM).join(format!("lib{name}.a"));
        if !path.exists() {
            return Err(no_llvm());
        }
        members(builder, &path)?;
    }
    Ok(())
}

pub(super) fn llvm_all(builder: &mut Builder) -> Outcome<()> {
    let all = files(Path::new(LLVM), "libLLVM", ".a")?;
    if all.is_empty() {
        return Err(no_llvm());
    }
    all.iter().try_for_each(|path| members(builder, path))
}

fn no_llvm() -> String {
    format!("LLVM's archives are missing in {LLVM}: apt-get install llvm-22-dev")
}

pub(super) fn rust(builder: &mut Builder) -> Outcome<()> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let out = Command::new(rustc).args(["--print", "sysroot"]).output();
    let out = out.map_err(|error| format!("rustc is missing ({error}): https://rustup.rs"))?;
    let sysroot = PathBuf::from(String::from_utf8_lossy(&out.stdout).trim());
    let dir = sysroot.join("lib/rustlib/x86_64-unknown-linux-gnu/lib");
    let all = files(&dir, "lib", ".rlib")?;
    if all.is_empty() {
        return Err(format!("{} holds no rlib: rustup target add x86_64-unknown-linux-gnu", dir.display()));
    }
    all.iter().try_for_each(|path| members(builder, path))
}

/// Files of a directory by the ends of their names, sorted; none if there is no such directory.
fn files(dir: &Path, prefix: &str, suffix: &str) -> Outcome<Vec<PathBuf>> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    for entry in entries {
        let path = place::at(dir, entry)?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with(prefix) && name.ends_with(suffix) {
            all.push(path);
        }
    }
    all.sort();
    Ok(all)
}

/// Adds an archive's members, under names that no other member has.
fn members(builder: &mut Builder, path: &Path) -> Outcome<()> {
    let data = place::at(path, std::fs::read(path))?;
    let wrong = |error: object::Error| format!("{}: {error}", path.display());
    let archive = ArchiveFile::parse(&*data).map_err(wrong)?;
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    for (index, member) in archive.members().enumerate() {
        let member = member.map_err(wrong)?;
        let bytes = member.data(&*data).map_err(wrong)?;
        if !bytes.starts_with(b"\x7fELF") {
            continue;
        }
        let name = String::from_utf8_lossy(member.name());
        builder.add(&format!("{}-{index:03}-{name}", stem.trim_start_matches("lib")), bytes)?;
    }
    Ok(())
}
