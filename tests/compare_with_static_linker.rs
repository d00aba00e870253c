//! Real objects linked here and by a static linker: bytes outside of fixups are equal, and each fixup decodes to the same
//! symbol and addend, directly or through GOT or stub.
//!
//! The two images lie at different addresses, so a fixup is judged by what it leads to in its own image.

use jitlink::link::{Batch, LinkContext, LinkOptions, link};
use jitlink_test_support::arch::Arch;
use jitlink_test_support::pretended::{EveryName, PretendedMemory, pretended_symbol};
use jitlink_test_support::process::{run, show};
use jitlink_test_support::toolchain::{Compiler, llvm};
use jitlink_test_support::{cache, corpus, tests_dir};
use object::elf::{self, SHF_ALLOC, SHF_MERGE, SHF_STRINGS};
use object::read::elf::ElfFile64;
use object::{
    LittleEndian, Object, ObjectSection, ObjectSymbol, RelocationFlags, RelocationTarget, SectionFlags,
    SectionIndex, SymbolIndex,
};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::process::Command;

type Elf<'data> = ElfFile64<'data, LittleEndian>;

#[test]
fn c_code() {
    compare("zlib", &zlib(), Compiler::Clang, &["-O2"], 500);
}

#[test]
fn c_code_with_a_section_per_function() {
    compare("zlib-sections", &zlib(), Compiler::Gcc, &["-O2", "-ffunction-sections", "-fPIC"], 500);
}

#[test]
fn c_code_unoptimised() {
    compare("zlib-O0", &zlib(), Compiler::Clang, &["-O0", "-fPIC"], 500);
}

#[test]
fn cxx_code_with_groups() {
    compare("regex", &[tests_dir().join("run/std_regex.cpp")], Compiler::Clang, &["-O0"], 3000);
}

#[test]
fn cxx_code_of_two_objects() {
    let sources = ["run/std_regex.cpp", "run/exceptions_in_threads.cpp", "run/iostream.cpp"];
    let sources = sources.map(|name| tests_dir().join(name));
    compare("several", &sources, Compiler::Clang, &["-O1", "-fPIC"], 1000);
}

fn zlib() -> Vec<PathBuf> {
    let dir = corpus::crate_dir("libz-sys").expect("the crate can be fetched").join("src/zlib");
    let entries = std::fs::read_dir(dir).expect("the sources are there");
    let mut all: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    all.retain(|path| path.extension().is_some_and(|ext| ext == "c"));
    all.sort();
    all
}

/// A linked image: memory, and where sections and names are.
struct Image {
    memory: BTreeMap<u64, Vec<u8>>,
    /// Address of each input section, by object and name.
    sections: HashMap<(usize, String), u64>,
    names: HashMap<String, u64>,
    /// Address of what nobody defines.
    undefined: fn(&str) -> u64,
}

impl Image {
    fn read<const N: usize>(&self, address: u64) -> Option<[u8; N]> {
        let (start, bytes) = self.memory.range(..=address).next_back()?;
        let at = (address - start) as usize;
        bytes.get(at..at + N)?.try_into().ok()
    }

    fn i32(&self, address: u64) -> Option<u64> {
        Some(i64::from(i32::from_le_bytes(self.read(address)?)) as u64)
    }

    fn u64(&self, address: u64) -> Option<u64> {
        Some(u64::from_le_bytes(self.read(address)?))
    }

    /// The bytes from `address` to the next zero.
    fn string(&self, address: u64) -> Vec<u8> {
        let bytes = (address..).map_while(|at| self.read::<1>(at)).map(|byte| byte[0]);
        bytes.take_while(|byte| *byte != 0).collect()
    }

    /// Where a stub at `address` jumps to, if it is one.
    fn through_stub(&self, address: u64) -> Option<u64> {
        let endbr = self.read::<4>(address)? == [0xf3, 0x0f, 0x1e, 0xfa];
        let jump = if endbr { address + 4 } else { address };
        if self.read::<2>(jump)? != [0xff, 0x25] {
            return None;
        }
        self.u64((jump + 6).wrapping_add(self.i32(jump + 2)?))
    }

