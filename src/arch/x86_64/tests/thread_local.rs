//! Accesses to thread-local variables: what is stored, and sequences of instructions before and after.

use super::*;
use crate::arch::x86_64::kinds::*;
use crate::arch::{ThreadLocal, ThreadModule};

const P: u64 = 0x7f00_0000_0000;

/// A variable of another thread's block, with all its entries.
const DYNAMIC: ThreadLocal = ThreadLocal {
    module: 7,
    module_offset: 0x1030,
    block_offset: 0x30,
    thread_offset: None,
    pair: Some(P + 0x100),
    descriptor: Some(P + 0x200),
    descriptor_words: [0x5000, 0x6000],
    offset_entry: Some(P + 0x300),
};

fn dynamic() -> Target {
    let thread_module = ThreadModule { pair: Some(P + 0x400), thread_offset: None };
    Target { thread: Some(DYNAMIC), thread_module, ..Target::default() }
}

/// The same where every thread has it 0x50 bytes below the thread pointer.
fn fixed() -> Target {
    let thread = Some(ThreadLocal { thread_offset: Some(-0x50), ..DYNAMIC });
    let thread_module = ThreadModule { pair: Some(P + 0x400), thread_offset: Some(-0x80) };
    Target { thread, thread_module, ..Target::default() }
}

/// Offsets and kinds of fields.
type Fields<'a> = &'a [(u32, EdgeKind)];

/// Code at `P` whose fields are at these offsets.
fn apply(content: &[u8], fields: Fields<'_>, target: &Target) -> Result<(Vec<u8>, FixupCounts)> {
    let edge = |&(offset, kind): &(u32, EdgeKind)| Edge { offset, target: SymbolId(1), addend: -4, kind };
    let mut graph = graph(content.len(), fields.iter().map(edge).collect(), Lifetime::Standard);
    graph.sections[0].permissions |= crate::graph::Permissions::EXECUTE;
    let mut content = content.to_vec();
    let mut counts = FixupCounts::default();
    let mut site = Site { graph: &graph, block: BlockId(0), content: &mut content, start: 0, address: P };
    fix_up(&mut site, graph.edges(BlockId(0)), target, &mut counts)?;
    Ok((content, counts))
}

fn rewritten(content: &[u8], fields: &[(u32, EdgeKind)]) -> String {
    let (content, counts) = apply(content, fields, &fixed()).unwrap();
    assert_eq!(counts.relaxed_thread_locals, 1);
    let bytes: String = content.iter().map(|byte| format!("{byte:#x} ")).collect();
    let lines = disassembled(&bytes);
    lines.into_iter().filter(|line| line != ".text").collect::<Vec<_>>().join("\n")
}

#[test]
fn entries_are_what_dynamic_code_gets() {
    let stored = |kind, width: usize| whole(kind, &vec![0; width], P, -4).stored(&dynamic()).unwrap();
    for (kind, entry) in [
        (TLSGD, 0x100),
        (GOTPC32_TLSDESC, 0x200),
        (CODE_4_GOTPC32_TLSDESC, 0x200),
        (CODE_5_GOTPC32_TLSDESC, 0x200),
        (CODE_6_GOTPC32_TLSDESC, 0x200),
        (GOTTPOFF, 0x300),
        (CODE_4_GOTTPOFF, 0x300),
        (CODE_5_GOTTPOFF, 0x300),
        (CODE_6_GOTTPOFF, 0x300),
        (TLSLD, 0x400),
    ] {
        assert_eq!(stored(kind, 4), entry - 4, "{}", KINDS[kind.index()].name);
    }
}

#[test]
fn data_holds_module_offsets_and_descriptors() {
    let stored =
        |kind, width: usize, addend| whole(kind, &vec![0; width], P, addend).stored(&fixed()).unwrap();
    assert_eq!(stored(DTPMOD64, 8, 0), 7);
    assert_eq!((stored(DTPOFF64, 8, 2), stored(DTPOFF32, 4, 2)), (0x1032, 0x1032));
    assert_eq!(stored(TPOFF64, 8, 1), (-0x4f_i64).cast_unsigned());
    let (content, _) = whole(TLSDESC, &[0; 16], P, 8).apply(&fixed()).unwrap();
    let words: Vec<u64> =
        content.chunks(8).map(|word| u64::from_le_bytes(word.try_into().unwrap())).collect();
    assert_eq!(words, [0x5000, 0x6008]);
}

