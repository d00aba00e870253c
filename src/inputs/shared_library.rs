//! A shared library as a file: what it exports, its name and what it needs, without loading it.
//!
//! This is what a link that runs nothing resolves against, and where copy relocations find sizes and aliases.

use std::hash::BuildHasher;
use std::sync::OnceLock;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use object::elf;
use object::endian::LittleEndian as LE;
use object::read::SymbolIndex;
use object::read::elf::{DynamicTable, FileHeader as _, Sym as _, SymbolTable, VersionTable};

use crate::base::{Error, Place, Result};
use crate::inputs::{InputFile, InputKind, classify};

type Header = elf::FileHeader64<LE>;

/// What kind of thing an exported symbol names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportKind {
    /// A function.
    Function,
    /// Data.
    Object,
    /// A resolver that chooses a function at load time.
    IndirectFunction,
    /// A thread-local variable; its address is an offset in the library's thread-local block.
    ThreadLocal,
    /// Of no type, as assembly code leaves it.
    Untyped,
}

/// A symbol that a shared library exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Export<'data> {
    /// The name, without the version.
    pub name: &'data [u8],
    /// The version, if the library has versions.
    pub version: Option<&'data [u8]>,
    /// Whether a reference without a version means this one: `foo@@VER`, not `foo@VER`.
    pub is_default: bool,
    /// What it names.
    pub kind: ExportKind,
    /// Whether it is weak.
    pub weak: bool,
    /// Address in the library as it is linked, before loading adds its base.
    pub address: u64,
    /// Size in bytes.
    pub size: u64,
}

/// A shared library's dynamic symbols.
#[derive(Debug)]
pub struct SharedLibrary<'data> {
    place: Place,
    machine: u16,
    soname: Option<&'data [u8]>,
    needed: Vec<&'data [u8]>,
    symbols: SymbolTable<'data, Header>,
    versions: VersionTable<'data, Header>,
    /// Symbol numbers by the hash of their name; built when first asked.
    index: OnceLock<HashTable<u32>>,
    hasher: RandomState,
}

impl<'data> SharedLibrary<'data> {
    /// Reads the headers of a shared library.
    ///
    /// # Errors
    /// The file is no 64-bit little-endian ELF shared library, or is malformed.
    pub fn parse(file: &'data InputFile) -> Result<Self> {
        let machine = match classify(file.bytes()) {
            InputKind::ElfShared { machine } => machine,
            kind if kind.is_object() => {
                let help = "pass it as an input of its own, not as a library";
                return Err(Error::unsupported(file.place(), "is an object, not a shared library", help));
            }
            kind => return Err(kind.refuse(file.place())),
        };
        let malformed = |error: object::read::Error| Error::malformed(file.place(), error.to_string());
        let (symbols, versions, dynamic) = read_tables(file.bytes()).map_err(malformed)?;
        if dynamic.is_empty() {
            let what = "has no dynamic section, or no section headers to find it by";
            return Err(Error::unsupported(
                file.place(),
                what,
                "link against the library as it was before stripping",
            ));
        }
        refuse_executable(file, &dynamic)?;
        let (soname, needed) = read_names(&dynamic).map_err(malformed)?;
        let (index, hasher) = (OnceLock::new(), RandomState::default());
        Ok(Self { place: file.place(), machine, soname, needed, symbols, versions, index, hasher })
    }

    /// `e_machine`.
    #[must_use]
    pub fn machine(&self) -> u16 {
        self.machine
    }

