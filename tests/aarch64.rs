//! What the linker adds to AArch64 images, followed instruction by instruction: stubs, veneers and hops lead to what
//! branches name, are shared, and are made only where something needs them.

use jitlink::arch::aarch64::kinds::{ABS64, ADR_PREL_LO21, CALL26, CONDBR19, JUMP26, TSTBR14};
use jitlink::arch::kinds;
use jitlink::base::{ExecutorAddr, Result};
use jitlink::graph::{
    Architecture, BlockId, Edge, EdgeKind, LinkGraph, NewBlock, NewSymbol, Permissions, Scope, Section,
    SectionId, SymbolFlags, SymbolId,
};
use jitlink::link::{Batch, LinkContext, LinkOptions, Linked, Plugin, link};
use jitlink_test_support::pretended::{EveryName, PretendedMemory, pretended_symbol};
use std::collections::BTreeMap;

const MIB: usize = 1 << 20;
const BL: u32 = 0x9400_0000;
const B: u32 = 0x1400_0000;
const B_NE: u32 = 0x5400_0001;
const TBZ: u32 = 0x3608_0003;

/// A graph under construction: blocks of code that is zero but for branches.
struct Code<'data> {
    graph: LinkGraph<'data>,
    section: SectionId,
}

impl<'data> Code<'data> {
    fn new(name: &str) -> Self {
        let architecture = Architecture::Aarch64;
        let mut graph = LinkGraph::new(name, architecture, kinds(architecture));
        let code = Permissions::READ | Permissions::EXECUTE;
        let section = graph.add_section(Section::new(&b".text"[..], code)).unwrap();
        Self { graph, section }
    }

    /// A function that takes all of `content`.
    fn function(&mut self, name: &str, content: &'data [u8]) -> BlockId {
        let block = self.graph.add_block(NewBlock::content(self.section, content).aligned(4)).unwrap();
        self.symbol(name, block, 0);
        block
    }

    fn symbol(&mut self, name: &str, block: BlockId, offset: u64) {
        let symbol = NewSymbol::defined(block, offset).named(name.as_bytes().to_vec());
        self.graph.add_symbol(symbol.scope(Scope::Default)).unwrap();
    }

    fn external(&mut self, name: &str) -> SymbolId {
        self.graph.add_symbol(NewSymbol::external(name.as_bytes().to_vec())).unwrap()
    }

    fn branches(&mut self, block: BlockId, branches: &[Branch]) {
        let edge = |&(offset, kind, target, addend): &Branch| Edge { offset, target, addend, kind };
        self.graph.add_edges(block, &branches.iter().map(edge).collect::<Vec<_>>()).unwrap();
    }
}

type Branch = (u32, EdgeKind, SymbolId, i64);

/// A linked image that can be walked.
struct Image {
    memory: BTreeMap<u64, Vec<u8>>,
    detours: usize,
    content: u64,
    names: BTreeMap<String, u64>,
}

fn link_code(graphs: Vec<LinkGraph<'_>>) -> Result<Image> {
    let manager = PretendedMemory { limit: 600 << 20, ..PretendedMemory::default() };
    let mut batch = Batch::new();
    graphs.into_iter().try_for_each(|graph| batch.add_graph(graph))?;
    let mut context =
        LinkContext { manager: &manager, resolver: &EveryName, actions: None, plugins: &mut [] };
    let linked = link(batch, &mut context, &LinkOptions::default())?;
    let names = names(&linked);
    let memory = std::mem::take(&mut *manager.contents.lock().unwrap());
    Ok(Image { memory, detours: linked.stats().detours, content: linked.stats().content_bytes, names })
}

fn names(linked: &Linked<'_>) -> BTreeMap<String, u64> {
    let of_graph = |graph: &LinkGraph<'_>| {
        let names =
            graph.symbols().map(|(id, _)| String::from_utf8_lossy(graph.symbol_name(id)).into_owned());
        let address = |name: String| Some((name.clone(), linked.lookup(name.as_bytes())?.0));
        names.filter_map(address).collect::<Vec<_>>()
    };
    linked.graphs().iter().flat_map(of_graph).collect()
}

