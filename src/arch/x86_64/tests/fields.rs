//! What each kind stores.

use super::*;
use crate::arch::x86_64::kinds::*;

const S: u64 = 0x1234_5678;
const P: u64 = 0x2000_0000;
const G: u64 = 0x3000_0040;
const GOT: u64 = 0x3000_0000;
const L: u64 = 0x2100_0000;

fn target() -> Target {
    Target { got_base: GOT, size: 0x99, ..Target::at(S).with_got_entry(G).with_plt_entry(L) }
}

/// The field of `kind`, with addend 0x10, as a number without sign.
fn stored(kind: EdgeKind) -> u64 {
    let width = usize::from(KINDS[kind.index()].width);
    let content = vec![0xaa; width];
    whole(kind, &content, P, 0x10).stored(&target()).unwrap()
}

#[test]
fn absolute() {
    assert_eq!(stored(ABS64), 0x1234_5688);
    assert_eq!(stored(ABS32), 0x1234_5688);
    assert_eq!(stored(ABS32S), 0x1234_5688);
    assert_eq!(whole(ABS16, &[0; 2], P, -0x1234_0000).stored(&target()).unwrap(), 0x5678);
    assert_eq!(whole(ABS8, &[0; 1], P, -0x1234_5600).stored(&target()).unwrap(), 0x78);
}

#[test]
fn relative_to_the_field() {
    // 0x12345678 + 0x10 - 0x20000000 = -0xdcba978
    assert_eq!(stored(PC64), 0xffff_ffff_f234_5688);
    assert_eq!(stored(PC32), 0xf234_5688);
    assert_eq!(stored(PLT32), 0xf234_5688);
    let near = Target::at(P + 0x40);
    assert_eq!(whole(PC16, &[0; 2], P, -2).stored(&near).unwrap(), 0x3e);
    assert_eq!(whole(PC8, &[0; 1], P, -1).stored(&near).unwrap(), 0x3f);
}

#[test]
fn differences_with_the_target_as_subtrahend() {
    // 0x10 - 0x12345678 + 0x20000000 = 0xdcba998
    assert_eq!(stored(NEG_DELTA32), 0x0dcb_a998);
    assert_eq!(stored(NEG_DELTA64), 0x0dcb_a998);
}

#[test]
fn through_the_got() {
    // 0x30000040 + 0x10 - 0x20000000
    for kind in [GOTPCREL, GOTPCREL64, GOTPCRELX, REX_GOTPCRELX] {
        assert_eq!(stored(kind), 0x1000_0050, "{kind:?}");
    }
    for kind in [CODE_4_GOTPCRELX, CODE_5_GOTPCRELX, CODE_6_GOTPCRELX] {
        assert_eq!(stored(kind), 0x1000_0050, "{kind:?}");
    }
    for kind in [GOT32, GOT64, GOTPLT64] {
        assert_eq!(stored(kind), 0x50, "{kind:?}");
    }
}

#[test]
fn relative_to_the_got() {
    assert_eq!(stored(GOTPC32), 0x1000_0010);
    assert_eq!(stored(GOTPC64), 0x1000_0010);
    // 0x12345688 - 0x30000000
    assert_eq!(stored(GOTOFF64), 0xffff_ffff_e234_5688);
    // 0x21000010 - 0x30000000
    assert_eq!(stored(PLTOFF64), 0xffff_ffff_f100_0010);
    let without_entry = Target { plt_entry: None, ..target() };
    let pltoff = whole(PLTOFF64, &[0; 8], P, 0x10);
    assert_eq!(pltoff.stored(&without_entry).unwrap(), 0xffff_ffff_e234_5688);
}

#[test]
fn sizes() {
    assert_eq!(stored(SIZE32), 0xa9);
    assert_eq!(stored(SIZE64), 0xa9);
}

#[test]
fn nothing_is_stored_to_keep_alive() {
    for kind in [NONE, KEEP_ALIVE] {
        let fixup = whole(kind, &[0xaa; 4], P, 0x10);
        assert_eq!(fixup.bytes(&target()), [0xaa; 4]);
    }
}

#[test]
fn debug_info_has_offsets_of_thread_local_variables() {
    for (kind, width) in [(DTPOFF32, 4), (DTPOFF64, 8)] {
        let content = vec![0; width];
        let mut fixup = whole(kind, &content, P, 0x10);
        assert!(matches!(fixup.apply(&target()), Err(Error::Unsupported(_))));
        fixup.lifetime = Lifetime::NoAlloc;
        assert_eq!(fixup.stored(&target()).unwrap(), 0x40);
    }
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
    for kind in [GOTPCREL, GOTPCREL64, GOT32, GOT64, GOTPLT64, GOTPCRELX, REX_GOTPCRELX] {
        let error = whole(kind, &[0; 8], P, -4).apply(&without_entry).unwrap_err();
        assert!(matches!(error, Error::Invalid { .. }), "{error}");
    }
}

/// Every kind that stores something, at every position where the field does not fit.
#[test]
fn fields_must_lie_in_the_block() {
    for (number, facts) in KINDS.iter().enumerate().filter(|(_, facts)| facts.width > 0) {
        let kind = EdgeKind(number as u8);
        for size in 0..u32::from(facts.width) {
            for offset in [4, 5, u32::MAX] {
                let content = vec![0; (4 + size) as usize];
                let near = Target { got_base: P, ..Target::at(P + 8).with_got_entry(P) };
                let fixup = Fixup { offset, ..whole(kind, &content, P - 4, 0) };
                let near = if facts.pc_relative || facts.width == 8 { near } else { Target::at(4) };
                let near = near.with_got_entry(near.got_base);
                match fixup.apply(&near) {
                    Err(Error::Malformed(error)) => assert_eq!(error.place.offset, Some(offset.into())),
                    Err(Error::Invalid { .. }) => assert_eq!(kind, TLSLD),
                    Err(Error::OutOfRange(_)) if offset == u32::MAX => {}
                    Err(Error::Unsupported(_)) => {
                        assert!(matches!(facts.request, crate::graph::Request::ThreadLocal))
                    }
                    other => panic!("{}: {other:?}", facts.name),
                }
            }
        }
    }
}

#[test]
fn edges_before_the_site_are_errors() {
    let edge = Edge { offset: 0, target: SymbolId(1), addend: 0, kind: ABS64 };
    let graph = graph(16, vec![edge], Lifetime::Standard);
    let mut content = [0; 8];
    let mut site = Site { graph: &graph, block: BlockId(0), content: &mut content, start: 8, address: P };
    let result = fix_up(&mut site, graph.edges(BlockId(0)), &target(), &mut FixupCounts::default());
    assert!(matches!(result, Err(Error::Malformed(_))));
}

#[test]
fn positions_count_from_the_start_of_the_site() {
    let edge = Edge { offset: 12, target: SymbolId(1), addend: 0, kind: PC32 };
    let graph = graph(16, vec![edge], Lifetime::Standard);
    let mut content = [0; 8];
    let mut site =
        Site { graph: &graph, block: BlockId(0), content: &mut content, start: 8, address: 0x1008 };
    fix_up(&mut site, graph.edges(BlockId(0)), &Target::at(0x2000), &mut FixupCounts::default()).unwrap();
    // P is 0x1008 + (12 - 8)
    assert_eq!(content, [0, 0, 0, 0, 0xf4, 0x0f, 0, 0]);
}
