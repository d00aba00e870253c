//! What the tests of graphs share: a table of edge kinds of no real architecture, and small graphs.

use super::edge::EdgeRun;
use super::{
    Architecture, BlockId, Demands, Edge, EdgeKind, KindFacts, Lifetime, LinkGraph, Linkage, NewBlock,
    NewSymbol, Permissions, Rela, Request, Scope, Section, SectionFlags, SymbolFlags, SymbolId,
};
use crate::base::ExecutorAddr;
use object::{I64, LittleEndian, U64};

/// A field of four bytes.
pub(super) const WORD: EdgeKind = EdgeKind(2);
/// A field of eight bytes.
pub(super) const QUAD: EdgeKind = EdgeKind(3);

static KINDS: [KindFacts; 4] = [kind("UNKNOWN", 0), kind("KEEP_ALIVE", 0), kind("WORD", 4), kind("QUAD", 8)];

static RELOCATION_KINDS: [EdgeKind; 4] = [EdgeKind::UNKNOWN, EdgeKind::KEEP_ALIVE, WORD, QUAD];

const fn kind(name: &'static str, width: u8) -> KindFacts {
    let request = if width == 0 { Request::Nothing } else { Request::Address };
    let (min, max) = (i64::MIN, i64::MAX);
    let expression = "S + A";
    let (pc_relative, demands) = (false, Demands::empty());
    KindFacts {
        name,
        expression,
        width,
        alignment: 1,
        min,
        max,
        pc_relative,
        demands,
        request,
        access: crate::graph::ThreadAccess::Mark,
    }
}

pub(super) fn empty_graph() -> LinkGraph<'static> {
    let mut graph = LinkGraph::new("test.o", Architecture::X86_64, &KINDS);
    graph.relocation_kinds = &RELOCATION_KINDS;
    graph
}

/// A graph of one section with one block of 32 bytes (0, 1, 2...) at address 0x100, 16-aligned, a symbol `f` at its
/// start, a symbol `g` at 16, and an external `puts`: symbols 0, 1 and 2.
pub(super) fn small_graph() -> (LinkGraph<'static>, BlockId) {
    let mut graph = empty_graph();
    let text = graph.add_section(Section::new(b".text", Permissions::READ | Permissions::EXECUTE)).unwrap();
    let bytes: Vec<u8> = (0..32).collect();
    let block = graph.add_block(NewBlock::content(text, bytes).aligned(16).at(ExecutorAddr(0x100))).unwrap();
    graph.add_symbol(NewSymbol::defined(block, 0).named(b"f").size(16)).unwrap();
    graph.add_symbol(NewSymbol::defined(block, 16).named(b"g").size(16)).unwrap();
    graph.add_symbol(NewSymbol::external(b"puts")).unwrap();
    (graph, block)
}

pub(super) fn edge(offset: u32, target: SymbolId, kind: EdgeKind) -> Edge {
    Edge { offset, target, addend: 0, kind }
}

/// Makes these edges a view of a relocation table, as an object's builder does.
pub(super) fn view(graph: &mut LinkGraph<'static>, block: BlockId, edges: &[Edge]) {
    let table: Vec<Rela> = edges.iter().map(rela).collect();
    graph.blocks[block.index()].edges = EdgeRun::Rela(table.leak());
}

fn rela(edge: &Edge) -> Rela {
    let word = |value| U64::new(LittleEndian, value);
    let info = u64::from(edge.target.0) << 32 | u64::from(edge.kind.0);
    Rela {
        r_offset: word(u64::from(edge.offset)),
        r_info: word(info),
        r_addend: I64::new(LittleEndian, edge.addend),
    }
}

/// Everything of a block that people see: address, size, content, symbols and edges.
pub(super) fn block_state(graph: &LinkGraph<'_>, id: BlockId) -> String {
    let block = graph.block(id);
    let symbols: Vec<_> = graph.symbols_in(id).map(|(id, symbol)| (id, symbol.value, symbol.size)).collect();
    let edges: Vec<_> = graph.edges(id).collect();
    let alignment = (block.alignment(), block.alignment_offset());
    let bytes = block.content.bytes();
    format!("{:?} {} {alignment:?} {bytes:?} {symbols:?} {edges:?}", block.address, block.size)
}

/// A graph with one of everything that a dump shows.
pub(super) fn varied_graph() -> LinkGraph<'static> {
    let (mut graph, text) = small_graph();
    let puts = SymbolId(2);
    let data = graph.add_section(Section::new(b".bss", Permissions::READ | Permissions::WRITE)).unwrap();
    let bss = graph.add_block(NewBlock::zero_fill(data, 64).aligned(8).alignment_offset(4)).unwrap();
    let section = NewSymbol::defined(bss, 0).scope(Scope::Local).flags(SymbolFlags::SECTION);
    let section = graph.add_symbol(section).unwrap();
    graph.add_symbol(NewSymbol::absolute(ExecutorAddr(0x42)).named(b"page\n\"size\"")).unwrap();
    graph.add_symbol(NewSymbol::common(b"buf\xff", 64, 16).linkage(Linkage::Weak)).unwrap();
    let edges = [
        Edge { offset: 4, target: puts, addend: -4, kind: WORD },
        Edge { offset: 8, target: section, addend: 16, kind: QUAD },
        edge(16, puts, WORD),
    ];
    graph.add_edges(text, &edges).unwrap();
    graph.set_live(text, true).unwrap();
    graph.section_mut(data).unwrap().flags = SectionFlags::KEEP | SectionFlags::C_IDENTIFIER;
    graph
        .add_section(Section { lifetime: Lifetime::NoAlloc, ..Section::new(b"a{b|\\&", Permissions::READ) })
        .unwrap();
    graph
}
