//! Call frame records as the unwinder reads them: where each ends, and which code a section's records describe.

use std::ops::Range;

/// A record that runs past its section, or that the unwinder would give up on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// The code that a section's records describe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    /// From the first function's start to the last one's end; `None` if some record has its addresses in an encoding
    /// that only the unwinder understands.
    pub(super) code: Option<Range<u64>>,
    /// How many functions; at least one.
    pub(super) functions: usize,
}

/// The FDEs of `section` up to the terminator, each from its first byte to its last.
pub(super) fn fdes(section: &[u8]) -> impl Iterator<Item = Result<&[u8], Malformed>> {
    records(section)
        .filter(|record| !matches!(record, Ok(Record { is_cie: true, .. })))
        .map(|record| record.map(|record| record.bytes))
}

fn records(section: &[u8]) -> impl Iterator<Item = Result<Record<'_>, Malformed>> {
    let mut rest = Some(section);
    std::iter::from_fn(move || match split_record(rest.take()?) {
        Ok(None) => None,
        Ok(Some(record)) => {
            rest = Some(record.rest);
            Some(Ok(record))
        }
        Err(fault) => Some(Err(fault)),
    })
}

/// What the records of `section` describe, for an unwinder that does not know the 64-bit format; `None` if that is
/// nothing.
pub(super) fn extent(section: &[u8]) -> Result<Option<Extent>, Malformed> {
    let base = section.as_ptr().addr() as u64;
    let mut code: Option<Range<u64>> = None;
    let (mut functions, mut known) = (0, true);
    let mut last_cie = (usize::MAX, None);
    for record in records(section) {
        let record = record?;
        if record.header != SHORT_HEADER {
            return Err(Malformed);
        }
        if record.is_cie {
            continue;
        }
        let offset = record.bytes.as_ptr().addr() - section.as_ptr().addr();
        let distance = word(record.bytes, SHORT_HEADER).ok_or(Malformed)? as usize;
        let cie = (offset + SHORT_HEADER).checked_sub(distance).ok_or(Malformed)?;
        if last_cie.0 != cie {
            last_cie = (cie, fde_encoding(section.get(cie..).ok_or(Malformed)?)?);
        }
        match last_cie.1.and_then(|encoding: Encoding| encoding.function(record.bytes, base + offset as u64))
        {
            Some(function) if function.is_empty() => {}
            Some(function) => {
                functions += 1;
                let (start, end) = code.as_ref().map_or((u64::MAX, 0), |code| (code.start, code.end));
                code = Some(start.min(function.start)..end.max(function.end));
            }
            None => (functions, known) = (functions + 1, false),
        }
    }
    Ok((functions > 0).then_some(Extent { code: code.filter(|_| known), functions }))
}

const SHORT_HEADER: usize = 4;

struct Record<'a> {
    bytes: &'a [u8],
    /// Size of the length field.
    header: usize,
    is_cie: bool,
    rest: &'a [u8],
}

/// The first record of `section`; none at the terminator.
fn split_record(section: &[u8]) -> Result<Option<Record<'_>>, Malformed> {
    const EXTENDED: u32 = 0xffff_ffff;
    let (header, length) = match word(section, 0).ok_or(Malformed)? {
        0 => return Ok(None),
        EXTENDED => {
            let length = section.get(4..).and_then(|tail| tail.first_chunk()).ok_or(Malformed)?;
            (12, u64::from_ne_bytes(*length))
        }
        length => (SHORT_HEADER, u64::from(length)),
    };
    let size = usize::try_from(length).ok().and_then(|length| length.checked_add(header)).ok_or(Malformed)?;
    let (bytes, rest) = section.split_at_checked(size).ok_or(Malformed)?;
    let id = word(bytes, header).ok_or(Malformed)?;
    Ok(Some(Record { bytes, header, is_cie: id == 0, rest }))
}

pub(super) fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|word| u32::from_ne_bytes(*word))
}

/// How FDEs give their function's address and size: absolute or relative to the field, as a number of fixed width.
#[derive(Clone, Copy)]
struct Encoding {
    width: usize,
    signed: bool,
    relative: bool,
}

