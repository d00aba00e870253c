//! Entries of functions that are linked later, on AArch64.

use super::super::promise::ENTRY;

/// Where in an entry a call goes that comes before the function is there.
pub(in crate::runtime) const EARLY: u64 = 16;

/// The code of an entry: a jump through the slot; and at [`EARLY`], one to `early` with `name` as its argument. It is made for
/// calls through pointers to functions that need no landing pad.
pub(in crate::runtime) fn promised_entry(slot: u64, name: u64, early: u64) -> [u8; ENTRY] {
    const CODE: [u32; 8] = [
        0x5800_0110, // ldr x16, SLOT
        0xf940_0210, // ldr x16, [x16]
        0xd61f_0200, // br x16
        0x0000_0000,
        0x5800_00c0, // ldr x0, NAME
        0x5800_00f0, // ldr x16, EARLY
        0xd61f_0200, // br x16
        0x0000_0000,
    ];
    let mut code = [0; ENTRY];
    for (bytes, instruction) in code.chunks_exact_mut(4).zip(CODE) {
        bytes.copy_from_slice(&instruction.to_le_bytes());
    }
    for (bytes, word) in code[32..].chunks_exact_mut(8).zip([slot, name, early]) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    code
}
