//! Archives: GNU, BSD, Darwin and thin, with symbol tables of 32 or 64 bits, or none.
//!
//! The layouts of symbol tables and of member names are read by the crate `object`; here are the walk over the
//! members, thin members (also those inside another archive), and errors that say where.

mod header;
mod member;
mod scan;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use object::read::archive::{ArchiveFile, ArchiveOffset, ArchiveSymbolIterator};

use crate::base::{Error, Place, Result};
use crate::inputs::InputFile;
use header::RawHeader;
pub use member::Member;
pub use scan::defined_symbols;

/// Where the first member's header is: after the magic.
const FIRST_MEMBER: u64 = 8;

/// An archive over the bytes of a file.
#[derive(Debug)]
pub struct Archive<'data> {
    name: Arc<str>,
    directory: PathBuf,
    bytes: &'data [u8],
    reader: ArchiveFile<'data>,
    /// The table of long names, as GNU archives have it.
    long_names: &'data [u8],
    /// Offset of the first header that is not of a symbol or name table.
    members_start: u64,
}

impl<'data> Archive<'data> {
    /// Reads the tables at the start of an archive.
    ///
    /// # Errors
    /// The file is no archive, or its tables are malformed.
    pub fn parse(file: &'data InputFile) -> Result<Self> {
        let directory = file.path().parent().unwrap_or(Path::new(""));
        Self::from_bytes(Arc::clone(file.name()), directory, file.bytes())
    }

    /// An archive called `name` in `bytes`; the members of a thin one are looked for in `directory`.
    ///
    /// # Errors
    /// As [`Archive::parse`].
    pub fn from_bytes(name: Arc<str>, directory: &Path, bytes: &'data [u8]) -> Result<Self> {
        let at = |offset| Place::file(Arc::clone(&name)).at(offset);
        if !bytes.starts_with(b"!<arch>\n") && !bytes.starts_with(b"!<thin>\n") {
            return Err(Error::malformed(at(0), "not an archive"));
        }
        let tables = header::read_tables(bytes).map_err(|bad| Error::malformed(at(bad.offset), bad.what))?;
        let reader =
            ArchiveFile::parse(bytes).map_err(|error| Error::malformed(at(FIRST_MEMBER), lower(error)))?;
        let header::Tables { long_names, members_start } = tables;
        Ok(Self { name, directory: directory.to_owned(), bytes, reader, long_names, members_start })
    }

    /// The archive's name as the user gave it.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Whether the members are files of their own.
    #[must_use]
    pub fn is_thin(&self) -> bool {
        self.reader.is_thin()
    }

    /// The symbol table: which member defines what, in the table's order. `None` when there is no table: then what the
    /// members define must be asked of each, see [`defined_symbols`].
    ///
    /// # Errors
    /// The table's sizes do not fit the file.
    pub fn symbols(&self) -> Result<Option<ArchiveSymbols<'data>>> {
        let symbols = self.reader.symbols().map_err(|error| self.malformed(FIRST_MEMBER, lower(error)))?;
        Ok(symbols.map(|symbols| ArchiveSymbols { archive: Arc::clone(&self.name), symbols }))
    }

    /// The member whose header is at `offset`, as the symbol table gives it.
    ///
    /// # Errors
    /// There is no well-formed member at this offset.
    pub fn member(&self, offset: u64) -> Result<Member<'data>> {
        let header = RawHeader::at(self.bytes, offset).map_err(|bad| self.malformed(bad.offset, bad.what))?;
        if let Some(nested) = header.nested_name().filter(|_| self.is_thin()) {
            return self.nested_member(offset, nested);
        }
        let member = self.reader.member(ArchiveOffset(offset));
        let member = member.map_err(|error| self.malformed(offset, lower(error)))?;
        let bytes = member.data(self.bytes).map_err(|_| self.malformed(offset, header.overrun()))?;
        if member.is_thin() {
            return Ok(Member::external(self, member.name(), offset, None));
        }
        Ok(Member::inline(self, member.name(), offset, bytes))
    }

    /// A thin archive made from another archive names that one and the offset of the member's header in it.
    fn nested_member(&self, offset: u64, (name_offset, inner): (u64, u64)) -> Result<Member<'data>> {
        match header::long_name(self.long_names, name_offset) {
            Some(name) => Ok(Member::external(self, name, offset, Some(inner))),
            None => Err(self.malformed(offset, "the member's name lies outside the table of names")),
        }
    }

    /// All members in order, tables left out. Ends after the first error.
    #[must_use]
    pub fn members(&self) -> Members<'_, 'data> {
        Members { archive: self, offset: self.members_start }
    }

    fn malformed(&self, offset: u64, what: impl Into<String>) -> Error {
        Error::malformed(Place::file(Arc::clone(&self.name)).at(offset), what)
    }
}

pub(super) fn lower(error: object::read::Error) -> String {
    let mut text = error.to_string();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    text
}

/// The entries of an archive's symbol table: names, and the offsets of the members that define them.
#[derive(Clone, Debug)]
pub struct ArchiveSymbols<'data> {
    archive: Arc<str>,
    symbols: ArchiveSymbolIterator<'data>,
}

impl<'data> Iterator for ArchiveSymbols<'data> {
    type Item = Result<(&'data [u8], u64)>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self.symbols.next()? {
            Ok(symbol) => Some(Ok((symbol.name(), symbol.offset().0))),
            Err(error) => {
                let place = Place::file(Arc::clone(&self.archive)).at(FIRST_MEMBER);
                Some(Err(Error::malformed(place, lower(error))))
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.symbols.size_hint()
    }
}

/// The members of an archive in order.
#[derive(Debug)]
pub struct Members<'archive, 'data> {
    archive: &'archive Archive<'data>,
    offset: u64,
}

impl<'data> Iterator for Members<'_, 'data> {
    type Item = Result<Member<'data>>;

    fn next(&mut self) -> Option<Self::Item> {
        let archive = self.archive;
        let end = archive.bytes.len() as u64;
        while self.offset < end {
            let offset = self.offset;
            self.offset = match RawHeader::at(archive.bytes, offset) {
                Ok(header) if header.is_table() => {
                    self.offset = header.end();
                    continue;
                }
                Ok(header) if archive.is_thin() => header.content_start(),
                Ok(header) => header.end(),
                Err(_) => end,
            };
            let member = archive.member(offset);
            if member.is_err() {
                self.offset = end;
            }
            return Some(member);
        }
        None
    }
}
