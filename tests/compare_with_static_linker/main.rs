//! Real objects linked here and by a static linker: bytes outside of fixups are equal, and each fixup decodes to the same
//! symbol and addend, directly or through GOT or stub.
//!
//! The two images lie at different addresses, so a fixup is judged by what it leads to in its own image.

mod aarch64;
mod macho;
mod x86_64;

use jitlink::base::ExecutorAddr;
use jitlink::link::{Batch, LinkContext, LinkOptions, ResolvedSymbol, Resolver, SymbolQuery, link};
use jitlink_test_support::arch::Arch;
use jitlink_test_support::pretended::PretendedMemory;
use jitlink_test_support::process::{run, show};
use jitlink_test_support::toolchain::{Compiler, llvm};
use jitlink_test_support::{cache, corpus};
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

/// The C sources of a crate, in a directory of it.
fn sources(name: &str, folder: &str) -> Vec<PathBuf> {
    let dir = corpus::crate_dir(name).expect("the crate can be fetched").join(folder);
    let entries = std::fs::read_dir(dir).expect("the sources are there");
    let mut all: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    all.retain(|path| path.extension().is_some_and(|ext| ext == "c"));
    all.sort();
    all
}

fn zlib() -> Vec<PathBuf> {
    sources("libz-sys", "src/zlib")
}

/// What is compiled for, and how its fixups are read back.
struct Machine {
    arch: Arch,
    /// How many bytes before and after a fixup's offset it may change.
    extent: fn(elf::RelocationType) -> (usize, usize),
    /// Where what nobody defines is said to be.
    undefined: fn(&[u8]) -> ResolvedSymbol,
    /// Whether a fixup leads to what it names.
    is_right: fn(&Fixup<'_, '_>) -> bool,
}

/// One fixup in one image.
struct Fixup<'a, 'data> {
    image: &'a Image,
    kind: elf::RelocationType,
    /// Its address.
    place: u64,
    addend: i64,
    symbol: object::read::elf::ElfSymbol64<'data, 'a, LittleEndian>,
    /// The symbol's address; none for a section symbol of a merged section.
    target: u64,
    /// What it names if that is merged: the bytes, and whether these are strings.
    merged: Option<(&'data [u8], bool)>,
    /// The relocation after it of the same symbol and addend that is nearest, within some instructions.
    partner: Option<(u64, elf::RelocationType)>,
}

impl Fixup<'_, '_> {
    /// Whether the bytes at `address` are those that the object has at `offset` beyond the symbol.
    fn leads_to_merged(&self, address: u64, offset: i64) -> bool {
        let Some((content, strings)) = self.merged else { return false };
        let offset = (self.symbol.address() as i64 + offset) as usize;
        let Some(rest) = content.get(offset..) else { return false };
        if strings {
            let end = rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
            self.image.string(address) == rest[..end]
        } else {
            let piece = &rest[..rest.len().min(2)];
            !piece.is_empty() && self.image.read::<2>(address).is_some_and(|bytes| bytes.starts_with(piece))
        }
    }
}

/// A linked image: memory, and where sections and names are.
struct Image {
    memory: BTreeMap<u64, Vec<u8>>,
    /// Address of each input section, by object and name.
    sections: HashMap<(usize, String), u64>,
    names: HashMap<String, u64>,
    /// What nobody defines.
    undefined: fn(&[u8]) -> ResolvedSymbol,
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

    fn word(&self, address: u64) -> Option<u32> {
        Some(u32::from_le_bytes(self.read(address)?))
    }

    /// Whether some place that is `offset` under `mask` holds `value`.
    fn holds(&self, value: u64, offset: u64, mask: u64) -> bool {
        self.memory.iter().any(|(start, bytes)| {
            let first = start + (offset.wrapping_sub(*start) & mask);
            let places = (first..start + bytes.len() as u64).step_by(mask as usize + 1);
            places.into_iter().any(|place| self.u64(place) == Some(value))
        })
    }

    /// The bytes from `address` to the next zero.
    fn string(&self, address: u64) -> Vec<u8> {
        let bytes = (address..).map_while(|at| self.read::<1>(at)).map(|byte| byte[0]);
        bytes.take_while(|byte| *byte != 0).collect()
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
            None => Some(
                self.names.get(name).copied().unwrap_or_else(|| (self.undefined)(name.as_bytes()).address.0),
            ),
        }
    }
}

