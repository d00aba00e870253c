//! What each kind stores.

use super::*;
use crate::arch::aarch64::insn::NOP;
use crate::arch::aarch64::kinds::*;
use crate::arch::implicit_addend;
use crate::graph::Request;

const P: u64 = 0x7654_3000;
const S: u64 = 0x7654_8670;
const GOT: u64 = 0x7650_0100;
const G: u64 = 0x7650_0238;
const L: u64 = 0x7655_0000;

fn target() -> Target {
    Target { got_base: GOT, ..Target::at(S).with_got_entry(G).with_plt_entry(L) }
}

/// Kind, instruction with whatever in its field, what LLVM calls it after fixup with addend 0.
#[rustfmt::skip]
const INSTRUCTIONS: [(EdgeKind, u32, &str); 43] = [
    (MOVW_UABS_G0_NC, 0xf282_4680, "movk x0, #34416"),
    (MOVW_UABS_G1, 0xd2a0_0001, "mov x1, #1985216512"),
    (MOVW_UABS_G1_NC, 0xf2a0_0001, "movk x1, #30292, lsl #16"),
    (MOVW_UABS_G2, 0xd2df_ffe2, "movz x2, #0, lsl #32"),
    (MOVW_UABS_G2_NC, 0xf2df_ffe2, "movk x2, #0, lsl #32"),
    (MOVW_UABS_G3, 0xd2ff_ffe3, "movz x3, #0, lsl #48"),
    (MOVW_SABS_G1, 0x92a0_0004, "mov x4, #1985216512"),
    (MOVW_SABS_G2, 0x92c0_0004, "movz x4, #0, lsl #32"),
    (MOVW_PREL_G0, 0x9280_0005, "mov x5, #22128"),
    (MOVW_PREL_G0_NC, 0xf280_0005, "movk x5, #22128"),
    (MOVW_PREL_G1, 0xd2a0_0005, "movz x5, #0, lsl #16"),
    (MOVW_PREL_G1_NC, 0xf2a0_0005, "movk x5, #0, lsl #16"),
    (MOVW_PREL_G2, 0xd2c0_0005, "movz x5, #0, lsl #32"),
    (MOVW_PREL_G2_NC, 0xf2c0_0005, "movk x5, #0, lsl #32"),
    (MOVW_PREL_G3, 0xd2e0_0005, "movz x5, #0, lsl #48"),
    (MOVW_GOTOFF_G0, 0x9280_0006, "mov x6, #312"),
    (MOVW_GOTOFF_G0_NC, 0xf280_0006, "movk x6, #312"),
    (MOVW_GOTOFF_G1, 0xd2a0_0006, "movz x6, #0, lsl #16"),
    (MOVW_GOTOFF_G1_NC, 0xf2a0_0006, "movk x6, #0, lsl #16"),
    (MOVW_GOTOFF_G2, 0xd2c0_0006, "movz x6, #0, lsl #32"),
    (MOVW_GOTOFF_G2_NC, 0xf2c0_0006, "movk x6, #0, lsl #32"),
    (MOVW_GOTOFF_G3, 0xd2e0_0006, "movz x6, #0, lsl #48"),
    (LD_PREL_LO19, 0x58ff_ffe7, "ldr x7, #22128"),
    (ADR_PREL_LO21, 0x70ff_ffe8, "adr x8, #22128"),
    (ADR_PREL_PG_HI21, 0xf0ff_ffe9, "adrp x9, #20480"),
    (ADR_PREL_PG_HI21_NC, 0x9000_0009, "adrp x9, #20480"),
    (ADD_ABS_LO12_NC, 0x913f_fd2a, "add x10, x9, #1648"),
    (LDST8_ABS_LO12_NC, 0x3940_012b, "ldrb w11, [x9, #1648]"),
    (LDST16_ABS_LO12_NC, 0x7900_012b, "strh w11, [x9, #1648]"),
    (LDST32_ABS_LO12_NC, 0xb940_012b, "ldr w11, [x9, #1648]"),
    (LDST64_ABS_LO12_NC, 0xfd40_012b, "ldr d11, [x9, #1648]"),
    (LDST128_ABS_LO12_NC, 0x3dc0_012b, "ldr q11, [x9, #1648]"),
    (TSTBR14, 0xb70f_ffec, "tbnz x12, #33, #22128"),
    (CONDBR19, 0x5400_0001, "b.ne #22128"),
    (CONDBR19, 0x35ff_ffed, "cbnz w13, #22128"),
    (JUMP26, 0x17ff_ffff, "b #22128"),
    (CALL26, 0x9400_0000, "bl #22128"),
    (GOT_LD_PREL19, 0x1800_000e, "ldr w14, #-273864"),
    (LD64_GOTOFF_LO15, 0xf940_01ef, "ldr x15, [x15, #312]"),
    (ADR_GOT_PAGE, 0x9000_0010, "adrp x16, #-274432"),
    (LD64_GOT_LO12_NC, 0xf940_0210, "ldr x16, [x16, #568]"),
    (LD64_GOTPAGE_LO15, 0xf940_0210, "ldr x16, [x16, #568]"),
    (MOVW_UABS_G0, 0xd280_0000, "mov x0, #48879"),
];

