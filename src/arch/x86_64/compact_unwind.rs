//! What compact unwind encodings mean on x86-64.
//!
//! Source: the header `mach-o/compact_unwind_encoding.h`, "x86_64"; the psABI for DWARF register numbers.

use crate::arch::compact_unwind::{Facts, MODE, Rules, field};

/// DWARF numbers.
const RBX: u8 = 3;
const RBP: u8 = 6;
const R12: u8 = 12;
const RETURN_ADDRESS: u8 = 16;

const RBP_FRAME: u32 = 0x0100_0000;
const STACK_IMMEDIATE: u32 = 0x0200_0000;
const STACK_INDIRECT: u32 = 0x0300_0000;
const EH_FRAME: u32 = 0x0400_0000;

/// Words from the frame pointer down to the first saved register.
const RBP_FRAME_OFFSET: u32 = 0x00ff_0000;
/// Five registers, the lowest in memory first.
const RBP_FRAME_REGISTERS: u32 = 0x0000_7fff;

/// Words of the frame, return address included; or the offset in the function of the number of bytes.
const FRAMELESS_SIZE: u32 = 0x00ff_0000;
/// Words to add to that number.
const FRAMELESS_ADJUST: u32 = 0x0000_e000;
/// How many registers are saved, right below the return address.
const FRAMELESS_COUNT: u32 = 0x0000_1c00;
/// Which, and in which order.
const FRAMELESS_PERMUTATION: u32 = 0x0000_03ff;

pub(super) static FACTS: Facts = Facts {
    return_address: RETURN_ADDRESS,
    code_alignment: 1,
    // The frame is 8 bytes above rsp; the return address is in its first word.
    at_entry: &[0x0c, 7, 8, 0x80 | RETURN_ADDRESS, 1],
    eh_frame_mode: EH_FRAME,
    describe,
};

fn describe(encoding: u32, function: &[u8]) -> Result<Rules, &'static str> {
    match encoding & MODE {
        RBP_FRAME => with_frame_pointer(encoding),
        STACK_IMMEDIATE => frameless(encoding, u64::from(field(encoding, FRAMELESS_SIZE))),
        STACK_INDIRECT => frameless(encoding, size_in_code(encoding, function)?),
        _ => Err("a mode that x86-64 does not have"),
    }
}

/// `push rbp; mov rbp, rsp`, then registers saved anywhere below, side by side.
fn with_frame_pointer(encoding: u32) -> Result<Rules, &'static str> {
    const LINK: u64 = 2;
    let mut rules = Rules::default();
    rules.frame_above(RBP, 16);
    rules.saved(RBP, LINK);
    let first = u64::from(field(encoding, RBP_FRAME_OFFSET));
    for position in 0..5u32 {
        let number = encoding & RBP_FRAME_REGISTERS;
        let Some(register) = register(number >> (3 * position) & 7)? else { continue };
        let below = first.checked_sub(u64::from(position)).filter(|below| *below > 0);
        rules.saved(register, LINK + below.ok_or("a register saved outside of the frame")?);
    }
    Ok(rules)
}

/// A frame of `words` words that no register points to: the return address, below it the saved registers.
fn frameless(encoding: u32, words: u64) -> Result<Rules, &'static str> {
    let count = field(encoding, FRAMELESS_COUNT);
    if u64::from(count) >= words {
        return Err("a frame that is too small for its registers");
    }
    let mut rules = Rules::default();
    rules.frame_size(8 * words);
    let order = order_of(count, field(encoding, FRAMELESS_PERMUTATION))?;
    for (position, number) in (0..u64::from(count)).zip(order) {
        let register = register(number)?.ok_or("a register that does not exist")?;
        rules.saved(register, 1 + u64::from(count) - position);
    }
    Ok(rules)
}

/// The words of a frame whose size is the operand of an instruction, `sub rsp, imm32`, and what was pushed before it.
fn size_in_code(encoding: u32, function: &[u8]) -> Result<u64, &'static str> {
    let at = field(encoding, FRAMELESS_SIZE) as usize;
    let bytes = function.get(at..).and_then(|rest| rest.first_chunk());
    let bytes = u32::from_le_bytes(*bytes.ok_or("a frame size that lies outside of the function")?);
    if bytes % 8 != 0 {
        return Err("a frame size that is not a multiple of 8");
    }
    Ok(u64::from(bytes / 8) + u64::from(field(encoding, FRAMELESS_ADJUST)))
}

