//! What is wrong with malformed objects: file, place and fault.

use crate::formats::object::{BuildOptions, Object, Resolution, Scratch, Standing, Wins};

/// A golden object that is damaged.
struct Victim(Vec<u8>);

macro_rules! fixture {
    ($name:literal) => {
        Victim(include_bytes!(concat!("../../../tests/fixtures/macho/", $name, ".o")).to_vec())
    };
}

/// Offset of the first section header: header and segment command come before it.
const SECTIONS: usize = 32 + 72;
const SECTION: usize = 80;

#[derive(Debug)]
struct Winner;

impl Wins for Winner {
    fn standing(&self, _: u32, _: u32) -> Standing {
        Standing::Wins
    }
}

impl Victim {
    fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(*self.0[at..].first_chunk().unwrap())
    }

    fn set(mut self, at: usize, value: u32) -> Self {
        self.0[at..at + 4].copy_from_slice(&value.to_le_bytes());
        self
    }

    fn set_byte(mut self, at: usize, value: u8) -> Self {
        self.0[at] = value;
        self
    }

    /// The offset of a field of section header `index`.
    fn section(&self, index: usize, field: usize) -> usize {
        SECTIONS + index * SECTION + field
    }

    /// The offset of a relocation of section `index`.
    fn relocation(&self, index: usize, number: usize) -> usize {
        self.u32(self.section(index, 56)) as usize + number * 8
    }

    /// The offset of the load command `kind`.
    fn command(&self, kind: u32) -> usize {
        let mut at = 32;
        while self.u32(at) != kind {
            at += self.u32(at + 4) as usize;
        }
        at
    }

    /// The offset of a symbol's entry.
    fn symbol(&self, index: usize) -> usize {
        self.u32(self.command(2) + 8) as usize + index * 16
    }

    /// What parsing, reading names and building come to.
    fn outcome(&self) -> Result<(), String> {
        let object = Object::parse("bad.o".into(), &self.0).map_err(|error| error.to_string())?;
        object.for_each_global(|_| Ok(())).map_err(|error| error.to_string())?;
        object.for_each_alias(|_, _| {}).map_err(|error| error.to_string())?;
        let ids = vec![u32::MAX; object.global_count()];
        let resolution = Resolution { ids: &ids, wins: &Winner, kept_groups: &[] };
        let built = object.build(resolution, BuildOptions { keep_debug: true }, &mut Scratch::default());
        built.map(drop).map_err(|error| error.to_string())
    }

    fn assert_refused(self, fault: &str) {
        let text = self.outcome().unwrap_err();
        assert!(text.starts_with("bad.o"), "{text}");
        assert!(text.contains(fault), "{text}");
    }
}

#[test]
fn golden_objects_are_whole() {
    fixture!("x86_64/reloc_signed").outcome().unwrap();
    fixture!("x86_64/section_eh_frame").outcome().unwrap();
    fixture!("aarch64/reloc_addend").outcome().unwrap();
}

#[test]
fn headers_and_load_commands() {
    let object = || fixture!("x86_64/reloc_signed");
    object().set(4, 7).assert_refused("bad.o: an object for CPU type 0x7; compile for x86_64 or arm64");
    object().set(12, 2).assert_refused("bad.o: an executable, where a relocatable object is due");
    object().set(12, 6).assert_refused("a dynamic library");
    object().set(16, 1000).assert_refused(": bad load command");
    object().set(20, 0x00ff_ffff).assert_refused(": bad load command");
    object().set(36, 4).assert_refused("bad.o:0x20: bad load command: Invalid Mach-O load command size");
    // More sections than the command has room for.
    object().set(32 + 64, 100).assert_refused("bad.o:0x20: bad load command");
    fixture!("aarch64/reloc_addend").set(8, 2).assert_refused("an arm64e object, whose pointers are signed");
}

#[test]
fn second_tables() {
    let object = || fixture!("x86_64/reloc_signed");
    let symtab = object().command(2);
    // Another command of that length, made a copy of the symbol table's.
    let mut twice = object();
    let version = twice.command(0x32);
    let copy: Vec<u8> = twice.0[symtab..symtab + 24].to_vec();
    assert_eq!(twice.u32(version + 4), 24);
    twice.0[version..version + 24].copy_from_slice(&copy);
    twice.assert_refused(": a second symbol table");
}

#[test]
fn sections_in_file_and_memory() {
    let object = || fixture!("x86_64/reloc_signed");
    let (offset, size, address) = (object().section(0, 48), object().section(0, 40), object().section(1, 32));
    object().set(offset, 0xffff_0000).assert_refused("bad.o:(__TEXT,__text+0xffff0000): section of");
    let size = size + SECTION;
    object().set(size, u32::MAX).set(size + 4, u32::MAX).assert_refused("wraps around the address space");
    object().set(address, 0).assert_refused("bad.o:(__DATA,__data): section overlaps __TEXT,__text");
    let alignment = object().section(1, 52);
    object().set(alignment, 40).assert_refused("bad.o:(__DATA,__data): alignment 2^40 is above 2^30");
    let flags = object().section(1, 64);
    object().set(flags, 0x7f).assert_refused("bad.o:(__DATA,__data): unknown section type 0x7f");
}

