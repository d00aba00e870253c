//! Pairs of instructions, before and after.

use super::*;
use crate::arch::aarch64::kinds::*;
use crate::arch::{FixupCounts, Site, fix_up, testing};
use crate::graph::{BlockId, Edge, SymbolId};

const P: u64 = 0x7f00_1234_5000;
/// Too far for `adr`, near enough for `adrp`.
const NEAR: u64 = P + 0x1234_5678;
const ADRP: u32 = 0x9000_0003;
const ADD: u32 = 0x9100_0063;
const LDR: u32 = 0xf940_0063;

/// Instructions with a relocation each, of symbol 1 with addend 0.
fn fixed_up(code: &[(EdgeKind, u32)], target: &Target) -> (Vec<String>, FixupCounts) {
    let edges = (0u32..).step_by(4).zip(code);
    let edges = edges.map(|(offset, &(kind, _))| Edge { offset, target: SymbolId(1), addend: 0, kind });
    apply(&code.iter().map(|(_, word)| *word).collect::<Vec<_>>(), edges.collect(), target)
}

fn apply(code: &[u32], edges: Vec<Edge>, target: &Target) -> (Vec<String>, FixupCounts) {
    let mut content: Vec<u8> = code.iter().flat_map(|word| word.to_le_bytes()).collect();
    let graph = testing::graph(Architecture::Aarch64, content.len(), edges, Lifetime::Standard);
    let mut counts = FixupCounts::default();
    let mut site = Site { graph: &graph, block: BlockId(0), content: &mut content, start: 0, address: P };
    fix_up(&mut site, graph.edges(BlockId(0)), target, &mut counts).unwrap();
    let words = content.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().unwrap()));
    (disassembled(&words.collect::<Vec<_>>()), counts)
}

fn near(address: u64) -> Target {
    Target::at(address).with_got_entry(P + 0x10_0238)
}

const LOAD: [(EdgeKind, u32); 2] = [(ADR_GOT_PAGE, ADRP), (LD64_GOT_LO12_NC, LDR)];
const ADDRESS: [(EdgeKind, u32); 2] = [(ADR_PREL_PG_HI21, ADRP), (ADD_ABS_LO12_NC, ADD)];
const LOADED: [&str; 2] = ["adrp x3, #1048576", "ldr x3, [x3, #568]"];

#[test]
fn loads_from_the_got_become_address_computations() {
    let (code, counts) = fixed_up(&LOAD, &near(P + 0x1001));
    assert_eq!(code, ["nop", "adr x3, #4093"]);
    assert_eq!((counts.relaxed_got_loads, counts.got_loads), (1, 0));
    let (code, counts) = fixed_up(&LOAD, &near(NEAR));
    assert_eq!(code, ["adrp x3, #305418240", "add x3, x3, #1656"]);
    assert_eq!(counts.relaxed_got_loads, 1);
    let (code, counts) = fixed_up(&LOAD, &near(P / 2));
    assert_eq!(code, LOADED);
    assert_eq!((counts.relaxed_got_loads, counts.got_loads), (0, 1));
}

#[test]
fn ends_of_the_reach() {
    assert_eq!(fixed_up(&LOAD, &near(P + 4 + 0xf_ffff)).0, ["nop", "adr x3, #1048575"]);
    assert_eq!(fixed_up(&LOAD, &near(P + 4 + 0x10_0000)).0, ["adrp x3, #1048576", "add x3, x3, #4"]);
    assert_eq!(fixed_up(&LOAD, &near(P + 4 - 0x10_0000)).0, ["nop", "adr x3, #-1048576"]);
    assert_eq!(fixed_up(&LOAD, &near(P + 0xffff_ffff)).0, ["adrp x3, #4294963200", "add x3, x3, #4095"]);
    assert_eq!(fixed_up(&LOAD, &near(P + 0x1_0000_0000)).0, LOADED);
    assert_eq!(fixed_up(&ADDRESS, &near(P + 4 + 0xf_fffb)).0, ["nop", "adr x3, #1048571"]);
    assert_eq!(fixed_up(&ADDRESS, &near(P + 0x10_0001)).0, ["adrp x3, #1048576", "add x3, x3, #1"]);
    assert_eq!(fixed_up(&ADDRESS, &near(P + 2 - 0x10_0000)).0, ["adrp x3, #-1048576", "add x3, x3, #2"]);
}

#[test]
fn computations_of_near_addresses_become_one_instruction() {
    assert_eq!(fixed_up(&ADDRESS, &near(P - 8)).0, ["nop", "adr x3, #-12"]);
    assert_eq!(fixed_up(&ADDRESS, &near(NEAR)).0, ["adrp x3, #305418240", "add x3, x3, #1656"]);
}

