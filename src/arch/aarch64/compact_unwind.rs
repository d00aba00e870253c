//! What compact unwind encodings mean on AArch64.
//!
//! Source: the header `mach-o/compact_unwind_encoding.h`, "ARM64"; "DWARF for the Arm 64-bit Architecture" for register
//! numbers.

use crate::arch::compact_unwind::{Facts, MODE, Rules, field};

/// DWARF numbers.
const X19: u8 = 19;
const X29: u8 = 29;
const X30: u8 = 30;
const D8: u8 = 72;

const FRAMELESS: u32 = 0x0200_0000;
const EH_FRAME: u32 = 0x0300_0000;
const FRAME: u32 = 0x0400_0000;

/// Size of the frame in units of 16 bytes.
const FRAMELESS_SIZE: u32 = 0x00ff_f000;

/// Pairs of registers, in the order in which they are saved downwards: bit, and the first register.
const PAIRS: [(u32, u8); 9] = [
    (0x001, X19),
    (0x002, X19 + 2),
    (0x004, X19 + 4),
    (0x008, X19 + 6),
    (0x010, X19 + 8),
    (0x100, D8),
    (0x200, D8 + 2),
    (0x400, D8 + 4),
    (0x800, D8 + 6),
];

/// All bits of [`PAIRS`].
const KNOWN_PAIRS: u32 = 0xf1f;

pub(super) static FACTS: Facts = Facts {
    return_address: X30,
    code_alignment: 4,
    // The frame begins at sp, and the return address is in its register.
    at_entry: &[0x0c, 31, 0],
    eh_frame_mode: EH_FRAME,
    describe,
};

fn describe(encoding: u32, _function: &[u8]) -> Result<Rules, &'static str> {
    let mut rules = Rules::default();
    match encoding & MODE {
        FRAME => {
            rules.frame_above(X29, 16);
            rules.saved(X29, 2);
            rules.saved(X30, 1);
            save_pairs(&mut rules, encoding & 0xffff, 2)?;
        }
        FRAMELESS => {
            let size = 16 * u64::from(field(encoding, FRAMELESS_SIZE));
            rules.frame_size(size);
            let words = save_pairs(&mut rules, encoding & 0xfff, 0)?;
            if 8 * words > size {
                return Err("a frame that is too small for its registers");
            }
        }
        _ => return Err("a mode that AArch64 does not have"),
    }
    Ok(rules)
}

/// Pairs are saved side by side, below `words` words; returns where they end.
fn save_pairs(rules: &mut Rules, pairs: u32, mut words: u64) -> Result<u64, &'static str> {
    if pairs & !KNOWN_PAIRS != 0 {
        return Err("registers that do not exist");
    }
    for (_, first) in PAIRS.into_iter().filter(|(bit, _)| pairs & bit != 0) {
        for register in [first, first + 1] {
            words += 1;
            rules.saved(register, words);
        }
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::compact_unwind::Description;

    fn rules(encoding: u32) -> Vec<u8> {
        match FACTS.describe(encoding, &[]).unwrap() {
            Description::Rules(rules) => rules.bytes().to_vec(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_frame_with_pairs_below_it() {
        let link = vec![0x0c, 29, 16, 0x80 | 29, 2, 0x80 | 30, 1];
        assert_eq!(rules(0x0400_0000), link);
        // x19 and x20, then d8 and d9, whose numbers do not fit the short instruction.
        let pairs = vec![0x80 | 19, 3, 0x80 | 20, 4, 0x05, 72, 5, 0x05, 73, 6];
        assert_eq!(rules(0x0400_0101), [link, pairs].concat());
        assert!(FACTS.describe(0x0400_0020, &[]).is_err(), "a pair that does not exist");
    }

    #[test]
    fn a_frame_without_frame_pointer() {
        assert_eq!(rules(0x0200_3000), [0x0e, 48]);
        assert_eq!(rules(0x0200_1001), [0x0e, 16, 0x80 | 19, 1, 0x80 | 20, 2]);
        assert!(FACTS.describe(0x0200_0001, &[]).is_err(), "no room for the pair");
    }

    #[test]
    fn other_modes() {
        assert_eq!(FACTS.describe(0, &[]), Ok(Description::Nothing));
        assert_eq!(FACTS.describe(0x0300_0040, &[]), Ok(Description::EhFrame));
        assert!(FACTS.describe(0x0100_0000, &[]).is_err());
    }
}
