//! x86-64: `iced-x86` decodes, and its operands are laid out as LLVM's `MCInst` numbers them.
//!
//! Against Intel's operand list: registers that an opcode implies are no operands; a destination that is also a source
//! stands twice; a memory operand is five (base, scale, index, displacement, segment); a condition is an operand, the
//! last one; a `lock` prefix in first place is an instruction of its own. A branch's target is its displacement.
//!
//! The tables beside this file hold LLVM's word on each form; `is_signed` and `is_tied` are what they taught.

use super::{Decoded, Operand, apx};
use iced_x86::{
    Code, ConditionCode, Decoder, DecoderOptions, Instruction, InstructionInfoFactory,
    InstructionInfoOptions, Mnemonic, OpAccess, OpCodeOperandKind as Kind, OpKind, Register,
};

const LOCK: u8 = 0xf0;

pub(super) fn length(bytes: &[u8]) -> Result<usize, String> {
    if bytes.first() == Some(&LOCK) {
        return Ok(1);
    }
    match apx::legacy(bytes) {
        Some(legacy) => {
            Ok(instruction(&legacy.bytes)?.len().saturating_sub(legacy.legacy_head) + legacy.apx_head)
        }
        None => Ok(instruction(bytes)?.len()),
    }
}

pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, String> {
    if bytes.first() == Some(&LOCK) {
        return Ok(Decoded {
            name: "lock (the locked instruction follows it)".to_owned(),
            operands: Vec::new(),
        });
    }
    match apx::legacy(bytes) {
        Some(legacy) => decode_apx(&legacy),
        None => Ok(lower(&instruction(bytes)?)),
    }
}

fn decode_apx(legacy: &apx::Legacy) -> Result<Decoded, String> {
    let instruction = instruction(&legacy.bytes)?;
    let mut decoded = lower(&instruction);
    // A register destination stands twice already; apart from the source it is tied to, it changes no number.
    if legacy.new_destination && instruction.op0_kind() == OpKind::Memory {
        decoded.operands.insert(0, Operand::Register);
    }
    decoded.operands.extend(legacy.conditional.into_iter().flatten());
    Ok(decoded)
}

fn lower(instruction: &Instruction) -> Decoded {
    let name = instruction.op_code().instruction_string().to_owned();
    Decoded { name, operands: Lowering::new(instruction).operands() }
}

/// Decoded at address 0, so that a target is its distance from there.
fn instruction(bytes: &[u8]) -> Result<Instruction, String> {
    let instruction = Decoder::with_ip(64, bytes, 0, DecoderOptions::NONE).decode();
    if instruction.is_invalid() { Err("no valid x86-64 instruction".to_owned()) } else { Ok(instruction) }
}

struct Lowering<'i> {
    instruction: &'i Instruction,
    operands: Vec<Operand>,
}

impl<'i> Lowering<'i> {
    fn new(instruction: &'i Instruction) -> Self {
        Self { instruction, operands: Vec::with_capacity(10) }
    }

    fn operands(mut self) -> Vec<Operand> {
        self.leading_registers();
        for index in 0..self.instruction.op_count() {
            self.operand(index);
        }
        self.operands.extend(condition(self.instruction));
        self.operands
    }

    /// Registers that stand before Intel's list: the second half of an exchange, and the tied source.
    fn leading_registers(&mut self) {
        if self.exchanges_with_memory() {
            self.operands.extend([Operand::Register, Operand::Register]);
        }
    }

    fn exchanges_with_memory(&self) -> bool {
        matches!(self.instruction.mnemonic(), Mnemonic::Xchg | Mnemonic::Xadd)
            && self.instruction.op0_kind() == OpKind::Memory
    }