    /// The file as a place for errors.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The name under which it wants to be loaded.
    #[must_use]
    pub fn soname(&self) -> Option<&'data [u8]> {
        self.soname
    }

    /// The libraries that it needs itself.
    #[must_use]
    pub fn needed(&self) -> &[&'data [u8]] {
        &self.needed
    }

    /// Everything that it exports.
    pub fn exports(&self) -> impl Iterator<Item = Export<'data>> {
        self.symbols.enumerate().filter_map(|(index, _)| self.export(index))
    }

    /// The names that it refers to and does not define.
    pub fn undefined(&self) -> impl Iterator<Item = &'data [u8]> {
        let symbols = self.symbols.iter().filter(|symbol| symbol.is_undefined(LE));
        symbols
            .filter_map(|symbol| symbol.name(LE, self.symbols.strings()).ok())
            .filter(|name| !name.is_empty())
    }

    /// What a reference to `name` is bound to: the default version, or the one that is given.
    #[must_use]
    pub fn find(&self, name: &[u8], version: Option<&[u8]>) -> Option<Export<'data>> {
        let index = self.index.get_or_init(|| self.build_index());
        let same_name = index.iter_hash(self.hasher.hash_one(name));
        let mut exports = same_name.filter_map(|&number| self.export(SymbolIndex(number as usize)));
        exports.find(|export| {
            export.name == name
                && match version {
                    None => export.is_default,
                    Some(_) => export.version == version,
                }
        })
    }

    /// All exports at the address of `export`: copying a variable out of its library moves all of its names.
    pub fn aliases(&self, export: &Export<'data>) -> impl Iterator<Item = Export<'data>> {
        let (address, thread_local) = (export.address, export.kind == ExportKind::ThreadLocal);
        self.exports().filter(move |other| {
            other.address == address && (other.kind == ExportKind::ThreadLocal) == thread_local
        })
    }

    fn build_index(&self) -> HashTable<u32> {
        let mut index = HashTable::with_capacity(self.symbols.len());
        let hash =
            |number: &u32| self.hasher.hash_one(self.name(SymbolIndex(*number as usize)).unwrap_or_default());
        for (number, _) in self.symbols.enumerate() {
            if let (Some(export), Ok(number)) = (self.export(number), u32::try_from(number.0)) {
                index.insert_unique(self.hasher.hash_one(export.name), number, hash);
            }
        }
        index
    }

    fn name(&self, index: SymbolIndex) -> Option<&'data [u8]> {
        self.symbols.symbol(index).ok()?.name(LE, self.symbols.strings()).ok()
    }

    fn export(&self, index: SymbolIndex) -> Option<Export<'data>> {
        let symbol = self.symbols.symbol(index).ok()?;
        let visible = matches!(symbol.st_visibility(), elf::STV_DEFAULT | elf::STV_PROTECTED);
        if symbol.is_undefined(LE) || symbol.st_bind() == elf::STB_LOCAL || !visible {
            return None;
        }
        let kind = match symbol.st_type() {
            elf::STT_FUNC => ExportKind::Function,
            elf::STT_OBJECT | elf::STT_COMMON => ExportKind::Object,
            elf::STT_GNU_IFUNC => ExportKind::IndirectFunction,
            elf::STT_TLS => ExportKind::ThreadLocal,
            elf::STT_NOTYPE => ExportKind::Untyped,
            _ => return None,
        };
        let number = self.versions.version_index(LE, index);
        if number.index() == elf::VER_NDX_LOCAL {
            return None;
        }
        Some(Export {
            name: symbol.name(LE, self.symbols.strings()).ok().filter(|name| !name.is_empty())?,
            version: self.versions.version(number.index()).ok().flatten().map(|version| version.name()),
            is_default: !number.is_hidden(),
            kind,
            weak: symbol.st_bind() == elf::STB_WEAK,
            address: symbol.st_value(LE),
            size: symbol.st_size(LE),
        })
    }
}

type Tables<'data> = (SymbolTable<'data, Header>, VersionTable<'data, Header>, DynamicTable<'data, Header>);

fn read_tables(bytes: &[u8]) -> object::read::Result<Tables<'_>> {
    let sections = Header::parse(bytes)?.sections(LE, bytes)?;
    let symbols = sections.symbols(LE, bytes, elf::SHT_DYNSYM)?;
    let versions = sections.versions(LE, bytes)?.unwrap_or_default();
    Ok((symbols, versions, sections.dynamic_table(LE, bytes)?))
}

fn refuse_executable(file: &InputFile, dynamic: &DynamicTable<'_, Header>) -> Result<()> {
    let is_pie = dynamic.iter().any(|entry| entry.tag == elf::DT_FLAGS_1 && entry.val & elf::DF_1_PIE.0 != 0);
    if !is_pie {
        return Ok(());
    }
    let help = "pass the object files (.o) or the static archive (.a) it was linked from";
    Err(Error::unsupported(file.place(), "is a position-independent executable", help))
}

type Names<'data> = (Option<&'data [u8]>, Vec<&'data [u8]>);