#[test]
fn instructions_hold_the_value_and_nothing_else_changes() {
    let after: Vec<u32> = INSTRUCTIONS
        .iter()
        .map(|&(kind, before, _)| {
            let target = if kind == MOVW_UABS_G0 { Target::at(0xbeef) } else { target() };
            instruction(kind, before, P, 0, &target).unwrap()
        })
        .collect();
    let expected: Vec<&str> = INSTRUCTIONS.iter().map(|(_, _, text)| *text).collect();
    assert_eq!(disassembled(&after), expected);
}

/// The psABI's list, but for what needs no instruction and what is refused.
#[test]
fn every_kind_of_an_instruction_is_tested() {
    for (number, facts) in KINDS.iter().enumerate().filter(|(_, facts)| facts.width == 4) {
        let kind = EdgeKind(number as u8);
        let refused = kind >= AUTH_ABS64;
        let elsewhere = matches!(facts.request, Request::ThreadLocal);
        let data = [ABS32, PREL32, PLT32, GOTPCREL32, GOTREL32, NEG_DELTA32].contains(&kind);
        let tested =
            INSTRUCTIONS.iter().any(|(tested, ..)| *tested == kind) || [MOVW_SABS_G0].contains(&kind);
        assert!(refused || elsewhere || data || tested, "{}", facts.name);
    }
}

#[test]
fn addends_are_added() {
    let field = |kind, before| instruction(kind, before, P, 0x18, &target()).unwrap();
    let after =
        [field(ADD_ABS_LO12_NC, 0x9100_0000), field(CALL26, 0x9400_0000), field(CONDBR19, 0x5400_0000)];
    assert_eq!(disassembled(&after), ["add x0, x0, #1672", "bl #22152", "b.eq #22152"]);
    let page = instruction(ADR_PREL_PG_HI21, 0x9000_0000, P, 0x990, &target()).unwrap();
    assert_eq!(disassembled(&[page]), ["adrp x0, #24576"]);
}

#[test]
fn the_sign_chooses_movn_or_movz() {
    let moved = |kind, before, at: u64| instruction(kind, before, P, 0, &Target::at(at)).unwrap();
    let after = [
        moved(MOVW_SABS_G0, 0xd280_0000, (-2_i64).cast_unsigned()),
        moved(MOVW_SABS_G0, 0x9280_0000, 2),
        moved(MOVW_SABS_G1, 0xd2a0_0000, (-0x1_2345_i64).cast_unsigned()),
        moved(MOVW_PREL_G1, 0xd2a0_0000, P - 0x5_0000),
        moved(MOVW_PREL_G3, 0xd2e0_0000, P - 1),
        // A movk has no sign to take.
        moved(MOVW_PREL_G3, 0xf2e0_0000, P - 1),
    ];
    let expected = [
        "mov x0, #-2",
        "mov x0, #2",
        "mov x0, #-65537",
        "mov x0, #-262145",
        "movn x0, #0, lsl #48",
        "movk x0, #65535, lsl #48",
    ];
    assert_eq!(disassembled(&after), expected);
}

