//! Code that is entered instead of a function: reentry trampolines and patchable entries. (Stubs with a pointer are PLT
//! entries.)

use super::insn::{BTI_C, NOP};
use super::plt::jump_through;
use crate::arch::{PATCHABLE_ENTRY_SIZE, Trampoline};

pub(super) const TRAMPOLINE_SIZE: usize = 32;

/// `movz w9, #low` and `movk w9, #high, lsl #16`; x9 is neither an argument nor preserved.
const MOVZ_W9: u32 = 0x5280_0009;
const MOVK_W9_HIGH: u32 = 0x72a0_0009;

/// A trampoline has its number in `w9`. It may change IP0 and IP1 besides, as a PLT entry may.
pub(super) fn write_trampoline(bytes: &mut [u8], trampoline: Trampoline) -> Option<()> {
    let Trampoline { address, slot, index } = trampoline;
    let [adrp, ldr, br] = jump_through(address.wrapping_add(12), slot)?;
    let (low, high) = (index & 0xffff, index >> 16);
    let words = [BTI_C, MOVZ_W9 | low << 5, MOVK_W9_HIGH | high << 5, adrp, ldr, br, NOP, NOP];
    if bytes.len() != TRAMPOLINE_SIZE {
        return None;
    }
    store(bytes, &words);
    Some(())
}

const B: u32 = 0x1400_0000;
const REACH: std::ops::Range<i64> = -1 << 27..1 << 27;

pub(super) fn patchable_jump(address: u64, target: u64) -> Option<[u8; PATCHABLE_ENTRY_SIZE]> {
    let distance = target.wrapping_sub(address.wrapping_add(8)).cast_signed();
    let reaches = REACH.contains(&distance) && distance & 3 == 0;
    let branch = B | (distance >> 2) as u32 & 0x3ff_ffff;
    let mut entry = [0; PATCHABLE_ENTRY_SIZE];
    store(&mut entry, &[BTI_C, NOP, branch, NOP]);
    reaches.then_some(entry)
}

fn store(bytes: &mut [u8], words: &[u32]) {
    for (bytes, word) in bytes.chunks_exact_mut(4).zip(words) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
}
