//! Which instruction stands at a place, for formats whose relocations do not say.

use super::kinds::*;
use crate::graph::EdgeKind;

/// The kind that puts the low 12 bits of an address into an `add`, load or store whose field is zero; none for any other
/// instruction.
#[must_use]
pub const fn access_kind(instruction: u32) -> Option<EdgeKind> {
    const IMMEDIATE12: u32 = 0xfff << 10;
    // `ADD` (immediate) without shift, and loads and stores with an unsigned offset.
    let is_add = instruction & 0x7fc0_0000 == 0x1100_0000;
    let is_access = instruction & 0x3b00_0000 == 0x3900_0000;
    if instruction & IMMEDIATE12 != 0 {
        return None;
    }
    if is_add {
        return Some(ADD_ABS_LO12_NC);
    }
    if !is_access {
        return None;
    }
    // A vector register of 128 bits has size 0 and the upper bit of the operation set.
    let is_quad = instruction & 0x0480_0000 == 0x0480_0000;
    Some(match instruction >> 30 {
        0 if is_quad => LDST128_ABS_LO12_NC,
        0 => LDST8_ABS_LO12_NC,
        1 => LDST16_ABS_LO12_NC,
        2 => LDST32_ABS_LO12_NC,
        _ => LDST64_ABS_LO12_NC,
    })
}

/// Whether an instruction is `b` or `bl` with a field of zero.
#[must_use]
pub const fn is_branch(instruction: u32) -> bool {
    instruction & 0x7fff_ffff == 0x1400_0000
}

/// Whether an instruction is `ldr x, [x]`, the second half of a load from the GOT.
#[must_use]
pub const fn is_page_load(instruction: u32) -> bool {
    instruction & 0xffff_fc00 == 0xf940_0000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_tell_how_wide_they_access_memory() {
        let cases = [
            (0x9100_0021, Some(ADD_ABS_LO12_NC)),     // add x1, x1, #0
            (0x1100_0021, Some(ADD_ABS_LO12_NC)),     // add w1, w1, #0
            (0x3940_0020, Some(LDST8_ABS_LO12_NC)),   // ldrb w0, [x1]
            (0x7940_0020, Some(LDST16_ABS_LO12_NC)),  // ldrh w0, [x1]
            (0xb900_0020, Some(LDST32_ABS_LO12_NC)),  // str w0, [x1]
            (0xf940_0020, Some(LDST64_ABS_LO12_NC)),  // ldr x0, [x1]
            (0x3dc0_0020, Some(LDST128_ABS_LO12_NC)), // ldr q0, [x1]
            (0x3d80_0020, Some(LDST128_ABS_LO12_NC)), // str q0, [x1]
            (0x3d40_0020, Some(LDST8_ABS_LO12_NC)),   // ldr b0, [x1]
            (0xfd40_0020, Some(LDST64_ABS_LO12_NC)),  // ldr d0, [x1]
            (0xf940_0420, None),                      // ldr x0, [x1, #8]
            (0x9140_0021, None),                      // add x1, x1, #0, lsl #12
            (0xd503_201f, None),                      // nop
            (0xf840_0420, None),                      // ldr x0, [x1], #0
        ];
        for (instruction, kind) in cases {
            assert_eq!(access_kind(instruction), kind, "{instruction:#x}");
        }
    }

    #[test]
    fn branches_and_loads_with_empty_fields() {
        assert!(is_branch(0x1400_0000) && is_branch(0x9400_0000));
        assert!(!is_branch(0x9400_0001) && !is_branch(0x5400_0000));
        assert!(is_page_load(0xf940_0021) && !is_page_load(0xb940_0021) && !is_page_load(0xf940_0421));
    }
}
