//! Mach-O: every block of real objects, fixed up for the address that `ld64.lld` gave it, is what that linker made of it.
//!
//! Sources are compiled with the headers that are there, which are Linux's: what is compared is never run. Places that the
//! map of the linker does not name (strings, constants, labels that assemblers make) are judged by what they hold.

use crate::{sources, succeed, zlib};
use jitlink::arch::{self, FixupCounts, Site, Targets};
use jitlink::base::Result;
use jitlink::graph::{
    Architecture, Block, BlockId, Edge, Lifetime, LinkGraph, SectionRole, SymbolId, SymbolKind,
};
use jitlink::link::{Batch, LinkContext, LinkOptions, NoSymbols, Plugin, UndefinedPolicy, link};
use jitlink_test_support::cache;
use jitlink_test_support::pretended::PretendedMemory;
use jitlink_test_support::toolchain::llvm;
use object::macho;
use object::read::macho::{MachHeader as _, MachOFile64};
use object::{LittleEndian as LE, Object, ObjectSection, ObjectSymbol};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn zlib_for_x86_64() {
    compare("zlib", Architecture::X86_64, &zlib(), &["-O2"], 500);
}

#[test]
fn zlib_without_optimization_for_x86_64() {
    compare("zlib-O0", Architecture::X86_64, &zlib(), &["-O0", "-fno-common"], 500);
}

#[test]
fn zlib_for_arm64() {
    compare("zlib", Architecture::Aarch64, &zlib(), &["-O2"], 500);
}

#[test]
fn lua_for_both() {
    let mut sources = sources("lua-src", "lua-5.4.8");
    let programs = ["lua.c", "luac.c", "onelua.c", "ltests.c"];
    sources.retain(|path| !programs.iter().any(|name| path.ends_with(name)));
    for architecture in [Architecture::X86_64, Architecture::Aarch64] {
        compare("lua", architecture, &sources, &["-O1"], 2000);
    }
}

/// What stands in for everything that the image does not define: out of reach of all code.
const ELSEWHERE: u64 = 0x7000_0000_0000;

fn compare(name: &str, architecture: Architecture, sources: &[PathBuf], flags: &[&str], least: usize) {
    let dir = build(name, architecture, sources, flags).expect("the objects compile and link");
    let files: Vec<Vec<u8>> = (0..sources.len())
        .map(|index| std::fs::read(dir.join(format!("{index}.o"))).expect("an object"))
        .collect();
    let image = Image::read(&dir);
    let mut batch = Batch::new();
    for (index, file) in files.iter().enumerate() {
        batch.add_object(format!("{index}.o"), file).expect("the object is added");
    }
    let mut comparer = Comparer { image: &image, file: 0, count: 0, faults: Vec::new() };
    let mut context = LinkContext {
        manager: &PretendedMemory::default(),
        resolver: &NoSymbols,
        actions: None,
        plugins: &mut [&mut comparer],
    };
    let options = LinkOptions { undefined: UndefinedPolicy::Null, ..LinkOptions::default() };
    link(batch, &mut context, &options).expect("the objects link");
    let Comparer { count, faults, .. } = comparer;
    assert!(faults.is_empty(), "{} differences: {:#?}", faults.len(), &faults[..faults.len().min(20)]);
    assert!(count >= least, "only {count} fixups were compared");
}

fn build(
    name: &str,
    architecture: Architecture,
    sources: &[PathBuf],
    flags: &[&str],
) -> std::result::Result<PathBuf, String> {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compare-macho");
    let texts: Vec<Vec<u8>> = sources.iter().map(|path| std::fs::read(path).unwrap_or_default()).collect();
    let arch = if architecture == Architecture::X86_64 { "x86_64" } else { "arm64" };
    cache::filled(&root, &format!("{name}-{arch}"), &(sources, texts, flags), |dir| {
        let object = |index: usize| dir.join(format!("{index}.o"));
        for (index, source) in sources.iter().enumerate() {
            let mut command = Command::new(llvm("clang"));
            command.arg(format!("--target={arch}-apple-macos13")).args(linux_headers(architecture));
            command.args(flags).args(["-w", "-DHAVE_UNISTD_H", "-c"]).arg(source);
            succeed(command.arg("-o").arg(object(index)))?;
        }
        let mut link = Command::new(llvm("ld64.lld"));
        link.args(["-arch", arch, "-platform_version", "macos", "13.0", "13.0", "-dylib"]);
        link.args(["-undefined", "dynamic_lookup", "-no_fixup_chains", "-ignore_optimization_hints"]);
        link.arg("-map").arg(dir.join("map")).arg("-o").arg(dir.join("image"));
        succeed(link.args((0..sources.len()).map(object)))
    })
}

