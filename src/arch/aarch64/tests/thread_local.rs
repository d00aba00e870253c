//! Accesses to thread-local variables: what is stored, and sequences of instructions before and after.

use super::*;
use crate::arch::aarch64::kinds::*;
use crate::arch::{FixupCounts, Site, ThreadLocal, ThreadModule, fix_up, testing};
use crate::graph::{BlockId, Edge, SymbolId};

const P: u64 = 0x7f00_1234_5000;
const ADRP_X0: u32 = 0x9000_0000;
const ADD_X0: u32 = 0x9100_0000;
const NOP: u32 = 0xd503_201f;

const DYNAMIC: ThreadLocal = ThreadLocal {
    module: 7,
    module_offset: 0x12_3458,
    block_offset: 0x3450,
    thread_offset: None,
    pair: Some(P + 0x10_0100),
    descriptor: Some(P + 0x10_0200),
    descriptor_words: [0x5000, 0x6000],
    offset_entry: Some(P + 0x10_0300),
};

fn dynamic() -> Target {
    let thread_module = ThreadModule { pair: Some(P + 0x10_0400), thread_offset: None };
    let got_base = P + 0x10_0000;
    Target { address: P, thread: Some(DYNAMIC), thread_module, got_base, ..Target::default() }
}

/// The same where every thread has it 0x1_2340 bytes above the thread pointer.
fn fixed() -> Target {
    let thread = Some(ThreadLocal { thread_offset: Some(0x1_2340), ..DYNAMIC });
    let thread_module = ThreadModule { pair: Some(P + 0x10_0400), thread_offset: Some(0x1_0010) };
    Target { thread, thread_module, ..dynamic() }
}

/// Instructions, each with a relocation or none.
fn apply(code: &[(Option<EdgeKind>, u32)], target: &Target) -> (Vec<String>, FixupCounts) {
    let edges = (0u32..).step_by(4).zip(code);
    let edges = edges.filter_map(|(offset, (kind, _))| {
        Some(Edge { offset, target: SymbolId(1), addend: 0, kind: (*kind)? })
    });
    let mut content: Vec<u8> = code.iter().flat_map(|(_, word)| word.to_le_bytes()).collect();
    let graph = testing::graph(Architecture::Aarch64, content.len(), edges.collect(), Lifetime::Standard);
    let mut counts = FixupCounts::default();
    let mut site = Site { graph: &graph, block: BlockId(0), content: &mut content, start: 0, address: P };
    fix_up(&mut site, graph.edges(BlockId(0)), target, &mut counts).unwrap();
    let words = content.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().unwrap()));
    (disassembled(&words.collect::<Vec<_>>()), counts)
}

const DESCRIPTOR: [(Option<EdgeKind>, u32); 4] = [
    (Some(TLSDESC_ADR_PAGE21), ADRP_X0),
    (Some(TLSDESC_LD64_LO12), 0xf940_0001),
    (Some(TLSDESC_ADD_LO12), ADD_X0),
    (Some(TLSDESC_CALL), 0xd63f_0020),
];
const GENERAL: [(Option<EdgeKind>, u32); 4] = [
    (Some(TLSGD_ADR_PAGE21), ADRP_X0),
    (Some(TLSGD_ADD_LO12_NC), ADD_X0),
    (Some(CALL26), 0x9400_0000),
    (None, NOP),
];
const LOCAL: [(Option<EdgeKind>, u32); 4] = [
    (Some(TLSLD_ADR_PAGE21), ADRP_X0),
    (Some(TLSLD_ADD_LO12_NC), ADD_X0),
    (Some(CALL26), 0x9400_0000),
    (None, NOP),
];
const INITIAL: [(Option<EdgeKind>, u32); 2] =
    [(Some(TLSIE_ADR_GOTTPREL_PAGE21), 0x9000_0003), (Some(TLSIE_LD64_GOTTPREL_LO12_NC), 0xf940_0063)];

