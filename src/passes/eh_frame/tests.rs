use super::*;
use crate::graph::{Edge, SymbolId, SymbolKind};
use crate::passes::testing::{self, ABS64, PC32};
use gimli::{BaseAddresses, CieOrFde, LittleEndian, UnwindSection};
use jitlink_test_support::mutate::Random;
use proptest::prelude::*;

/// Bytes and edges of a section, record by record.
#[derive(Default, Clone)]
struct Writer {
    bytes: Vec<u8>,
    edges: Vec<Edge>,
}

const PERSONALITY: u8 = 0x9b;
const PCREL_SDATA4: u8 = 0x1b;

impl Writer {
    fn terminator(&mut self) -> &mut Self {
        self.bytes.extend([0; 4]);
        self
    }

    /// Length, then `body`, padded to a multiple of eight bytes. Answers the record's offset.
    fn record(&mut self, extended: bool, body: &[u8]) -> u32 {
        let offset = self.bytes.len();
        let padded = (body.len() + 4).next_multiple_of(8) - 4;
        if extended {
            self.bytes.extend([0xff; 4]);
            self.bytes.extend((padded as u64).to_le_bytes());
        } else {
            self.bytes.extend((padded as u32).to_le_bytes());
        }
        let end = self.bytes.len() + padded;
        self.bytes.extend_from_slice(body);
        self.bytes.resize(end, 0);
        offset as u32
    }

    /// A CIE of augmentation `zR`, or `zPR` with a personality edge.
    fn cie(&mut self, extended: bool, personality: Option<u32>) -> u32 {
        let mut body = vec![0, 0, 0, 0, 1, b'z'];
        body.extend_from_slice(if personality.is_some() { b"PR\0" } else { b"R\0" });
        body.extend([1, 0x78, 16]);
        match personality {
            Some(_) => body.extend([6, PERSONALITY, 0, 0, 0, 0, PCREL_SDATA4]),
            None => body.extend([1, PCREL_SDATA4]),
        }
        let offset = self.record(extended, &body);
        if let Some(target) = personality {
            self.edge(offset + if extended { 12 } else { 4 } + 14, target);
        }
        offset
    }

    /// An FDE that uses the CIE at `cie`; `tag` makes its bytes its own.
    fn fde(&mut self, extended: bool, cie: u32, function: Option<u32>, lsda: Option<u32>, tag: u8) -> u32 {
        let start = self.bytes.len() as u32 + if extended { 12 } else { 4 };
        let mut body = (start - cie).to_le_bytes().to_vec();
        body.extend([0, 0, 0, 0, 7, 0, 0, 0, 4, 0, 0, 0, 0, tag]);
        let offset = self.record(extended, &body);
        function.into_iter().for_each(|target| self.edge(start + 4, target));
        lsda.into_iter().for_each(|target| self.edge(start + 13, target));
        offset
    }

    fn edge(&mut self, offset: u32, target: u32) {
        self.edges.push(Edge { offset, target: SymbolId(target), addend: 0, kind: PC32 });
    }

    fn split(&self) -> Result<EhFrame, String> {
        let (graph, block) = testing::graph(8, &self.bytes, self.edges.clone());
        split(&graph, block).map_err(|error| error.to_string())
    }
}

fn fde(cie: u32, block: u32) -> RecordKind {
    RecordKind::Fde { cie, function: Function::In(BlockId(block)) }
}

/// What a gimli reader makes of written records: offset, and for FDEs their CIE's offset.
fn read_back(bytes: &[u8]) -> Vec<(usize, Option<usize>)> {
    let section = gimli::EhFrame::new(bytes, LittleEndian);
    let bases = BaseAddresses::default().set_eh_frame(0);
    let mut entries = section.entries(&bases);
    let mut list = Vec::new();
    while let Some(entry) = entries.next().unwrap() {
        list.push(match entry {
            CieOrFde::Cie(cie) => (cie.offset(), None),
            CieOrFde::Fde(fde) => {
                fde.parse(|section, bases, offset| section.cie_from_offset(bases, offset)).unwrap();
                (fde.offset(), Some(fde.cie_offset().0))
            }
        });
    }
    list
}

