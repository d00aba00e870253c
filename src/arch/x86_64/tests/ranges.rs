//! What fits a field, what does not, and what is done then.

use super::*;
use crate::arch::x86_64::kinds::*;
use proptest::prelude::*;

const P: u64 = 0x7f00_0000_0000;

/// Applies `kind` such that the value to be stored is `value`.
fn with_value(kind: EdgeKind, value: i64) -> Result<u64> {
    let facts = &KINDS[kind.index()];
    let content = vec![0; usize::from(facts.width)];
    let base = if facts.pc_relative { P } else { 0 };
    let wanted = base.wrapping_add_signed(value);
    let target = match kind {
        GOT32 | GOTPCREL | GOTPCRELX => Target::at(0).with_got_entry(wanted),
        GOTPC32 => Target { got_base: wanted, ..Target::at(0) },
        SIZE32 => Target { size: wanted, ..Target::at(0) },
        NEG_DELTA32 => Target::at(P.wrapping_add_signed(value.wrapping_neg())),
        _ => Target::at(wanted),
    };
    whole(kind, &content, P, 0).stored(&target)
}

const NARROW: [EdgeKind; 15] = [
    ABS32,
    ABS32S,
    ABS16,
    ABS8,
    PC32,
    PC16,
    PC8,
    PLT32,
    NEG_DELTA32,
    GOT32,
    GOTPCREL,
    GOTPCRELX,
    GOTPC32,
    SIZE32,
    REX_GOTPCRELX,
];

#[test]
fn ends_of_the_range_fit_and_what_lies_beyond_does_not() {
    for kind in NARROW.into_iter().filter(|&kind| kind != REX_GOTPCRELX) {
        let facts = &KINDS[kind.index()];
        let mask = (1 << (8 * u32::from(facts.width))) - 1;
        for value in [facts.min, facts.max] {
            assert_eq!(with_value(kind, value).unwrap(), value.cast_unsigned() & mask, "{}", facts.name);
        }
        for value in [facts.min - 1, facts.max + 1] {
            let error = out_of_range(with_value(kind, value));
            assert_eq!((error.value, error.kind), (value, facts.name));
            assert_eq!((error.min, error.max, error.alignment), (facts.min, facts.max, 1));
            assert!(!error.help.is_empty());
        }
    }
}

/// The psABI's fields, written out.
#[test]
fn ranges_are_those_of_the_fields() {
    let range = |kind: EdgeKind| (KINDS[kind.index()].min, KINDS[kind.index()].max);
    for kind in [ABS32S, PC32, PLT32, GOT32, GOTPCREL, GOTPCRELX, GOTPC32] {
        assert_eq!(range(kind), (-0x8000_0000, 0x7fff_ffff));
    }
    assert_eq!(range(ABS32), (0, 0xffff_ffff));
    assert_eq!(range(SIZE32), (0, 0xffff_ffff));
    assert_eq!(range(ABS16), (-0x8000, 0xffff));
    assert_eq!(range(ABS8), (-0x80, 0xff));
    assert_eq!(range(PC16), (-0x8000, 0x7fff));
    assert_eq!(range(PC8), (-0x80, 0x7f));
}

#[test]
fn errors_name_everything() {
    let error = Fixup { offset: 2, ..whole(ABS32S, &[0; 8], P, 8) }.apply(&Target::at(0x8000_0000));
    let error = out_of_range(error);
    assert_eq!(error.place.to_string(), "test.o:(.text+0x2)");
    assert_eq!((error.target.as_str(), error.target_address), (".text", 0x8000_0000));
    assert_eq!((error.fixup_address, error.value), (P + 2, 0x8000_0008));
    assert!(error.help.contains("low 2 GiB"));
}

#[test]
fn calls_out_of_reach_go_through_the_plt() {
    let call = ending(PLT32, &[0xe8, 0, 0, 0, 0], P);
    let near = Target::at(P + 0x100).with_plt_entry(P + 0x2000);
    assert_eq!(call.bytes(&near), [0xe8, 0xfb, 0, 0, 0]);
    let far = Target::at(0x1000).with_plt_entry(P + 0x2000);
    let (content, counts) = call.apply(&far).unwrap();
    assert_eq!(content, [0xe8, 0xfb, 0x1f, 0, 0]);
    assert_eq!(counts.plt_calls, 1);
    let error = out_of_range(call.apply(&Target::at(0x1000)));
    assert!(error.help.contains("-mcmodel=large"));
    let far_entry = Target::at(0x1000).with_plt_entry(0x2000);
    assert_eq!(out_of_range(call.apply(&far_entry)).target_address, 0x2000);
}

#[test]
fn calls_of_absent_weak_functions_go_through_the_plt() {
    let call = ending(PLT32, &[0xe8, 0, 0, 0, 0], P);
    assert_eq!(call.bytes(&Target::absent().with_plt_entry(P + 0x2000)), [0xe8, 0xfb, 0x1f, 0, 0]);
    assert!(out_of_range(call.apply(&Target::absent())).help.contains("weak"));
}