    fn symbol(&self, object: usize, file: &Elf<'_>, index: SymbolIndex) -> Option<u64> {
        let symbol = file.symbol_by_index(index).ok()?;
        let name = symbol.name().ok()?;
        if symbol.is_global()
            && !symbol.is_undefined()
            && !symbol.is_common()
            && let Some(address) = self.names.get(name)
        {
            return Some(*address);
        }
        match symbol.section_index() {
            Some(section) => {
                let section = file.section_by_index(section).ok()?;
                let base = self.sections.get(&(object, section.name().ok()?.to_owned()))?;
                Some(base + symbol.address())
            }
            None => Some(self.names.get(name).copied().unwrap_or_else(|| (self.undefined)(name))),
        }
    }
}

/// What a fixup's bytes lead to: the symbol's address, found directly or through an entry.
#[derive(Clone, Copy)]
enum Found {
    Direct(u64),
    Slot(u64),
}

/// Decodes the fixup of `kind` at `place`; `None` where the bytes are no known form.
fn decode(image: &Image, kind: elf::RelocationType, place: u64, addend: i64) -> Option<Found> {
    let relative = |value: u64| place.wrapping_add(value).wrapping_sub(addend as u64);
    let back = |value: u64| value.wrapping_sub(addend as u64);
    Some(match kind {
        elf::R_X86_64_64 => Found::Direct(back(image.u64(place)?)),
        elf::R_X86_64_32 => Found::Direct(back(u64::from(u32::from_le_bytes(image.read(place)?)))),
        elf::R_X86_64_32S => Found::Direct(back(image.i32(place)?)),
        elf::R_X86_64_PC64 => Found::Direct(relative(image.u64(place)?)),
        elf::R_X86_64_PC32 | elf::R_X86_64_PLT32 => Found::Direct(relative(image.i32(place)?)),
        elf::R_X86_64_GOTPCREL => Found::Slot(relative(image.i32(place)?)),
        elf::R_X86_64_GOTPCRELX | elf::R_X86_64_REX_GOTPCRELX => return decode_load(image, place),
        _ => return None,
    })
}

/// An instruction that loads from the GOT, or what it was rewritten to; the field is at `place`.
fn decode_load(image: &Image, place: u64) -> Option<Found> {
    let end = |value: u64| (place + 4).wrapping_add(value);
    let [first, second] = image.read(place - 2)?;
    Some(match (first, second) {
        (0xff, 0x15 | 0x25) | (0x8b, _) => Found::Slot(end(image.i32(place)?)),
        (0x67, 0xe8) | (0x8d, _) => Found::Direct(end(image.i32(place)?)),
        (0xe9, _) => Found::Direct((place + 3).wrapping_add(image.i32(place - 1)?)),
        (0xc7 | 0xf7 | 0x81, modrm) if modrm >= 0xc0 => Found::Direct(image.i32(place)?),
        _ => Found::Slot(end(image.i32(place)?)),
    })
}

fn leads_to(image: &Image, found: Found, symbol: u64) -> bool {
    match found {
        Found::Direct(address) => address == symbol || image.through_stub(address) == Some(symbol),
        Found::Slot(slot) => image.u64(slot) == Some(symbol),
    }
}

fn compare(name: &str, sources: &[PathBuf], compiler: Compiler, flags: &[&str], least: usize) {
    let dir = build(name, sources, compiler, flags).expect("the objects compile and link");
    let files: Vec<Vec<u8>> = (0..sources.len())
        .map(|index| std::fs::read(dir.join(format!("{index}.o"))).expect("an object"))
        .collect();
    let (ours, theirs) = (link_here(&files), link_statically(&dir));
    let (mut count, mut faults) = (0, Vec::new());
    for (index, bytes) in files.iter().enumerate() {
        let file = Elf::parse(&**bytes).expect("an object");
        compare_object(index, &file, &ours, &theirs, &mut count, &mut faults);
    }
    assert!(faults.is_empty(), "{} differences: {:#?}", faults.len(), &faults[..faults.len().min(20)]);
    assert!(count >= least, "only {count} fixups were compared");
}

