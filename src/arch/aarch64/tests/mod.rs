//! Fixups of hand-built graphs, against expectations worked out from the ABI document, and against LLVM's disassembler.

mod detours;
mod fields;
mod pairs;
mod plt;
mod ranges;
mod thread_local;

use crate::arch::testing::{Fixup, Target, out_of_range};
use crate::base::{Error, Result};
use crate::graph::{Architecture, EdgeKind, Lifetime};
use jitlink_test_support::{process, toolchain};
use std::fmt::Write;
use std::process::Command;

/// The whole of `content` as the field.
fn whole(kind: EdgeKind, content: &[u8], address: u64, addend: i64) -> Fixup<'_> {
    let (architecture, lifetime) = (Architecture::Aarch64, Lifetime::Standard);
    Fixup { architecture, kind, content, address, offset: 0, addend, lifetime }
}

/// What becomes of `instruction` at `address`.
fn instruction(kind: EdgeKind, instruction: u32, address: u64, addend: i64, target: &Target) -> Result<u32> {
    let stored = whole(kind, &instruction.to_le_bytes(), address, addend).stored(target)?;
    Ok(stored as u32)
}

/// Instructions as LLVM shows them, blanks made single.
fn disassembled(instructions: &[u32]) -> Vec<String> {
    let mut bytes = String::new();
    for instruction in instructions {
        instruction.to_le_bytes().iter().for_each(|byte| write!(bytes, "{byte:#x} ").unwrap());
        bytes.push('\n');
    }
    let mut command = Command::new(toolchain::llvm("llvm-mc"));
    command.args(["-disassemble", "-triple=aarch64-linux"]);
    let text = process::run(&mut command, bytes.as_bytes())
        .and_then(process::Outcome::success)
        .unwrap()
        .stdout_text();
    let words =
        |line: &str| line.split("//").next().unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    text.lines().map(words).filter(|line| !line.is_empty() && line != ".text").collect()
}