#[test]
fn offsets_in_code_follow_the_model() {
    let stored = |target: &Target| apply(&[0; 4], &[(0, DTPOFF32)], target).unwrap().0;
    assert_eq!(stored(&dynamic()), 0x2c_i32.to_le_bytes());
    assert_eq!(stored(&fixed()), (-0x54_i32).to_le_bytes());
    assert_eq!(apply(&[0; 4], &[(0, TPOFF32)], &fixed()).unwrap().0, (-0x54_i32).to_le_bytes());
}

#[test]
fn offsets_that_threads_differ_in_are_refused() {
    for kind in [TPOFF32, TPOFF64] {
        let error = whole(kind, &[0; 8], P, 0).apply(&dynamic()).unwrap_err().to_string();
        assert!(error.contains("differs from thread to thread; compile with -fPIC"), "{error}");
        let absent = Target { is_absent: true, ..dynamic() };
        assert_eq!(whole(kind, &[0; 8], P, 0).apply(&absent).unwrap().0, [0; 8]);
    }
    let error = whole(GOTTPOFF, &[0; 4], P, -4).apply(&Target::at(P)).unwrap_err().to_string();
    assert!(error.contains("GOTTPOFF relocation to .text: it is no thread-local variable"), "{error}");
}

const LEA_GD: [u8; 8] = [0x66, 0x48, 0x8d, 0x3d, 0, 0, 0, 0];
const LEA: [u8; 7] = [0x48, 0x8d, 0x3d, 0, 0, 0, 0];

#[test]
fn general_dynamic_becomes_local_exec() {
    let direct = [&LEA_GD[..], &[0x66, 0x66, 0x48, 0xe8, 0, 0, 0, 0]].concat();
    let indirect = [&LEA_GD[..], &[0x66, 0x48, 0xff, 0x15, 0, 0, 0, 0]].concat();
    let expected = "movq %fs:0, %rax\nleaq -80(%rax), %rax";
    assert_eq!(rewritten(&direct, &[(4, TLSGD), (12, PLT32)]), expected);
    assert_eq!(rewritten(&direct, &[(4, TLSGD), (12, PC32)]), expected);
    assert_eq!(rewritten(&indirect, &[(4, TLSGD), (12, GOTPCRELX)]), expected);
    for (add, name) in [([0x48, 0x01, 0xd8], "rbx"), ([0x4c, 0x01, 0xf8], "r15")] {
        let large = [&LEA[..], &[0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0], &add, &[0xff, 0xd0]].concat();
        let after = rewritten(&large, &[(3, TLSGD), (9, PLTOFF64)]);
        assert_eq!(after, format!("{expected}\nnopw (%rax,%rax)"), "{name}");
    }
}

#[test]
fn local_dynamic_becomes_the_thread_pointer() {
    let expected = "movq %fs:0, %rax";
    let direct = [&LEA[..], &[0xe8, 0, 0, 0, 0]].concat();
    assert_eq!(rewritten(&direct, &[(3, TLSLD), (8, PLT32)]), expected);
    let indirect = [&LEA[..], &[0xff, 0x15, 0, 0, 0, 0]].concat();
    assert_eq!(rewritten(&indirect, &[(3, TLSLD), (9, GOTPCRELX)]), expected);
    let large = [&LEA[..], &[0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0], &[0x48, 0x01, 0xd8, 0xff, 0xd0]].concat();
    let after = rewritten(&large, &[(3, TLSLD), (9, PLTOFF64)]);
    assert_eq!(after, format!("{expected}\nnopw %cs:(%rax,%rax)"));
}

#[test]
fn initial_exec_becomes_local_exec() {
    let forms: [(EdgeKind, &[u8], &str); 8] = [
        (GOTTPOFF, &[0x48, 0x8b, 0x05], "movq $-80, %rax"),
        (GOTTPOFF, &[0x4c, 0x8b, 0x25], "movq $-80, %r12"),
        (GOTTPOFF, &[0x48, 0x03, 0x05], "addq $-80, %rax"),
        (GOTTPOFF, &[0x4c, 0x03, 0x25], "addq $-80, %r12"),
        (CODE_4_GOTTPOFF, &[0xd5, 0x48, 0x8b, 0x05], "movq $-80, %r16"),
        (CODE_4_GOTTPOFF, &[0xd5, 0x48, 0x03, 0x05], "addq $-80, %r16"),
        // add x@gottpoff(%rip), %rax, %r16, and without flags
        (CODE_6_GOTTPOFF, &[0x62, 0xf4, 0xfc, 0x10, 0x03, 0x05], "addq $-80, %rax, %r16"),
        (CODE_6_GOTTPOFF, &[0x62, 0xf4, 0xfc, 0x0c, 0x03, 0x05], "{nf} addq $-80, %rax"),
    ];
    for (kind, before, expected) in forms {
        let content = [before, &[0; 4]].concat();
        let after = rewritten(&content, &[(before.len() as u32, kind)]);
        assert_eq!(after.replace('\t', " "), expected);
    }
}

