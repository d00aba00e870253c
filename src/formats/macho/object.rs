//! The checked, zero-copy reading of a Mach-O object: header, load commands, sections, symbol table.

use super::machine::Machine;
use super::names::full_name;
use crate::base::{Error, Place, Result};
use crate::formats::refuse;
use memchr::memchr;
use object::LittleEndian as LE;
use object::macho::{self, MachHeader64, Nlist64, Section64};
use object::pod;
use object::read::macho::{MachHeader as _, Segment as _};
use std::sync::Arc;

/// A Mach-O object whose tables have been found and checked against the file's size.
#[derive(Clone, Debug)]
pub(crate) struct MachObject<'data> {
    pub(crate) name: Arc<str>,
    pub(crate) data: &'data [u8],
    pub(crate) machine: &'static Machine,
    pub(crate) sections: &'data [Section64<LE>],
    pub(crate) symbols: &'data [Nlist64<LE>],
    /// Index of the first symbol that may be global.
    pub(crate) first_global: u32,
    pub(crate) strings: &'data [u8],
    /// Symbol indexes that sections of pointers refer to.
    pub(crate) indirect: &'data [object::U32<LE>],
    /// Whether what a symbol starts may be placed, or dropped, on its own.
    pub(crate) subsections: bool,
}

/// How many symbols an object may have: ids above are for what the builder adds.
const MAX_SYMBOLS: usize = 1 << 28;
/// Section numbers are bytes, and 0 is none.
const MAX_SECTIONS: usize = 255;

impl<'data> MachObject<'data> {
    /// Finds and checks the tables of the object `data`; `name` is what messages call it.
    pub(crate) fn parse(name: Arc<str>, data: &'data [u8]) -> Result<Self> {
        let file = || Place::file(name.clone());
        let bad_header =
            |e: object::read::Error| Error::malformed(file().at(0), format!("bad Mach-O header: {e}"));
        let header = MachHeader64::<LE>::parse(data, 0).map_err(bad_header)?;
        if header.filetype(LE) != macho::MH_OBJECT {
            return Err(refuse::not_macho_object(file(), header.filetype(LE).0));
        }
        let machine = Machine::by_cpu(header.cputype(LE))
            .ok_or_else(|| refuse::other_cpu(file(), header.cputype(LE).0))?;
        if machine.cpu == macho::CPU_TYPE_ARM64 && header.cpusubtype(LE).id() == macho::CPU_SUBTYPE_ARM64E {
            return Err(refuse::arm64e(file()));
        }
        let subsections = header.flags(LE).contains(macho::MH_SUBSECTIONS_VIA_SYMBOLS);
        let mut object = Self {
            name: name.clone(),
            data,
            machine,
            sections: &[],
            symbols: &[],
            first_global: 0,
            strings: &[],
            indirect: &[],
            subsections,
        };
        object.read_commands(header)?;
        object.check_sections()?;
        object.find_first_global();
        Ok(object)
    }

