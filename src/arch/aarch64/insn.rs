//! Instructions as numbers: their fields, after the Arm Architecture Reference Manual, section C6.2.

use super::kinds::Form;

/// `nop`.
pub(super) const NOP: u32 = 0xd503_201f;
/// `bti c`.
pub(super) const BTI_C: u32 = 0xd503_245f;

const ADR: u32 = 0x1000_0000;
const ADRP: u32 = 0x9000_0000;
const ADR_MASK: u32 = 0x9f00_0000;
const ADR_FIELD: u32 = 0x60ff_ffe0;
const ADD: u32 = 0x9100_0000;
const MOVZ: u32 = 0xd280_0000;
const MOVK: u32 = 0xf280_0000;
const LDR: u32 = 0xf940_0000;
const IMMEDIATE12_MASK: u32 = 0xffc0_0000;
const LDR_LITERAL: u32 = 0x5800_0000;
const LDR_LITERAL_MASK: u32 = 0xff00_0000;
/// Registers `Rd` (or `Rt`) and `Rn`.
const REGISTER: u32 = 0x1f;

/// The word at `position`, if it lies inside.
pub(super) fn word(content: &[u8], position: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*content.get(position..)?.first_chunk()?))
}

/// `instruction` with `value` in the field of `form`, which is one of an instruction.
#[inline(always)]
pub(super) fn with_value(form: Form, instruction: u32, value: i64) -> u32 {
    let bits = |low: u8, count: u32, at: u32| ((value >> low) as u32 & ((1 << count) - 1)) << at;
    let (mask, field) = match form {
        Form::Nothing | Form::Data => (0, 0),
        Form::Wide(group) => (0xffff << 5, bits(16 * group, 16, 5)),
        Form::SignedWide(group) => return with_signed(instruction, value, group),
        Form::Adr => (ADR_FIELD, bits(0, 2, 29) | bits(2, 19, 5)),
        Form::Adrp => (ADR_FIELD, bits(12, 2, 29) | bits(14, 19, 5)),
        Form::Low12(low) => (0xfff << 10, bits(low, 12 - u32::from(low), 10)),
        Form::High12 => (0xfff << 10, bits(12, 12, 10)),
        Form::Offset15 => (0xfff << 10, bits(3, 12, 10)),
        Form::Branch14 => (0x3fff << 5, bits(2, 14, 5)),
        Form::Branch19 => (0x7_ffff << 5, bits(2, 19, 5)),
        Form::Branch26 => (0x3ff_ffff, bits(2, 26, 0)),
    };
    instruction & !mask | field
}

/// A `MOVZ` or `MOVN` after the sign of `value`. A `MOVK`, which has no sign to take, gets the bits as they are.
fn with_signed(instruction: u32, value: i64, group: u8) -> u32 {
    const OPERATION: u32 = 3 << 29;
    const ZERO: u32 = 2 << 29;
    if instruction & OPERATION == OPERATION {
        return with_value(Form::Wide(group), instruction, value);
    }
    let (operation, bits) = if value < 0 { (0, !value) } else { (ZERO, value) };
    with_value(Form::Wide(group), instruction & !OPERATION | operation, bits)
}

/// The value in the field of `form`, scaled and with its sign; the inverse of [`with_value`] as far as bits are kept.
pub(super) fn value_of(form: Form, instruction: u32) -> i64 {
    let signed = |at: u32, count: u32, low: u32| {
        i64::from((instruction << (32 - at - count)).cast_signed() >> (32 - count)) << low
    };
    let wide = |group: u8| signed(5, 16, 16 * u32::from(group));
    let adr = || signed(5, 19, 2) | i64::from(instruction >> 29 & 3);
    match form {
        Form::Nothing | Form::Data => 0,
        Form::Wide(group) | Form::SignedWide(group) => wide(group),
        Form::Adr => adr(),
        Form::Adrp => adr() << 12,
        Form::Low12(low) => signed(10, 12, low.into()),
        Form::High12 => signed(10, 12, 12),
        Form::Offset15 => signed(10, 12, 3),
        Form::Branch14 => signed(5, 14, 2),
        Form::Branch19 => signed(5, 19, 2),
        Form::Branch26 => signed(0, 26, 2),
    }
}

/// The register that an `adrp` or `adr` writes, which the instruction after it reads and writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Register(u32);

impl Register {
    pub(super) const IP0: Self = Self(16);
    pub(super) const IP1: Self = Self(17);

    /// The register of an `adrp`.
    pub(super) fn of_adrp(instruction: u32) -> Option<Self> {
        (instruction & ADR_MASK == ADRP).then_some(Self(instruction & REGISTER))
    }

    /// The register of an `adr`.
    pub(super) fn of_adr(instruction: u32) -> Option<Self> {
        (instruction & ADR_MASK == ADR).then_some(Self(instruction & REGISTER))
    }

    /// The register of a 64-bit load of a literal.
    pub(super) fn of_literal(instruction: u32) -> Option<Self> {
        (instruction & LDR_LITERAL_MASK == LDR_LITERAL).then_some(Self(instruction & REGISTER))
    }

    /// Whether an instruction is `add x, x, #immediate` of this register.
    pub(super) fn is_added(self, instruction: u32) -> bool {
        instruction & (IMMEDIATE12_MASK | 0x3ff) == ADD | self.0 << 5 | self.0
    }

    /// Whether an instruction is `ldr x, [x, #immediate]` of this register.
    pub(super) fn is_loaded(self, instruction: u32) -> bool {
        instruction & (IMMEDIATE12_MASK | 0x3ff) == LDR | self.0 << 5 | self.0
    }

    pub(super) fn adr(self, distance: i64) -> u32 {
        with_value(Form::Adr, ADR | self.0, distance)
    }

    pub(super) fn adrp(self, distance: i64) -> u32 {
        with_value(Form::Adrp, ADRP | self.0, distance)
    }

    /// `add x, x, #low bits`.
    pub(super) fn add(self, value: u64) -> u32 {
        with_value(Form::Low12(0), ADD | self.0 << 5 | self.0, value.cast_signed())
    }

    /// `ldr self, [base, #low bits]`.
    pub(super) fn load(self, base: Self, value: u64) -> u32 {
        with_value(Form::Low12(3), LDR | base.0 << 5 | self.0, value.cast_signed())
    }

    /// `movz x, #bits`.
    pub(super) fn movz(self, bits: u16) -> u32 {
        MOVZ | u32::from(bits) << 5 | self.0
    }

    /// `movz x, #bits, lsl #16`.
    pub(super) fn movz_high(self, bits: u16) -> u32 {
        self.movz(bits) | 1 << 21
    }

    /// `movk x, #bits`.
    pub(super) fn movk(self, bits: u16) -> u32 {
        MOVK | u32::from(bits) << 5 | self.0
    }

    /// `br x`.
    pub(super) fn branch(self) -> u32 {
        0xd61f_0000 | self.0 << 5
    }
}

/// `x` without its low 12 bits.
#[inline(always)]
pub(super) fn page(address: u64) -> u64 {
    address & !0xfff
}
