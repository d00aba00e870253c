//! Instructions as LLVM's `MCInst` sees them: a list of operands, each a register or an immediate.
//!
//! Only the numbering and the immediates' values matter to check expressions, so registers carry no name.

mod aarch64;
mod apx;
#[cfg(test)]
mod table;
mod x86_64;

use super::Arch;
use std::fmt::{self, Write};

/// One operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operand {
    /// A register, or the absence of one (a memory operand without an index, say).
    Register,
    /// A number, sign-extended where the instruction's field is signed.
    Immediate(i64),
}

/// A decoded instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decoded {
    /// The disassembler's name of the instruction, for messages.
    pub(super) name: String,
    /// Operands in the order of LLVM's `MCInst`.
    pub(super) operands: Vec<Operand>,
}

impl fmt::Display for Decoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operands = self.operands.iter().enumerate().fold(String::new(), |mut list, (index, operand)| {
            let separator = if index == 0 { "" } else { ", " };
            let _ = match operand {
                Operand::Register => write!(list, "{separator}reg"),
                Operand::Immediate(value) => write!(list, "{separator}{value:#x}"),
            };
            list
        });
        write!(f, "{} has operands [{operands}]", self.name)
    }
}

/// Decodes the instruction that `bytes` begin with.
pub(super) fn decode(arch: Arch, bytes: &[u8]) -> Result<Decoded, String> {
    match arch {
        Arch::X86_64 => x86_64::decode(bytes),
        Arch::Aarch64 => aarch64::decode(bytes),
    }
}

/// Length in bytes of the instruction that `bytes` begin with.
pub(super) fn length(arch: Arch, bytes: &[u8]) -> Result<usize, String> {
    match arch {
        Arch::X86_64 => x86_64::length(bytes),
        Arch::Aarch64 => aarch64::length(bytes),
    }
}
