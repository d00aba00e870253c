//! PLT entries.
//!
//! The psABI ("Procedure Linkage Table") lets a call that may not reach its target go to an entry of this table, which
//! jumps on through a slot of the GOT. Two things set these entries apart from its example. Everything is bound before
//! code runs, so there is no first entry and nothing is pushed: an entry is one indirect jump. And every entry begins
//! with ENDBR64, because the address of an entry can be taken (it then stands for the function in the whole process,
//! being its canonical address), and with indirect branch tracking an indirect call must land on that instruction. It is
//! a no-operation on processors without that feature.

/// Size of a PLT entry in bytes, and its alignment.
pub const PLT_ENTRY_SIZE: usize = 16;

#[rustfmt::skip]
const TEMPLATE: [u8; PLT_ENTRY_SIZE] = [
    0xf3, 0x0f, 0x1e, 0xfa,             // endbr64
    0xff, 0x25, 0x00, 0x00, 0x00, 0x00, // jmpq *slot(%rip)
    0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00, // nopw 0(%rax,%rax)
];

/// Where the jump ends, which its displacement counts from.
const JUMP_END: usize = 10;

/// Writes the PLT entry that stands at `entry_address` and jumps through the slot at `slot_address`.
///
/// # Errors
/// The slot is out of the jump's reach: its distance in bytes.
pub fn write_plt_entry(
    entry: &mut [u8; PLT_ENTRY_SIZE],
    entry_address: u64,
    slot_address: u64,
) -> Result<(), i64> {
    let distance = slot_address.wrapping_sub(entry_address).wrapping_sub(JUMP_END as u64).cast_signed();
    let displacement = i32::try_from(distance).map_err(|_| distance)?;
    *entry = TEMPLATE;
    entry[JUMP_END - 4..JUMP_END].copy_from_slice(&displacement.to_le_bytes());
    Ok(())
}