#[test]
fn dynamic_code_gets_entries() {
    let code = |code: &[_]| {
        let (code, counts) = apply(code, &dynamic());
        assert_eq!(counts.relaxed_thread_locals, 0);
        code
    };
    assert_eq!(code(&DESCRIPTOR), ["adrp x0, #1048576", "ldr x1, [x0, #512]", "add x0, x0, #512", "blr x1"]);
    assert_eq!(code(&GENERAL), ["adrp x0, #1048576", "add x0, x0, #256", "bl #-8", "nop"]);
    assert_eq!(code(&LOCAL), ["adrp x0, #1048576", "add x0, x0, #1024", "bl #-8", "nop"]);
    assert_eq!(code(&INITIAL), ["adrp x3, #1048576", "ldr x3, [x3, #768]"]);
    let others = [
        (Some(TLSGD_MOVW_G1), 0xd2a0_0000),
        (Some(TLSGD_MOVW_G0_NC), 0xf280_0000),
        (Some(TLSLD_MOVW_G0_NC), 0xf280_0000),
        (Some(TLSIE_MOVW_GOTTPREL_G0_NC), 0xf280_0000),
        (Some(TLSDESC_OFF_G0_NC), 0xf280_0000),
        (Some(TLSDESC_OFF_G1), 0xd2a0_0000),
    ];
    let moved = code(&others);
    assert_eq!(
        moved,
        [
            "movz x0, #0, lsl #16",
            "movk x0, #256",
            "movk x0, #1024",
            "movk x0, #768",
            "movk x0, #512",
            "movz x0, #0, lsl #16"
        ]
    );
}

#[test]
fn tiny_code_reaches_entries_close_by() {
    let move_close = |entry: Option<u64>| entry.map(|entry| entry - 0x10_0000);
    let target = dynamic();
    let thread = target.thread.map(|thread| ThreadLocal {
        pair: move_close(thread.pair),
        descriptor: move_close(thread.descriptor),
        offset_entry: move_close(thread.offset_entry),
        ..thread
    });
    let thread_module = ThreadModule { pair: move_close(target.thread_module.pair), thread_offset: None };
    let target = Target { thread, thread_module, ..target };
    let code = [
        (Some(TLSGD_ADR_PREL21), 0x1000_0000),
        (Some(TLSLD_ADR_PREL21), 0x1000_0000),
        (Some(TLSDESC_ADR_PREL21), 0x1000_0000),
        (Some(TLSDESC_LD_PREL19), 0x5800_0001),
        (Some(TLSIE_LD_GOTTPREL_PREL19), 0x5800_0001),
        (Some(TLSLD_LD_PREL19), 0x5800_0001),
    ];
    let expected =
        ["adr x0, #256", "adr x0, #1020", "adr x0, #504", "ldr x1, #500", "ldr x1, #752", "ldr x1, #1004"];
    assert_eq!(apply(&code, &target).0, expected);
}

#[test]
fn sequences_become_local_exec() {
    let code = |code: &[_]| {
        let (code, counts) = apply(code, &fixed());
        assert_eq!(counts.relaxed_thread_locals, 1);
        code
    };
    let moves = |register: &str| vec![format!("mov {register}, #65536"), format!("movk {register}, #9024")];
    let with = |rest: &[&str]| [moves("x0"), rest.iter().map(|text| (*text).to_owned()).collect()].concat();
    assert_eq!(code(&DESCRIPTOR), with(&["nop", "nop"]));
    assert_eq!(code(&GENERAL), with(&["mrs x1, TPIDR_EL0", "add x0, x1, x0"]));
    assert_eq!(code(&INITIAL), moves("x3"));
    let local = ["mov x0, #65536", "movk x0, #16", "mrs x1, TPIDR_EL0", "add x0, x1, x0"];
    assert_eq!(code(&LOCAL), local);
}

#[test]
fn other_sequences_keep_their_entries() {
    let mut wrong: Vec<Vec<(Option<EdgeKind>, u32)>> = vec![
        // Another order, another register, something between, half of one.
        vec![DESCRIPTOR[0], DESCRIPTOR[2], DESCRIPTOR[1], DESCRIPTOR[3]],
        vec![DESCRIPTOR[0], (DESCRIPTOR[1].0, 0xf940_0002), DESCRIPTOR[2], DESCRIPTOR[3]],
        vec![INITIAL[0], (None, NOP), INITIAL[1]],
        vec![INITIAL[0], (INITIAL[1].0, 0xf940_0064)],
        vec![GENERAL[0], GENERAL[1], GENERAL[2], (None, 0xd65f_03c0)],
        GENERAL[..3].to_vec(),
    ];
    // A whole one, but not all of them are.
    wrong.push([&INITIAL[..], &INITIAL[..1]].concat());
    wrong.push([&DESCRIPTOR[..], &DESCRIPTOR[1..2]].concat());
    for code in wrong {
        assert_eq!(apply(&code, &fixed()).1.relaxed_thread_locals, 0, "{code:?}");
    }
}

