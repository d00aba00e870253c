//! Small graphs for the tests of passes: by hand, and from a compiler's objects.

use crate::base::ExecutorAddr;
use crate::graph::edge::EdgeRun;
use crate::graph::symbol::LinkageScope;
use crate::graph::*;
use object::elf::{FileHeader64, R_X86_64_64, R_X86_64_PC32, R_X86_64_PC64, SHF_ALLOC, SHN_UNDEF, SHT_RELA};
use object::read::elf::{FileHeader, SectionHeader, Sym};
use object::{LittleEndian as LE, pod};
use std::borrow::Cow;
use std::path::Path;
use std::process::Command;

pub(crate) const PC32: EdgeKind = EdgeKind(2);
pub(crate) const ABS64: EdgeKind = EdgeKind(3);

const fn facts(name: &'static str, width: u8) -> KindFacts {
    KindFacts {
        name,
        expression: "",
        width,
        alignment: 1,
        min: i64::MIN,
        max: i64::MAX,
        pc_relative: false,
        demands: Demands::empty(),
        request: Request::Address,
        access: crate::graph::ThreadAccess::Mark,
    }
}

static KINDS: [KindFacts; 4] =
    [facts("unknown", 0), facts("keep-alive", 0), facts("pc32", 4), facts("abs64", 8)];

const RELOCATIONS: [EdgeKind; 25] = {
    let mut kinds = [EdgeKind::KEEP_ALIVE; 25];
    kinds[R_X86_64_PC64.0 as usize] = ABS64;
    kinds[R_X86_64_64.0 as usize] = ABS64;
    kinds[R_X86_64_PC32.0 as usize] = PC32;
    kinds
};

/// A graph of `code` blocks, each with a symbol (ids as the blocks'), and one `.eh_frame` block.
pub(crate) fn graph<'data>(
    code: u32,
    eh_frame: &'data [u8],
    edges: Vec<Edge>,
) -> (LinkGraph<'data>, BlockId) {
    let mut graph = LinkGraph::new("test.o", Architecture::X86_64, &KINDS);
    let text = add_section(&mut graph, b".text", SectionRole::Regular);
    for index in 0..code {
        let block = add_block(&mut graph, text, &[0xc3; 16], EdgeRun::EMPTY);
        assert_eq!(block, BlockId(index));
        add_symbol(&mut graph, SymbolKind::Defined, block, 0);
    }
    let section = add_section(&mut graph, b".eh_frame", SectionRole::EhFrame);
    let run = EdgeRun::Owned { start: 0, count: edges.len() as u32 };
    graph.edges = edges;
    let block = add_block(&mut graph, section, eh_frame, run);
    (graph, block)
}

/// One more symbol.
pub(crate) fn add_symbol(
    graph: &mut LinkGraph<'_>,
    kind: SymbolKind,
    block: BlockId,
    value: u64,
) -> SymbolId {
    let linkage_scope = LinkageScope::new(Linkage::Strong, Scope::Local);
    graph.symbols.push(Symbol { kind, block, value, linkage_scope, ..Symbol::NULL });
    SymbolId(graph.symbols.len() as u32 - 1)
}

fn add_section<'data>(graph: &mut LinkGraph<'data>, name: &'data [u8], role: SectionRole) -> SectionId {
    graph.sections.push(Section {
        name: Cow::Borrowed(name),
        permissions: Permissions::READ,
        lifetime: Lifetime::Standard,
        role,
        flags: SectionFlags::empty(),
        number: 0,
    });
    SectionId(graph.sections.len() as u32 - 1)
}

fn add_block<'data>(
    graph: &mut LinkGraph<'data>,
    section: SectionId,
    bytes: &'data [u8],
    edges: EdgeRun<'data>,
) -> BlockId {
    graph.blocks.push(Block {
        address: ExecutorAddr::NULL,
        size: bytes.len() as u64,
        content: Content::Borrowed(bytes),
        edges,
        section,
        alignment_offset: 0,
        alignment_log2: 3,
        live: false,
    });
    BlockId(graph.blocks.len() as u32 - 1)
}

/// Compiles C++ with clang.
pub(crate) fn compile(source: &str, flags: &[&str]) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let (input, output) = (dir.path().join("a.cpp"), dir.path().join("a.o"));
    std::fs::write(&input, source).unwrap();
    let clang = jitlink_test_support::toolchain::llvm("clang++");
    let status = Command::new(clang).args(flags).arg("-c").arg(&input).arg("-o").arg(&output).status();
    assert!(status.unwrap().success());
    read(&output)
}

pub(crate) fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

/// A graph of an x86-64 object's loaded sections: a block each, edges as views of the relocation tables. Good for
/// well-formed objects only.
pub(crate) fn graph_of_object(bytes: &[u8]) -> LinkGraph<'_> {
    let header = FileHeader64::<LE>::parse(bytes).unwrap();
    let sections = header.sections(LE, bytes).unwrap();
    let mut graph = LinkGraph::new("object.o", Architecture::X86_64, &KINDS);
    graph.relocation_kinds = &RELOCATIONS;
    let mut blocks = vec![BlockId(u32::MAX); sections.len()];
    for (index, section) in sections.enumerate() {
        if section.sh_flags(LE).0 & SHF_ALLOC.0 == 0 {
            continue;
        }
        let name = sections.section_name(LE, section).unwrap();
        let role = if name == b".eh_frame" { SectionRole::EhFrame } else { SectionRole::Regular };
        let id = add_section(&mut graph, name, role);
        blocks[index.0] = add_block(&mut graph, id, section.data(LE, bytes).unwrap(), EdgeRun::EMPTY);
    }
    for section in sections.iter().filter(|section| section.sh_type(LE) == SHT_RELA) {
        let table = section.data(LE, bytes).unwrap();
        let table: &[Rela] = pod::slice_from_all_bytes(table).unwrap();
        if let Some(block) = graph.blocks.get_mut(blocks[section.sh_info(LE) as usize].index()) {
            block.edges = EdgeRun::Rela(table);
        }
    }
    for symbol in sections.symbols(LE, bytes, object::elf::SHT_SYMTAB).unwrap().iter() {
        let place = blocks.get(usize::from(symbol.st_shndx(LE).0)).copied();
        match place.filter(|block| block.0 != u32::MAX) {
            Some(block) => add_symbol(&mut graph, SymbolKind::Defined, block, symbol.st_value(LE)),
            None if symbol.st_shndx(LE) == SHN_UNDEF && symbol.st_name(LE) != 0 => {
                add_symbol(&mut graph, SymbolKind::External, BlockId(u32::MAX), 0)
            }
            None => add_symbol(&mut graph, SymbolKind::Null, BlockId(u32::MAX), 0),
        };
    }
    graph
}