impl Encoding {
    /// Of a pointer encoding byte (Linux Standard Base, "DWARF Exception Header Encoding"); `None` for one that is valid,
    /// but of another sort.
    fn new(byte: u8) -> Result<Option<Self>, Malformed> {
        let (width, signed) = match byte & 0x0f {
            0x00 | 0x04 => (8, false),
            0x02 => (2, false),
            0x03 => (4, false),
            0x0a => (2, true),
            0x0b => (4, true),
            0x0c => (8, true),
            0x01 | 0x09 => return Ok(None),
            _ => return Err(Malformed),
        };
        let relative = match byte & 0xf0 {
            0x00 => false,
            0x10 => true,
            0x40 | 0x60 | 0x70 | 0xc0 | 0xe0 | 0xf0 => return Err(Malformed),
            _ => return Ok(None),
        };
        Ok(Some(Self { width, signed, relative }))
    }

    /// The function of the FDE at `address`: empty if it has no address, since its code was dropped.
    fn function(self, fde: &[u8], address: u64) -> Option<Range<u64>> {
        const FIELD: usize = 8;
        let start = self.number(fde.get(FIELD..)?, self.signed)?;
        let size = self.number(fde.get(FIELD + self.width..)?, false)?;
        if start == 0 {
            return Some(0..0);
        }
        let base = if self.relative { address.wrapping_add(FIELD as u64) } else { 0 };
        let start = base.wrapping_add(start);
        // One byte at least: even the record of an empty function is found at its start.
        Some(start..start.checked_add(size.max(1))?)
    }

    fn number(self, field: &[u8], signed: bool) -> Option<u64> {
        let mut bytes = [0; 8];
        bytes[..self.width].copy_from_slice(field.get(..self.width)?);
        let number = u64::from_le_bytes(bytes);
        let unused = 64 - 8 * self.width as u32;
        Some(if signed { ((number << unused).cast_signed() >> unused).cast_unsigned() } else { number })
    }
}

/// What the CIE at the start of `section` says about its FDEs; `None` if that is valid, but not understood here.
fn fde_encoding(section: &[u8]) -> Result<Option<Encoding>, Malformed> {
    let record = split_record(section)?.filter(|record| record.is_cie).ok_or(Malformed)?;
    let mut rest = Bytes(record.bytes.get(record.header + 4..).ok_or(Malformed)?);
    let version = rest.next()?;
    let augmentation = rest.until_zero()?;
    if version >= 4 && [rest.next()?, rest.next()?] != [8, 0] {
        return Err(Malformed);
    }
    let Some(letters) = augmentation.strip_prefix(b"z") else {
        return if augmentation.is_empty() { Encoding::new(0) } else { Ok(None) };
    };
    // Code and data alignment, the column of the return address, the size of what follows.
    for _ in 0..2 {
        rest.skip_leb128()?;
    }
    if version == 1 {
        rest.skip(1)?
    } else {
        rest.skip_leb128()?
    }
    rest.skip_leb128()?;
    for letter in letters {
        match letter {
            b'R' => return Encoding::new(rest.next()?),
            b'P' => match Encoding::new(rest.next()? & 0x7f)? {
                Some(personality) => rest.skip(personality.width)?,
                None => return Ok(None),
            },
            b'L' => rest.skip(1)?,
            b'B' => {}
            _ => return Ok(None),
        }
    }
    Encoding::new(0)
}

/// What is left of a record.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn next(&mut self) -> Result<u8, Malformed> {
        let (first, rest) = self.0.split_first().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*first)
    }

    fn skip(&mut self, count: usize) -> Result<(), Malformed> {
        self.0 = self.0.get(count..).ok_or(Malformed)?;
        Ok(())
    }

    fn skip_leb128(&mut self) -> Result<(), Malformed> {
        while self.next()? & 0x80 != 0 {}
        Ok(())
    }

    fn until_zero(&mut self) -> Result<&'a [u8], Malformed> {
        let end = memchr::memchr(0, self.0).ok_or(Malformed)?;
        let text = &self.0[..end];
        self.0 = &self.0[end + 1..];
        Ok(text)
    }
}

#[cfg(test)]
mod tests;