#[test]
fn offsets_are_stored_in_parts() {
    let local_exec = [
        (Some(TLSLE_MOVW_TPREL_G1), 0xd2a0_0000),
        (Some(TLSLE_MOVW_TPREL_G0_NC), 0xf280_0000),
        (Some(TLSLE_ADD_TPREL_HI12), 0x9140_0000),
        (Some(TLSLE_ADD_TPREL_LO12_NC), ADD_X0),
        (Some(TLSLE_LDST32_TPREL_LO12_NC), 0xb940_0000),
        (Some(TLSLE_LDST64_TPREL_LO12_NC), 0xf940_0000),
    ];
    let expected = [
        "mov x0, #65536",
        "movk x0, #9024",
        "add x0, x0, #18, lsl #12",
        "add x0, x0, #832",
        "ldr w0, [x0, #832]",
        "ldr x0, [x0, #832]",
    ];
    assert_eq!(apply(&local_exec, &fixed()).0, expected);
    let local_dynamic = [
        (Some(TLSLD_ADD_DTPREL_HI12), 0x9140_0000),
        (Some(TLSLD_ADD_DTPREL_LO12_NC), ADD_X0),
        (Some(TLSLD_LDST16_DTPREL_LO12_NC), 0x7940_0000),
        (Some(TLSLD_LDST128_DTPREL_LO12_NC), 0x3dc0_0000),
        (Some(TLSLD_MOVW_DTPREL_G0), 0xd280_0000),
    ];
    let expected = [
        "add x0, x0, #3, lsl #12",
        "add x0, x0, #1104",
        "ldrh w0, [x0, #1104]",
        "ldr q0, [x0, #1104]",
        "mov x0, #13392",
    ];
    assert_eq!(apply(&local_dynamic, &dynamic()).0, expected);
}

#[test]
fn data_holds_module_offsets_and_descriptors() {
    let stored = |kind, addend| whole(kind, &[0; 8], P, addend).stored(&fixed()).unwrap();
    assert_eq!(
        (stored(TLS_DTPMOD64, 0), stored(TLS_DTPREL64, 8), stored(TLS_TPREL64, 8)),
        (7, 0x12_3460, 0x1_2348)
    );
    let (content, _) = whole(TLSDESC, &[0; 16], P, 8).apply(&fixed()).unwrap();
    let words: Vec<u64> =
        content.chunks(8).map(|word| u64::from_le_bytes(word.try_into().unwrap())).collect();
    assert_eq!(words, [0x5000, 0x6008]);
}

#[test]
fn what_no_thread_agrees_on_is_refused() {
    let error = instruction(TLSLE_ADD_TPREL_HI12, 0x9140_0000, P, 0, &dynamic()).unwrap_err().to_string();
    assert!(error.contains("differs from thread to thread"), "{error}");
    let absent = Target { is_absent: true, ..dynamic() };
    assert_eq!(instruction(TLSLE_ADD_TPREL_HI12, 0x9140_0000, P, 0, &absent).unwrap(), 0x9140_0000);
    let error = instruction(TLSDESC_ADR_PAGE21, ADRP_X0, P, 0, &Target::at(P)).unwrap_err().to_string();
    assert!(
        error.contains("TLSDESC_ADR_PAGE21 relocation to .text: it is no thread-local variable"),
        "{error}"
    );
    let error = instruction(TLSDESC_ADR_PAGE21, ADRP_X0, P, 8, &dynamic()).unwrap_err().to_string();
    assert!(error.contains("a GOT entry for a place inside of a symbol"), "{error}");
    let far = Target { thread: Some(ThreadLocal { thread_offset: Some(1 << 24), ..DYNAMIC }), ..dynamic() };
    out_of_range(instruction(TLSLE_ADD_TPREL_HI12, 0x9140_0000, P, 0, &far));
}