/// The DWARF number of a register by its number in encodings; none for "no register".
fn register(number: u32) -> Result<Option<u8>, &'static str> {
    match number {
        0 => Ok(None),
        1 => Ok(Some(RBX)),
        // r12 to r15.
        2..=5 => Ok(Some(R12 + (number - 2) as u8)),
        6 => Ok(Some(RBP)),
        _ => Err("a register that does not exist"),
    }
}

/// The first `count` of an ordering of the six registers, which is given by a number: in a mixed radix, each digit says
/// how many of the registers that are smaller and come later or not at all stand before the one meant.
fn order_of(count: u32, permutation: u32) -> Result<[u32; 6], &'static str> {
    if count > 6 {
        return Err("more saved registers than there are");
    }
    let mut free = [true; 6];
    let mut order = [0; 6];
    let mut rest = permutation;
    for position in 0..count {
        // How many orders there are of the registers that follow.
        let weight: u32 = (position + 1..count).map(|later| 6 - later).product();
        let mut digit = rest / weight;
        rest %= weight;
        for (number, free) in (1..).zip(&mut free) {
            match (*free, digit) {
                (false, _) => {}
                (true, 0) => {
                    *free = false;
                    order[position as usize] = number;
                    break;
                }
                (true, _) => digit -= 1,
            }
        }
        if order[position as usize] == 0 {
            return Err("an order of registers that does not exist");
        }
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::compact_unwind::Description;

    /// Bytes of `DW_CFA_offset` for a register and words.
    fn saved(list: &[(u8, u8)]) -> Vec<u8> {
        list.iter().flat_map(|(register, words)| [0x80 | register, *words]).collect()
    }

    fn rules(encoding: u32, function: &[u8]) -> Vec<u8> {
        match FACTS.describe(encoding, function).unwrap() {
            Description::Rules(rules) => rules.bytes().to_vec(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_frame_pointer_with_registers_below_it() {
        // rbx at rbp - 16, r14 at rbp - 8.
        let expected = [vec![0x0c, 6, 16], saved(&[(6, 2), (3, 4), (14, 3)])].concat();
        assert_eq!(rules(0x0102_0021, &[]), expected);
        assert_eq!(rules(0x0100_0000, &[]), [vec![0x0c, 6, 16], saved(&[(6, 2)])].concat());
        assert!(FACTS.describe(0x0100_0001, &[]).is_err(), "saved where the frame pointer is");
        assert!(FACTS.describe(0x0108_0007, &[]).is_err(), "register 7");
    }

    #[test]
    fn a_frame_without_frame_pointer() {
        // 3 words, one register: 0 is the first of all, rbx.
        assert_eq!(rules(0x0203_0400, &[]), [vec![0x0e, 24], saved(&[(3, 2)])].concat());
        // All of six, in their order, and in the reverse of it: 719 is the last of 720.
        let all = saved(&[(3, 7), (12, 6), (13, 5), (14, 4), (15, 3), (6, 2)]);
        assert_eq!(rules(0x0208_1800, &[]), [vec![0x0e, 64], all].concat());
        let reversed = saved(&[(6, 7), (15, 6), (14, 5), (13, 4), (12, 3), (3, 2)]);
        assert_eq!(rules(0x0208_1800 | 719, &[]), [vec![0x0e, 64], reversed].concat());
        assert!(FACTS.describe(0x0208_1800 | 720, &[]).is_err(), "720 orders only");
        assert!(FACTS.describe(0x0201_0400, &[]).is_err(), "one word has room for the return address");
    }

    #[test]
    fn a_frame_size_in_the_instructions() {
        // push rbx; sub rsp, 0x1000: the size is at 4; one more word was pushed, and the return address.
        let code = [0x53, 0x48, 0x81, 0xec, 0x00, 0x10, 0, 0];
        let expected = [vec![0x0e, 0x90, 0x20], saved(&[(3, 2)])].concat();
        assert_eq!(rules(0x0304_4400, &code), expected);
        assert!(FACTS.describe(0x0305_4400, &code).is_err(), "past the function's end");
        assert!(FACTS.describe(0x0303_4400, &code).is_err(), "no multiple of 8");
    }

    #[test]
    fn every_order_of_registers_is_another() {
        for count in 1..=6 {
            let orders = (6 - count + 1..=6).product();
            let mut all: Vec<_> = (0..orders).map(|number| order_of(count, number).unwrap()).collect();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len() as u32, orders, "{count} registers");
        }
    }

    #[test]
    fn other_modes() {
        assert_eq!(FACTS.describe(0, &[]), Ok(Description::Nothing));
        assert_eq!(FACTS.describe(0x0400_0123, &[]), Ok(Description::EhFrame));
        assert!(FACTS.describe(0x0500_0000, &[]).is_err());
    }
}