#[test]
fn data() {
    let stored = |kind: EdgeKind, addend| {
        let content = vec![0xaa; usize::from(KINDS[kind.index()].width)];
        whole(kind, &content, P, addend).stored(&target()).unwrap()
    };
    assert_eq!(stored(ABS64, 0x10), S + 0x10);
    assert_eq!(stored(ABS32, 0x10), S + 0x10);
    assert_eq!(stored(ABS16, -0x7654_0000), 0x8670);
    assert_eq!(stored(PREL64, -0x1_0000), (S - P).wrapping_sub(0x1_0000));
    assert_eq!(stored(PREL32, -0x1_0000), 0xffff_5670);
    assert_eq!(stored(PREL16, -0x10), 0x5660);
    assert_eq!(stored(PLT32, 4), S + 4 - P);
    assert_eq!(stored(GOTPCREL32, 4), (G + 4).wrapping_sub(P) & 0xffff_ffff);
    assert_eq!(stored(GOTABS64, 4), G + 4);
    assert_eq!(stored(NEG_DELTA32, 4), P.wrapping_add(4).wrapping_sub(S) & 0xffff_ffff);
    assert_eq!(stored(NEG_DELTA64, 4), P.wrapping_add(4).wrapping_sub(S));
    assert_eq!(stored(GOTREL64, 4), S + 4 - GOT);
    assert_eq!(stored(GOTREL32, 4), S + 4 - GOT);
}

#[test]
fn nothing_is_stored_to_keep_alive() {
    for kind in [NONE, KEEP_ALIVE] {
        assert_eq!(whole(kind, &[0xaa; 4], P, 0x10).bytes(&target()), [0xaa; 4]);
    }
}

#[test]
fn functions_out_of_reach_are_called_through_the_plt() {
    let far = Target::at(0x7fff_0000_0000).with_plt_entry(L);
    for (kind, before, expected) in [(CALL26, 0x9400_0000, "bl #53248"), (JUMP26, 0x1400_0000, "b #53248")] {
        assert_eq!(disassembled(&[instruction(kind, before, P, 0, &far).unwrap()]), [expected]);
        out_of_range(instruction(kind, before, P, 0, &Target::at(0x7fff_0000_0000)));
        // An addend is no part of the function's address.
        out_of_range(instruction(kind, before, P, 4, &far));
    }
    let (_, counts) = whole(CALL26, &[0; 4], P, 0).apply(&far).unwrap();
    assert_eq!(counts.plt_calls, 1);
    assert_eq!(whole(PLT32, &[0; 4], P, 0).stored(&far).unwrap(), L - P);
}

#[test]
fn absent_weak_symbols() {
    let absent = Target::absent();
    for (kind, before) in
        [(CALL26, 0x9400_0000), (JUMP26, 0x1400_0000), (CONDBR19, 0x5400_0000), (TSTBR14, 0x3600_0000)]
    {
        // In reach of null, too.
        for at in [P, 0x1000] {
            assert_eq!(instruction(kind, before, at, 0, &absent.with_plt_entry(L)).unwrap(), NOP);
        }
    }
    let after = [
        instruction(ADR_PREL_PG_HI21, 0x9000_0005, P << 8, 8, &absent).unwrap(),
        instruction(ADR_PREL_LO21, 0x1000_0005, P << 8, 8, &absent).unwrap(),
        instruction(ADD_ABS_LO12_NC, 0x9100_00a5, P << 8, 8, &absent).unwrap(),
    ];
    assert_eq!(disassembled(&after), ["mov x5, #0", "mov x5, #8", "add x5, x5, #8"]);
    out_of_range(instruction(ADR_PREL_PG_HI21, 0x9000_0005, P << 8, 1 << 40, &absent));
    assert_eq!(whole(ABS64, &[0; 8], P, 8).stored(&absent).unwrap(), 8);
    assert_eq!(whole(PREL64, &[0; 8], P, 8).stored(&absent).unwrap(), 8);
    assert_eq!(whole(PREL32, &[0; 4], P, 8).stored(&absent).unwrap(), 8);
}

#[test]
fn signed_pointers_are_refused_by_name() {
    for (number, facts) in KINDS.iter().enumerate() {
        let kind = EdgeKind(number as u8);
        if kind < AUTH_ABS64 {
            continue;
        }
        let reason = "signed pointers are not supported";
        let error = whole(kind, &[0; 16], P, 0).apply(&target()).unwrap_err();
        assert!(matches!(error, Error::Unsupported(_)), "{error}");
        let start = format!("test.o:(.text+0x0): {} relocation to .text: {reason}", facts.name);
        assert!(error.to_string().starts_with(&start), "{error}");
    }
}