/// Flags that make the C library's headers usable for this target.
fn linux_headers(architecture: Architecture) -> Vec<String> {
    let include = match architecture {
        Architecture::X86_64 => "/usr/include/x86_64-linux-gnu",
        Architecture::Aarch64 => "/usr/aarch64-linux-gnu/include",
    };
    let mut flags: Vec<String> =
        ["__APPLE__", "__MACH__", "__nonnull", "__nullable"].map(|name| format!("-U{name}")).to_vec();
    flags.extend(["__linux__", "__gnu_linux__", "__ELF__"].map(|name| format!("-D{name}")));
    flags.extend(["-isystem", include, "-isystem", "/usr/include"].map(str::to_owned));
    flags
}

/// Compares the graphs as the objects have them, before anything was done to them.
struct Comparer<'a> {
    image: &'a Image,
    file: usize,
    count: usize,
    faults: Vec<String>,
}

impl Plugin for Comparer<'_> {
    fn pre_prune(&mut self, graph: &mut LinkGraph<'_>) -> Result<()> {
        // The map counts the files from one on.
        self.file += 1;
        let placed = Placed { image: self.image, file: self.file, graph };
        for (id, block) in graph.blocks() {
            placed.compare_block(id, block, &mut self.count, &mut self.faults);
        }
        Ok(())
    }
}

/// The image that the static linker made.
struct Image {
    sections: Vec<(u64, Vec<u8>)>,
    /// Addresses by file and name, and of all files.
    names: HashMap<(usize, String), u64>,
    globals: HashMap<String, u64>,
    stubs: HashMap<String, u64>,
    got: HashMap<String, u64>,
}

impl Image {
    fn read(dir: &Path) -> Self {
        let bytes = std::fs::read(dir.join("image")).expect("an image");
        let file = MachOFile64::<LE>::parse(&*bytes).expect("an image");
        let contents = |section: object::read::macho::MachOSection64<'_, '_, LE>| {
            Some((section.address(), section.data().ok()?.to_vec()))
        };
        let mut image = Self {
            sections: file.sections().filter_map(contents).collect(),
            names: HashMap::new(),
            globals: HashMap::new(),
            stubs: HashMap::new(),
            got: HashMap::new(),
        };
        let map = std::fs::read_to_string(dir.join("map")).expect("a map");
        for (address, file, name) in map.lines().filter_map(map_line) {
            // File 0 is what the linker itself adds: stubs and pointers go by the names of what they lead to.
            if file > 0 {
                image.names.insert((file, name.clone()), address);
                image.globals.insert(name, address);
            } else if let Some(name) = name.strip_prefix("non-lazy-pointer-to-local: ") {
                image.got.insert(name.to_owned(), address);
            }
        }
        image.read_indirect(&file, &bytes);
        image
    }

    /// The slots of the GOT and the stubs, which the indirect symbol table names.
    fn read_indirect(&mut self, file: &MachOFile64<'_, LE>, bytes: &[u8]) {
        let header = macho::MachHeader64::<LE>::parse(bytes, 0).expect("a header");
        let mut commands = header.load_commands(LE, bytes, 0).expect("commands");
        let mut indirect: Vec<u32> = Vec::new();
        while let Some(command) = commands.next().expect("a command") {
            let Some(table) = command.dysymtab().expect("a table") else { continue };
            let start = table.indirectsymoff.get(LE) as usize;
            let words = bytes[start..].chunks_exact(4).take(table.nindirectsyms.get(LE) as usize);
            indirect = words.map(|word| u32::from_le_bytes(word.try_into().expect("four bytes"))).collect();
        }
        for section in file.sections() {
            let raw = section.macho_section();
            let (map, size) = match raw.flags.get(LE).typ() {
                macho::S_SYMBOL_STUBS => (&mut self.stubs, u64::from(raw.reserved2.get(LE))),
                macho::S_NON_LAZY_SYMBOL_POINTERS => (&mut self.got, 8),
                _ => continue,
            };
            let first = raw.reserved1.get(LE) as usize;
            let slots = (section.address()..section.address() + section.size()).step_by(size as usize);
            for (address, entry) in slots.zip(&indirect[first..]) {
                let symbol = file.symbol_by_index(object::SymbolIndex(*entry as usize));
                if let Ok(name) = symbol.and_then(|symbol| symbol.name().map(str::to_owned)) {
                    map.insert(name, address);
                }
            }
        }
    }