fn signed(word: u32, low: u32, count: u32) -> i64 {
    i64::from((word << (32 - low - count)).cast_signed() >> (32 - count))
}

impl Image {
    fn u64(&self, address: u64) -> u64 {
        let (start, bytes) = self.memory.range(..=address).next_back().unwrap();
        u64::from_le_bytes(*bytes[(address - start) as usize..].first_chunk().unwrap())
    }

    /// The word at `address`; zero past the end of code.
    fn word(&self, address: u64) -> u32 {
        let (start, bytes) = self.memory.range(..=address).next_back().unwrap();
        let rest = bytes.get((address - start) as usize..).unwrap_or(&[]);
        rest.first_chunk().map_or(0, |word| u32::from_le_bytes(*word))
    }

    /// Where the branch at `address` goes.
    fn branch(&self, address: u64) -> u64 {
        let word = self.word(address);
        let distance = match word {
            _ if word & 0x7c00_0000 == B => signed(word, 0, 26),
            _ if word & 0xff00_0000 == 0x5400_0000 => signed(word, 5, 19),
            _ if word & 0x7e00_0000 == 0x3600_0000 => signed(word, 5, 14),
            _ => panic!("no branch at {address:#x}: {word:#x}"),
        };
        address.wrapping_add_signed(distance * 4)
    }

    /// Where code at `address` goes on at once, by a veneer, a hop or a PLT entry, and whether that changes registers.
    fn passes_to(&self, address: u64) -> Option<(u64, bool)> {
        let [first, second, third] = [0, 4, 8].map(|offset| self.word(address + offset));
        let page = || {
            let pages = signed(first, 5, 19) << 2 | i64::from(first >> 29 & 3);
            (address & !0xfff).wrapping_add_signed(pages << 12)
        };
        if first & 0xfc00_0000 == B {
            return Some((self.branch(address), false));
        }
        if first & 0x9f00_001f != 0x9000_0010 {
            return None;
        }
        let low = u64::from(second >> 10 & 0xfff);
        match (second & 0xffc0_03ff, third) {
            (0x9100_0210, 0xd61f_0200) => Some((page() + low, true)),
            (0xf940_0211, 0xd61f_0220) => Some((self.u64(page() + low * 8), true)),
            _ => None,
        }
    }

    /// Checks that the branch at `from` leads to `target`; where it goes first.
    fn assert_leads_to(&self, from: u64, target: u64) -> u64 {
        let first = self.branch(from);
        let mut place = first;
        for _ in 0..3 {
            if place == target {
                return first;
            }
            place = self.passes_to(place).map_or(0, |(next, _)| next);
        }
        panic!("the branch at {from:#x} does not lead to {target:#x}, but to {first:#x}");
    }
}

/// Code with a branch every few bytes.
fn content(size: usize, branches: impl IntoIterator<Item = (usize, u32)>) -> Vec<u8> {
    let mut content = vec![0; size];
    for (offset, word) in branches {
        content[offset..offset + 4].copy_from_slice(&word.to_le_bytes());
    }
    content
}