#[test]
fn debug_info_has_offsets_of_thread_local_variables() {
    let fixup = Fixup { lifetime: Lifetime::NoAlloc, ..whole(TLS_DTPREL64, &[0; 8], P, 0x10) };
    assert_eq!(fixup.stored(&target()).unwrap(), 0x40);
}

#[test]
fn unknown_kinds_are_refused() {
    for kind in [UNKNOWN, EdgeKind(KINDS.len() as u8), EdgeKind(255)] {
        let error = whole(kind, &[0; 8], P, 0).apply(&target()).unwrap_err();
        assert!(matches!(error, Error::Unsupported(_)), "{error}");
    }
}

#[test]
fn missing_got_entries_are_errors() {
    let without_entry = Target { got_entry: None, ..target() };
    for kind in [GOTPCREL32, ADR_GOT_PAGE, LD64_GOT_LO12_NC, LD64_GOTPAGE_LO15, MOVW_GOTOFF_G0] {
        let error = whole(kind, &[0; 4], P, 0).apply(&without_entry).unwrap_err();
        assert!(matches!(error, Error::Invalid { .. }), "{error}");
    }
}

/// Every kind that stores something, at every position where the field does not fit.
#[test]
fn fields_must_lie_in_the_block() {
    for (number, facts) in KINDS.iter().enumerate().filter(|(_, facts)| facts.width > 0) {
        for size in 0..u32::from(facts.width) {
            for offset in [4, 8, u32::MAX] {
                let content = vec![0; (4 + size) as usize];
                let fixup = Fixup { offset, ..whole(EdgeKind(number as u8), &content, P, 0) };
                let near = if facts.pc_relative { Target::at(P + 4) } else { Target::at(0x100) };
                let near = Target { got_base: P, ..near.with_got_entry(P) };
                match fixup.apply(&near) {
                    Err(Error::Malformed(error)) => assert_eq!(error.place.offset, Some(offset.into())),
                    Err(Error::OutOfRange(_)) if offset == u32::MAX => {}
                    Err(Error::Unsupported(_)) => {}
                    Err(Error::Invalid { .. }) => assert!(facts.name.starts_with("TLSLD_"), "{}", facts.name),
                    other => panic!("{}: {other:?}", facts.name),
                }
            }
        }
    }
}

#[test]
fn implicit_addends_are_what_the_field_holds() {
    let addend = |kind, field: &[u8]| implicit_addend(Architecture::Aarch64, kind, field, 0);
    let of_instruction = |kind, word: u32| addend(kind, &word.to_le_bytes()).unwrap();
    assert_eq!(addend(ABS64, &(-5_i64).to_le_bytes()), Some(-5));
    assert_eq!(addend(PREL32, &(-5_i32).to_le_bytes()), Some(-5));
    assert_eq!(addend(ABS16, &0x7fff_i16.to_le_bytes()), Some(0x7fff));
    assert_eq!(of_instruction(CALL26, 0x97ff_ffff), -4);
    assert_eq!(of_instruction(CONDBR19, 0x5400_0040), 8);
    assert_eq!(of_instruction(TSTBR14, 0xb70f_ffec), -4);
    assert_eq!(of_instruction(ADR_PREL_LO21, 0x70ff_ffe8), -1);
    assert_eq!(of_instruction(ADR_PREL_PG_HI21, 0xd000_0009), 0x2000);
    assert_eq!(of_instruction(ADD_ABS_LO12_NC, 0x913f_fd2a), -1);
    assert_eq!(of_instruction(LDST128_ABS_LO12_NC, 0x3dc0_052b), 16);
    assert_eq!(of_instruction(MOVW_UABS_G1_NC, 0xf2bf_ffe1), -0x1_0000);
    assert_eq!(of_instruction(LD64_GOTPAGE_LO15, 0xf940_0610), 8);
    assert_eq!(addend(NONE, &[]), Some(0));
    assert_eq!(addend(CALL26, &[0; 3]), None);
    assert_eq!(addend(EdgeKind(255), &[0; 8]), None);
}
