//! Instructions that load an address from the GOT, rewritten to do without.
//!
//! The psABI ("Optimize GOTPCRELX Relocations") marks with types of their own the fields of instructions that a linker
//! may rewrite once it knows the target. Every rewritten instruction is as long as the original:
//!
//! | instruction | becomes | when |
//! |---|---|---|
//! | `call *foo@GOTPCREL(%rip)` | `addr32 call foo` | foo is in reach |
//! | `jmp *foo@GOTPCREL(%rip)` | `jmp foo; nop` | foo is in reach |
//! | `mov foo@GOTPCREL(%rip), %reg` | `lea foo(%rip), %reg` | foo is in reach |
//! | the same | `mov $foo, %reg` | foo's address is a signed 32-bit number |
//! | `test %reg, foo@GOTPCREL(%rip)` | `test $foo, %reg` | the same |
//! | `binop foo@GOTPCREL(%rip), %reg` | `binop $foo, %reg` | the same |
//!
//! where binop is adc, add, and, cmp, or, sbb, sub or xor. The relocation type says how many bytes of prefixes stand
//! before opcode and ModRM, which are always the last two bytes before the field. In the immediate forms the register
//! moves from ModRM.reg to ModRM.rm, and its upper bits in the prefix from R to B.
//!
//! The type alone is no proof: assemblers put these types on instructions that a rewrite would break (a `data16` prefix
//! makes a rewritten call truncate the instruction pointer on some processors, and an immediate two bytes shorter), and
//! hand-written code puts them anywhere. So every byte is checked, and what is not exactly one of the forms is left alone.
//! The byte before an instruction may be its prefix or belong to the instruction before; it is taken for a prefix.
//!
//! `movrs` (`CODE_5_GOTPCRELX`) goes on loading from the GOT: it is rare, and asks for the memory access as such.

use super::kinds::*;
use crate::arch::put;
use crate::graph::EdgeKind;

/// How an instruction can do without its GOT entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    Call,
    Jump,
    /// `mov`, after `prefix`.
    Load(Prefix),
    /// `test` or a binop, after `prefix`.
    Operand(Prefix),
}

/// What stands before opcode and ModRM.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Prefix {
    None,
    Rex,
    /// Two bytes: 0xd5 and the payload.
    Rex2,
    /// Four bytes: 0x62 and three of payload.
    Evex,
}

/// The addend of a field that ends its instruction and whose target is the symbol itself.
const FIELD_ENDS_INSTRUCTION: i64 = -4;

const DATA16: u8 = 0x66;

/// Whether the instruction with its field at `offset` of `content` can always be rewritten, so that it needs no GOT entry
/// as long as its target lies within 2 GiB. Instructions that depend on the absolute address are not among them.
#[must_use]
pub fn can_relax(kind: EdgeKind, content: &[u8], offset: u32, addend: i64) -> bool {
    addend == FIELD_ENDS_INSTRUCTION
        && matches!(recognise(kind, content, offset as usize), Some(Form::Call | Form::Jump | Form::Load(_)))
}

/// Rewrites the instruction whose field is at `position` of `content` and at address `field`, so that it uses `target`
/// directly. Does nothing and returns false where that cannot be done.
pub(super) fn relax(
    kind: EdgeKind,
    content: &mut [u8],
    position: usize,
    addend: i64,
    field: u64,
    target: u64,
) -> bool {
    let Some(form) = recognise(kind, content, position).filter(|_| addend == FIELD_ENDS_INSTRUCTION) else {
        return false;
    };
    let distance = target.wrapping_sub(field).wrapping_sub(4).cast_signed();
    let near = i32::try_from(distance);
    match (form, near, i32::try_from(target.cast_signed())) {
        (Form::Call, Ok(distance), _) => call(content, position, distance),
        (Form::Jump, ..) => jump(content, position, distance),
        (Form::Load(_), Ok(distance), _) => load_address(content, position, distance),
        (Form::Load(prefix) | Form::Operand(prefix), _, Ok(value)) => {
            use_immediate(content, position, prefix, value)
        }
        _ => None,
    }
    .is_some()
}

