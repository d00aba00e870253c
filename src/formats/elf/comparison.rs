//! Fixups compared with a static linker's: objects are assembled, linked by `ld.lld` at fixed addresses, and every
//! section is fixed up here for the same addresses. The bytes must be the same.

use super::machine::Machine;
use crate::arch::{FixupCounts, Site, Targets, fix_up, kinds};
use crate::base::ExecutorAddr;
use crate::graph::edge::{EdgeRun, decode_rela};
use crate::graph::{
    Block, BlockId, Content, Lifetime, LinkGraph, Permissions, Section, SectionFlags, SectionId, SectionRole,
    SymbolId,
};
use jitlink_test_support::{process, toolchain};
use object::read::elf::ElfFile64;
use object::{LittleEndian, Object, ObjectSection, ObjectSymbol};
use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

/// What is compared: the machine, and what its assembler must be told.
#[derive(Clone, Copy)]
pub(super) struct Comparison {
    pub(super) machine: &'static Machine,
    pub(super) assembler: &'static [&'static str],
}

/// Everything where the static linker placed it.
struct Linked<'a> {
    object: &'a ElfFile64<'a>,
    executable: &'a ElfFile64<'a>,
    symbols: HashMap<&'a str, u64>,
    got: HashMap<u64, u64>,
}

impl<'a> Linked<'a> {
    fn new(object: &'a ElfFile64<'a>, executable: &'a ElfFile64<'a>) -> Self {
        let symbols = executable.symbols().map(|symbol| (symbol.name().unwrap(), symbol.address())).collect();
        let mut got = HashMap::new();
        if let Some(section) = executable.section_by_name(".got") {
            let (words, _) = section.data().unwrap().as_chunks::<8>();
            for (word, address) in words.iter().zip((section.address()..).step_by(8)) {
                got.insert(u64::from_le_bytes(*word), address);
            }
        }
        Self { object, executable, symbols, got }
    }

    fn address(&self, target: SymbolId) -> u64 {
        let symbol = self.object.symbol_by_index(object::SymbolIndex(target.index())).unwrap();
        if let Some(index) = symbol.section_index().filter(|_| symbol.name() == Ok("")) {
            let name = self.object.section_by_index(index).unwrap().name().unwrap().to_owned();
            return self.executable.section_by_name(&name).unwrap().address();
        }
        self.symbols[symbol.name().unwrap()]
    }
}

impl Targets for Linked<'_> {
    fn resolve(&self, target: SymbolId, addend: i64) -> (u64, i64) {
        (self.address(target), addend)
    }

    fn got_entry(&self, target: SymbolId) -> Option<u64> {
        self.got.get(&self.address(target)).copied()
    }

    fn plt_entry(&self, _: SymbolId) -> Option<u64> {
        None
    }

    fn size(&self, target: SymbolId) -> u64 {
        self.object.symbol_by_index(object::SymbolIndex(target.index())).unwrap().size()
    }

    fn got_base(&self) -> u64 {
        self.symbols.get("_GLOBAL_OFFSET_TABLE_").copied().unwrap_or(0)
    }

    fn is_absent(&self, _: SymbolId) -> bool {
        false
    }
}

/// A graph with one section and one block.
fn graph(machine: &Machine, content: &[u8]) -> LinkGraph<'static> {
    let mut graph = LinkGraph::new("test.o", machine.architecture, kinds(machine.architecture));
    graph.sections.push(Section {
        name: b".test"[..].into(),
        permissions: Permissions::READ,
        lifetime: Lifetime::Standard,
        role: SectionRole::Regular,
        flags: SectionFlags::empty(),
        number: 0,
    });
    graph.blocks.push(Block {
        address: ExecutorAddr::NULL,
        size: content.len() as u64,
        content: Content::Owned(content.to_vec()),
        edges: EdgeRun::EMPTY,
        section: SectionId(0),
        alignment_offset: 0,
        alignment_log2: 0,
        live: true,
    });
    graph
}

fn run(command: &mut Command, stdin: &str) {
    process::run(command, stdin.as_bytes()).and_then(process::Outcome::success).unwrap();
}

fn assemble(flags: &[&str], source: &str, output: &Path) {
    let mut command = Command::new(toolchain::llvm("llvm-mc"));
    command.args(["-filetype=obj", "-o"]).arg(output).args(flags);
    run(&mut command, source);
}

fn link(text: u64, data: u64, output: &Path, object: &Path) {
    let mut command = Command::new(toolchain::llvm("ld.lld"));
    command.args(["-static", "--no-dynamic-linker", "--image-base=0", "--defsym=small=0x50"]);
    command.arg(format!("-Ttext={text:#x}")).arg(format!("-Tdata={data:#x}"));
    run(command.arg("-o").arg(output).arg(object), "");
}

impl Comparison {
    /// Compares all of `source`, with its code at `text` and its data at `data`.
    pub(super) fn same_as_linker(self, source: &str, text: u64, data: u64) {
        let directory = tempfile::tempdir().unwrap();
        let (object, executable) = (directory.path().join("a.o"), directory.path().join("a"));
        assemble(self.assembler, source, &object);
        link(text, data, &executable, &object);
        let (object, executable) = (std::fs::read(object).unwrap(), std::fs::read(executable).unwrap());
        let (object, executable) =
            (ElfFile64::parse(&*object).unwrap(), ElfFile64::parse(&*executable).unwrap());
        let linked = Linked::new(&object, &executable);
        for (name, address) in [(".text", text), (".data", data)] {
            let expected = executable.section_by_name(name).unwrap();
            assert_eq!(expected.address(), address);
            let fixed_up = fix_up_section(self.machine, &linked, name, address);
            for (offset, range) in instructions(&object, name, fixed_up.len()) {
                let (ours, theirs) = (&fixed_up[range.clone()], &expected.data().unwrap()[range]);
                assert_eq!(ours, theirs, "{name}: relocation at {offset:#x}");
            }
        }
    }
}

/// The section of the object after fixup at `address`.
fn fix_up_section(machine: &Machine, linked: &Linked<'_>, name: &str, address: u64) -> Vec<u8> {
    let section = linked.object.section_by_name(name).unwrap();
    let mut content = section.data().unwrap().to_vec();
    let mut graph = graph(machine, &content);
    let table = rela_table(linked.object, name);
    graph.edges = table.iter().map(|rela| decode_rela(rela, machine.kinds)).collect();
    graph.blocks[0].edges = EdgeRun::Owned { start: 0, count: graph.edges.len() as u32 };
    let mut site = Site { graph: &graph, block: BlockId(0), content: &mut content, start: 0, address };
    fix_up(&mut site, graph.edges(BlockId(0)), linked, &mut FixupCounts::default()).unwrap();
    content
}

fn rela_table<'a>(object: &ElfFile64<'a>, name: &str) -> &'a [crate::graph::Rela] {
    let section = object.section_by_name(&format!(".rela{name}")).unwrap();
    object::slice_from_all_bytes(section.data().unwrap()).unwrap()
}

/// The section cut in pieces that each hold one relocation, so that a difference shows which it is.
fn instructions(object: &ElfFile64<'_>, name: &str, size: usize) -> Vec<(u64, std::ops::Range<usize>)> {
    let offsets: Vec<u64> =
        rela_table(object, name).iter().map(|rela| rela.r_offset.get(LittleEndian)).collect();
    let ends = offsets.iter().skip(1).map(|&next| next as usize).chain([size]);
    let mut start = 0;
    let piece = |(&offset, end)| (offset, std::mem::replace(&mut start, end)..end);
    offsets.iter().zip(ends).map(piece).collect()
}
