//! Intel APX: instructions with a REX2 prefix, and the general-purpose ones promoted to EVEX map 4 (Intel APX
//! Architecture Specification, section 3.1).
//!
//! `iced-x86` knows neither. Which registers an instruction names is of no matter to operand numbers, so it is enough to
//! decode the same instruction in its older encoding and to account for what APX adds.

use super::Operand;

const REX2: u8 = 0xd5;
const EVEX: u8 = 0x62;
const REX: u8 = 0x40;
const ESCAPE: u8 = 0x0f;

/// The older encoding of an APX instruction.
pub(super) struct Legacy {
    /// The instruction and what follows it.
    pub(super) bytes: Vec<u8>,
    /// Bytes of the APX encoding before the opcode.
    pub(super) apx_head: usize,
    /// Bytes of the older encoding before the opcode.
    pub(super) legacy_head: usize,
    /// A destination of its own stands before the operands of the older form, if that writes to memory.
    pub(super) new_destination: bool,
    /// Default flags and condition of a conditional compare or test.
    pub(super) conditional: Option<[Operand; 2]>,
}

/// The older encoding of the instruction at `bytes`, if it is an APX one.
pub(super) fn legacy(bytes: &[u8]) -> Option<Legacy> {
    let prefixes = bytes.iter().take_while(|byte| is_legacy_prefix(**byte)).count();
    match bytes.get(prefixes..)? {
        [REX2, payload, rest @ ..] => Some(from_rex2(bytes.get(..prefixes)?, *payload, rest)),
        [EVEX, p0, p1, p2, opcode, rest @ ..] if p0 & 7 == 4 => {
            from_evex(bytes.get(..prefixes)?, [*p0, *p1, *p2], *opcode, rest)
        }
        _ => None,
    }
}

fn is_legacy_prefix(byte: u8) -> bool {
    matches!(byte, 0x66 | 0x67 | 0xf2 | 0xf3 | 0x2e | 0x36 | 0x3e | 0x26 | 0x64 | 0x65)
}

/// Payload `M0 R4 X4 B4 W R3 X3 B3`: the upper register bits are folded into the lower, which keeps an index an index.
fn from_rex2(prefixes: &[u8], payload: u8, rest: &[u8]) -> Legacy {
    let mut bytes = prefixes.to_vec();
    bytes.push(REX | (payload & 0xf) | (payload >> 4 & 7));
    if payload & 0x80 != 0 {
        bytes.push(ESCAPE);
    }
    let legacy_head = bytes.len();
    bytes.extend_from_slice(rest);
    Legacy { bytes, apx_head: prefixes.len() + 2, legacy_head, new_destination: false, conditional: None }
}

/// Payloads `R3 X3 B3 R4 B4 1 0 0`, `W vvvv X4 pp` and `000 ND V4 NF 00`, or in a conditional compare or test
/// `W flags X4 pp` and `000 1 condition`; `R3`, `X3`, `B3` and `X4` are inverted.
fn from_evex(prefixes: &[u8], [p0, p1, p2]: [u8; 3], opcode: u8, rest: &[u8]) -> Option<Legacy> {
    let new_data_destination = p2 & 0x10 != 0;
    let is_conditional = is_compare_or_test(opcode, rest);
    let mut bytes = prefixes.to_vec();
    bytes.extend([&[][..], &[0x66], &[0xf3], &[0xf2]].get(usize::from(p1 & 3))?.iter());
    let index = (!p0 >> 6 | !p1 >> 2) & 1;
    bytes.push(REX | p1 >> 4 & 8 | (!p0 >> 5) & 4 | index << 1 | (!p0 >> 5) & 1);
    let (escape, opcode) = legacy_opcode(opcode, p1 & 3, new_data_destination)?;
    bytes.extend(escape);
    let legacy_head = bytes.len();
    bytes.push(opcode);
    bytes.extend_from_slice(rest);
    let number = |value: u8| Operand::Immediate(i64::from(value));
    Some(Legacy {
        bytes,
        apx_head: prefixes.len() + 4,
        legacy_head,
        new_destination: new_data_destination && !is_conditional,
        conditional: is_conditional.then(|| [number(p1 >> 3 & 0xf), number(p2 & 0xf)]),
    })
}

/// Whether map 4 has the conditional form at this opcode: compares, and tests.
fn is_compare_or_test(opcode: u8, rest: &[u8]) -> bool {
    let extension = rest.first().map(|modrm| modrm >> 3 & 7);
    match opcode {
        0x38..=0x3b | 0x84 | 0x85 => true,
        0x80 | 0x81 | 0x83 => extension == Some(7),
        0xf6 | 0xf7 => matches!(extension, Some(0 | 1)),
        _ => false,
    }
}

/// Where the older encoding has the opcode of map 4: its escape byte, and its own byte.
fn legacy_opcode(opcode: u8, prefix: u8, new_data_destination: bool) -> Option<(Option<u8>, u8)> {
    const F2: u8 = 3;
    match opcode {
        0x00..=0x3f if opcode & 7 <= 3 => Some((None, opcode)),
        0x69 | 0x6b | 0x80 | 0x81 | 0x83..=0x85 | 0xc0 | 0xc1 | 0xd0..=0xd3 => Some((None, opcode)),
        0xf6 | 0xf7 | 0xfe | 0xff => Some((None, opcode)),
        0x24 => Some((Some(ESCAPE), 0xa4)),
        0x2c => Some((Some(ESCAPE), 0xac)),
        0xa5 | 0xad | 0xaf => Some((Some(ESCAPE), opcode)),
        0x40..=0x4f if prefix == F2 => Some((Some(ESCAPE), opcode + 0x50)),
        0x40..=0x4f if new_data_destination => Some((Some(ESCAPE), opcode)),
        _ => None,
    }
}