    fn read_commands(&mut self, header: &MachHeader64<LE>) -> Result<()> {
        let mut at = size_of::<MachHeader64<LE>>() as u64;
        let bad = |at: u64, name: &Arc<str>, error: object::read::Error| {
            Error::malformed(Place::file(name.clone()).at(at), format!("bad load command: {error}"))
        };
        let name = self.name.clone();
        let mut commands = header.load_commands(LE, self.data, 0).map_err(|e| bad(at, &name, e))?;
        while let Some(command) = commands.next().map_err(|e| bad(at, &name, e))? {
            at = command.offset();
            match command.cmd() {
                macho::LC_SEGMENT_64 => {
                    let segment = command.segment_64().map_err(|e| bad(at, &name, e))?;
                    let Some((segment, rest)) = segment else { continue };
                    let sections = segment.sections(LE, rest).map_err(|e| bad(at, &name, e))?;
                    if !self.sections.is_empty() && !sections.is_empty() {
                        return Err(Error::malformed(self.file().at(at), "a second segment with sections"));
                    }
                    if !sections.is_empty() {
                        self.sections = sections;
                    }
                }
                macho::LC_SYMTAB => {
                    let table = command.symtab().map_err(|e| bad(at, &name, e))?;
                    let Some(table) = table else { continue };
                    self.read_symbols(at, table)?;
                }
                macho::LC_DYSYMTAB => {
                    let table = command.dysymtab().map_err(|e| bad(at, &name, e))?;
                    let Some(table) = table else { continue };
                    let (offset, count) = (table.indirectsymoff.get(LE), table.nindirectsyms.get(LE));
                    self.indirect = self.table(offset, count, "indirect symbol table")?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn read_symbols(&mut self, at: u64, table: &macho::SymtabCommand<LE>) -> Result<()> {
        if !self.symbols.is_empty() {
            return Err(Error::malformed(self.file().at(at), "a second symbol table"));
        }
        let count = table.nsyms.get(LE);
        if count as usize > MAX_SYMBOLS {
            return Err(Error::malformed(self.file().at(at), format!("{count} symbols are too many")));
        }
        self.symbols = self.table(table.symoff.get(LE), count, "symbol table")?;
        self.strings = self.table(table.stroff.get(LE), table.strsize.get(LE), "string table")?;
        match self.strings.last() {
            // Names end where the next null byte is, so that there must be one after the last.
            Some(0) | None => Ok(()),
            Some(_) => Err(Error::malformed(
                self.file().at(u64::from(table.stroff.get(LE))),
                "string table does not end in a null byte",
            )),
        }
    }

    /// `count` entries from `offset` of the file on.
    pub(crate) fn table<T: pod::Pod>(&self, offset: u32, count: u32, what: &str) -> Result<&'data [T]> {
        if count == 0 {
            return Ok(&[]);
        }
        let start = self.data.get(offset as usize..).unwrap_or(&[]);
        match pod::slice_from_bytes(start, count as usize) {
            Ok((table, _)) => Ok(table),
            Err(()) => Err(Error::malformed(
                self.file().at(u64::from(offset)),
                format!("{what} of {count} entries reaches past the end of the file"),
            )),
        }
    }

    /// Each section lies in the object's own address space, apart from the others, and in the file.
    fn check_sections(&self) -> Result<()> {
        if self.sections.len() > MAX_SECTIONS {
            return Err(Error::malformed(
                self.file(),
                format!("{} sections, more than symbols can refer to", self.sections.len()),
            ));
        }
        let mut order: Vec<(u64, u64, u32)> = Vec::with_capacity(self.sections.len());
        for (index, section) in (0u32..).zip(self.sections) {
            let (start, size) = (section.addr.get(LE), section.size.get(LE));
            let Some(end) = start.checked_add(size) else {
                let what = format!("section of {size:#x} bytes wraps around the address space");
                return Err(Error::malformed(self.file().in_section(self.section_display(index)), what));
            };
            if size > 0 {
                order.push((start, end, index));
            }
        }
        order.sort_unstable();
        match order.windows(2).find(|pair| pair[1].0 < pair[0].1) {
            Some(pair) => Err(Error::malformed(
                self.file().in_section(self.section_display(pair[1].2)),
                format!("section overlaps {}", self.section_display(pair[0].2)),
            )),
            None => Ok(()),
        }
    }

    fn find_first_global(&mut self) {
        let is_global = |symbol: &Nlist64<LE>| !symbol.n_type.is_stab() && symbol.n_type.is_ext();
        let first = self.symbols.iter().position(is_global).unwrap_or(self.symbols.len());
        self.first_global = first as u32;
    }

    /// The bytes of a section that has some in the file.
    pub(crate) fn section_bytes(&self, index: u32) -> Result<&'data [u8]> {
        let section = &self.sections[index as usize];
        let (start, size) = (section.offset.get(LE), section.size.get(LE));
        let bytes = usize::try_from(size).ok().and_then(|size| {
            let start = start as usize;
            self.data.get(start..start.checked_add(size)?)
        });
        bytes.ok_or_else(|| {
            Error::malformed(
                self.file().in_section(self.section_display(index)).at(u64::from(start)),
                format!("section of {size:#x} bytes reaches past the end of the file"),
            )
        })
    }

    /// A symbol's name.
    pub(crate) fn symbol_name(&self, symbol: u32) -> Result<&'data [u8]> {
        let offset = self.symbols[symbol as usize].n_strx.get(LE);
        if offset == 0 {
            return Ok(&[]);
        }
        self.string_at(offset).ok_or_else(|| self.bad_name(symbol))
    }

    pub(crate) fn bad_name(&self, symbol: u32) -> Error {
        let offset = self.symbols[symbol as usize].n_strx.get(LE);
        Error::malformed(
            self.file(),
            format!("name offset {offset:#x} of symbol {symbol} is past the string table"),
        )
    }

    /// The string at an offset of the string table.
    pub(crate) fn string_at(&self, offset: u32) -> Option<&'data [u8]> {
        let tail = self.strings.get(offset as usize..)?;
        memchr(0, tail).map(|end| &tail[..end])
    }

    pub(crate) fn section_display(&self, index: u32) -> String {
        match self.sections.get(index as usize) {
            Some(section) => String::from_utf8_lossy(&full_name(section)).into_owned(),
            None => format!("section {}", index + 1),
        }
    }

    pub(crate) fn file(&self) -> Place {
        Place::file(self.name.clone())
    }
}
