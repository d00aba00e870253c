use crate::arch::x86_64::{PLT_ENTRY_SIZE, write_plt_entry};
use crate::arch::{PltEntry, plt_entry_size, write_plt_entry as write_any_plt_entry};
use crate::graph::Architecture;

#[test]
fn entry_is_landing_pad_and_indirect_jump() {
    let mut entry = [0; PLT_ENTRY_SIZE];
    write_plt_entry(&mut entry, 0x1000, 0x3008).unwrap();
    #[rustfmt::skip]
    assert_eq!(entry, [
        0xf3, 0x0f, 0x1e, 0xfa,             // endbr64
        0xff, 0x25, 0xfe, 0x1f, 0x00, 0x00, // jmpq *0x1ffe(%rip), after which comes 0x100a
        0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00, // nopw (%rax,%rax)
    ]);
}

#[test]
fn slot_may_be_anywhere_within_reach() {
    let mut entry = [0; PLT_ENTRY_SIZE];
    let at = 0x7f00_0000_0000;
    let end = at + 10;
    assert_eq!(write_plt_entry(&mut entry, at, end + 0x7fff_ffff), Ok(()));
    assert_eq!(entry[6..10], [0xff, 0xff, 0xff, 0x7f]);
    assert_eq!(write_plt_entry(&mut entry, at, end - 0x8000_0000), Ok(()));
    assert_eq!(entry[6..10], [0, 0, 0, 0x80]);
    assert_eq!(write_plt_entry(&mut entry, at, end + 0x8000_0000), Err(0x8000_0000));
    assert_eq!(write_plt_entry(&mut entry, at, end - 0x8000_0001), Err(-0x8000_0001));
}

#[test]
fn entries_of_other_sizes_are_refused() {
    let size = plt_entry_size(Architecture::X86_64);
    let mut entry = vec![0; size + 1];
    let wanted = PltEntry { address: 0, slot: 0x1000, landing_pad: false };
    assert!(write_any_plt_entry(Architecture::X86_64, &mut entry[..size], wanted).is_ok());
    assert!(write_any_plt_entry(Architecture::X86_64, &mut entry, wanted).is_err());
}