fn read_names<'data>(dynamic: &DynamicTable<'data, Header>) -> object::read::Result<Names<'data>> {
    let mut names = (None, Vec::new());
    for entry in dynamic.iter() {
        match entry.tag {
            elf::DT_SONAME => names.0 = Some(dynamic.string(entry)?),
            elf::DT_NEEDED => names.1.push(dynamic.string(entry)?),
            _ => {}
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::testing::{Random, Tools, clang};

    const SOURCE: &str = r#"
        int function(void) { return 1; }
        int object[4] = { 1 };
        extern int alias[4] __attribute__((alias("object")));
        __thread long local_to_thread = 1;
        __attribute__((weak)) char weak_object = 1;
        static int (*choose(void))(void) { return function; }
        int chosen(void) __attribute__((ifunc("choose")));
        __attribute__((visibility("hidden"))) int hidden = 1;
        int old(void) { return 1; }
        int new(void) { return 2; }
        __asm__(".symver old, f@OLD");
        __asm__(".symver new, f@@NEW");
        int puts(const char *);
        int needs(void) { return puts("x"); }
    "#;

    fn build(flags: &[&str]) -> (Tools, InputFile) {
        let tools = Tools::new();
        tools.write("x.c", SOURCE);
        tools.write("x.map", "OLD { }; NEW { global: *; } OLD;");
        let base =
            ["x.c", "-shared", "-fPIC", "-Wl,-soname,libx.so.3", "-Wl,--version-script=x.map", "-o", "x.so"];
        tools.run(&clang(), &[&base[..], flags].concat());
        let file = InputFile::open(tools.path("x.so")).unwrap();
        (tools, file)
    }

    #[test]
    fn every_kind_of_export_is_read() {
        let (_tools, file) = build(&[]);
        let library = SharedLibrary::parse(&file).unwrap();
        assert_eq!(library.soname(), Some(&b"libx.so.3"[..]));
        assert_eq!(library.needed(), [b"libc.so.6"]);
        let find = |name: &str| library.find(name.as_bytes(), None).unwrap();
        let facts = |name: &str| (find(name).kind, find(name).size, find(name).weak);
        assert_eq!(facts("object"), (ExportKind::Object, 16, false));
        assert_eq!(facts("weak_object"), (ExportKind::Object, 1, true));
        assert_eq!(facts("local_to_thread"), (ExportKind::ThreadLocal, 8, false));
        assert_eq!(find("function").kind, ExportKind::Function);
        assert_eq!(find("chosen").kind, ExportKind::IndirectFunction);
        assert!(library.undefined().any(|name| name == b"puts"));
        assert!(!library.undefined().any(|name| name == b"function"));
        for absent in ["hidden", "puts", "missing", ""] {
            assert_eq!(library.find(absent.as_bytes(), None), None, "{absent}");
        }
        let mut aliases: Vec<_> = library.aliases(&find("object")).map(|export| export.name).collect();
        aliases.sort();
        assert_eq!(aliases, [&b"alias"[..], b"object"]);
    }

    #[test]
    fn versions_are_told_apart() {
        let (_tools, file) = build(&[]);
        let library = SharedLibrary::parse(&file).unwrap();
        let find = |version: Option<&str>| library.find(b"f", version.map(str::as_bytes));
        let default = find(None).unwrap();
        assert_eq!((default.version, default.is_default), (Some(&b"NEW"[..]), true));
        let old = find(Some("OLD")).unwrap();
        assert!(!old.is_default);
        assert_ne!(old.address, default.address);
        assert_eq!(find(Some("NEW")), Some(default));
        assert_eq!(find(Some("OTHER")), None);
        assert_eq!(library.exports().filter(|export| export.name == b"f").count(), 2);
    }

    #[test]
    fn the_c_library_of_this_machine_agrees_with_the_loader() {
        let library =
            crate::sys::dl::Library::open_system("libc.so.6", crate::sys::dl::OpenFlags::empty()).unwrap();
        let (path, base) = library.location().unwrap();
        let file = InputFile::open(path).unwrap();
        let read = SharedLibrary::parse(&file).unwrap();
        for name in ["malloc", "printf", "stdout", "environ", "qsort"] {
            let export = read.find(name.as_bytes(), None).unwrap();
            let loaded = library.lookup(name.as_bytes()).unwrap();
            assert_eq!(export.address + base, loaded.0, "{name}");
        }
        assert!(read.exports().count() > 2000);
        assert_eq!(read.find(b"strlen", None).unwrap().kind, ExportKind::IndirectFunction);
        assert_eq!(read.find(b"errno", None).unwrap().kind, ExportKind::ThreadLocal);
    }

    #[test]
    fn what_is_no_shared_library_is_refused() {
        let tools = Tools::new();
        tools.compile("x", "int main(void) { return 0; }", &[]);
        let parse = |name: &str| {
            let file = InputFile::open(tools.path(name)).unwrap();
            SharedLibrary::parse(&file).map(|_| ()).unwrap_err().to_string()
        };
        assert!(parse("x.o").contains("is an object, not a shared library"));
        tools.run(&clang(), &["x.o", "-pie", "-o", "pie"]);
        assert!(parse("pie").contains("is a position-independent executable; pass the object files"));
    }

    #[test]
    fn truncations_and_mutations_are_read_or_refused_cleanly() {
        let (_tools, file) = build(&["-nostdlib", "-fuse-ld=lld", "-Wl,-s", "-Wl,-z,max-page-size=512"]);
        let bytes = file.bytes();
        let read = |bytes: Vec<u8>| -> Result<usize> {
            let file = InputFile::from_bytes("x.so", bytes);
            let library = SharedLibrary::parse(&file)?;
            Ok(library.exports().count() + library.find(b"f", None).map_or(0, |_| 1))
        };
        assert!(read(bytes.to_vec()).unwrap() > 8);
        for end in (0..bytes.len()).step_by(7) {
            _ = read(bytes[..end].to_vec());
        }
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        for _ in 0..5000 {
            _ = read(random.mutate(bytes));
        }
    }
}