fn compare(
    machine: &Machine,
    name: &str,
    sources: &[PathBuf],
    compiler: Compiler,
    flags: &[&str],
    least: usize,
) {
    let dir = build(machine, name, sources, compiler, flags).expect("the objects compile and link");
    let files: Vec<Vec<u8>> = (0..sources.len())
        .map(|index| std::fs::read(dir.join(format!("{index}.o"))).expect("an object"))
        .collect();
    let (ours, theirs) = (link_here(machine, &files), link_statically(&dir));
    let (mut count, mut faults) = (0, Vec::new());
    for (index, bytes) in files.iter().enumerate() {
        let file = Elf::parse(&**bytes).expect("an object");
        compare_object(machine, index, &file, &ours, &theirs, &mut count, &mut faults);
    }
    assert!(faults.is_empty(), "{} differences: {:#?}", faults.len(), &faults[..faults.len().min(20)]);
    assert!(count >= least, "only {count} fixups were compared");
}

fn compare_object(
    machine: &Machine,
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
                let relocations: Vec<_> = section.relocations().filter_map(relocation).collect();
                for (number, &(offset, kind, symbol, addend)) in relocations.iter().enumerate() {
                    let (before, after) = (machine.extent)(kind);
                    masked[offset as usize - before..offset as usize + after].fill(true);
                    *count += 1;
                    for (who, image, base) in [("here", ours, our_base), ("there", theirs, their_base)] {
                        let partner = partner(&relocations[number..], *base);
                        let name_of = file.symbol_by_index(symbol).expect("a relocation's symbol");
                        let merged = name_of.section_index().and_then(|home| merged_content(file, home));
                        let target = if merged.is_none() { image.symbol(index, file, symbol) } else { None };
                        let fixup = Fixup {
                            image,
                            kind,
                            place: base + offset,
                            addend,
                            symbol: name_of,
                            target: target.unwrap_or(0),
                            merged,
                            partner,
                        };
                        let known = target.is_some() || merged.is_some();
                        if !known || !(machine.is_right)(&fixup) {
                            let symbol = fixup.symbol.name().unwrap_or_default();
                            faults.push(format!(
                                "{who}: {index}:{name}+{offset:#x} kind {} to {symbol} + {addend:#x}",
                                kind.0
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

type Relocation = (u64, elf::RelocationType, SymbolIndex, i64);

fn relocation((offset, relocation): (u64, object::Relocation)) -> Option<Relocation> {
    match (relocation.flags(), relocation.target()) {
        (RelocationFlags::Elf { r_type, .. }, RelocationTarget::Symbol(symbol)) => {
            Some((offset, r_type, symbol, relocation.addend()))
        }
        _ => None,
    }
}

/// The place of the next of `relocations` that names what the first does and is of another kind, and its kind.
fn partner(relocations: &[Relocation], base: u64) -> Option<(u64, elf::RelocationType)> {
    let (&(offset, kind, symbol, addend), rest) = relocations.split_first()?;
    let near = rest.iter().take_while(|(other, ..)| *other <= offset + 64);
    let mut same = near.filter(|other| (other.2, other.3) == (symbol, addend) && other.1 != kind);
    same.next().map(|&(at, kind, ..)| (base + at, kind))
}

fn merged_content<'data>(file: &Elf<'data>, index: SectionIndex) -> Option<(&'data [u8], bool)> {
    let section = file.section_by_index(index).ok()?;
    let SectionFlags::Elf { sh_flags, .. } = section.flags() else { return None };
    let merged = sh_flags.0 & SHF_MERGE.0 != 0;
    merged.then(|| (section.data().unwrap_or_default(), sh_flags.0 & SHF_STRINGS.0 != 0))
}

/// Knows every name, at an address that its bytes decide.
struct Everything(fn(&[u8]) -> ResolvedSymbol);

impl Resolver for Everything {
    fn resolve(&self, queries: &[SymbolQuery<'_>]) -> jitlink::base::Result<Vec<Option<ResolvedSymbol>>> {
        Ok(queries.iter().map(|query| Some(self.0(query.name))).collect())
    }
}

fn link_here(machine: &Machine, files: &[Vec<u8>]) -> Image {
    let manager = PretendedMemory::default();
    let mut batch = Batch::new();
    for (index, file) in files.iter().enumerate() {
        batch.add_object(format!("{index}.o"), file).expect("the object is added");
    }
    let mut context = LinkContext {
        manager: &manager,
        resolver: &Everything(machine.undefined),
        actions: None,
        plugins: &mut [],
    };
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
    Image { memory, sections, names, undefined: machine.undefined }
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
        undefined: |_| ResolvedSymbol { address: ExecutorAddr(0), size: 0, callable: false },
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

fn build(
    machine: &Machine,
    name: &str,
    sources: &[PathBuf],
    compiler: Compiler,
    flags: &[&str],
) -> Result<PathBuf, String> {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compare");
    let texts: Vec<Vec<u8>> = sources.iter().map(|path| std::fs::read(path).unwrap_or_default()).collect();
    cache::filled(&root, name, &(sources, texts, compiler.name(), flags), |dir| {
        let object = |index: usize| dir.join(format!("{index}.o"));
        for (index, source) in sources.iter().enumerate() {
            let mut command = compiler.for_source(machine.arch, source);
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
