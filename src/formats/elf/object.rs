//! The checked, zero-copy reading of an ELF relocatable object: headers, symbol table, COMDAT groups.

use super::machine::{self, Machine};
use crate::base::{Error, Place, Result};
use crate::formats::refuse;
use memchr::memchr;
use object::LittleEndian as LE;
use object::elf::{self, FileHeader64, SectionHeader64, Sym64};
use object::pod;
use object::{U32, read::elf::FileHeader as _};
use std::sync::Arc;

/// A COMDAT group: sections that are kept or dropped together, of which the batch keeps one copy by `signature`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ComdatGroup<'data> {
    /// Symbol whose name identifies the group.
    pub(crate) signature: u32,
    /// Section indexes of the members.
    pub(crate) members: &'data [U32<LE>],
}

/// An ELF relocatable object whose tables have been found and checked against the file's size.
#[derive(Clone, Debug)]
pub(crate) struct ElfObject<'data> {
    pub(crate) name: Arc<str>,
    pub(crate) data: &'data [u8],
    pub(crate) machine: &'static Machine,
    pub(crate) sections: &'data [SectionHeader64<LE>],
    pub(crate) section_names: &'data [u8],
    pub(crate) symbols: &'data [Sym64<LE>],
    pub(crate) first_global: u32,
    pub(crate) strings: &'data [u8],
    pub(crate) extended_indexes: &'data [U32<LE>],
    pub(crate) groups: Vec<ComdatGroup<'data>>,
    /// Whether some name may carry a version: the string table holds an `@`.
    pub(crate) has_versions: bool,
}

impl<'data> ElfObject<'data> {
    /// Finds and checks the tables of the object `data`; `name` is what messages call it.
    pub(crate) fn parse(name: Arc<str>, data: &'data [u8]) -> Result<Self> {
        let file = || Place::file(name.clone());
        let header = FileHeader64::<LE>::parse(data)
            .map_err(|e| Error::malformed(file().at(0), format!("bad ELF header: {e}")))?;
        if header.e_type(LE) != elf::ET_REL {
            return Err(refuse::not_relocatable(file(), header.e_type(LE).0));
        }
        let machine = machine::by_number(header.e_machine(LE).0)
            .ok_or_else(|| refuse::other_machine(file(), header.e_machine(LE).0))?;
        let table_at = header.e_shoff(LE);
        let sections = header
            .section_headers(LE, data)
            .map_err(|e| Error::malformed(file().at(table_at), format!("bad section header table: {e}")))?;
        let mut object = Self {
            name,
            data,
            machine,
            sections,
            section_names: &[],
            symbols: &[],
            first_global: 0,
            strings: &[],
            extended_indexes: &[],
            groups: Vec::new(),
            has_versions: false,
        };
        if !sections.is_empty() {
            object.read_section_names(header)?;
            object.read_tables()?;
        }
        Ok(object)
    }

    fn read_section_names(&mut self, header: &FileHeader64<LE>) -> Result<()> {
        let index = header
            .shstrndx(LE, self.data)
            .map_err(|e| Error::malformed(self.file(), format!("bad section name table index: {e}")))?;
        if index != 0 {
            self.section_names = self.string_table(index)?;
        }
        Ok(())
    }

    fn read_tables(&mut self) -> Result<()> {
        let mut extended = None;
        for (index, header) in (0u32..).zip(self.sections) {
            match header.sh_type.get(LE) {
                elf::SHT_SYMTAB if self.symbols.is_empty() => self.read_symbols(index)?,
                elf::SHT_SYMTAB => {
                    return Err(Error::malformed(self.file_at(header), "a second symbol table"));
                }
                elf::SHT_SYMTAB_SHNDX => extended = Some(index),
                elf::SHT_GROUP => self.read_group(index)?,
                _ => {}
            }
        }
        if let Some(index) = extended {
            self.extended_indexes = self.table(index, "extended section index table")?;
        }
        let symbol_count = self.symbols.len();
        match self.groups.iter().find(|group| group.signature as usize >= symbol_count) {
            Some(group) => Err(Error::malformed(
                self.file(),
                format!("group signature {} is past the {symbol_count} symbols", group.signature),
            )),
            None => Ok(()),
        }
    }

    fn read_symbols(&mut self, index: u32) -> Result<()> {
        let header = &self.sections[index as usize];
        self.symbols = self.table(index, "symbol table")?;
        self.first_global = header.sh_info.get(LE);
        self.strings = self.string_table(header.sh_link.get(LE))?;
        if self.first_global as usize > self.symbols.len() || self.symbols.len() > u32::MAX as usize / 2 {
            return Err(Error::malformed(
                self.file_at(header),
                format!(
                    "first global symbol {} is past the {} symbols",
                    self.first_global,
                    self.symbols.len()
                ),
            ));
        }
        self.has_versions = memchr(b'@', self.strings).is_some();
        Ok(())
    }

