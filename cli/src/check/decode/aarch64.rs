//! AArch64: `yaxpeax-arm` says whether a word is an instruction and which; the operands come from its fields.
//!
//! `MCInst` holds most immediates as they are encoded (a branch's word offset, a load's scaled offset), while a
//! disassembler shows them worked out; so they are read off the word, by the encoding classes of the Arm Architecture
//! Reference Manual, section C4.1.

use super::{Decoded, Operand};
use Operand::{Immediate, Register};
use yaxpeax_arch::{Decoder, U8Reader};
use yaxpeax_arm::armv8::a64::InstDecoder;

pub(super) fn length(bytes: &[u8]) -> Result<usize, String> {
    word(bytes).map(|_| 4)
}

pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, String> {
    let word = word(bytes)?;
    let instruction = InstDecoder::default()
        .decode(&mut U8Reader::new(&word.to_le_bytes()))
        .map_err(|_| format!("no known AArch64 instruction ({word:#010x})"))?;
    let name = instruction.to_string();
    match CLASSES.iter().find(|class| word & class.mask == class.bits) {
        Some(class) => Ok(Decoded { name, operands: (class.operands)(word) }),
        None => Err(format!(
            "the operands of '{name}' are not known to check expressions (take its bits with *{{4}})"
        )),
    }
}

fn word(bytes: &[u8]) -> Result<u32, String> {
    let word =
        bytes.first_chunk().ok_or_else(|| format!("only {} bytes of an AArch64 instruction", bytes.len()))?;
    Ok(u32::from_le_bytes(*word))
}

/// An encoding class: the words with `bits` under `mask`.
struct Class {
    mask: u32,
    bits: u32,
    operands: fn(u32) -> Vec<Operand>,
}

const CLASSES: [Class; 23] = [
    Class { mask: 0x7c00_0000, bits: 0x1400_0000, operands: branch },
    Class { mask: 0xff00_0000, bits: 0x5400_0000, operands: conditional_branch },
    Class { mask: 0x7e00_0000, bits: 0x3400_0000, operands: compare_and_branch },
    Class { mask: 0x7e00_0000, bits: 0x3600_0000, operands: test_and_branch },
    Class { mask: 0x1f00_0000, bits: 0x1000_0000, operands: pc_relative_address },
    Class { mask: 0x1f80_0000, bits: 0x1100_0000, operands: add_sub_immediate },
    Class { mask: 0x1f80_0000, bits: 0x1200_0000, operands: logical_immediate },
    Class { mask: 0x1f80_0000, bits: 0x1280_0000, operands: move_wide },
    Class { mask: 0x1f80_0000, bits: 0x1300_0000, operands: bitfield },
    Class { mask: 0x1f80_0000, bits: 0x1380_0000, operands: extract },
    Class { mask: 0x3b00_0000, bits: 0x1800_0000, operands: load_literal },
    Class { mask: 0x3b00_0000, bits: 0x3900_0000, operands: load_store_unsigned_offset },
    Class { mask: 0x3b20_0400, bits: 0x3800_0400, operands: load_store_write_back },
    Class { mask: 0x3b20_0400, bits: 0x3800_0000, operands: load_store_unscaled },
    Class { mask: 0x3f20_0c00, bits: 0x1900_0000, operands: load_store_unscaled },
    Class { mask: 0x3b20_0c00, bits: 0x3820_0800, operands: load_store_register_offset },
    Class { mask: 0x3a00_0000, bits: 0x2800_0000, operands: load_store_pair },
    Class { mask: 0xff00_0000, bits: 0xd400_0000, operands: exception },
    Class { mask: 0x1f00_0000, bits: 0x0a00_0000, operands: shifted_register },
    Class { mask: 0x1f20_0000, bits: 0x0b00_0000, operands: shifted_register },
    Class { mask: 0x1fe0_0000, bits: 0x0b20_0000, operands: extended_register },
    Class { mask: 0x1fe0_0000, bits: 0x1a80_0000, operands: conditional_select },
    Class { mask: 0x1fe0_0000, bits: 0x1a40_0000, operands: conditional_compare },
];

/// Bits `high` down to `low` of `word`, unsigned.
fn field(word: u32, high: u32, low: u32) -> Operand {
    Immediate(i64::from(word << (31 - high) >> (31 - high + low)))
}

/// Bits `high` down to `low` of `word`, the highest being the sign.
fn signed(word: u32, high: u32, low: u32) -> Operand {
    Immediate(i64::from((word << (31 - high)).cast_signed() >> (31 - high + low)))
}

fn bits(word: u32, high: u32, low: u32) -> u32 {
    word << (31 - high) >> (31 - high + low)
}

/// `B`, `BL`.
fn branch(word: u32) -> Vec<Operand> {
    vec![signed(word, 25, 0)]
}

/// `B.cond`, `BC.cond`: condition, word offset.
fn conditional_branch(word: u32) -> Vec<Operand> {
    vec![field(word, 3, 0), signed(word, 23, 5)]
}

/// `CBZ`, `CBNZ`.
fn compare_and_branch(word: u32) -> Vec<Operand> {
    vec![Register, signed(word, 23, 5)]
}