#[test]
fn calls_across_four_hundred_mebibytes() {
    const GRAPHS: usize = 25;
    const CALLS: usize = 1000;
    let content = content(16 * MIB, (0..CALLS).map(|call| (call * 4, BL)));
    let mut graphs = Vec::new();
    for index in 0..GRAPHS {
        let mut code = Code::new(&format!("{index}.o"));
        let block = code.function(&format!("f{index}"), &content);
        let targets: Vec<SymbolId> = (0..GRAPHS)
            .filter(|other| *other != index)
            .map(|other| code.external(&format!("f{other}")))
            .collect();
        let outside = code.external("outside");
        let call = |call: usize| {
            let target = if call % 100 == 99 { outside } else { targets[call * 7 % targets.len()] };
            (call as u32 * 4, CALL26, target, 0)
        };
        code.branches(block, &(0..CALLS).map(call).collect::<Vec<_>>());
        graphs.push(code.graph);
    }
    let started = std::time::Instant::now();
    let image = link_code(graphs).unwrap();
    let taken = started.elapsed();
    let outside = pretended_symbol(b"outside").address.0;
    let mut direct = 0;
    for index in 0..GRAPHS {
        let start = image.names[&format!("f{index}")];
        let others: Vec<usize> = (0..GRAPHS).filter(|other| *other != index).collect();
        for call in 0..CALLS {
            let name = format!("f{}", others[call * 7 % others.len()]);
            let target = if call % 100 == 99 { outside } else { image.names[&name] };
            direct += usize::from(image.assert_leads_to(start + call as u64 * 4, target) == target);
        }
    }
    assert!(direct > GRAPHS * CALLS / 4, "only {direct} calls go straight to their target");
    // Islands stand every 64 MiB or so, and hold each of 26 targets once.
    assert!(image.detours > 26 && image.detours < 9 * 26, "{} detours", image.detours);
    assert!(image.content < (GRAPHS * 16 * MIB + 64 * 1024) as u64);
    assert!(taken.as_secs() < 20, "{taken:?}");
}

/// Each of many functions is called from all over the image, so that there are thousands of veneers.
#[test]
fn calls_of_many_functions() {
    const GRAPHS: usize = 10;
    const FUNCTIONS: usize = 4000;
    const CALLS: usize = 20_000;
    let content = content(16 * MIB, (0..CALLS).map(|call| (call * 4, BL)));
    let name = |number: usize| format!("f{}_{}", number % GRAPHS, number / GRAPHS);
    let called = |index: usize, call: usize| (index + call) * 7919 % (GRAPHS * FUNCTIONS);
    let mut graphs = Vec::new();
    for index in 0..GRAPHS {
        let mut code = Code::new(&format!("{index}.o"));
        let block = code.function(&format!("start{index}"), &content);
        (0..FUNCTIONS).for_each(|n| code.symbol(&format!("f{index}_{n}"), block, (MIB + n * 3000) as u64));
        let mut ids = std::collections::HashMap::new();
        let mut calls = Vec::new();
        for call in 0..CALLS {
            let number = called(index, call);
            if number % GRAPHS != index {
                let target = *ids.entry(number).or_insert_with(|| code.external(&name(number)));
                calls.push((call as u32 * 4, CALL26, target, 0));
            }
        }
        code.branches(block, &calls);
        graphs.push(code.graph);
    }
    let started = std::time::Instant::now();
    let image = link_code(graphs).unwrap();
    let taken = started.elapsed();
    for index in 0..GRAPHS {
        let start = image.names[&format!("start{index}")];
        for call in (0..CALLS).filter(|call| called(index, *call) % GRAPHS != index) {
            image.assert_leads_to(start + call as u64 * 4, image.names[&name(called(index, call))]);
        }
    }
    assert!(image.detours > 5000, "{} detours", image.detours);
    assert!(taken.as_secs() < 20, "{taken:?}");
}