    fn bytes(&self, address: u64) -> Option<&[u8]> {
        let section =
            self.sections.iter().find(|(start, bytes)| address.wrapping_sub(*start) < bytes.len() as u64);
        section.map(|(start, bytes)| &bytes[(address - start) as usize..])
    }
}

/// One line of the linker's map: address, size, file and name of a symbol.
fn map_line(line: &str) -> Option<(u64, usize, String)> {
    let address = u64::from_str_radix(line.strip_prefix("0x")?.split_whitespace().next()?, 16).ok()?;
    let (_, rest) = line.split_once('[')?;
    let (file, name) = rest.split_once("] ")?;
    Some((address, file.trim().parse().ok()?, name.to_owned()))
}

/// An object's graph with the places that its blocks have in the image.
struct Placed<'a> {
    image: &'a Image,
    file: usize,
    graph: &'a LinkGraph<'a>,
}

impl Placed<'_> {
    fn compare_block(&self, id: BlockId, block: &Block<'_>, count: &mut usize, faults: &mut Vec<String>) {
        let section = self.graph.section(block.section());
        let compared = section.role == SectionRole::Regular && section.lifetime == Lifetime::Standard;
        let Some(home) = self.home(id).filter(|_| compared && !block.is_zero_fill()) else { return };
        let mut ours = block.content().bytes().to_vec();
        let Some(theirs) = self.image.bytes(home).and_then(|bytes| bytes.get(..ours.len())) else {
            return faults.push(format!("{id:?} of file {} is not at {home:#x}", self.file));
        };
        let mut site = Site { graph: self.graph, block: id, content: &mut ours, start: 0, address: home };
        let edges = self.graph.edges(id);
        if let Err(error) = arch::fix_up(&mut site, edges.clone(), self, &mut FixupCounts::default()) {
            return faults.push(error.to_string());
        }
        *count += edges.len();
        for edge in edges {
            self.settle_edge(home, edge, &mut ours, theirs, faults);
        }
        if let Some(at) = ours.iter().zip(theirs).position(|(here, there)| here != there) {
            let place = self.graph.place(id, at as u64);
            faults.push(format!("{place}: {:#x} here and {:#x} there", ours[at], theirs[at]));
        }
    }

    /// Judges a fixup that may differ in its bytes, and makes ours theirs where it is as good.
    fn settle_edge(&self, home: u64, edge: Edge, ours: &mut [u8], theirs: &[u8], faults: &mut Vec<String>) {
        let (at, place) = (edge.offset as usize, home + u64::from(edge.offset));
        let facts = self.graph.kind_facts(edge.kind);
        let mut width = facts.width as usize;
        let target = self.address(edge.target);
        let is_right = match (target, facts.name) {
            // What the dynamic linker would store.
            (Some(ELSEWHERE), "64" | "ABS64") => true,
            (None, "PC32") => {
                let value = i32::from_le_bytes(theirs[at..at + 4].try_into().expect("four bytes"));
                let led_to = place.wrapping_add_signed(i64::from(value));
                self.holds_the_same(edge.target, led_to.wrapping_add_signed(-edge.addend))
            }
            (None, "64" | "ABS64") => {
                let value = u64::from_le_bytes(theirs[at..at + 8].try_into().expect("eight bytes"));
                self.holds_the_same(edge.target, value.wrapping_add_signed(-edge.addend))
            }
            // That linker leaves all loads of an entry alone if there is one that it cannot rewrite.
            (Some(target), "REX_GOTPCRELX") => {
                let value = i32::from_le_bytes(theirs[at..at + 4].try_into().expect("four bytes"));
                let led_to = place.wrapping_add_signed(i64::from(value) + 4);
                let (load, address) = (0x8b, 0x8d);
                let wanted = if theirs[at - 2] == load { self.got_entry(edge.target) } else { Some(target) };
                if (ours[at - 2], theirs[at - 2]) == (address, load) {
                    ours[at - 2] = load;
                }
                wanted == Some(led_to)
            }
            (_, "ADR_PREL_PG_HI21" | "ADR_GOT_PAGE") => {
                let pair = pair_of(theirs, home, at).filter(|_| target.is_some());
                let Some(led_to) = pair else { return self.settle_half(edge, at, ours, theirs) };
                width = 8;
                pair_of(ours, home, at) == Some(led_to)
                    && match target {
                        Some(ELSEWHERE) => self.got_entry(edge.target) == Some(led_to),
                        Some(target) => led_to == target.wrapping_add_signed(edge.addend),
                        None => false,
                    }
            }
            // The second of a pair, or one apart, to a place that the map does not name.
            (None, _) => return self.settle_half(edge, at, ours, theirs),
            _ => return,
        };
        if is_right {
            let end = (at + width).min(ours.len());
            ours[at..end].copy_from_slice(&theirs[at..end]);
        } else {
            let name = self.graph.display_symbol(edge.target);
            faults.push(format!("file {}: {} at {place:#x} to {name}", self.file, facts.name));
        }
    }

    /// Halves of an address to places that are not known are compared without their fields.
    fn settle_half(&self, edge: Edge, at: usize, ours: &mut [u8], theirs: &[u8]) {
        if self.address(edge.target).is_none() {
            ours[at..at + 4].copy_from_slice(&theirs[at..at + 4]);
        }
    }

    /// Whether the image has at an address what the object has at a symbol: bytes, or a string.
    fn holds_the_same(&self, target: SymbolId, address: u64) -> bool {
        let Some((block, offset)) = self.graph.symbol(target).place() else { return false };
        let own = self.graph.block(block);
        let strings = matches!(self.graph.section(own.section()).role, SectionRole::MergeStrings { .. });
        let bytes = &own.content().bytes()[offset as usize..];
        let end = if strings { bytes.iter().position(|byte| *byte == 0) } else { Some(bytes.len().min(8)) };
        let wanted = &bytes[..end.unwrap_or(bytes.len())];
        let relocated = self.graph.edges(block).len() > 0;
        relocated || self.image.bytes(address).is_some_and(|found| found.starts_with(wanted))
    }

    /// Where the image has a block.
    fn home(&self, block: BlockId) -> Option<u64> {
        self.graph.symbols_in(block).find_map(|(id, symbol)| {
            let name = String::from_utf8_lossy(self.graph.symbol_name(id)).into_owned();
            let address = self.image.names.get(&(self.file, name))?;
            Some(address - symbol.value())
        })
    }

    /// The address of a symbol in the image; none where its map does not say.
    fn address(&self, target: SymbolId) -> Option<u64> {
        let symbol = self.graph.symbol(target);
        let name = String::from_utf8_lossy(self.graph.symbol_name(target)).into_owned();
        match symbol.kind() {
            SymbolKind::Defined => {
                let (block, offset) = symbol.place()?;
                Some(self.home(block)? + offset)
            }
            _ => Some(self.image.globals.get(&name).copied().unwrap_or(ELSEWHERE)),
        }
    }
}

