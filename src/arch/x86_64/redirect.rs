//! Code that is entered instead of a function: reentry trampolines and patchable entries. (Stubs with a pointer are PLT
//! entries.)

use crate::arch::{PATCHABLE_ENTRY_SIZE, Trampoline};

pub(super) const TRAMPOLINE_SIZE: usize = 16;

/// A trampoline pushes its number, as a lazily bound PLT entry of the psABI does. A call would tell where it comes from,
/// too, but leave an address on the shadow stack that nothing returns to.
#[rustfmt::skip]
const TRAMPOLINE: [u8; TRAMPOLINE_SIZE] = [
    0xf3, 0x0f, 0x1e, 0xfa,             // endbr64
    0x68, 0x00, 0x00, 0x00, 0x00,       // pushq $index
    0xff, 0x25, 0x00, 0x00, 0x00, 0x00, // jmpq *slot(%rip)
    0xcc,                               // int3
];

const JUMP_END: usize = 15;

pub(super) fn write_trampoline(bytes: &mut [u8], trampoline: Trampoline) -> Option<()> {
    let Trampoline { address, slot, index } = trampoline;
    let distance = slot.wrapping_sub(address).wrapping_sub(JUMP_END as u64).cast_signed();
    let displacement = i32::try_from(distance).ok()?;
    let index = i32::try_from(index).ok()?;
    let bytes: &mut [u8; TRAMPOLINE_SIZE] = bytes.try_into().ok()?;
    *bytes = TRAMPOLINE;
    bytes[5..9].copy_from_slice(&index.to_le_bytes());
    bytes[JUMP_END - 4..JUMP_END].copy_from_slice(&displacement.to_le_bytes());
    Some(())
}

#[rustfmt::skip]
const ENTRY: [u8; PATCHABLE_ENTRY_SIZE] = [
    0xf3, 0x0f, 0x1e, 0xfa,             // endbr64
    0x0f, 0x1f, 0x40, 0x00,             // nopl 0(%rax)
    0xe9, 0x00, 0x00, 0x00, 0x00,       // jmp target
    0xcc, 0xcc, 0xcc,                   // int3
];

const DIRECT_END: usize = 13;

pub(super) fn patchable_jump(address: u64, target: u64) -> Option<[u8; PATCHABLE_ENTRY_SIZE]> {
    let distance = target.wrapping_sub(address).wrapping_sub(DIRECT_END as u64).cast_signed();
    let mut entry = ENTRY;
    entry[DIRECT_END - 4..DIRECT_END].copy_from_slice(&i32::try_from(distance).ok()?.to_le_bytes());
    Some(entry)
}