#[test]
fn one_function_larger_than_a_zone_has_islands_at_both_ends() {
    let far = content(130 * MIB, [(0, BL), (4, B), (130 * MIB - 4, BL)]);
    let near = content(4096, [(0, BL), (8, BL)]);
    let mut code = Code::new("large.o");
    let first = code.function("first", &near);
    let middle = code.function("middle", &far);
    let last = code.function("last", &near);
    let [to_first, to_last] = ["first", "last"].map(|name| {
        let named = |(id, _): &(SymbolId, _)| code.graph.symbol_name(*id) == name.as_bytes();
        code.graph.symbols().find(named).unwrap().0
    });
    code.branches(first, &[(0, CALL26, to_last, 0), (8, CALL26, to_last, 16)]);
    let end = (130 * MIB - 4) as u32;
    code.branches(middle, &[(0, CALL26, to_last, 0), (4, JUMP26, to_first, 0), (end, CALL26, to_first, 0)]);
    code.branches(last, &[(0, CALL26, to_first, 0)]);
    let image = link_code(vec![code.graph]).unwrap();
    let [first, middle, last] = ["first", "middle", "last"].map(|name| image.names[name]);
    let shared = image.assert_leads_to(first, last);
    assert_ne!(shared, last);
    // Another place of the same function has a veneer of its own; from the same function's start, the same veneer does.
    assert_ne!(image.assert_leads_to(first + 8, last + 16), shared);
    assert_eq!(image.assert_leads_to(middle, last), shared);
    assert_eq!(image.assert_leads_to(middle + 4, first), first);
    let back = image.assert_leads_to(middle + u64::from(end), first);
    assert_eq!(image.assert_leads_to(last, first), back);
    assert_eq!(image.detours, 3);
}

#[test]
fn a_call_in_the_middle_of_a_huge_section_is_refused() {
    let huge = content(300 * MIB, [(150 * MIB, BL)]);
    let mut code = Code::new("huge.o");
    let block = code.function("huge", &huge);
    let outside = code.external("outside");
    code.branches(block, &[(150 << 20, CALL26, outside, 0)]);
    let error = link_code(vec![code.graph]).err().expect("the link fails").to_string();
    assert!(error.starts_with("huge.o:(.text+0x9600000): CALL26") && error.contains("outside"), "{error}");
    assert!(error.contains("smaller sections"), "{error}");
}

/// Two functions with `gap` bytes between; a branch from the first to the second, and back.
fn conditional(kind: EdgeKind, word: u32, gap: usize, at: usize, size: usize) -> Result<Image> {
    let from = content(size, [(at, word)]);
    let filler = content(gap, []);
    let mut code = Code::new("branches.o");
    let first = code.function("first", &from);
    code.function("filler", &filler);
    let second = code.function("second", &from);
    let id = |name: &str| {
        let named = |(id, _): &(SymbolId, _)| code.graph.symbol_name(*id) == name.as_bytes();
        code.graph.symbols().find(named).unwrap().0
    };
    let (to_first, to_second) = (id("first"), id("second"));
    code.branches(first, &[(at as u32, kind, to_second, 0)]);
    code.branches(second, &[(at as u32, kind, to_first, 0)]);
    link_code(vec![code.graph])
}

#[test]
fn conditional_branches_hop_from_an_end_of_their_section() {
    for (kind, word, reach) in [(CONDBR19, B_NE, MIB), (TSTBR14, TBZ, 32 << 10)] {
        // Near the section's start and near its end: the hop stands where it is nearer.
        for (at, size) in [(0, 64), (4, reach), (reach + 64, reach + 128)] {
            let image = conditional(kind, word, 3 * MIB, at, size).unwrap();
            let (first, second) = (image.names["first"], image.names["second"]);
            for (start, target) in [(first, second), (second, first)] {
                let hop = image.assert_leads_to(start + at as u64, target);
                assert_eq!(image.passes_to(hop), Some((target, false)));
                assert!(hop < start || hop >= start + size as u64, "{hop:#x} is in the section");
            }
            assert_eq!(image.detours, 2);
        }
        let image = conditional(kind, word, reach / 2, 0, 64).unwrap();
        assert_eq!(image.detours, 0);
        image.assert_leads_to(image.names["first"], image.names["second"]);
        assert_eq!(image.branch(image.names["first"]), image.names["second"]);
    }
}