/// The form of the instruction whose 4-byte field is at `position`.
fn recognise(kind: EdgeKind, content: &[u8], position: usize) -> Option<Form> {
    content.get(position..position.checked_add(4)?)?;
    let (before, &[opcode, modrm]) = content.get(..position)?.split_last_chunk::<2>()?;
    let is_rip_relative = modrm & 0b11_000_111 == 0b00_000_101;
    match kind {
        _ if !is_rip_relative => None,
        GOTPCRELX if opcode == 0xff => branch(before, modrm),
        GOTPCRELX => (before.last() != Some(&DATA16)).then_some(Prefix::None).and_then(|p| access(opcode, p)),
        REX_GOTPCRELX => rex(before).and_then(|prefix| access(opcode, prefix)),
        CODE_4_GOTPCRELX => rex2(before).and_then(|prefix| access(opcode, prefix)),
        CODE_6_GOTPCRELX => evex(before, opcode).and_then(|prefix| access(opcode, prefix)),
        _ => None,
    }
}

/// `call *` and `jmp *`, opcode 0xff. A REX prefix is harmless: it loses its meaning before the new first byte, or has
/// none. But then it no longer overrides `data16` either.
fn branch(before: &[u8], modrm: u8) -> Option<Form> {
    match before {
        [.., DATA16] | [.., DATA16, 0x40..=0x4f] => None,
        _ if modrm == 0x15 => Some(Form::Call),
        _ if modrm == 0x25 => Some(Form::Jump),
        _ => None,
    }
}

fn access(opcode: u8, prefix: Prefix) -> Option<Form> {
    match opcode {
        0x8b => Some(Form::Load(prefix)),
        0x85 | 0x03 | 0x0b | 0x13 | 0x1b | 0x23 | 0x2b | 0x33 | 0x3b => Some(Form::Operand(prefix)),
        _ => None,
    }
}

/// A REX prefix: `0100 W R X B`.
fn rex(before: &[u8]) -> Option<Prefix> {
    let (&rex, before) = before.split_last()?;
    let is_wide = rex & 0x08 != 0;
    (rex & 0xf0 == 0x40 && (is_wide || before.last() != Some(&DATA16))).then_some(Prefix::Rex)
}

/// A REX2 prefix: 0xd5, `M0 R4 X4 B4 W R3 X3 B3`, with M0 clear for one-byte opcodes.
fn rex2(before: &[u8]) -> Option<Prefix> {
    let (before, &[escape, payload]) = before.split_last_chunk::<2>()?;
    let is_wide = payload & 0x08 != 0;
    let is_one_byte_map = payload & 0x80 == 0;
    (escape == 0xd5 && is_one_byte_map && (is_wide || before.last() != Some(&DATA16))).then_some(Prefix::Rex2)
}

/// An EVEX prefix that promotes a binop, with or without a destination of its own and with or without flags: 0x62,
/// `~R3 ~X3 ~B3 ~R4 B4 100`, `W ~V3 ~V2 ~V1 ~V0 1 00`, `000 ND ~V4 NF 00`. With cmp and test the last byte is another:
/// those are conditional.
fn evex(before: &[u8], opcode: u8) -> Option<Prefix> {
    let &[escape, p0, p1, p2] = before.last_chunk::<4>()?;
    let is_promoted = p0 & 0b111 == 0b100 && p1 & 0b11 == 0 && p2 & 0b1110_0011 == 0;
    let is_binop = opcode & 0b1100_0111 == 0x03 && opcode != 0x3b;
    (escape == 0x62 && is_promoted && is_binop).then_some(Prefix::Evex)
}

/// `ff 15 disp32` -> `67 e8 disp32`. The psABI's choice of padding is an address size prefix, which calls ignore.
fn call(content: &mut [u8], position: usize, distance: i32) -> Option<()> {
    put(content, position.checked_sub(2)?, [0x67, 0xe8])?;
    put(content, position, distance.to_le_bytes())
}

/// `ff 25 disp32` -> `e9 disp32 90`: the instruction and its field end one byte earlier.
fn jump(content: &mut [u8], position: usize, distance: i64) -> Option<()> {
    let distance = i32::try_from(distance.checked_add(1)?).ok()?;
    put(content, position.checked_sub(2)?, [0xe9])?;
    put(content, position.checked_sub(1)?, distance.to_le_bytes())?;
    put(content, position.checked_add(3)?, [0x90])
}

/// `8b /r disp32` -> `8d /r disp32`.
fn load_address(content: &mut [u8], position: usize, distance: i32) -> Option<()> {
    put(content, position.checked_sub(2)?, [0x8d])?;
    put(content, position, distance.to_le_bytes())
}