    fn operand(&mut self, index: u32) {
        let kind = self.instruction.op_code().op_kind(index);
        if is_implied(kind) || (index == 1 && self.exchanges_with_memory()) {
            return;
        }
        match self.instruction.op_kind(index) {
            OpKind::Register => self.register(index),
            OpKind::Memory if kind == Kind::mem_offs => self.memory_offset(),
            OpKind::Memory => self.memory(),
            OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64 => self.branch(),
            _ => self.immediate(index),
        }
    }

    fn register(&mut self, index: u32) {
        self.operands.push(Operand::Register);
        if index > 0 {
            return;
        }
        if is_tied(self.instruction) {
            self.operands.push(Operand::Register);
        }
        if self.instruction.op_mask() != Register::None {
            self.operands.push(Operand::Register);
        }
    }

    fn memory_offset(&mut self) {
        self.push(self.instruction.memory_displacement64() as i64);
        self.operands.push(Operand::Register);
    }

    fn memory(&mut self) {
        self.operands.push(Operand::Register);
        self.push(i64::from(self.instruction.memory_index_scale()));
        self.operands.push(Operand::Register);
        self.push(displacement(self.instruction));
        self.operands.push(Operand::Register);
    }

    fn branch(&mut self) {
        let next = self.instruction.next_ip();
        self.push(self.instruction.near_branch_target().wrapping_sub(next) as i64);
    }

    fn immediate(&mut self, index: u32) {
        let Ok(value) = self.instruction.try_immediate(index) else { return };
        let value = value as i64;
        self.push(match self.instruction.op_kind(index) {
            OpKind::Immediate8 | OpKind::Immediate8_2nd if is_signed(self.instruction) => {
                i64::from(value as i8)
            }
            OpKind::Immediate16 if is_signed(self.instruction) => i64::from(value as i16),
            _ => value,
        });
    }

    fn push(&mut self, value: i64) {
        self.operands.push(Operand::Immediate(value));
    }
}

/// The displacement as encoded, at most 32 bits and signed: `iced-x86` has already added the address of the next
/// instruction to a `rip` one.
fn displacement(instruction: &Instruction) -> i64 {
    let base = if instruction.is_ip_rel_memory_operand() { instruction.next_ip() } else { 0 };
    i64::from(instruction.memory_displacement64().wrapping_sub(base) as i32)
}

/// Whether `MCInst` holds an immediate of the operand's own width sign-extended, where `iced-x86` leaves it unsigned.
fn is_signed(instruction: &Instruction) -> bool {
    use Mnemonic::{Adc, Add, And, Cmp, Enter, Mov, Or, Ret, Retf, Sbb, Sub, Test, Xor};
    match instruction.mnemonic() {
        Add | Or | Adc | Sbb | And | Sub | Xor | Cmp | Test | Mov => {
            instruction.op1_kind() == OpKind::Immediate8
        }
        Ret | Retf | Enter => instruction.code() != Code::Retfw_imm16,
        _ => false,
    }
}

fn is_implied(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::al
            | Kind::ax
            | Kind::eax
            | Kind::rax
            | Kind::cl
            | Kind::dx
            | Kind::st0
            | Kind::imm8_const_1
            | Kind::seg_rBX_al
    )
}

/// Whether the destination register is a source too, which `MCInst` then lists a second time.
fn is_tied(instruction: &Instruction) -> bool {
    if matches!(instruction.mnemonic(), Mnemonic::Lar | Mnemonic::Lsl) {
        return false;
    }
    let mut factory = InstructionInfoFactory::new();
    let info = factory.info_options(instruction, InstructionInfoOptions::NO_MEMORY_USAGE);
    matches!(info.op0_access(), OpAccess::ReadWrite | OpAccess::ReadCondWrite | OpAccess::CondWrite)
}

/// The condition of a jump, move or set, as its opcode encodes it; a loop has none.
fn condition(instruction: &Instruction) -> Option<Operand> {
    if instruction.is_loop() || instruction.is_loopcc() {
        return None;
    }
    let code = instruction.condition_code();
    (code != ConditionCode::None).then(|| Operand::Immediate(code as i64 - ConditionCode::o as i64))
}