fn written(eh_frame: &EhFrame, plan: &EhFramePlan, source: &[u8]) -> Vec<u8> {
    let mut out = vec![0xaa; plan.size as usize];
    write(eh_frame, plan, source, &mut out);
    out
}

#[test]
fn records_with_their_edges_and_functions() {
    let mut writer = Writer::default();
    let plain = writer.cie(false, None);
    let first = writer.fde(false, plain, Some(1), None, 0);
    let throws = writer.cie(false, Some(7));
    let second = writer.fde(false, throws, Some(0), Some(6), 0);
    writer.fde(false, plain, Some(1), None, 0);
    let eh_frame = writer.split().unwrap();
    let offsets: Vec<_> = eh_frame.records.iter().map(|record| record.offset).collect();
    assert_eq!(offsets[..4], [plain, first, throws, second]);
    let kinds: Vec<_> = eh_frame.records.iter().map(|record| record.kind).collect();
    assert_eq!(kinds, [RecordKind::Cie, fde(0, 1), RecordKind::Cie, fde(2, 0), fde(0, 1)]);
    let edges: Vec<_> = eh_frame.records.iter().map(|record| record.edges.clone()).collect();
    assert_eq!(edges, [0..0, 0..1, 1..2, 2..4, 4..5]);
    assert_eq!(eh_frame.edges_kept_by(3), [2..4, 1..2]);
    let (graph, _) = testing::graph(8, &writer.bytes, writer.edges.clone());
    let list = fdes_of_blocks(&eh_frame, &graph);
    assert_eq!(list, [(BlockId(0), 3), (BlockId(1), 1), (BlockId(1), 4)]);
}

#[test]
fn an_empty_section_and_lone_terminators() {
    assert!(Writer::default().split().unwrap().records.is_empty());
    let mut writer = Writer::default();
    writer.terminator().terminator();
    let eh_frame = writer.split().unwrap();
    assert!(eh_frame.records.is_empty());
    assert_eq!(plan(&eh_frame, |_| true).size, 0);
}

#[test]
fn a_terminator_between_records_leaves_no_hole() {
    let mut writer = Writer::default();
    let cie = writer.cie(false, None);
    writer.fde(false, cie, Some(0), None, 1);
    writer.terminator();
    writer.fde(false, cie, Some(1), None, 2);
    let eh_frame = writer.split().unwrap();
    assert_eq!(eh_frame.records.len(), 3);
    let plan = plan(&eh_frame, |_| true);
    assert!(!plan.unchanged);
    assert_eq!(plan.size as usize, writer.bytes.len() - 4);
    let out = written(&eh_frame, &plan, &writer.bytes);
    assert_eq!(read_back(&out).iter().filter(|entry| entry.1 == Some(0)).count(), 2);
    let runs: Vec<_> = plan.runs(&eh_frame).collect();
    assert_eq!(runs.len(), 2);
    assert_eq!(runs[1].start, runs[1].output.start + 4);
    assert_eq!(runs[1].edges, 1..2);
}

#[test]
fn everything_kept_is_one_copy() {
    let mut writer = Writer::default();
    let cie = writer.cie(false, Some(7));
    writer.fde(false, cie, Some(0), Some(6), 1);
    writer.fde(false, cie, Some(1), None, 2);
    writer.terminator();
    let eh_frame = writer.split().unwrap();
    let plan = plan(&eh_frame, |_| true);
    let size = plan.size as usize;
    assert!(plan.unchanged);
    assert_eq!(size, writer.bytes.len() - 4);
    let runs: Vec<_> = plan.runs(&eh_frame).collect();
    assert_eq!(runs, [Run { start: 0, output: 0..plan.size, edges: 0..4 }]);
    assert_eq!(written(&eh_frame, &plan, &writer.bytes), writer.bytes[..size]);
}