fn compare_object(
    index: usize,
    file: &Elf<'_>,
    ours: &Image,
    theirs: &Image,
    count: &mut usize,
    faults: &mut Vec<String>,
) {
    for section in file.sections() {
        let (name, SectionFlags::Elf { sh_flags, .. }) =
            (section.name().unwrap_or_default(), section.flags())
        else {
            continue;
        };
        let alloc = sh_flags.0 & SHF_ALLOC.0 != 0 && sh_flags.0 & SHF_MERGE.0 == 0;
        let unique = file.sections().filter(|other| other.name() == Ok(name)).count() == 1;
        let content = section.data().unwrap_or_default();
        if !alloc || !unique || content.is_empty() || name == ".eh_frame" || name.starts_with(".note") {
            continue;
        }
        let key = (index, name.to_owned());
        match (ours.sections.get(&key), theirs.sections.get(&key)) {
            (Some(our_base), Some(their_base)) => {
                let mut masked = vec![false; content.len()];
                for (offset, relocation) in section.relocations() {
                    let RelocationFlags::Elf { r_type, .. } = relocation.flags() else { continue };
                    mask(&mut masked, offset as usize, r_type);
                    let RelocationTarget::Symbol(symbol) = relocation.target() else { continue };
                    *count += 1;
                    for (who, image, base) in [("here", ours, our_base), ("there", theirs, their_base)] {
                        let addend = relocation.addend();
                        if !fixup_is_right(image, index, file, symbol, r_type, base + offset, addend) {
                            let symbol =
                                file.symbol_by_index(symbol).and_then(|s| s.name()).unwrap_or_default();
                            faults.push(format!(
                                "{who}: {index}:{name}+{offset:#x} kind {} to {symbol}",
                                r_type.0
                            ));
                        }
                    }
                }
                for (at, byte) in content.iter().enumerate().filter(|(at, _)| !masked[*at]) {
                    let pair =
                        (ours.read::<1>(our_base + at as u64), theirs.read::<1>(their_base + at as u64));
                    if pair != (Some([*byte]), Some([*byte])) {
                        faults.push(format!("{index}:{name}+{at:#x}: {byte:#x} became {pair:?}"));
                    }
                }
            }
            (None, None) => {}
            (here, there) => {
                faults.push(format!("{index}:{name} is at {here:?} here and at {there:?} there"))
            }
        }
    }
}

/// Marks the bytes that a fixup may change.
fn mask(masked: &mut [bool], offset: usize, kind: elf::RelocationType) {
    let (before, after) = match kind {
        elf::R_X86_64_GOTPCRELX => (2, 4),
        elf::R_X86_64_REX_GOTPCRELX => (3, 4),
        elf::R_X86_64_64 | elf::R_X86_64_PC64 => (0, 8),
        _ => (0, 4),
    };
    masked[offset - before..offset + after].fill(true);
}

fn fixup_is_right(
    image: &Image,
    index: usize,
    file: &Elf<'_>,
    symbol: SymbolIndex,
    kind: elf::RelocationType,
    place: u64,
    addend: i64,
) -> bool {
    let home = file.symbol_by_index(symbol).ok().and_then(|symbol| symbol.section_index());
    if let Some(content) = home.and_then(|home| merged_content(file, home)) {
        return merged_is_right(image, file, symbol, content, kind, place, addend);
    }
    match (decode(image, kind, place, addend), image.symbol(index, file, symbol)) {
        (Some(found), Some(symbol)) => leads_to(image, found, symbol),
        _ => false,
    }
}

fn merged_content<'data>(file: &Elf<'data>, index: SectionIndex) -> Option<(&'data [u8], bool)> {
    let section = file.section_by_index(index).ok()?;
    let SectionFlags::Elf { sh_flags, .. } = section.flags() else { return None };
    let merged = sh_flags.0 & SHF_MERGE.0 != 0;
    merged.then(|| (section.data().unwrap_or_default(), sh_flags.0 & SHF_STRINGS.0 != 0))
}

/// A reference into a merged section leads to bytes equal to those it named in the object.
fn merged_is_right(
    image: &Image,
    file: &Elf<'_>,
    symbol: SymbolIndex,
    (content, strings): (&[u8], bool),
    kind: elf::RelocationType,
    place: u64,
    addend: i64,
) -> bool {
    let symbol = file.symbol_by_index(symbol).expect("a relocation's symbol");
    let relative = matches!(kind, elf::R_X86_64_PC32 | elf::R_X86_64_PLT32);
    let of_section = symbol.kind() == object::SymbolKind::Section;
    // Behind a section symbol the addend chooses the piece; the distance to the instruction's end is then part of it.
    let beyond = if of_section { addend + i64::from(relative) * 4 } else { 0 };
    let back = if of_section { i64::from(relative) * -4 } else { addend };
    let Some(Found::Direct(address)) = decode(image, kind, place, back) else { return false };
    let offset = (symbol.address() as i64 + beyond) as usize;
    let Some(rest) = content.get(offset..) else { return false };
    if strings {
        let end = rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
        image.string(address) == rest[..end]
    } else {
        let piece = &rest[..rest.len().min(2)];
        !piece.is_empty() && image.read::<2>(address).is_some_and(|bytes| bytes.starts_with(piece))
    }
}

