//! What is made of compact records, read back by `gimli`, and the table of an image, read back by the header's rules.

use super::{Entry, build, read, synthesize};
use crate::arch;
use crate::graph::*;
use crate::passes::eh_frame::{self, EhFrame};
use gimli::{BaseAddresses, CfaRule, LittleEndian, Register, RegisterRule, UnwindContext, UnwindSection};
use jitlink_test_support::unwind_info::UnwindInfo;

/// A graph with a 64-byte function block for each name, external symbols, and a block of compact records.
struct Graph {
    graph: LinkGraph<'static>,
    functions: Vec<SymbolId>,
    personality: SymbolId,
    lsda: SymbolId,
}

/// Encoding, personality, LSDA.
type Row = (u32, bool, bool);

impl Graph {
    fn new(architecture: Architecture, functions: usize) -> Self {
        let mut graph = LinkGraph::new("a.o", architecture, arch::kinds(architecture));
        let code = Permissions::READ | Permissions::EXECUTE;
        let text = graph.add_section(Section::new(&b"__text"[..], code)).unwrap();
        let data = graph.add_section(Section::new(&b"__gcc_except_tab"[..], Permissions::READ)).unwrap();
        let functions = (0..functions).map(|_| {
            let block = graph.add_block(NewBlock::content(text, vec![0x90; 64])).unwrap();
            graph.add_symbol(NewSymbol::defined(block, 0)).unwrap()
        });
        let functions = functions.collect();
        let table = graph.add_block(NewBlock::content(data, vec![0; 32])).unwrap();
        let lsda = graph.add_symbol(NewSymbol::defined(table, 0)).unwrap();
        let personality = graph.add_symbol(NewSymbol::external(&b"___gxx_personality_v0"[..])).unwrap();
        Self { graph, functions, personality, lsda }
    }

    fn compact(&mut self, rows: &[Row]) -> BlockId {
        let kind = arch::address_kind(self.graph.architecture());
        let (mut bytes, mut edges) = (Vec::new(), Vec::new());
        for (function, (encoding, personality, lsda)) in self.functions.clone().into_iter().zip(rows) {
            let start = bytes.len() as u32;
            let mut edge = |offset, target, addend| {
                edges.push(Edge { offset: start + offset, target, addend, kind });
            };
            edge(0, function, 0);
            if *personality {
                edge(16, self.personality, 0);
            }
            if *lsda {
                edge(24, self.lsda, 4);
            }
            bytes.extend([0; 8]);
            bytes.extend(48u32.to_le_bytes());
            bytes.extend(encoding.to_le_bytes());
            bytes.extend([0; 16]);
        }
        self.records(bytes, &edges)
    }

    fn records(&mut self, bytes: Vec<u8>, edges: &[Edge]) -> BlockId {
        let section = Section {
            lifetime: Lifetime::NoAlloc,
            role: SectionRole::CompactUnwind,
            ..Section::new(&b"__compact_unwind"[..], Permissions::READ)
        };
        let section = self.graph.add_section(section).unwrap();
        let block = self.graph.add_block(NewBlock::content(section, bytes)).unwrap();
        self.graph.add_edges(block, edges).unwrap();
        block
    }

    fn synthesize(&mut self, rows: &[Row], frames: &[EhFrame]) -> crate::base::Result<Option<BlockId>> {
        let block = self.compact(rows);
        let records = read(&self.graph, block)?;
        synthesize(&mut self.graph, &records, frames)
    }
}

/// Where blocks are in these tests.
fn address(block: BlockId) -> u64 {
    0x10_0000 * (u64::from(block.0) + 1)
}

const PERSONALITY: u64 = 0x7fff_0000;

