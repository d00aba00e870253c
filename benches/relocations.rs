//! Fixups per second, by kind.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use jitlink::arch::x86_64::kinds::{self, KINDS};
use jitlink::arch::{FixupCounts, Site, Targets, fix_up};
use jitlink::base::Result;
use jitlink::graph::{
    Architecture, BlockId, Edge, EdgeKind, LinkGraph, NewBlock, NewSymbol, Permissions, Request, Section,
    SymbolId,
};
use std::time::Duration;

const EDGES: usize = 10_000;
/// Each edge has as many bytes, so that there is room for an instruction.
const SLOT: usize = 16;
/// Where in its slot an edge stands.
const AT: usize = 8;
const ADDRESS: u64 = 0x7fff_0000_0000;
/// A field whose largest value is at least this holds any address.
const WIDE: i64 = 1 << 40;

/// Kinds whose fixup depends on the instruction: what is measured, bytes before the field, and whether the target is near.
const FORMS: &[(&str, EdgeKind, &[u8], bool)] = &[
    ("GOTPCRELX, call rewritten", kinds::GOTPCRELX, &[0xff, 0x15], true),
    ("GOTPCRELX, call through the GOT", kinds::GOTPCRELX, &[0xff, 0x15], false),
    ("REX_GOTPCRELX, mov rewritten", kinds::REX_GOTPCRELX, &[0x48, 0x8b, 0x05], true),
    ("REX_GOTPCRELX, mov from the GOT", kinds::REX_GOTPCRELX, &[0x48, 0x8b, 0x05], false),
    ("PLT32, direct", kinds::PLT32, &[0xe8], true),
    ("PLT32, through the PLT", kinds::PLT32, &[0xe8], false),
];

fn kinds_of_fixups(criterion: &mut Criterion) {
    for (index, facts) in KINDS.iter().enumerate() {
        let kind = EdgeKind(index as u8);
        let in_forms = FORMS.iter().any(|form| form.1 == kind) || facts.request == Request::RelaxableGot;
        if facts.width > 0 && !matches!(facts.request, Request::ThreadLocal) && !in_forms {
            measure(criterion, facts.name, kind, &[], true);
        }
    }
    for (name, kind, instruction, near) in FORMS {
        measure(criterion, name, *kind, instruction, *near);
    }
}

fn measure(criterion: &mut Criterion, name: &str, kind: EdgeKind, instruction: &[u8], near: bool) {
    let content = content(instruction);
    let (graph, block) = graph(&content, kind);
    let facts = KINDS[kind.index()];
    let low = facts.max < WIDE && !facts.expression.contains('P');
    let targets = Places { low, near };
    let apply = |content: &mut Vec<u8>| -> Result<()> {
        let mut site = Site { graph: &graph, block, content, start: 0, address: ADDRESS };
        fix_up(&mut site, graph.edges(block), &targets, &mut FixupCounts::default())
    };
    apply(&mut content.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut group = criterion.benchmark_group("fixups");
    group.sample_size(30).measurement_time(Duration::from_secs(1)).warm_up_time(Duration::from_millis(300));
    group.throughput(Throughput::Elements(EDGES as u64));
    group.bench_function(name, |bencher| {
        bencher.iter_batched_ref(|| content.clone(), apply, BatchSize::SmallInput);
    });
    group.finish();
}

fn content(instruction: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; EDGES * SLOT];
    for slot in bytes.chunks_exact_mut(SLOT) {
        slot[AT - instruction.len()..AT].copy_from_slice(instruction);
    }
    bytes
}

/// A block with an edge in each slot, each to a symbol of its own.
fn graph(content: &[u8], kind: EdgeKind) -> (LinkGraph<'_>, BlockId) {
    let mut graph = LinkGraph::new("bench.o", Architecture::X86_64, &KINDS);
    let text =
        graph.add_section(Section::new(b".text", Permissions::READ | Permissions::EXECUTE)).expect("room");
    let block = graph.add_block(NewBlock::content(text, content)).expect("the block is fine");
    for index in 0..EDGES {
        let offset = (index * SLOT + AT) as u32;
        let target = graph.add_symbol(NewSymbol::defined(block, u64::from(offset))).expect("room");
        let addend = if KINDS[kind.index()].pc_relative { -4 } else { 0 };
        graph.add_edge(block, Edge { offset, target, addend, kind }).expect("the edge is in the block");
    }
    (graph, block)
}

/// Where everything is: with each edge the target moves on, or it stays low, where a field holds nothing else.
struct Places {
    low: bool,
    near: bool,
}

impl Targets for Places {
    fn resolve(&self, target: SymbolId, addend: i64) -> (u64, i64) {
        let address = match (self.low, self.near) {
            (true, _) => 0x10,
            (false, true) => ADDRESS + u64::from(target.0) * SLOT as u64,
            (false, false) => 0x1000,
        };
        (address, addend)
    }

    fn got_entry(&self, target: SymbolId) -> Option<u64> {
        Some(ADDRESS + 0x10_0000 + u64::from(target.0) * 8)
    }

    fn plt_entry(&self, target: SymbolId) -> Option<u64> {
        Some(ADDRESS + 0x20_0000 + u64::from(target.0) * 16)
    }

    fn size(&self, _: SymbolId) -> u64 {
        24
    }

    fn got_base(&self) -> u64 {
        ADDRESS + 0x10_0000
    }

    fn is_absent(&self, _: SymbolId) -> bool {
        false
    }
}

criterion_group!(benches, kinds_of_fixups);
criterion_main!(benches);