    fn read_group(&mut self, index: u32) -> Result<()> {
        let header = &self.sections[index as usize];
        let words: &[U32<LE>] = self.table(index, "section group")?;
        let Some((flags, members)) = words.split_first() else {
            return Err(Error::malformed(self.file_at(header), "a section group without its flag word"));
        };
        let past = members.iter().find(|member| member.get(LE) as usize >= self.sections.len());
        if let Some(member) = past {
            return Err(Error::malformed(
                self.file_at(header),
                format!("group member {} is past the {} sections", member.get(LE), self.sections.len()),
            ));
        }
        if flags.get(LE) & elf::GRP_COMDAT.0 != 0 {
            self.groups.push(ComdatGroup { signature: header.sh_info.get(LE), members });
        }
        Ok(())
    }

    /// The bytes of a section that occupies space in the file.
    pub(crate) fn section_bytes(&self, index: u32) -> Result<&'data [u8]> {
        let Some(header) = self.sections.get(index as usize) else {
            return Err(Error::malformed(self.file(), format!("section index {index} out of range")));
        };
        let (start, size) = (header.sh_offset.get(LE), header.sh_size.get(LE));
        let range = start.checked_add(size).and_then(|end| {
            let (start, end) = (usize::try_from(start).ok()?, usize::try_from(end).ok()?);
            self.data.get(start..end)
        });
        range.ok_or_else(|| {
            Error::malformed(
                Place::file(self.name.clone()).in_section(self.section_display(index)).at(start),
                format!("section of {size:#x} bytes reaches past the end of the file"),
            )
        })
    }

    /// A section as a table of fixed-size entries.
    pub(crate) fn table<T: pod::Pod>(&self, index: u32, what: &str) -> Result<&'data [T]> {
        pod::slice_from_all_bytes(self.section_bytes(index)?).map_err(|()| {
            Error::malformed(
                self.file().in_section(self.section_display(index)),
                format!("{what} is not a whole number of entries"),
            )
        })
    }

    fn string_table(&self, index: u32) -> Result<&'data [u8]> {
        let bytes = self.section_bytes(index)?;
        match bytes.last() {
            None | Some(0) => Ok(bytes),
            Some(_) => Err(Error::malformed(
                self.file().in_section(format!("section {index}")),
                "string table does not end in a null byte",
            )),
        }
    }

    /// A section's name; empty where the offset is out of range.
    pub(crate) fn section_name(&self, header: &SectionHeader64<LE>) -> &'data [u8] {
        string_at(self.section_names, header.sh_name.get(LE)).unwrap_or(&[])
    }

    pub(crate) fn section_display(&self, index: u32) -> String {
        match self.sections.get(index as usize).map(|header| self.section_name(header)) {
            Some(name) if !name.is_empty() => String::from_utf8_lossy(name).into_owned(),
            _ => format!("section {index}"),
        }
    }

    /// A symbol's name with its version cut off, and whether it had a default (`@@`) or other (`@`) version.
    pub(crate) fn symbol_name(&self, symbol: u32) -> Result<(&'data [u8], Version)> {
        let entry = &self.symbols[symbol as usize];
        let name = string_at(self.strings, entry.st_name.get(LE)).ok_or_else(|| {
            Error::malformed(
                self.file(),
                format!(
                    "name offset {:#x} of symbol {symbol} is past the string table",
                    entry.st_name.get(LE)
                ),
            )
        })?;
        Ok(if self.has_versions { split_version(name) } else { (name, Version::None) })
    }

    /// The section a symbol is defined in: an index, or one of the reserved `SHN_*` values above 0xff00 as such.
    pub(crate) fn symbol_section(&self, index: u32, symbol: &Sym64<LE>) -> Result<SymbolSection> {
        let raw = symbol.st_shndx.get(LE).0;
        let section = match raw {
            0 => return Ok(SymbolSection::Undefined),
            0xffff => self.extended_indexes.get(index as usize).map_or(u32::MAX, |index| index.get(LE)),
            0xff00.. => return Ok(SymbolSection::Reserved(raw)),
            _ => u32::from(raw),
        };
        if section as usize >= self.sections.len() {
            return Err(Error::malformed(
                self.file(),
                format!("symbol {index} is in section {section}, past the {} sections", self.sections.len()),
            ));
        }
        Ok(SymbolSection::Index(section))
    }

    pub(crate) fn file(&self) -> Place {
        Place::file(self.name.clone())
    }

    fn file_at(&self, header: &SectionHeader64<LE>) -> Place {
        self.file().at(header.sh_offset.get(LE))
    }
}

/// Where a symbol table entry says its symbol is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SymbolSection {
    Undefined,
    Index(u32),
    Reserved(u16),
}

/// The version suffix of a symbol's name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Version {
    /// `foo`.
    None,
    /// `foo@@VER`: also what `foo` means.
    Default,
    /// `foo@VER`.
    Specific,
}

fn split_version(name: &[u8]) -> (&[u8], Version) {
    match memchr(b'@', name) {
        Some(at) if at > 0 && name.get(at + 1) == Some(&b'@') => (&name[..at], Version::Default),
        Some(at) if at > 0 => (name, Version::Specific),
        _ => (name, Version::None),
    }
}

fn string_at(table: &[u8], offset: u32) -> Option<&[u8]> {
    if offset == 0 && table.is_empty() {
        return Some(&[]);
    }
    let tail = table.get(offset as usize..)?;
    memchr(0, tail).map(|end| &tail[..end])
}