/// The block's content with its edges applied.
fn fixed_up(graph: &LinkGraph<'_>, block: BlockId) -> Vec<u8> {
    let mut bytes = graph.block(block).content().bytes().to_vec();
    for edge in graph.edges(block) {
        let symbol = graph.symbol(edge.target);
        let target = symbol.place().map_or(PERSONALITY, |(block, offset)| address(block) + offset);
        let place = address(block) + u64::from(edge.offset);
        let relative = graph.kind_facts(edge.kind).pc_relative;
        let value = target.wrapping_add_signed(edge.addend).wrapping_sub(if relative { place } else { 0 });
        bytes[edge.offset as usize..][..8].copy_from_slice(&value.to_le_bytes());
    }
    bytes
}

/// What an FDE says of its function's body: start, length, personality, LSDA, CFA, and the registers' rules.
#[derive(Debug, PartialEq)]
struct Decoded {
    start: u64,
    length: u64,
    personality: Option<u64>,
    lsda: Option<u64>,
    cfa: (u16, i64),
    saved: Vec<(u16, i64)>,
}

fn decode(graph: &LinkGraph<'_>, block: BlockId) -> Vec<Decoded> {
    let bytes = fixed_up(graph, block);
    let section = gimli::EhFrame::new(&bytes, LittleEndian);
    let bases = BaseAddresses::default().set_eh_frame(address(block));
    let mut entries = section.entries(&bases);
    let mut all = Vec::new();
    while let Some(entry) = entries.next().unwrap() {
        let gimli::CieOrFde::Fde(fde) = entry else { continue };
        let fde = fde.parse(|section, bases, offset| section.cie_from_offset(bases, offset)).unwrap();
        let pointer = |pointer| match pointer {
            gimli::Pointer::Direct(address) => address,
            gimli::Pointer::Indirect(_) => panic!("indirect"),
        };
        let mut context = UnwindContext::new();
        let start = fde.initial_address();
        // Unwinders take a null for what it is, however it is encoded; gimli gives it as a distance of zero.
        let end = fde.offset() + fde.entry_len() + 4;
        let field = fde.offset() + 4 + 4 + 16 + 1;
        let has_lsda = graph.edges(block).any(|edge| (field..end).contains(&(edge.offset as usize)));
        let row = fde.unwind_info_for_address(&section, &bases, &mut context, start + 4).unwrap();
        let CfaRule::RegisterAndOffset { register: Register(register), offset } = row.cfa() else { panic!() };
        let mut saved: Vec<_> = row
            .registers()
            .filter_map(|(register, rule)| match rule {
                RegisterRule::Offset(offset) => Some((register.0, *offset)),
                _ => None,
            })
            .collect();
        saved.sort_unstable();
        all.push(Decoded {
            start,
            length: fde.len(),
            personality: fde.personality().map(pointer),
            lsda: fde.lsda().map(pointer).filter(|_| has_lsda),
            cfa: (*register, *offset),
            saved,
        });
    }
    all
}

#[test]
fn each_function_gets_an_fde_that_says_the_same() {
    let mut test = Graph::new(Architecture::X86_64, 4);
    let rows = [
        (0x0100_0000, false, false),
        (0x4102_0021, true, true),
        (0x0203_0400, true, false),
        (0x0200_0000 | 1 << 16, false, false),
    ];
    let block = test.synthesize(&rows, &[]).unwrap().unwrap();
    let place = |index: usize| address(test.graph.symbol(test.functions[index]).place().unwrap().0);
    let lsda = address(test.graph.symbol(test.lsda).place().unwrap().0) + 4;
    let expect = |index, personality: bool, lsda, cfa, saved: &[(u16, i64)]| Decoded {
        start: place(index),
        length: 48,
        personality: personality.then_some(PERSONALITY),
        lsda,
        cfa,
        saved: saved.to_vec(),
    };
    let decoded = decode(&test.graph, block);
    assert_eq!(
        decoded,
        [
            expect(0, false, None, (6, 16), &[(6, -16), (16, -8)]),
            expect(1, true, Some(lsda), (6, 16), &[(3, -32), (6, -16), (14, -24), (16, -8)]),
            expect(2, true, None, (7, 24), &[(3, -16), (16, -8)]),
            expect(3, false, None, (7, 8), &[(16, -8)]),
        ]
    );
    test.graph.verify().unwrap();
    let frame = eh_frame::split(&test.graph, block).unwrap();
    assert_eq!(frame.records.len(), 6, "two CIEs serve the four functions");
    assert_eq!(eh_frame::fdes_of_blocks(&frame, &test.graph).len(), 4);
}

