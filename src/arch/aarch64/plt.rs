//! PLT entries: code that goes on to a function outside of the image.
//!
//! An entry jumps through a slot of the GOT, which is written once the function's address is known. It uses the registers
//! that the ABI document ("Call and Jump relocations") leaves to such code, IP0 and IP1 (`x16`, `x17`). Where the objects are built for branch target identification, a PLT entry begins with
//! `bti c`, since its address can be taken; `br` through `x16` or `x17` may land on a `bti c` itself.

use super::insn::{BTI_C, NOP, Register, page};
use crate::arch::PltEntry;
use crate::base::{Error, Result};

/// Size of a PLT entry in bytes, and its alignment.
pub const PLT_ENTRY_SIZE: usize = 16;

const REACH: std::ops::Range<i64> = -1 << 32..1 << 32;

/// Writes the code of `entry` to `bytes`.
pub(super) fn write_plt_entry(bytes: &mut [u8], entry: PltEntry) -> Result<()> {
    let PltEntry { address, slot, landing_pad } = entry;
    let words = if landing_pad {
        jump_through(address.wrapping_add(4), slot).map(|[adrp, ldr, br]| [BTI_C, adrp, ldr, br])
    } else {
        jump_through(address, slot).map(|[adrp, ldr, br]| [adrp, ldr, br, NOP])
    };
    let Some(words) = words.filter(|_| slot.is_multiple_of(8)) else {
        return Err(out_of_reach(address, slot));
    };
    store(bytes, words)
}

/// `adrp x16, slot; ldr x17, [x16, :lo12:slot]; br x17`, at `address`.
pub(super) fn jump_through(address: u64, slot: u64) -> Option<[u32; 3]> {
    let distance = page(slot).wrapping_sub(page(address)).cast_signed();
    let (ip0, ip1) = (Register::IP0, Register::IP1);
    let reaches = REACH.contains(&distance) && slot.is_multiple_of(8);
    reaches.then(|| [ip0.adrp(distance), ip1.load(ip0, slot), ip1.branch()])
}

fn store(bytes: &mut [u8], words: [u32; 4]) -> Result<()> {
    let size = bytes.len();
    if size != PLT_ENTRY_SIZE {
        let what = format!("a PLT entry of {size} bytes instead of {PLT_ENTRY_SIZE}");
        return Err(Error::invalid(what, None));
    }
    for (bytes, word) in bytes.chunks_exact_mut(4).zip(words) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    Ok(())
}

#[cold]
fn out_of_reach(entry: u64, slot: u64) -> Error {
    let what = format!("the PLT entry at {entry:#x} does not reach its GOT slot at {slot:#x}");
    Error::invalid(what, Some("keep code and data of one image within 4 GiB"))
}