impl Targets for Placed<'_> {
    fn resolve(&self, target: SymbolId, addend: i64) -> (u64, i64) {
        // What is not known is judged apart, and must only be in reach until then.
        (self.address(target).unwrap_or(0x1000), addend)
    }

    fn got_entry(&self, target: SymbolId) -> Option<u64> {
        let name = String::from_utf8_lossy(self.graph.symbol_name(target)).into_owned();
        self.image.got.get(&name).copied().or(Some(0x1000))
    }

    fn plt_entry(&self, target: SymbolId) -> Option<u64> {
        let name = String::from_utf8_lossy(self.graph.symbol_name(target)).into_owned();
        self.image.stubs.get(&name).copied()
    }

    fn size(&self, target: SymbolId) -> u64 {
        self.graph.symbol(target).size()
    }

    fn got_base(&self) -> u64 {
        0
    }

    fn is_absent(&self, _: SymbolId) -> bool {
        false
    }
}

/// The address that two instructions of AArch64 compute, or load from, with one register.
fn pair_of(bytes: &[u8], home: u64, at: usize) -> Option<u64> {
    const NOP: u32 = 0xd503_201f;
    let word = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let (first, second) = (word(at)?, word(at + 4)?);
    let place = home + at as u64;
    // Of `adr` and `adrp`: 21 bits with a sign.
    let number = |word: u32| {
        let bits = (word >> 5 & 0x7_ffff) << 2 | word >> 29 & 3;
        i64::from((bits << 11).cast_signed() >> 11)
    };
    if first == NOP && second & 0x9f00_0000 == 0x1000_0000 {
        return Some((place + 4).wrapping_add_signed(number(second)));
    }
    let (register, base, into) = (first & 31, second >> 5 & 31, second & 31);
    if first & 0x9f00_0000 != 0x9000_0000 || base != register || into != register {
        return None;
    }
    let page = (place & !0xfff).wrapping_add_signed(number(first) << 12);
    let immediate = u64::from(second >> 10 & 0xfff);
    match second & 0xffc0_0000 {
        0x9100_0000 => Some(page + immediate),
        0xf940_0000 => Some(page + immediate * 8),
        _ => None,
    }
}