#[test]
fn aarch64_frames() {
    let mut test = Graph::new(Architecture::Aarch64, 2);
    let rows = [(0x0400_0101, false, false), (0x0200_2000, false, false)];
    let block = test.synthesize(&rows, &[]).unwrap().unwrap();
    let decoded = decode(&test.graph, block);
    let pairs = [(19, -24), (20, -32), (29, -16), (30, -8), (72, -40), (73, -48)];
    assert_eq!((decoded[0].cfa, &decoded[0].saved[..]), ((29, 16), &pairs[..]));
    assert_eq!((decoded[1].cfa, &decoded[1].saved[..]), ((31, 32), &[][..]));
}

#[test]
fn functions_that_are_described_already_are_left_alone() {
    let mut test = Graph::new(Architecture::X86_64, 2);
    let first = test.synthesize(&[(0x0100_0000, false, false)], &[]).unwrap().unwrap();
    let frames = [eh_frame::split(&test.graph, first).unwrap()];
    let rows = [(0x0400_0000, false, false), (0x0100_0000, false, false)];
    let second = test.synthesize(&rows, &frames).unwrap().unwrap();
    let decoded = decode(&test.graph, second);
    assert_eq!(decoded.len(), 1);
    assert_eq!(decoded[0].start, address(test.graph.symbol(test.functions[1]).place().unwrap().0));
    let rows = [(0x0100_0000, false, false), (0, false, false)];
    assert_eq!(test.synthesize(&rows, &frames).unwrap(), None, "zero says that there is nothing to say");
}

#[test]
fn records_that_make_no_sense_are_refused() {
    let message = |test: &mut Graph, bytes: Vec<u8>, edges: &[Edge]| {
        let block = test.records(bytes, edges);
        read(&test.graph, block).unwrap_err().to_string()
    };
    let mut test = Graph::new(Architecture::X86_64, 1);
    let (function, lsda) = (test.functions[0], test.lsda);
    let kind = arch::address_kind(Architecture::X86_64);
    let edge = |offset, target, addend| Edge { offset, target, addend, kind };
    let mut long = vec![0; 32];
    long[8] = 65;
    for (bytes, edges, what) in [
        (vec![0; 40], vec![], "a.o:(__compact_unwind+0x0): 40 bytes of compact unwind records of 32 bytes"),
        (vec![0; 32], vec![], "a.o:(__compact_unwind+0x0): compact unwind record: it describes no function"),
        (long, vec![edge(0, function, 0)], "its function ends past the code that it is in"),
        (vec![0; 32], vec![edge(0, function, 65)], "its function ends past the code that it is in"),
        (vec![0; 32], vec![edge(0, function, -1)], "an address before the code that it is in"),
        (vec![0; 32], vec![edge(0, function, 0), edge(0, function, 0)], "two relocations of one field"),
        (vec![0; 32], vec![edge(4, function, 0)], "a relocation of what is no address"),
        (vec![0; 32], vec![edge(0, function, 0), edge(24, lsda, 0)], "without a personality function"),
        (
            vec![0; 32],
            vec![Edge { kind: arch::distance_kind(Architecture::X86_64), ..edge(0, function, 0) }],
            "a relocation that does not store an address",
        ),
    ] {
        let message = message(&mut test, bytes, &edges);
        assert!(message.contains(what), "{message}");
    }
    let error = test.synthesize(&[(0x0400_0000, false, false)], &[]).unwrap_err().to_string();
    assert!(error.contains("encoding 0x04000000: no call frame record describes its function"), "{error}");
    let error = test.synthesize(&[(0x0500_0000, false, false)], &[]).unwrap_err().to_string();
    assert!(error.contains("a mode that x86-64 does not have"), "{error}");
}