#[test]
fn other_instructions_keep_their_entry() {
    let forms: [(EdgeKind, &[u8]); 4] = [
        (GOTTPOFF, &[0x48, 0x8b, 0x80]),
        (GOTTPOFF, &[0x48, 0x87, 0x05]),
        (GOTTPOFF, &[0x90, 0x8b, 0x05]),
        (CODE_5_GOTTPOFF, &[0x48, 0x0f, 0x38, 0x8b, 0x05]),
    ];
    for (kind, before) in forms {
        let field = before.len() as u32;
        let (after, counts) = apply(&[before, &[0; 4]].concat(), &[(field, kind)], &fixed()).unwrap();
        assert_eq!(after, [before, &(0x300 - 4 - field as i32).to_le_bytes()].concat());
        assert_eq!(counts.relaxed_thread_locals, 0);
    }
    // General dynamic code that is not as the psABI has it: it calls `__tls_get_addr` all the same.
    let content = [&LEA_GD[..], &[0x90, 0x90, 0x90, 0xe8, 0, 0, 0, 0]].concat();
    let near = Target { address: P, ..fixed() };
    let (after, counts) = apply(&content, &[(4, TLSGD), (12, PLT32)], &near).unwrap();
    assert_eq!((&after[4..8], counts.relaxed_thread_locals), (&(0x100 - 8_i32).to_le_bytes()[..], 0));
}

#[test]
fn descriptors_become_local_exec() {
    let fields = [(3, GOTPC32_TLSDESC), (7, TLSDESC_CALL)];
    let content = [0x48, 0x8d, 0x05, 0, 0, 0, 0, 0xff, 0x10];
    assert_eq!(rewritten(&content, &fields), "movq $-80, %rax\nnop");
    let (after, _) = apply(&content, &fields, &dynamic()).unwrap();
    assert_eq!(after, [&content[..3], &(0x200 - 7_i32).to_le_bytes(), &content[7..]].concat());
    let content = [0xd5, 0x48, 0x8d, 0x05, 0, 0, 0, 0, 0xff, 0x10];
    assert_eq!(
        rewritten(&content, &[(4, CODE_4_GOTPC32_TLSDESC), (8, TLSDESC_CALL)]),
        "movq $-80, %r16\nnop"
    );
}

#[test]
fn sequences_that_must_be_rewritten_and_cannot_be_are_refused() {
    let wrong: [(&[u8], Fields<'_>); 6] = [
        (&[0x48, 0x8d, 0x3d, 0, 0, 0, 0], &[(3, TLSLD)]),
        (&[0x48, 0x8d, 0x3d, 0, 0, 0, 0, 0x90, 0xe8, 0, 0, 0, 0], &[(3, TLSLD), (9, PLT32)]),
        (&[0x48, 0x8d, 0x35, 0, 0, 0, 0, 0xe8, 0, 0, 0, 0], &[(3, TLSLD), (8, PLT32)]),
        (&[0x48, 0x8b, 0x05, 0, 0, 0, 0], &[(3, GOTPC32_TLSDESC)]),
        (&[0xff, 0x11], &[(0, TLSDESC_CALL)]),
        (&[0xff], &[(0, TLSDESC_CALL)]),
    ];
    for (content, fields) in wrong {
        let error = apply(content, fields, &fixed()).unwrap_err().to_string();
        assert!(error.contains("not in the sequence of instructions"), "{error}");
    }
}

/// Every cut of every sequence ends in an error or is left alone, and nothing is read past the end.
#[test]
fn cut_sequences_are_no_sequences() {
    let direct = [&LEA_GD[..], &[0x66, 0x66, 0x48, 0xe8, 0, 0, 0, 0]].concat();
    for end in 8..direct.len() {
        let fields = [(4, TLSGD), (12, PLT32)];
        let target = Target { address: P, ..fixed() };
        let error = apply(&direct[..end], &fields, &target).unwrap_err();
        assert!(matches!(error, Error::Malformed(_)), "{error}");
    }
}