#[test]
fn a_cie_goes_with_its_last_fde() {
    let mut writer = Writer::default();
    let (unused, cie) = (writer.cie(false, Some(7)), writer.cie(false, None));
    writer.fde(false, unused, Some(0), None, 1);
    writer.fde(false, cie, Some(1), None, 2);
    let eh_frame = writer.split().unwrap();
    let plan = plan(&eh_frame, |index| eh_frame.describes_live(index, |block| block == BlockId(1)));
    let kept: Vec<_> = plan.kept.iter().map(|entry| entry.record).collect();
    assert_eq!(kept, [1, 3]);
    assert_eq!(plan.new_offset(0), None);
    let fde_offset = plan.new_offset(3).unwrap() as usize;
    assert_eq!(read_back(&written(&eh_frame, &plan, &writer.bytes)), [(0, None), (fde_offset, Some(0))]);
}

#[test]
fn long_lengths_are_written_short() {
    let mut writer = Writer::default();
    let cie = writer.cie(true, Some(7));
    let offset = writer.fde(true, cie, Some(0), Some(6), 1);
    let eh_frame = writer.split().unwrap();
    assert_eq!(eh_frame.records[1].offset, offset);
    assert_eq!(eh_frame.records[1].edges, 1..3);
    let plan = plan(&eh_frame, |_| true);
    let out = written(&eh_frame, &plan, &writer.bytes);
    assert_eq!(out.len(), writer.bytes.len() - 16);
    let mut short = Writer::default();
    let cie = short.cie(false, Some(7));
    short.fde(false, cie, Some(0), Some(6), 1);
    // Padding differs: the length field counts in it.
    let ends: Vec<_> = eh_frame.records.iter().map(|r| (r.size - 8) as usize).collect();
    assert_eq!(read_back(&out), [(0, None), (ends[0], Some(0))]);
    for (run, edges) in plan.runs(&eh_frame).zip([0..1, 1..3]) {
        assert_eq!(run.edges, edges);
        for edge in &writer.edges[edges.start as usize..edges.end as usize] {
            let at = (edge.offset - run.start + run.output.start) as usize;
            assert_eq!(out[at..at + 4], writer.bytes[edge.offset as usize..][..4]);
        }
    }
}

#[test]
fn functions_that_are_not_there() {
    let mut writer = Writer::default();
    let cie = writer.cie(false, None);
    for target in [Some(9), Some(10), Some(11), Some(12), None] {
        writer.fde(false, cie, target, None, 0);
    }
    let (mut graph, block) = testing::graph(8, &writer.bytes, writer.edges.clone());
    for (kind, value) in [
        (SymbolKind::Discarded, 0),
        (SymbolKind::External, 0),
        (SymbolKind::Absolute, 0x1000),
        (SymbolKind::Absolute, 0),
    ] {
        testing::add_symbol(&mut graph, kind, BlockId(0), value);
    }
    // Symbol 8 is no FDE's; the added ones follow the eight blocks' own.
    let edges = graph.edges.iter_mut();
    edges.for_each(|edge| edge.target.0 -= 1);
    let eh_frame = split(&graph, block).unwrap();
    let functions: Vec<_> = eh_frame.records[1..]
        .iter()
        .map(|record| match record.kind {
            RecordKind::Fde { function, .. } => function,
            RecordKind::Cie => panic!("an FDE is due"),
        })
        .collect();
    use Function::{Absolute, Gone};
    assert_eq!(functions, [Gone, Gone, Absolute, Gone, Gone]);
    assert!(eh_frame.describes_live(3, |_| false));
    assert!(!eh_frame.describes_live(1, |_| true));
    assert!(fdes_of_blocks(&eh_frame, &graph).is_empty());
}

#[test]
fn an_absolute_address_in_the_bytes_counts() {
    let mut writer = Writer::default();
    let cie = writer.record(false, &[0, 0, 0, 0, 1, 0, 1, 0x78, 16]);
    for address in [0x1000u64, 0] {
        let mut body = (writer.bytes.len() as u32 + 4 - cie).to_le_bytes().to_vec();
        body.extend(address.to_le_bytes());
        body.extend(8u64.to_le_bytes());
        writer.record(false, &body);
    }
    let eh_frame = writer.split().unwrap();
    assert_eq!(eh_frame.records[1].kind, RecordKind::Fde { cie: 0, function: Function::Absolute });
    assert_eq!(eh_frame.records[2].kind, RecordKind::Fde { cie: 0, function: Function::Gone });
}