#[test]
fn branches_marked_as_data_references_go_through_the_plt() {
    let far = Target::at(0x1000).with_plt_entry(P + 0x2000);
    for (before, expected) in [(&[0xe8][..], 0x1ffb_u32), (&[0xe9], 0x1ffb), (&[0x0f, 0x84], 0x1ffa)] {
        let content = [before, &[0; 4]].concat();
        let bytes = ending(PC32, &content, P).bytes(&far);
        assert_eq!(bytes, [before, &expected.to_le_bytes()].concat());
    }
    // mov foo(%rip), %eax; and a field with nothing before it
    out_of_range(ending(PC32, &[0x8b, 0x05, 0, 0, 0, 0], P).apply(&far));
    out_of_range(ending(PC32, &[0, 0, 0, 0], P).apply(&far));
}

#[test]
fn addresses_of_absent_weak_symbols_are_null() {
    let absent = Target::absent();
    // lea foo(%rip), %rax -> mov $0, %rax; likewise %r9
    let lea = ending(PC32, &[0x48, 0x8d, 0x05, 0, 0, 0, 0], P);
    assert_eq!(lea.bytes(&absent), [0x48, 0xc7, 0xc0, 0, 0, 0, 0]);
    let lea = ending(PC32, &[0x4c, 0x8d, 0x0d, 0, 0, 0, 0], P);
    assert_eq!(lea.bytes(&absent), [0x49, 0xc7, 0xc1, 0, 0, 0, 0]);
    // Present but out of reach; another addend; mov foo(%rip), %rax; lea foo(%rip), %eax; lea 0(%rbp), %rax
    let lea = ending(PC32, &[0x48, 0x8d, 0x05, 0, 0, 0, 0], P);
    out_of_range(lea.apply(&Target::at(0x1000)));
    out_of_range(Fixup { addend: 4, ..lea }.apply(&absent));
    for content in
        [[0x48, 0x8b, 0x05, 0, 0, 0, 0], [0x90, 0x8d, 0x05, 0, 0, 0, 0], [0x48, 0x8d, 0x85, 0, 0, 0, 0]]
    {
        assert!(out_of_range(ending(PC32, &content, P).apply(&absent)).help.contains("weak"));
    }
    // In reach of null, nothing needs to be rewritten.
    let low = ending(PC32, &[0x48, 0x8d, 0x05, 0, 0, 0, 0], 0x1000);
    assert_eq!(low.bytes(&absent), [0x48, 0x8d, 0x05, 0xf9, 0xef, 0xff, 0xff]);
}

#[test]
fn arithmetic_wraps_at_64_bits() {
    let fixup = whole(PC32, &[0; 4], u64::MAX - 7, 0);
    assert_eq!(fixup.stored(&Target::at(0x10)).unwrap(), 0x18);
    let fixup = whole(ABS64, &[0; 8], P, i64::MAX);
    assert_eq!(fixup.stored(&Target::at(u64::MAX)).unwrap(), 0x7fff_ffff_ffff_fffe);
}

/// A number that is small, or near an end of some field, or anything.
fn interesting() -> impl Strategy<Value = u64> {
    let ends = prop::sample::select(vec![
        0_u64,
        0x80,
        0x100,
        0x8000,
        0x1_0000,
        0x8000_0000,
        0x1_0000_0000,
        1 << 63,
        P,
    ]);
    prop_oneof![
        (ends, -40_i64..40, any::<bool>()).prop_map(|(end, near, negative)| {
            let end = if negative { end.wrapping_neg() } else { end };
            end.wrapping_add_signed(near)
        }),
        any::<u64>(),
    ]
}

/// The signed number that is `value` modulo 2^64.
fn modulo(value: i128) -> i128 {
    let value = value.rem_euclid(1 << 64);
    if value >= 1 << 63 { value - (1 << 64) } else { value }
}

proptest! {
    #[test]
    fn stores_exactly_what_fits(
        kind in prop::sample::select(vec![ABS64, ABS32, ABS32S, ABS16, ABS8, PC64, PC32, PC16, PC8, PLT32]),
        target in interesting(),
        addend in interesting().prop_map(u64::cast_signed),
        field in interesting(),
    ) {
        let facts = &KINDS[kind.index()];
        let base = if facts.pc_relative { i128::from(field) } else { 0 };
        let value = modulo(i128::from(target) + i128::from(addend) - base);
        let content = vec![0; usize::from(facts.width)];
        let result = whole(kind, &content, field, addend).stored(&Target::at(target));
        if (i128::from(facts.min)..=i128::from(facts.max)).contains(&value) {
            let field_values = 1_i128 << (8 * u32::from(facts.width));
            prop_assert_eq!(i128::from(result.unwrap()), value.rem_euclid(field_values));
        } else {
            prop_assert_eq!(i128::from(out_of_range(result).value), value);
        }
    }
}
