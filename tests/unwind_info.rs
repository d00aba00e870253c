//! The table of functions with compact unwind encodings, built for an image of Mach-O objects, and lld's for the same
//! objects: both say the same of every function. Neither is run: no unwinder here reads it.

use jitlink::base::{ExecutorAddr, Result};
use jitlink::graph::SymbolKind;
use jitlink::link::{
    Batch, LinkContext, LinkOptions, LinkView, Plugin, ResolvedSymbol, Resolver, SymbolQuery, link,
};
use jitlink_test_support::arch::Arch;
use jitlink_test_support::cache;
use jitlink_test_support::pretended::PretendedMemory;
use jitlink_test_support::process::run;
use jitlink_test_support::toolchain::{darwin, llvm};
use jitlink_test_support::unwind_info::UnwindInfo;
use object::{Object, ObjectSection, ObjectSymbol};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// Functions of many sorts; the personality function is their own, so that it can be told from others.
const SOURCE: &str = r#"
    extern "C" int __gxx_personality_v0(...) { return 0; }
    extern "C" void may_throw(int);
    struct Guard { ~Guard(); };
    template <int N> __attribute__((noinline)) int sort(int a, int b, int c) {
        Guard guard;
        try {
            may_throw(a + N);
            return a * b + c;
        } catch (int number) {
            return number + b;
        }
    }
    template <int N> __attribute__((noinline)) int frame(int a) {
        volatile char buffer[N * 40];
        buffer[a] = 1;
        may_throw(a);
        return buffer[0] + a;
    }
    template <int N> __attribute__((noinline)) double many(int a, int b, int c, int d, double e) {
        int f = a * b, g = c * d;
        may_throw(N);
        if (N % 2) may_throw(f);
        return a + b + c + d + e + f + g;
    }
    template <int N> int all(int x) {
        return all<N - 1>(x) + sort<N>(x, 2, 3) + frame<N>(x) + (int)many<N>(x, 1, 2, 3, 4.5);
    }
    template <> int all<0>(int x) { return x; }
    extern "C" int entry(int x) { return all<60>(x); }
    extern "C" int leaf(int x) { return x * 3; }
"#;

/// What a table says of a function, in terms that do not depend on where things are.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    encoding: u32,
    personality: bool,
    lsda: Option<[u8; 4]>,
}

type Functions = BTreeMap<String, Said>;

#[test]
fn every_function_is_described_as_by_lld() {
    for arch in Arch::ALL {
        for flags in
            [&["-O0"][..], &["-O2"], &["-O2", "-fomit-frame-pointer"], &["-O1", "-fomit-frame-pointer"]]
        {
            let dir = build(arch, flags, SOURCE);
            let ours = ours(&std::fs::read(dir.join("a.o")).unwrap());
            let theirs = theirs(&std::fs::read(dir.join("a.dylib")).unwrap());
            assert!(ours.len() > 180, "{arch:?} {flags:?}: {}", ours.len());
            for (name, said) in &ours {
                assert_eq!(Some(said), theirs.get(name), "{arch:?} {flags:?} {name}");
            }
        }
    }
}

fn build(arch: Arch, flags: &[&str], source: &str) -> std::path::PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("unwind_info");
    let built = cache::filled(&root, "a", &(arch, flags, source), |dir| {
        std::fs::write(dir.join("a.cpp"), source).map_err(|error| error.to_string())?;
        let mut compiler = darwin(arch, Path::new("a.cpp"));
        compiler.current_dir(dir).args(flags).args(["-c", "a.cpp", "-o", "a.o"]);
        run(&mut compiler, b"")?.success()?;
        let name = if arch == Arch::Aarch64 { "arm64" } else { "x86_64" };
        let mut linker = Command::new(llvm("ld64.lld"));
        linker.current_dir(dir).args(["-dylib", "-arch", name, "-platform_version", "macos", "13", "13"]);
        linker.args(["-undefined", "dynamic_lookup", "-o", "a.dylib", "a.o"]);
        run(&mut linker, b"")?.success().map(drop)
    });
    built.expect("the source compiles")
}

/// What the dynamic library's table says.
fn theirs(bytes: &[u8]) -> Functions {
    let file = object::File::parse(bytes).unwrap();
    let table = file.section_by_name("__unwind_info").unwrap();
    let info = UnwindInfo { bytes: table.data().unwrap(), place: table.address() as u32 };
    let lsda = |address: u32| {
        let table = file.section_by_name("__gcc_except_tab").unwrap();
        let start = (u64::from(address) - table.address()) as usize;
        *table.data().unwrap()[start..].first_chunk().unwrap()
    };
    let functions = file.symbols().filter(|symbol| {
        let section = symbol.section_index().and_then(|index| file.section_by_index(index).ok());
        section.is_some_and(|section| section.name() == Ok("__text"))
    });
    functions
        .filter_map(|symbol| {
            Some((symbol.name().ok()?.to_owned(), said(info, symbol.address() as u32, |_| true, lsda)?))
        })
        .collect()
}

fn said(
    info: UnwindInfo<'_>,
    address: u32,
    is_personality: impl Fn(u32) -> bool,
    lsda: impl Fn(u32) -> [u8; 4],
) -> Option<Said> {
    // Functions that no record describes are in no table, or between what is.
    let found = info.find(address).filter(|found| found.encoding != 0)?;
    // Where records of `__eh_frame` are is each linker's own affair.
    let in_eh_frame = [0x0300_0000, 0x0400_0000].contains(&(found.encoding & 0x0f00_0000));
    let mask = if in_eh_frame { 0x0f00_0000 } else { 0x0fff_ffff };
    Some(Said {
        encoding: found.encoding & mask,
        personality: found.personality.is_some_and(is_personality),
        lsda: found.lsda.map(lsda),
    })
}