#[test]
fn conditional_branches_that_no_hop_helps_are_refused() {
    // Neither end of the section is in reach.
    let error =
        conditional(TSTBR14, TBZ, MIB, 64 << 10, 128 << 10).err().expect("the link fails").to_string();
    assert!(error.starts_with("branches.o:(.text+0x10000): TSTBR14 fixup"), "{error}");
    // The hop itself does not reach.
    let error = conditional(CONDBR19, B_NE, 140 * MIB, 0, 64).err().expect("the link fails").to_string();
    assert!(error.contains("branches.o") && error.contains("conditional branch to second"), "{error}");
    // Outside of the image, and a stub would change registers.
    let from = content(64, [(0, B_NE)]);
    let mut code = Code::new("branches.o");
    let block = code.function("first", &from);
    let far = code.graph.add_symbol(NewSymbol::absolute(ExecutorAddr(0x1000))).unwrap();
    code.branches(block, &[(0, CONDBR19, far, 0)]);
    assert!(link_code(vec![code.graph]).is_err());
}

/// A function outside has one address for all: that of its stub, where code reaches no more than that.
#[test]
fn the_address_of_a_function_outside_is_its_stub_to_the_tiny_model() {
    let near = content(64, [(0, BL), (4, 0x1000_0003)]);
    let mut code = Code::new("tiny.o");
    let block = code.function("first", &near);
    let outside = code.external("outside");
    code.branches(block, &[(0, CALL26, outside, 0), (4, ADR_PREL_LO21, outside, 0), (8, ABS64, outside, 0)]);
    let image = link_code(vec![code.graph]).unwrap();
    let first = image.names["first"];
    let stub = image.assert_leads_to(first, pretended_symbol(b"outside").address.0);
    let adr = image.word(first + 4);
    let address = (first + 4).wrapping_add_signed(signed(adr, 5, 19) << 2 | i64::from(adr >> 29 & 3));
    assert_eq!((address, image.u64(first + 8)), (stub, stub));
}

#[test]
fn code_in_reach_of_all_gets_nothing() {
    let near = content(4096, [(0, BL)]);
    let filler = content(100 * MIB, []);
    let mut code = Code::new("near.o");
    let block = code.function("first", &near);
    code.function("filler", &filler);
    let outside = code.external("outside");
    code.branches(block, &[(0, CALL26, outside, 0)]);
    let image = link_code(vec![code.graph]).unwrap();
    assert_eq!(image.detours, 0);
    image.assert_leads_to(image.names["first"], pretended_symbol(b"outside").address.0);
}

/// What symbols and notes of objects say beyond names and places.
#[test]
fn what_objects_say_of_their_symbols() {
    #[derive(Default)]
    struct Seen(BTreeMap<String, (SymbolFlags, Scope)>);
    impl Plugin for Seen {
        fn pre_prune(&mut self, graph: &mut LinkGraph<'_>) -> Result<()> {
            for (id, symbol) in graph.symbols() {
                let name = String::from_utf8_lossy(graph.symbol_name(id)).into_owned();
                self.0.insert(name, (symbol.flags(), symbol.scope()));
            }
            Ok(())
        }
    }
    let fixtures = jitlink_test_support::tests_dir().join("fixtures/elf/aarch64");
    let mut seen = Seen::default();
    for name in ["symbol_variant_pcs.o", "symbol_mapping.o"] {
        let object = std::fs::read(fixtures.join(name)).unwrap();
        let mut batch = Batch::new();
        batch.add_object(name, &object).unwrap();
        let manager = PretendedMemory::default();
        let mut plugins: [&mut dyn Plugin; 1] = [&mut seen];
        let mut context =
            LinkContext { manager: &manager, resolver: &EveryName, actions: None, plugins: &mut plugins };
        link(batch, &mut context, &LinkOptions::default()).unwrap();
    }
    let has_own_convention = |name: &str| seen.0[name].0.contains(SymbolFlags::VARIANT_PCS);
    assert!(has_own_convention("vector") && has_own_convention("far") && !has_own_convention("main"));
    assert_eq!((seen.0["$x"].1, seen.0["$d"].1), (Scope::Local, Scope::Local));
}