#[test]
fn an_unknown_augmentation_is_taken_as_it_is() {
    let mut writer = Writer::default();
    let cie = writer.record(false, b"\0\0\0\0\x01zRB\0\x04\x78\x1e\x01\x1b");
    writer.fde(false, cie, Some(3), None, 0);
    assert_eq!(writer.split().unwrap().records[1].kind, fde(0, 3));
}

#[test]
fn faults_name_section_and_offset() {
    let fault = |change: fn(&mut Writer)| {
        let mut writer = Writer::default();
        let cie = writer.cie(false, Some(7));
        writer.fde(false, cie, Some(0), None, 0);
        writer.fde(false, cie, Some(0), None, 0);
        assert!(writer.split().is_ok());
        change(&mut writer);
        writer.split().unwrap_err()
    };
    // Each record takes 24 bytes.
    let place = |offset: u32| format!("test.o:(.eh_frame+{offset:#x}): ");
    let cut = |writer: &mut Writer| writer.bytes.truncate(68);
    assert_eq!(fault(cut), place(48) + "call frame record is cut short");
    let pointer = "FDE's CIE pointer leads to no CIE before it";
    assert_eq!(fault(|writer| writer.bytes[28] = 27), place(24) + pointer);
    assert_eq!(fault(|writer| writer.bytes[29] = 1), place(24) + pointer);
    let stray = "relocation of call frame information lies in the body of no record";
    assert_eq!(fault(|writer| writer.edges[1].offset = 28), place(24) + stray);
    assert_eq!(fault(|writer| writer.edges[2].offset = 72), place(72) + stray);
    assert_eq!(fault(|writer| writer.edges[2].offset = 31), place(24) + stray);
    let crossing = "relocation crosses the end of its call frame record";
    assert_eq!(fault(|writer| writer.edges[1].offset = 45), place(24) + crossing);
    let abs64 = |writer: &mut Writer| {
        writer.edges[2].kind = ABS64;
        writer.edges[2].offset = 66;
    };
    assert_eq!(fault(abs64), place(48) + crossing);
    assert_eq!(
        fault(|writer| writer.edges[1].target.0 = 99),
        place(24) + "FDE's function is a symbol that does not exist"
    );
    let short = |writer: &mut Writer| {
        writer.bytes[48] = 8;
        writer.bytes.truncate(60);
    };
    assert_eq!(fault(short), place(48) + "FDE is too short for its function's address and length");
    assert!(fault(|writer| writer.bytes[0] = 0xf1).starts_with(&place(0)));
    assert!(fault(|writer| writer.bytes[8] = 9).contains("cannot be read"));
    let in_terminator = |writer: &mut Writer| {
        writer.terminator();
        writer.edge(72, 0);
    };
    assert_eq!(fault(in_terminator), place(72) + stray);
}

/// A record to write, in a model that `Writer` turns into bytes.
#[derive(Clone, Debug)]
enum Item {
    Terminator,
    Cie { extended: bool, personality: bool },
    Fde { extended: bool, cie: prop::sample::Index, block: u32, lsda: bool, live: bool },
}

fn any_item() -> impl Strategy<Value = Item> {
    prop_oneof![
        1 => Just(Item::Terminator),
        2 => (prop::bool::weighted(0.1), any::<bool>())
            .prop_map(|(extended, personality)| Item::Cie { extended, personality }),
        8 => (prop::bool::weighted(0.1), any::<prop::sample::Index>(), 0..8u32, any::<bool>(), any::<bool>())
            .prop_map(|(extended, cie, block, lsda, live)| Item::Fde { extended, cie, block, lsda, live }),
    ]
}

/// A kept record as the model has it: its bytes after length and CIE pointer, and its CIE.
type Expected = (Vec<u8>, Option<usize>);