/// `TBZ`, `TBNZ`: register, bit number, word offset.
fn test_and_branch(word: u32) -> Vec<Operand> {
    let bit = bits(word, 31, 31) << 5 | bits(word, 23, 19);
    vec![Register, Immediate(i64::from(bit)), signed(word, 18, 5)]
}

/// `ADR` (bytes), `ADRP` (pages).
fn pc_relative_address(word: u32) -> Vec<Operand> {
    let high = (word << 8).cast_signed() >> 13;
    let low = bits(word, 30, 29).cast_signed();
    vec![Register, Immediate(i64::from(high << 2 | low))]
}

/// `ADD`, `SUB` and their flag-setting forms: the last operand is the immediate's shift.
fn add_sub_immediate(word: u32) -> Vec<Operand> {
    let shift = Immediate(if bits(word, 22, 22) == 1 { 12 } else { 0 });
    vec![Register, Register, field(word, 21, 10), shift]
}

/// `AND`, `ORR`, `EOR`, `ANDS`: the bit mask as encoded (N, immr, imms).
fn logical_immediate(word: u32) -> Vec<Operand> {
    vec![Register, Register, field(word, 22, 10)]
}

/// `MOVN`, `MOVZ`, and `MOVK`, which keeps the rest of its register and so lists it twice.
fn move_wide(word: u32) -> Vec<Operand> {
    let shift = Immediate(i64::from(bits(word, 22, 21)) * 16);
    let mut operands = vec![Register; if bits(word, 30, 29) == 3 { 2 } else { 1 }];
    operands.extend([field(word, 20, 5), shift]);
    operands
}

/// `SBFM`, `UBFM`, and `BFM`, which keeps the rest of its register and so lists it twice.
fn bitfield(word: u32) -> Vec<Operand> {
    let mut operands = vec![Register; if bits(word, 30, 29) == 1 { 3 } else { 2 }];
    operands.extend([field(word, 21, 16), field(word, 15, 10)]);
    operands
}

/// `EXTR`.
fn extract(word: u32) -> Vec<Operand> {
    vec![Register, Register, Register, field(word, 15, 10)]
}

/// What a load or store moves: a register, or for `PRFM` the prefetch operation as a number.
fn transfer(word: u32) -> Operand {
    let is_vector = bits(word, 26, 26) == 1;
    let is_prefetch = !is_vector && bits(word, 31, 30) == 3 && bits(word, 23, 22) == 2;
    if is_prefetch { field(word, 4, 0) } else { Register }
}

/// `LDR`, `LDRSW`, `PRFM` of a literal: its word offset.
fn load_literal(word: u32) -> Vec<Operand> {
    let is_prefetch = bits(word, 31, 26) == 0b11_0110;
    vec![if is_prefetch { field(word, 4, 0) } else { Register }, signed(word, 23, 5)]
}

/// Register, base, offset in units of the access size.
fn load_store_unsigned_offset(word: u32) -> Vec<Operand> {
    vec![transfer(word), Register, field(word, 21, 10)]
}

/// Register, base, offset in bytes.
fn load_store_unscaled(word: u32) -> Vec<Operand> {
    vec![transfer(word), Register, signed(word, 20, 12)]
}

/// Written-back base, register, base, offset in bytes.
fn load_store_write_back(word: u32) -> Vec<Operand> {
    vec![Register, Register, Register, signed(word, 20, 12)]
}

/// Register, base, index, whether the index is signed, whether it is scaled.
fn load_store_register_offset(word: u32) -> Vec<Operand> {
    vec![transfer(word), Register, Register, field(word, 15, 15), field(word, 12, 12)]
}

/// Two registers, base, offset in units of the access size; a written-back base stands before them.
fn load_store_pair(word: u32) -> Vec<Operand> {
    let writes_back = bits(word, 23, 23) == 1;
    let mut operands = vec![Register; if writes_back { 4 } else { 3 }];
    operands.push(signed(word, 21, 15));
    operands
}

/// `SVC`, `BRK` and the like.
fn exception(word: u32) -> Vec<Operand> {
    vec![field(word, 20, 5)]
}

/// The last operand is the kind of shift above six bits of amount.
fn shifted_register(word: u32) -> Vec<Operand> {
    let shift = bits(word, 23, 22) << 6 | bits(word, 15, 10);
    vec![Register, Register, Register, Immediate(i64::from(shift))]
}

/// The last operand is the kind of extension above three bits of shift.
fn extended_register(word: u32) -> Vec<Operand> {
    vec![Register, Register, Register, field(word, 15, 10)]
}

/// `CSEL` and the like: the last operand is the condition.
fn conditional_select(word: u32) -> Vec<Operand> {
    vec![Register, Register, Register, field(word, 15, 12)]
}

/// `CCMP`, `CCMN`: register, register or number, flags, condition.
fn conditional_compare(word: u32) -> Vec<Operand> {
    let second = if bits(word, 11, 11) == 1 { field(word, 20, 16) } else { Register };
    vec![Register, second, field(word, 3, 0), field(word, 15, 12)]
}