fn link_here(files: &[Vec<u8>]) -> Image {
    let manager = PretendedMemory::default();
    let mut batch = Batch::new();
    for (index, file) in files.iter().enumerate() {
        batch.add_object(format!("{index}.o"), file).expect("the object is added");
    }
    let mut context =
        LinkContext { manager: &manager, resolver: &EveryName, actions: None, plugins: &mut [] };
    let options = LinkOptions { dead_strip: false, ..LinkOptions::default() };
    let linked = link(batch, &mut context, &options).expect("the objects link");
    let (mut sections, mut names) = (HashMap::new(), HashMap::new());
    for (index, graph) in linked.graphs().iter().enumerate().take(files.len()) {
        for (id, section) in graph.sections() {
            let base = graph.blocks_in(id).map(|(_, block)| block.address().0).min();
            sections.extend(base.map(|base| ((index, section.display_name().into_owned()), base)));
        }
        for (id, _) in graph.symbols() {
            let name = graph.symbol_name(id);
            let address = linked.lookup(name).map(|address| address.0);
            names.extend(address.map(|address| (String::from_utf8_lossy(name).into_owned(), address)));
        }
    }
    let memory = manager.contents.lock().expect("nobody panicked").clone();
    Image { memory, sections, names, undefined: |name| pretended_symbol(name.as_bytes()).address.0 }
}

fn link_statically(dir: &Path) -> Image {
    let bytes = std::fs::read(dir.join("image")).expect("an image");
    let file = Elf::parse(&*bytes).expect("an image");
    let contents = |section: object::read::elf::ElfSection64<'_, '_, LittleEndian>| {
        let bytes = section.data().ok().filter(|bytes| section.address() != 0 && !bytes.is_empty())?;
        Some((section.address(), bytes.to_vec()))
    };
    // Hidden names are local in the image.
    let named = |local: bool| file.symbols().filter(move |s| s.is_local() == local && !s.is_undefined());
    let names = named(true).chain(named(false));
    Image {
        memory: file.sections().filter_map(contents).collect(),
        sections: std::fs::read_to_string(dir.join("map"))
            .expect("a map")
            .lines()
            .filter_map(map_line)
            .collect(),
        names: names.map(|symbol| (symbol.name().unwrap_or_default().to_owned(), symbol.address())).collect(),
        undefined: |_| 0,
    }
}

/// One line of the linker's map: address, load address, size and alignment, then `NUMBER.o:(SECTION)`.
fn map_line(line: &str) -> Option<((usize, String), u64)> {
    let mut words = line.split_whitespace();
    let address = u64::from_str_radix(words.next()?, 16).ok()?;
    let (file, section) = words.nth(3)?.split_once(":(")?;
    let number = Path::new(file).file_stem()?.to_str()?.parse().ok()?;
    Some(((number, section.strip_suffix(')')?.to_owned()), address))
}

fn build(name: &str, sources: &[PathBuf], compiler: Compiler, flags: &[&str]) -> Result<PathBuf, String> {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compare");
    let texts: Vec<Vec<u8>> = sources.iter().map(|path| std::fs::read(path).unwrap_or_default()).collect();
    cache::filled(&root, name, &(sources, texts, compiler.name(), flags), |dir| {
        let object = |index: usize| dir.join(format!("{index}.o"));
        for (index, source) in sources.iter().enumerate() {
            let mut command = compiler.for_source(Arch::X86_64, source);
            command
                .args(flags)
                .args(["-w", "-DHAVE_UNISTD_H", "-c"])
                .arg(format!("-Dmain=main_{index}"))
                .arg(source)
                .arg("-o")
                .arg(object(index));
            succeed(&mut command)?;
        }
        let mut link = Command::new(llvm("ld.lld"));
        link.args(["--unresolved-symbols=ignore-all", "--no-gc-sections", "-z", "muldefs", "-e", "0"]);
        link.arg("-Map").arg(dir.join("map")).arg("-o").arg(dir.join("image"));
        succeed(link.args((0..sources.len()).map(object)))
    })
}

fn succeed(command: &mut Command) -> Result<(), String> {
    run(command, b"")?.success().map(drop).map_err(|what| format!("{}\n{what}", show(command)))
}
