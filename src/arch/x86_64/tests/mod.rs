//! Fixups of hand-built graphs, against expectations worked out from the psABI.

mod fields;
mod forms;
mod plt;
mod ranges;
mod thread_local;

use super::fix_up;
use crate::arch::testing::{Fixup, Target, out_of_range};
use crate::arch::{FixupCounts, Site, testing};
use crate::base::{Error, Result};
use crate::graph::{Architecture, BlockId, Edge, EdgeKind, Lifetime, LinkGraph, SymbolId};
use jitlink_test_support::{process, toolchain};
use std::process::Command;

fn graph(size: usize, edges: Vec<Edge>, lifetime: Lifetime) -> LinkGraph<'static> {
    testing::graph(Architecture::X86_64, size, edges, lifetime)
}

/// A fixup at the end of `content`, as instructions have it, of four bytes.
fn ending(kind: EdgeKind, content: &[u8], address: u64) -> Fixup<'_> {
    let offset = (content.len() - 4) as u32;
    Fixup { offset, addend: -4, ..whole(kind, content, address, 0) }
}

/// The whole of `content` as the field.
fn whole(kind: EdgeKind, content: &[u8], address: u64, addend: i64) -> Fixup<'_> {
    let (architecture, lifetime) = (Architecture::X86_64, Lifetime::Standard);
    Fixup { architecture, kind, content, address, offset: 0, addend, lifetime }
}

/// Instructions, as bytes in text, as LLVM shows them, blanks made single.
fn disassembled(bytes: &str) -> Vec<String> {
    let mut command = Command::new(toolchain::llvm("llvm-mc"));
    command.args(["-disassemble", "-triple=x86_64-linux", "-mattr=+egpr,+ndd,+nf"]);
    let text = process::run(&mut command, bytes.as_bytes())
        .and_then(process::Outcome::success)
        .unwrap()
        .stdout_text();
    let words =
        |line: &str| line.split('#').next().unwrap_or("").split_whitespace().collect::<Vec<_>>().join(" ");
    text.lines().map(words).collect()
}