const PLACE: u32 = 0x5000_0000;

/// Builds the table of `entries` and looks each of them up, in its first and last byte.
fn check(architecture: Architecture, entries: &[Entry]) -> super::UnwindInfo {
    let facts = arch::compact_unwind(architecture);
    let info = build(facts, entries.to_vec(), PLACE).unwrap();
    let lsdas = entries.iter().filter(|entry| entry.lsda.is_some()).count();
    assert!(info.bytes.len() <= super::UnwindInfo::size_bound(entries.len(), lsdas));
    let reader = UnwindInfo { bytes: &info.bytes, place: PLACE };
    for entry in entries {
        for address in [entry.function, entry.function + entry.length - 1] {
            let found = reader.find(address).unwrap();
            let personality = found.personality.map(|pointer| {
                let bytes = info.bytes[(pointer - PLACE) as usize..].first_chunk().unwrap();
                u64::from_le_bytes(*bytes)
            });
            let mut encoding = entry.encoding;
            if facts.is_in_eh_frame(encoding) {
                encoding |= entry.fde;
            }
            assert_eq!(found.encoding & 0x0fff_ffff, encoding, "{address:#x}");
            assert_eq!((personality, found.lsda), (entry.personality, entry.lsda), "{address:#x}");
            assert!(entry.lsda.is_none() || found.function == entry.function, "{address:#x}");
        }
    }
    info
}

fn entry(number: u32, encoding: u32) -> Entry {
    Entry { function: 0x1000 + 64 * number, length: 60, encoding, personality: None, lsda: None, fde: 0 }
}

#[test]
fn every_function_is_found_in_the_table() {
    let plain: Vec<_> =
        (0..5000).map(|number| entry(number, 0x0100_0000 + (number % 3) * 0x1_0000)).collect();
    check(Architecture::X86_64, &plain);
    let with_lsdas: Vec<_> = plain
        .iter()
        .map(|entry| Entry {
            lsda: (entry.function % 128 == 0).then_some(0x40_0000 + entry.function),
            personality: Some(0x7000_0000_0000 + u64::from(entry.function / 64 % 3)),
            ..*entry
        })
        .collect();
    check(Architecture::X86_64, &with_lsdas);
    let in_eh_frame: Vec<_> =
        plain.iter().map(|entry| Entry { fde: entry.function, encoding: 0x0300_0000, ..*entry }).collect();
    check(Architecture::Aarch64, &in_eh_frame);
    let far_apart: Vec<_> = (0..300)
        .map(|number| Entry { function: number * 0x80_0000, ..entry(0, 0x0400_0000 + number % 2) })
        .collect();
    check(Architecture::Aarch64, &far_apart);
}

#[test]
fn gaps_cannot_be_unwound_and_neighbours_alike_share_an_entry() {
    let entries = [entry(0, 0x0100_0000), entry(1, 0x0100_0000), entry(9, 0x0100_0000)];
    let info = check(Architecture::X86_64, &entries);
    let reader = UnwindInfo { bytes: &info.bytes, place: PLACE };
    assert_eq!(reader.find(0x1040).unwrap().function, 0x1000, "one entry for both");
    assert_eq!(reader.find(0x10f0).unwrap().encoding, 0, "between functions");
    assert_eq!(reader.find(0x1000 + 64 * 9 + 60), None, "past the last function");
}

#[test]
fn there_is_room_for_three_personality_functions() {
    let entries =
        (0..4).map(|number| Entry { personality: Some(u64::from(number)), ..entry(number, 0x0100_0000) });
    let facts = arch::compact_unwind(Architecture::X86_64);
    assert!(build(facts, entries.clone().take(3).collect(), 0).is_ok());
    assert!(build(facts, entries.collect(), 0).is_err());
    assert!(build(facts, vec![entry(0, 0)], u32::MAX - 7).is_err(), "offsets past 4 GiB");
}
