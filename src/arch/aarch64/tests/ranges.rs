//! What fits a field, and what does not.

use super::*;
use crate::arch::aarch64::kinds::*;

const P: u64 = 0x4000_0000_0000;

/// Applies `kind` such that the value to be stored is `value`.
fn with_value(kind: EdgeKind, value: i64) -> Result<u64> {
    let facts = &KINDS[kind.index()];
    let content = vec![0; usize::from(facts.width)];
    let base = if facts.pc_relative { P } else { 0 };
    let wanted = base.wrapping_add_signed(value);
    let target = match facts.request {
        crate::graph::Request::Got => Target::at(0x10).with_got_entry(wanted),
        _ => Target::at(wanted),
    };
    whole(kind, &content, P, 0).stored(&target)
}

/// The ABI document's checks, written out: smallest value, largest value, multiple of.
const CHECKS: [(EdgeKind, i64, i64, i64); 27] = [
    (ABS32, -1 << 31, (1 << 32) - 1, 1),
    (ABS16, -1 << 15, (1 << 16) - 1, 1),
    (PREL32, -1 << 31, (1 << 32) - 1, 1),
    (PREL16, -1 << 15, (1 << 16) - 1, 1),
    (PLT32, -1 << 31, (1 << 31) - 1, 1),
    (GOTPCREL32, -1 << 31, (1 << 31) - 1, 1),
    (GOTREL32, -1 << 31, (1 << 31) - 1, 1),
    (MOVW_UABS_G0, 0, (1 << 16) - 1, 1),
    (MOVW_UABS_G1, 0, (1 << 32) - 1, 1),
    (MOVW_UABS_G2, 0, (1 << 48) - 1, 1),
    (MOVW_SABS_G0, -1 << 16, (1 << 16) - 1, 1),
    (MOVW_SABS_G1, -1 << 32, (1 << 32) - 1, 1),
    (MOVW_SABS_G2, -1 << 48, (1 << 48) - 1, 1),
    (MOVW_PREL_G0, -1 << 16, (1 << 16) - 1, 1),
    (MOVW_PREL_G1, -1 << 32, (1 << 32) - 1, 1),
    (MOVW_PREL_G2, -1 << 48, (1 << 48) - 1, 1),
    (MOVW_GOTOFF_G0, -1 << 16, (1 << 16) - 1, 1),
    (MOVW_GOTOFF_G1, -1 << 32, (1 << 32) - 1, 1),
    (MOVW_GOTOFF_G2, -1 << 48, (1 << 48) - 1, 1),
    (LD_PREL_LO19, -1 << 20, (1 << 20) - 4, 4),
    (ADR_PREL_LO21, -1 << 20, (1 << 20) - 1, 1),
    (TSTBR14, -1 << 15, (1 << 15) - 4, 4),
    (CONDBR19, -1 << 20, (1 << 20) - 4, 4),
    (JUMP26, -1 << 27, (1 << 27) - 4, 4),
    (CALL26, -1 << 27, (1 << 27) - 4, 4),
    (LD64_GOTOFF_LO15, 0, (1 << 15) - 8, 8),
    (LD64_GOTPAGE_LO15, 0, (1 << 15) - 8, 8),
];

#[test]
fn ends_of_the_range_fit_and_what_lies_beyond_does_not() {
    for (kind, min, max, step) in CHECKS {
        let name = KINDS[kind.index()].name;
        for value in [min, max] {
            with_value(kind, value).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        for value in [min - step, max + step] {
            let error = out_of_range(with_value(kind, value));
            assert_eq!((error.value, error.kind), (value, name));
            assert!(!error.help.is_empty());
        }
    }
}

#[test]
fn values_between_multiples_do_not_fit() {
    let accesses = [
        (LDST16_ABS_LO12_NC, 2),
        (LDST32_ABS_LO12_NC, 4),
        (LDST64_ABS_LO12_NC, 8),
        (LDST128_ABS_LO12_NC, 16),
        (LD64_GOT_LO12_NC, 8),
    ];
    let checks = CHECKS.iter().map(|&(kind, .., step)| (kind, step)).filter(|(_, step)| *step > 1);
    for (kind, step) in checks.chain(accesses) {
        for value in 1..step {
            let error = out_of_range(with_value(kind, 0x100 + value));
            assert_eq!(error.alignment, step.unsigned_abs(), "{}", error.kind);
            assert!(error.to_string().contains(&format!("not a multiple of {step}")), "{error}");
        }
        with_value(kind, 0x100 + step).unwrap();
    }
}

/// Distances of pages, which are multiples of 4 KiB wherever in their pages place and target are.
#[test]
fn pages_reach_four_gibibytes() {
    let adrp = |at: u64, target: u64| instruction(ADR_PREL_PG_HI21, 0x9000_0000, at, 0, &Target::at(target));
    let got = |at: u64, entry: u64| {
        instruction(ADR_GOT_PAGE, 0x9000_0000, at, 0, &Target::at(8).with_got_entry(entry))
    };
    for apply in [&adrp as &dyn Fn(u64, u64) -> Result<u32>, &got] {
        let last = apply(P, P + 0xffff_fff8).unwrap();
        let first = apply(P + 0xfff, P - 0x1_0000_0000).unwrap();
        assert_eq!(disassembled(&[last, first]), ["adrp x0, #4294963200", "adrp x0, #-4294967296"]);
        assert_eq!(out_of_range(apply(P + 0xffc, P + 0x1_0000_0000)).value, 0x1_0000_0000);
        assert_eq!(out_of_range(apply(P, P - 0x1_0000_0008)).value, -0x1_0000_1000);
    }
    let unchecked = instruction(ADR_PREL_PG_HI21_NC, 0x9000_0000, P, 0, &Target::at(P + 0x1_0000_1000));
    assert_eq!(disassembled(&[unchecked.unwrap()]), ["adrp x0, #-4294963200"]);
}

/// No unchecked kind complains, whatever the value.
#[test]
fn unchecked_kinds_take_any_value() {
    for (number, facts) in KINDS.iter().enumerate().filter(|(_, facts)| facts.name.ends_with("_NC")) {
        if matches!(facts.request, crate::graph::Request::ThreadLocal) || facts.name.starts_with("AUTH") {
            continue;
        }
        for value in [i64::MIN, -1 << 40, 0x1230, 1 << 40, i64::MAX & !0xff] {
            with_value(EdgeKind(number as u8), value).unwrap_or_else(|error| panic!("{error}"));
        }
    }
}

#[test]
fn errors_name_everything() {
    let error = out_of_range(whole(CALL26, &[0; 4], P, 8).apply(&Target::at(P + (1 << 27))));
    assert_eq!(error.place.to_string(), "test.o:(.text+0x0)");
    assert_eq!((error.target.as_str(), error.target_address), (".text", P + (1 << 27)));
    assert_eq!((error.fixup_address, error.value), (P, (1 << 27) + 8));
    assert!(error.help.contains("128 MiB"));
}
