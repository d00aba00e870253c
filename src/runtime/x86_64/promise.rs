//! Entries of functions that are linked later, on x86-64.

use super::super::promise::ENTRY;

/// Where in an entry a call goes that comes before the function is there.
pub(in crate::runtime) const EARLY: u64 = 16;

/// The code of an entry: a jump through the slot; and at [`EARLY`], one to `early` with `name` as its argument.
pub(in crate::runtime) fn promised_entry(slot: u64, name: u64, early: u64) -> [u8; ENTRY] {
    let mut code = [0xcc; ENTRY];
    code[..2].copy_from_slice(&[0x49, 0xbb]); // mov r11, SLOT
    code[2..10].copy_from_slice(&slot.to_le_bytes());
    code[10..13].copy_from_slice(&[0x41, 0xff, 0x23]); // jmp qword ptr [r11]
    code[16..18].copy_from_slice(&[0x48, 0xbf]); // mov rdi, NAME
    code[18..26].copy_from_slice(&name.to_le_bytes());
    code[26..28].copy_from_slice(&[0x48, 0xb8]); // mov rax, EARLY
    code[28..36].copy_from_slice(&early.to_le_bytes());
    code[36..38].copy_from_slice(&[0xff, 0xe0]); // jmp rax
    code
}
