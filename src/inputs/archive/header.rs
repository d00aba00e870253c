//! Member headers: sixty bytes of text, of which the name, the size and the terminator matter here.

use object::archive::{Header, TERMINATOR};
use object::read::ReadRef;

/// What is wrong with a header, and at which offset of the archive.
#[derive(Debug)]
pub(super) struct Bad {
    pub(super) offset: u64,
    pub(super) what: String,
}

/// A header with its terminator and size checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawHeader<'data> {
    header: &'data Header,
    bytes: &'data [u8],
    content_start: u64,
    size: u64,
}

impl<'data> RawHeader<'data> {
    pub(super) fn at(bytes: &'data [u8], offset: u64) -> Result<Self, Bad> {
        let bad = |what: &str| Bad { offset, what: what.to_owned() };
        let mut content_start = offset;
        let header: &Header =
            bytes.read(&mut content_start).map_err(|()| bad("the archive ends within a member's header"))?;
        if header.terminator != TERMINATOR {
            return Err(bad("there is no member's header at this offset"));
        }
        let size = decimal(&header.size).ok_or_else(|| bad("the member's size is not a number"))?;
        Ok(Self { header, bytes, content_start, size })
    }

    pub(super) fn content_start(&self) -> u64 {
        self.content_start
    }

    /// Where the next header is: members are padded to an even size. At most ten digits, so this cannot overflow.
    pub(super) fn end(&self) -> u64 {
        self.content_start.saturating_add(self.size).saturating_add(self.size & 1)
    }

    pub(super) fn overrun(&self) -> String {
        let rest = (self.bytes.len() as u64).saturating_sub(self.content_start);
        format!("the member is to have {} bytes, but the archive ends after {rest}", self.size)
    }

    fn content(&self) -> Result<&'data [u8], Bad> {
        let content = self.bytes.read_bytes_at(self.content_start, self.size);
        let offset = self.content_start.saturating_sub(size_of::<Header>() as u64);
        content.map_err(|()| Bad { offset, what: self.overrun() })
    }

    fn short_name(&self) -> &'data [u8] {
        self.header.name.trim_ascii_end()
    }

    /// Whether this is a symbol table or a table of long names rather than a member.
    pub(super) fn is_table(&self) -> bool {
        match self.short_name() {
            b"/" | b"//" | b"/SYM64/" | b"/<ECSYMBOLS>/" => true,
            name if name.starts_with(b"#1/") => {
                let start = usize::try_from(self.content_start).unwrap_or(usize::MAX);
                let length = name.get(3..).and_then(decimal).unwrap_or(0);
                length >= 9 && self.bytes.get(start..).is_some_and(|rest| rest.starts_with(b"__.SYMDEF"))
            }
            name => name.starts_with(b"__.SYMDEF"),
        }
    }

    /// For a name of the form `/name:member`, both offsets: of the inner archive's name in the table of names, and of
    /// the member's header in the inner archive.
    pub(super) fn nested_name(&self) -> Option<(u64, u64)> {
        let offsets = self.short_name().strip_prefix(b"/")?;
        let colon = offsets.iter().position(|&byte| byte == b':')?;
        let (name, member) = offsets.split_at_checked(colon)?;
        Some((decimal(name)?, decimal(member.get(1..)?)?))
    }
}

/// What stands before the first member.
#[derive(Debug)]
pub(super) struct Tables<'data> {
    pub(super) long_names: &'data [u8],
    pub(super) members_start: u64,
}

/// Walks over the symbol and name tables that an archive starts with.
pub(super) fn read_tables(bytes: &[u8]) -> Result<Tables<'_>, Bad> {
    let mut tables = Tables { long_names: &[], members_start: super::FIRST_MEMBER };
    while tables.members_start < bytes.len() as u64 {
        let header = RawHeader::at(bytes, tables.members_start)?;
        if !header.is_table() {
            break;
        }
        let content = header.content()?;
        if header.short_name() == b"//" {
            tables.long_names = content;
        }
        tables.members_start = header.end();
    }
    Ok(tables)
}

/// The name at `offset` in a table of long names, where each ends with a slash and a line feed.
pub(super) fn long_name(table: &[u8], offset: u64) -> Option<&[u8]> {
    let rest = table.get(usize::try_from(offset).ok()?..)?;
    let line = rest.get(..memchr::memchr(b'\n', rest)?)?;
    line.strip_suffix(b"/").filter(|name| !name.is_empty())
}

/// A number in decimal digits, padded with spaces.
fn decimal(field: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(field.trim_ascii_end()).ok()?;
    if digits.starts_with('+') { None } else { digits.parse().ok() }
}