/// What the table in memory says.
fn ours(object: &[u8]) -> Functions {
    let mut reading = Reading::default();
    link_with(&mut reading, object);
    reading.0
}

fn link_with(plugin: &mut dyn Plugin, object: &[u8]) {
    let mut batch = Batch::new();
    batch.add_object("a.o", object).unwrap();
    let mut context = LinkContext {
        manager: &PretendedMemory::default(),
        resolver: &Anything,
        actions: None,
        plugins: &mut [plugin],
    };
    let options = LinkOptions { unwind_info: true, ..LinkOptions::default() };
    link(batch, &mut context, &options).unwrap();
}

/// Of two functions with language-specific data, nothing refers to the second.
const HALF_DEAD: &str = r#"
    extern "C" int __gxx_personality_v0(...) { return 0; }
    extern "C" void may_throw(int);
    extern "C" int live() {
        try { may_throw(1); } catch (int number) { return number; }
        return 0;
    }
    extern "C" __attribute__((visibility("hidden"))) int dead() {
        try { may_throw(2); } catch (long number) { return 5; }
        return 0;
    }
"#;

#[test]
fn what_describes_dropped_functions_is_dropped() {
    for arch in Arch::ALL {
        let dir = build(arch, &["-O2", "-femit-dwarf-unwind=no-compact-unwind"], HALF_DEAD);
        let mut counting = Counting::default();
        link_with(&mut counting, &std::fs::read(dir.join("a.o")).unwrap());
        let Counting { lsdas, fdes, table } = counting;
        assert_eq!(
            (lsdas, fdes),
            (1, 2),
            "{arch:?}: the LSDA of one, FDEs of it and the personality function"
        );
        assert!(table.contains_key("_live") && !table.contains_key("_dead"), "{arch:?}: {table:?}");
    }
}

/// What is live of a graph.
#[derive(Default)]
struct Counting {
    lsdas: usize,
    fdes: usize,
    table: Functions,
}

impl Plugin for Counting {
    fn post_fixup(&mut self, image: &LinkView<'_, '_>) -> Result<()> {
        let graph = &image.graphs()[0];
        for (id, block) in graph.blocks().filter(|(id, _)| image.is_live(0, *id)) {
            let name = graph.section(block.section()).display_name();
            self.lsdas += usize::from(name.ends_with("__gcc_except_tab"));
            if name == ".eh_frame" {
                let range = image.block_range(0, id).unwrap();
                let bytes = &image.bytes_at(range.start).unwrap()[..range.size() as usize];
                self.fdes += fdes(bytes, range.start.0);
            }
        }
        let mut reading = Reading::default();
        reading.post_fixup(image)?;
        self.table = reading.0;
        Ok(())
    }
}

fn fdes(bytes: &[u8], address: u64) -> usize {
    let section = gimli::EhFrame::new(bytes, gimli::LittleEndian);
    let bases = gimli::BaseAddresses::default().set_eh_frame(address);
    let mut entries = gimli::UnwindSection::entries(&section, &bases);
    let mut count = 0;
    while let Some(entry) = entries.next().unwrap() {
        count += usize::from(matches!(entry, gimli::CieOrFde::Fde(_)));
    }
    count
}

struct Anything;

impl Resolver for Anything {
    fn resolve(&self, queries: &[SymbolQuery<'_>]) -> Result<Vec<Option<ResolvedSymbol>>> {
        let address = ExecutorAddr(0x7ffe_0000_0000);
        Ok(queries.iter().map(|_| Some(ResolvedSymbol { address, size: 0, callable: true })).collect())
    }
}

#[derive(Default)]
struct Reading(Functions);

impl Plugin for Reading {
    fn post_fixup(&mut self, image: &LinkView<'_, '_>) -> Result<()> {
        let last = image.graphs().len() - 1;
        let section = image.graphs()[last].find_section("__TEXT,__unwind_info").expect("a table");
        let place = image.section_range(last, section).unwrap().start;
        let base = image.image_base();
        let distance = |address: ExecutorAddr| u32::try_from(address.0 - base.0).unwrap();
        let bytes_at = |offset: u32| image.bytes_at(ExecutorAddr(base.0 + u64::from(offset))).unwrap();
        let personality = image.lookup(b"___gxx_personality_v0").unwrap();
        let is_personality =
            |pointer: u32| u64::from_le_bytes(*bytes_at(pointer).first_chunk().unwrap()) == personality.0;
        let info = UnwindInfo { bytes: image.bytes_at(place).unwrap(), place: distance(place) };
        let graph = &image.graphs()[0];
        for (id, symbol) in graph.symbols() {
            let in_text = symbol.place().is_some_and(|(block, _)| {
                graph.section(graph.block(block).section()).display_name().ends_with("__text")
            });
            let name = String::from_utf8_lossy(graph.symbol_name(id)).into_owned();
            let live = symbol.place().is_some_and(|(block, _)| image.is_live(0, block));
            if live && symbol.kind() == SymbolKind::Defined && in_text && name.starts_with('_') {
                let address = distance(image.symbol_address(0, id).unwrap());
                let lsda = |lsda| *bytes_at(lsda).first_chunk().unwrap();
                if let Some(said) = said(info, address, is_personality, lsda) {
                    self.0.insert(name, said);
                }
            }
        }
        Ok(())
    }
}