/// Two instructions that compute or load, with what makes them no pair.
#[test]
fn only_exact_pairs_are_rewritten() {
    let x4 = 1;
    let not_pairs: [(&str, [u32; 2]); 5] = [
        ("another result", [ADRP, LDR + x4]),
        ("another base", [ADRP + x4, LDR]),
        ("a load of 32 bits", [ADRP, 0xb940_0063]),
        ("a store", [ADRP, 0xf900_0063]),
        ("adr", [0x1000_0003, LDR]),
    ];
    for (what, [first, second]) in not_pairs {
        let (code, counts) =
            fixed_up(&[(ADR_GOT_PAGE, first), (LD64_GOT_LO12_NC, second)], &near(P + 0x1000));
        assert_eq!(counts.relaxed_got_loads, 0, "{what}: {code:?}");
    }
    for second in [ADD + x4, ADD + (x4 << 5), 0x1100_0063, 0xb100_0063] {
        let (code, _) = fixed_up(&[(ADR_PREL_PG_HI21, ADRP), (ADD_ABS_LO12_NC, second)], &near(P + 0x1001));
        assert_eq!(code[0], "adrp x3, #4096");
    }
}

#[test]
fn a_section_with_another_use_keeps_all_pairs() {
    let others: [&[(EdgeKind, u32)]; 3] = [
        &[(ADR_GOT_PAGE, ADRP), (NONE, 0xd503_201f), (LD64_GOT_LO12_NC, LDR)],
        &[(LD64_GOT_LO12_NC, LDR)],
        &[(LD64_GOT_LO12_NC, LDR), (ADR_GOT_PAGE, ADRP)],
    ];
    for other in others {
        for code in [[&LOAD, other].concat(), [other, &LOAD].concat()] {
            let (_, counts) = fixed_up(&code, &near(P + 0x1000));
            assert_eq!(counts.relaxed_got_loads, 0, "{code:x?}");
        }
    }
    let (code, counts) = fixed_up(&[LOAD, LOAD].concat(), &near(P + 0x1000));
    assert_eq!((code[2].as_str(), counts.relaxed_got_loads), ("nop", 2));
    let alone = [&ADDRESS[..], &[(ADR_PREL_PG_HI21, ADRP), (LDST64_ABS_LO12_NC, LDR)]].concat();
    assert_eq!(fixed_up(&alone, &near(P + 0x1000)).0[0], "adrp x3, #4096");
    // Each of the two sequences is judged on its own.
    let (code, counts) = fixed_up(&[&LOAD[..], &alone].concat(), &near(P + 0x1000));
    assert_eq!((code[0].as_str(), counts.relaxed_got_loads), ("nop", 1));
}

#[test]
fn halves_of_different_symbols_or_places_are_no_pair() {
    let edge = |offset, kind, addend| Edge { offset, target: SymbolId(1), addend, kind };
    let target = near(P + 0x1001);
    let other = Edge { target: SymbolId(0), ..edge(4, LD64_GOT_LO12_NC, 0) };
    let (_, counts) = apply(&[ADRP, LDR], vec![edge(0, ADR_GOT_PAGE, 0), other], &target);
    assert_eq!(counts.relaxed_got_loads, 0);
    let apart = vec![edge(0, ADR_GOT_PAGE, 0), edge(8, LD64_GOT_LO12_NC, 0)];
    assert_eq!(apply(&[ADRP, 0xd503_201f, LDR], apart, &target).1.relaxed_got_loads, 0);
    let addends = vec![edge(0, ADR_PREL_PG_HI21, 0), edge(4, ADD_ABS_LO12_NC, 1)];
    assert_eq!(apply(&[ADRP, ADD], addends, &target).0, ["adrp x3, #4096", "add x3, x3, #2"]);
}

#[test]
fn literal_loads_from_the_got() {
    let load = |word| instruction(GOT_LD_PREL19, word, P, 0, &Target::at(P + 0x11).with_got_entry(P + 0x20));
    let after = [load(0x5800_0005).unwrap(), load(0x1800_0005).unwrap()];
    assert_eq!(disassembled(&after), ["adr x5, #17", "ldr w5, #32"]);
    let far = Target::at(P + 0x10_0000).with_got_entry(P + 0x20);
    let after = instruction(GOT_LD_PREL19, 0x5800_0005, P, 0, &far).unwrap();
    assert_eq!(disassembled(&[after]), ["ldr x5, #32"]);
}