/// The section, and for each record whether it is a live FDE.
fn build(items: &[Item]) -> (Writer, Vec<bool>) {
    let mut writer = Writer::default();
    let (mut cies, mut live) = (Vec::new(), Vec::new());
    for (number, item) in items.iter().enumerate() {
        match item {
            Item::Terminator => drop(writer.terminator()),
            Item::Cie { extended, personality } => {
                cies.push(writer.cie(*extended, personality.then_some(7)));
                live.push(false);
            }
            Item::Fde { extended, cie, block, lsda, live: is_live } => {
                if cies.is_empty() {
                    continue;
                }
                let cie = *cie.get(&cies);
                writer.fde(*extended, cie, Some(*block), lsda.then_some(6), number as u8);
                live.push(*is_live);
            }
        }
    }
    (writer, live)
}

fn body(bytes: &[u8], record: &Record) -> Vec<u8> {
    let start = record.offset + if record.extended { 16 } else { 8 };
    bytes[start as usize..record.end() as usize].to_vec()
}

/// The records that ought to be kept, in order.
fn expected(eh_frame: &EhFrame, live: &[bool], bytes: &[u8]) -> Vec<Expected> {
    let used = |index: usize| {
        eh_frame.records.iter().zip(live).any(|(record, live)| {
            *live && matches!(record.kind, RecordKind::Fde { cie, .. } if cie as usize == index)
        })
    };
    let kept: Vec<usize> = (0..eh_frame.records.len()).filter(|i| live[*i] || used(*i)).collect();
    let place = |record: u32| kept.iter().position(|index| *index == record as usize);
    let describe = |index: &usize| {
        let record = &eh_frame.records[*index];
        let cie = eh_frame.cie_of(*index as u32).map(|cie| place(cie).expect("a live FDE's CIE is kept"));
        (body(bytes, record), cie)
    };
    kept.iter().map(describe).collect()
}

proptest! {
    #[test]
    fn what_is_written_is_what_was_kept(items in prop::collection::vec(any_item(), 0..60)) {
        let (writer, live) = build(&items);
        let eh_frame = writer.split().unwrap();
        prop_assert_eq!(eh_frame.records.len(), live.len());
        let plan = plan(&eh_frame, |index| live[index as usize]);
        let out = written(&eh_frame, &plan, &writer.bytes);
        let again = Writer { bytes: out.clone(), edges: Vec::new() }.split().unwrap();
        let found: Vec<Expected> = again
            .records
            .iter()
            .zip(0..)
            .map(|(record, index)| (body(&out, record), again.cie_of(index).map(|cie| cie as usize)))
            .collect();
        prop_assert_eq!(found, expected(&eh_frame, &live, &writer.bytes));
        prop_assert_eq!(again.records.iter().map(|record| record.size).sum::<u32>(), plan.size);
        prop_assert_eq!(read_back(&out).len(), plan.kept.len());
    }

    #[test]
    fn runs_hold_the_kept_edges_at_their_bytes(items in prop::collection::vec(any_item(), 0..60)) {
        let (writer, live) = build(&items);
        let eh_frame = writer.split().unwrap();
        let plan = plan(&eh_frame, |index| live[index as usize]);
        let mut end = 0;
        let mut edges = Vec::new();
        for run in plan.runs(&eh_frame) {
            prop_assert_eq!(run.output.start, end);
            end = run.output.end;
            for index in run.edges.clone() {
                let edge = writer.edges[index as usize];
                prop_assert!(edge.offset >= run.start);
                prop_assert!(edge.offset - run.start + 4 <= run.output.end - run.output.start);
                edges.push(index);
            }
        }
        prop_assert_eq!(end, plan.size);
        let kept = plan.kept.iter().flat_map(|entry| eh_frame.records[entry.record as usize].edges.clone());
        prop_assert_eq!(edges, kept.collect::<Vec<_>>());
    }
}

const THROWING: &str = "
    struct Guard { ~Guard(); };
    void may_throw();
    template <class T> T twice(T value) { return value + value; }
    int catches() { try { Guard guard; may_throw(); return twice(1); } catch (int number) { return number; } }
    int plain(int number) { return number * 3; }
    long other() { return twice(2L); }