#[test]
fn symbols_and_their_names() {
    let object = || fixture!("x86_64/reloc_signed");
    let (symtab, symbol) = (object().command(2), object().symbol(0));
    object().set(symtab + 12, 0x0fff_ffff).assert_refused("symbol table of 268435455 entries reaches past");
    object().set(symtab + 16, 0x7fff_ffff).assert_refused("bad.o:0x7fffffff: string table of");
    object()
        .set(symbol, 0x00ff_ffff)
        .assert_refused("name offset 0xffffff of symbol 0 is past the string table");
    object().set_byte(symbol + 5, 9).assert_refused("symbol 0 is in section 9 of");
    object()
        .set(symbol + 8, 0x8000_0000)
        .assert_refused("symbol 0 at 0x80000000 lies outside of its section");
    object().set_byte(symbol + 4, 0x05).assert_refused("symbol 0 is of unknown type 0x4");
    let alias = fixture!("x86_64/symbol_indirect");
    let value = alias.symbol(3) + 8;
    alias.set(value, 0x00ff_ffff).assert_refused("symbol 3 is another name for one past the string table");
    let mut unterminated = object();
    let (strings, size) = (unterminated.u32(symtab + 16), unterminated.u32(symtab + 20));
    let last = (strings + size - 1) as usize;
    unterminated.0[last] = b'x';
    unterminated.assert_refused("string table does not end in a null byte");
}

#[test]
fn relocations() {
    let object = || fixture!("x86_64/reloc_signed");
    let (first, count) = (object().relocation(0, 0), object().section(0, 60));
    let word = object().u32(first + 4);
    object()
        .set(count, 0x00ff_ffff)
        .assert_refused("relocation table of 16777215 entries reaches past the end");
    object().set(first, 0x1000).assert_refused(
        "bad.o:(__TEXT,__text+0x1000): X86_64_RELOC_SIGNED relocation reaches past the end of its section",
    );
    object().set(first, 0x8000_0000).assert_refused("bad.o:(__TEXT,__text+0x0): a scattered relocation");
    object()
        .set(first + 4, word | 0x00ff_ffff)
        .assert_refused("relocation refers to symbol 16777215, past the");
    object().set(first + 4, word & 0x0fff_ffff | 0xd000_0000).assert_refused("unknown relocation type 13");
    object()
        .set(first + 4, word & !0x0100_0000)
        .assert_refused("X86_64_RELOC_SIGNED relocation of 4 bytes, not pc-relative");
    object()
        .set(first + 4, word & !0x0800_0000 | 0x00ff_ffff)
        .assert_refused("relocation refers to section 16777215 of");
    let local = word & 0xf700_0000 | 2;
    object().set(first + 4, local).assert_refused("X86_64_RELOC_SIGNED relocation refers to");
    let stab = object().symbol((word & 0xff) as usize) + 4;
    object().set_byte(stab, 0x64).assert_refused("which is a debugging entry");
}

#[test]
fn relocations_in_pairs() {
    let object = || fixture!("x86_64/reloc_subtractor");
    let second = object().relocation(1, 1);
    object()
        .set(second, 0)
        .assert_refused("X86_64_RELOC_SUBTRACTOR relocation without the one that must follow it");
    let signed = object().u32(second + 4) & 0x0fff_ffff | 0x1000_0000;
    object().set(second + 4, signed).assert_refused("X86_64_RELOC_SUBTRACTOR relocation without");
    let last = object().section(1, 60);
    let count = object().u32(last);
    object().set(last, count - 1).assert_refused("X86_64_RELOC_SUBTRACTOR relocation without");
    let addend = || fixture!("aarch64/reloc_addend");
    let second = addend().relocation(0, 1);
    addend()
        .set(second, 0)
        .assert_refused("ARM64_RELOC_ADDEND relocation without the one that must follow it");
    let pointer = addend().u32(second + 4) & 0x0fff_ffff;
    addend().set(second + 4, pointer).assert_refused("ARM64_RELOC_ADDEND relocation without");
}

#[test]
fn instructions_without_the_field() {
    let object = fixture!("aarch64/reloc_addend");
    let text = object.u32(object.section(0, 48)) as usize;
    object.set(text, 0xd503_201f).assert_refused(
        "bad.o:(__TEXT,__text+0x0): ARM64_RELOC_PAGE21 relocation of the instruction 0xd503201f, which has no such field",
    );
}

#[test]
fn call_frame_records_that_lead_nowhere() {
    let object = fixture!("x86_64/section_eh_frame");
    let index = (0..6)
        .find(|&index| object.0[object.section(index, 0)..].starts_with(b"__eh_frame"))
        .expect("there are call frames");
    // The first function's address, after a CIE of 32 bytes and the FDE's length and CIE pointer.
    let field = object.u32(object.section(index, 48)) as usize + 0x28;
    object.set(field, 0x1234).assert_refused("__eh_frame+0x28): call frame record refers to 0x");
}
