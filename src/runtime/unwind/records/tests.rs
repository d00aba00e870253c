use super::super::TERMINATOR;
use super::super::tests::{cie, fde, record, section};
use super::*;

fn lengths(section: &[u8]) -> Vec<Result<usize, Malformed>> {
    fdes(section).map(|fde| fde.map(<[u8]>::len)).collect()
}

#[test]
fn fdes_are_found_between_cies() {
    let (first, second) = (fde(cie().len(), 0x1000, 8), fde(cie().len() * 2, 0x2000, 8));
    let extended = [&u32::MAX.to_ne_bytes()[..], &8_u64.to_ne_bytes(), &[1; 8]].concat();
    let section = [&cie(), &first, &cie(), &second, &extended, &[0; TERMINATOR][..], &first].concat();
    assert_eq!(lengths(&section), [Ok(first.len()), Ok(second.len()), Ok(20)]);
}

#[test]
fn records_that_run_past_the_section_are_faults() {
    let whole = section(0x1000, 0x10);
    for size in 0..whole.len() {
        let cut = lengths(&whole[..size]);
        assert_eq!(cut.last(), Some(&Err(Malformed)), "{size} bytes");
    }
    let huge = [&u32::MAX.to_ne_bytes()[..], &u64::MAX.to_ne_bytes(), &[1; 8]].concat();
    assert_eq!(lengths(&huge), [Err(Malformed)]);
    let no_id = [&3_u32.to_ne_bytes()[..], &[1; 3]].concat();
    assert_eq!(lengths(&no_id), [Err(Malformed)]);
}

const PCREL_SDATA4: u8 = 0x1b;
const PERSONALITY_PCREL_SDATA4: u8 = 0x9b;

fn cie_with(augmentation: &[u8], data: &[u8]) -> Vec<u8> {
    let size = [data.len() as u8];
    record(&[b"\0\0\0\0\x01", augmentation, b"\0\x01\x78\x10", &size, data].concat())
}

/// `cie`, an FDE with these fields, the terminator.
fn described(cie: &[u8], fields: &[u8]) -> Vec<u8> {
    let to_cie = (cie.len() as u32 + 4).to_ne_bytes();
    [cie, &record(&[&to_cie, fields].concat()), &[0; TERMINATOR]].concat()
}

#[test]
fn the_code_of_all_functions_together() {
    let (first, second) = (fde(cie().len(), 0x1000, 8), fde(cie().len() * 2, 0x2000, 0x18));
    let dropped = fde(cie().len(), 0, 0x100);
    let together = [&cie(), &second, &cie(), &first, &dropped, &[0; TERMINATOR][..]].concat();
    // The distances are those of the other order: both lead to a CIE.
    assert_eq!(extent(&together), Err(Malformed));
    let together = [&cie(), &first, &cie(), &second, &[0; TERMINATOR][..]].concat();
    assert_eq!(extent(&together), Err(Malformed), "the second leads into the first");
    let second = fde(cie().len() + first.len(), 0x2000, 0x18);
    let dropped = fde(cie().len() + first.len() + second.len(), 0, 0x100);
    let together = [&cie(), &first, &second, &dropped, &[0; TERMINATOR][..]].concat();
    assert_eq!(extent(&together), Ok(Some(Extent { code: Some(0x1000..0x2018), functions: 2 })));
}

#[test]
fn nothing_is_described_by_dropped_functions() {
    assert_eq!(extent(&section(0, 0x100)), Ok(None));
    assert_eq!(extent(&[cie(), vec![0; TERMINATOR]].concat()), Ok(None));
}

#[test]
fn relative_addresses_after_a_personality() {
    let data = [&[PERSONALITY_PCREL_SDATA4, 0, 0, 0, 0, PCREL_SDATA4, PCREL_SDATA4][..]].concat();
    let fields = [&(-0x40_i32).to_ne_bytes()[..], &0x20_u32.to_ne_bytes(), &[0]].concat();
    let section = described(&cie_with(b"zPLR", &data), &fields);
    let field = section.as_ptr().addr() as u64 + cie_with(b"zPLR", &data).len() as u64 + 8;
    let code = Some(field - 0x40..field - 0x20);
    assert_eq!(extent(&section), Ok(Some(Extent { code, functions: 1 })));
}

#[test]
fn what_is_valid_but_not_understood_has_no_known_code() {
    let unknown = Ok(Some(Extent { code: None, functions: 1 }));
    let fields = [0x11; 17];
    // Variable length, relative to the text, indirect, aligned; an augmentation of the future.
    for encoding in [0x01, 0x09, 0x2b, 0x9b, 0x50] {
        assert_eq!(extent(&described(&cie_with(b"zR", &[encoding]), &fields)), unknown, "{encoding:#x}");
    }
    assert_eq!(extent(&described(&cie_with(b"zQR", &[0]), &fields)), unknown);
}

#[test]
fn what_the_unwinder_would_give_up_on_is_malformed() {
    let fields = [0x11; 17];
    for encoding in [0xff, 0x07, 0x0d, 0x40, 0x4b, 0x60, 0x70] {
        assert_eq!(
            extent(&described(&cie_with(b"zR", &[encoding]), &fields)),
            Err(Malformed),
            "{encoding:#x}"
        );
    }
    let other_address_size = record(b"\0\0\0\0\x04zR\0\x04\0\x01\x78\x10\x01\0");
    assert_eq!(extent(&described(&other_address_size, &fields)), Err(Malformed));
    let no_cie = [&record(&[&4_u32.to_ne_bytes()[..], &fields].concat()), &[0; TERMINATOR][..]].concat();
    assert_eq!(extent(&no_cie), Err(Malformed));
    let extended = [&u32::MAX.to_ne_bytes()[..], &8_u64.to_ne_bytes(), &[1; 8], &[0; TERMINATOR]].concat();
    assert_eq!(extent(&extended), Err(Malformed));
}
