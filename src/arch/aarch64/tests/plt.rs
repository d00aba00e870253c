use super::*;
use crate::arch::{PltEntry, plt_entry_size, write_plt_entry};

fn written(address: u64, slot: u64, landing_pad: bool) -> Result<Vec<String>> {
    let mut bytes = vec![0; plt_entry_size(Architecture::Aarch64)];
    write_plt_entry(Architecture::Aarch64, &mut bytes, PltEntry { address, slot, landing_pad })?;
    let words = bytes.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().unwrap()));
    Ok(disassembled(&words.collect::<Vec<_>>()))
}

#[test]
fn entry_is_an_indirect_jump_with_a_landing_pad_on_demand() {
    let jump = ["adrp x16, #8192", "ldr x17, [x16, #8]", "br x17"];
    assert_eq!(written(0x1ff0, 0x3008, false).unwrap(), [&jump[..], &["nop"]].concat());
    assert_eq!(written(0x1ff0, 0x3008, true).unwrap(), [&["hint #34"], &jump[..]].concat());
    // `hint #34` is `bti c`. The pad moves the adrp into the next page.
    assert_eq!(written(0x1ffc, 0x3008, true).unwrap()[1], "adrp x16, #4096");
}

#[test]
fn slot_may_be_anywhere_within_reach() {
    let at = 0x7f00_0000_0000;
    assert_eq!(
        written(at, at + 0xffff_fff8, false).unwrap()[..2],
        ["adrp x16, #4294963200", "ldr x17, [x16, #4088]"]
    );
    assert_eq!(written(at, at - 0x1_0000_0000, false).unwrap()[0], "adrp x16, #-4294967296");
    for slot in [at + 0x1_0000_0000, at - 0x1_0000_0008, at + 4] {
        assert!(written(at, slot, false).is_err(), "{slot:#x}");
    }
}

#[test]
fn entries_of_other_sizes_are_refused() {
    let entry = PltEntry { address: 0, slot: 0x1000, landing_pad: false };
    assert!(write_plt_entry(Architecture::Aarch64, &mut [0; 20], entry).is_err());
    assert!(write_plt_entry(Architecture::Aarch64, &mut [0; 12], entry).is_err());
}