";

fn eh_frame_of(graph: &LinkGraph<'_>) -> EhFrame {
    let section = graph.find_section(".eh_frame").unwrap();
    let (block, _) = graph.blocks_in(section).next().unwrap();
    split(graph, block).unwrap()
}

#[test]
fn a_compilers_object_has_an_fde_for_each_function() {
    for flags in [&["-O0"][..], &["-O2", "-ffunction-sections"], &["-O0", "-mcmodel=large", "-fno-pic"]] {
        let object = testing::compile(THROWING, flags);
        let graph = testing::graph_of_object(&object);
        let eh_frame = eh_frame_of(&graph);
        let list = fdes_of_blocks(&eh_frame, &graph);
        let fdes = eh_frame.records.iter().filter(|record| record.kind != RecordKind::Cie).count();
        assert!(fdes >= 3, "{flags:?}");
        assert_eq!(list.len(), fdes, "{flags:?}");
        let throwing: Vec<_> = eh_frame
            .records
            .iter()
            .filter(|record| record.kind != RecordKind::Cie && record.edges.len() == 2)
            .collect();
        assert_eq!(throwing.len(), 1, "{flags:?}: one function has an LSDA");
        let keeps_one = plan(&eh_frame, |index| eh_frame.records[index as usize].edges.len() == 2);
        assert_eq!(keeps_one.kept.len(), 2, "{flags:?}");
        let source = graph.block(eh_frame.block).content().bytes();
        assert_eq!(read_back(&written(&eh_frame, &keeps_one, source)).len(), 2, "{flags:?}");
        assert!(plan(&eh_frame, |_| true).unchanged, "{flags:?}");
    }
}

#[test]
fn damaged_sections_end_in_success_or_an_error() {
    let object = testing::compile(THROWING, &["-O0", "-fPIC"]);
    let graph = testing::graph_of_object(&object);
    let eh_frame = eh_frame_of(&graph);
    let pristine = Writer {
        bytes: graph.block(eh_frame.block).content().bytes().to_vec(),
        edges: graph.edges(eh_frame.block).collect(),
    };
    let mut accepted = 0;
    for seed in 0..5000 {
        let mut random = Random::new(seed);
        let mut mutant = pristine.clone();
        damage(&mut mutant, &mut random);
        let (mut graph, block) = testing::graph(8, &mutant.bytes, mutant.edges.clone());
        graph.symbols.truncate(8 - random.below(2));
        let Ok(eh_frame) = split(&graph, block) else { continue };
        let keep = random.next_u64();
        let plan = plan(&eh_frame, |index| keep >> (index % 64) & 1 == 1);
        let out = written(&eh_frame, &plan, &mutant.bytes);
        assert_eq!(out.len(), plan.kept.iter().map(|entry| size_of_record(&eh_frame, entry)).sum::<usize>());
        accepted += 1;
    }
    assert!(accepted > 500 && accepted < 4500, "{accepted} accepted");
}

fn size_of_record(eh_frame: &EhFrame, entry: &KeptRecord) -> usize {
    let record = &eh_frame.records[entry.record as usize];
    (record.size - record.shortened_by()) as usize
}

fn damage(writer: &mut Writer, random: &mut Random) {
    for edge in &mut writer.edges {
        edge.target.0 %= 8;
    }
    for _ in 0..=random.below(3) {
        let at = random.below(writer.bytes.len());
        match random.below(5) {
            0 => writer.bytes.truncate(at),
            1 => {
                let edge = random.below(writer.edges.len());
                if let Some(edge) = writer.edges.get_mut(edge) {
                    edge.offset = edge.offset.wrapping_add(random.below(17) as u32).wrapping_sub(8);
                }
            }
            2 => {
                let aligned = at & !3;
                let value = [0, 1, 4, u32::MAX, 0xffff_fff0, 0x14][random.below(6)].to_le_bytes();
                if let Some(word) = writer.bytes.get_mut(aligned..aligned + 4) {
                    word.copy_from_slice(&value);
                }
            }
            _ => {
                if let Some(byte) = writer.bytes.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
        }
    }
}