/// `8b /r disp32` (and 8d) -> `c7 /0 imm32`, `85 /r disp32` -> `f7 /0 imm32`, `BINOP /r disp32` -> `81 /BINOP imm32`.
fn use_immediate(content: &mut [u8], position: usize, prefix: Prefix, value: i32) -> Option<()> {
    let (before, &mut [ref mut opcode, ref mut modrm]) =
        content.get_mut(..position)?.split_last_chunk_mut::<2>()?;
    let (new_opcode, extension) = match *opcode {
        0x8b | 0x8d => (0xc7, 0),
        0x85 => (0xf7, 0),
        binop => (0x81, binop & 0b00_111_000),
    };
    *opcode = new_opcode;
    *modrm = 0b11_000_000 | extension | (*modrm >> 3 & 0b111);
    match (prefix, before) {
        (Prefix::Rex, [.., rex]) => *rex = *rex & 0xf8 | *rex >> 2 & 0x01,
        (Prefix::Rex2, [.., payload]) => *payload = *payload & 0x88 | *payload >> 2 & 0x11,
        (Prefix::Evex, [.., p0, _, _]) => {
            *p0 = 0b1101_0000 | *p0 >> 2 & 0b0010_0000 | !*p0 >> 1 & 0b1000 | *p0 & 0b111;
        }
        _ => {}
    }
    put(content, position, value.to_le_bytes())
}

/// Rewrites the instruction whose field at `position` leads to the GOT entry (or descriptor) of a thread-local variable, so
/// that it uses the variable's offset from the thread pointer: `mov`, `add` and other binops get an immediate operand, and
/// `lea` of a descriptor becomes `mov`. Does nothing and returns false for other instructions.
pub(super) fn use_thread_offset(
    kind: EdgeKind,
    content: &mut [u8],
    position: usize,
    addend: i64,
    offset: i32,
) -> bool {
    let before = content.get(..position).unwrap_or(&[]);
    let Some((before, &[opcode, modrm])) = before.split_last_chunk::<2>() else { return false };
    let is_wide = |prefix| match (prefix, before) {
        (Prefix::Rex, [.., rex]) => rex & 0x08 != 0,
        (Prefix::Rex2, [.., payload]) => payload & 0x08 != 0,
        (Prefix::Evex, [.., p1, _]) => p1 & 0x80 != 0,
        _ => false,
    };
    let prefix = match kind {
        GOTTPOFF | GOTPC32_TLSDESC => rex(before),
        CODE_4_GOTTPOFF | CODE_4_GOTPC32_TLSDESC => rex2(before),
        CODE_6_GOTTPOFF => evex(before, opcode),
        _ => None,
    };
    let loads = match kind {
        GOTPC32_TLSDESC | CODE_4_GOTPC32_TLSDESC => opcode == 0x8d,
        _ => prefix.is_some_and(|prefix| access(opcode, prefix).is_some()),
    };
    let is_rip_relative = modrm & 0b11_000_111 == 0b00_000_101;
    match prefix.filter(|prefix| is_wide(*prefix)) {
        Some(prefix) if loads && is_rip_relative && addend == FIELD_ENDS_INSTRUCTION => {
            use_immediate(content, position, prefix, offset).is_some()
        }
        _ => false,
    }
}

/// Whether the field at `position` is that of a direct `call`, `jmp` or `jcc`.
pub(super) fn is_branch(content: &[u8], position: usize) -> bool {
    let before = content.get(..position).unwrap_or(&[]);
    matches!(before, [.., 0xe8 | 0xe9] | [.., 0x0f, 0x80..=0x8f])
}

/// Rewrites the `lea foo(%rip), %reg` whose field is at `position` to `mov $0, %reg`: `REX.W 8d /r` -> `REX.W c7 /0`.
/// Does nothing and returns false where another instruction stands.
pub(super) fn load_null(content: &mut [u8], position: usize, addend: i64) -> bool {
    let before = content.get(..position).unwrap_or(&[]);
    match before {
        [.., 0x48..=0x4f, 0x8d, modrm] if modrm & 0xc7 == 0x05 && addend == FIELD_ENDS_INSTRUCTION => {}
        _ => return false,
    }
    use_immediate(content, position, Prefix::Rex, 0).is_some()
}
