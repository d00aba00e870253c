//! Source lines, from the debug sections of an object with addresses: the relocations that a static linker would have
//! applied are applied to a copy of them.

use super::SourceLine;
use crate::base::ExecutorAddr;
use addr2line::Context;
use flate2::read::ZlibDecoder;
use gimli::{EndianRcSlice, LittleEndian, SectionId};
use object::read::elf::{ElfFile64, ElfSection64};
use object::{CompressionFormat, Object, ObjectSection, ObjectSymbol, RelocationKind, RelocationTarget};
use std::io::Read;
use std::rc::Rc;

type File<'o> = ElfFile64<'o, object::LittleEndian>;

/// The most that a section may take when it is not compressed any more.
const LIMIT: u64 = 1 << 31;

/// The source lines of an object.
pub(super) struct Lines {
    context: Context<EndianRcSlice<LittleEndian>>,
}

impl Lines {
    /// None if the object has no debug sections, or none that make sense.
    pub(super) fn read(object: &[u8]) -> Option<Self> {
        let file = File::parse(object).ok()?;
        file.section_by_name(".debug_info")?;
        let load = |id: SectionId| {
            let bytes: Rc<[u8]> = load(&file, id.name()).unwrap_or_default().into();
            Ok::<_, gimli::Error>(EndianRcSlice::new(bytes, LittleEndian))
        };
        let context = Context::from_dwarf(gimli::Dwarf::load(load).ok()?).ok()?;
        Some(Self { context })
    }

    /// What is known of an address: the line, and if it is in inlined functions, those of the calls, from the innermost
    /// on.
    pub(super) fn at(&self, address: ExecutorAddr) -> Vec<SourceLine> {
        let mut lines = Vec::new();
        let Ok(mut frames) = self.context.find_frames(address.0).skip_all_loads() else { return lines };
        while let Ok(Some(frame)) = frames.next() {
            let Some(location) = frame.location else { continue };
            let name = |name: addr2line::FunctionName<_>| Some(name.raw_name().ok()?.into_owned());
            lines.push(SourceLine {
                function: frame.function.and_then(name).unwrap_or_default(),
                file: location.file.unwrap_or("").to_owned(),
                line: location.line.unwrap_or(0),
                column: location.column.unwrap_or(0),
            });
        }
        lines
    }

    /// Where lines begin between an address and the one `size` after it: addresses, numbers and files.
    pub(super) fn between(&self, address: u64, size: u64) -> Vec<(u64, u32, String)> {
        let Ok(ranges) = self.context.find_location_range(address, address.saturating_add(size)) else {
            return Vec::new();
        };
        let line = |(start, _, location): (u64, u64, addr2line::Location<'_>)| {
            Some((start.max(address), location.line?, location.file?.to_owned()))
        };
        ranges.filter_map(line).collect()
    }
}

/// What the debug sections of an object say of an address.
pub(super) fn lines(object: &[u8], address: ExecutorAddr) -> Vec<SourceLine> {
    Lines::read(object).map_or_else(Vec::new, |lines| lines.at(address))
}

/// A section as a static linker would write it; none if the object does not have it.
fn load(file: &File<'_>, name: &str) -> Option<Vec<u8>> {
    let section = file.section_by_name(name)?;
    let mut bytes = contents(&section)?;
    for (offset, relocation) in section.relocations() {
        let RelocationTarget::Symbol(symbol) = relocation.target() else { continue };
        // Offsets in a thread's block are not addresses that anything is looked for by.
        let size = match (relocation.kind(), relocation.size()) {
            (RelocationKind::Absolute, size @ (32 | 64)) => usize::from(size / 8),
            _ => continue,
        };
        let Ok(symbol) = file.symbol_by_index(symbol) else { continue };
        let base = symbol.section_index().and_then(|index| file.section_by_index(index).ok());
        let value = base.map_or(0, |section| section.address()).wrapping_add(symbol.address());
        let value = value.wrapping_add_signed(relocation.addend()).to_le_bytes();
        let place = usize::try_from(offset).ok().and_then(|at| bytes.get_mut(at..)?.get_mut(..size));
        if let Some(place) = place {
            place.copy_from_slice(&value[..size]);
        }
    }
    Some(bytes)
}

fn contents(section: &ElfSection64<'_, '_, object::LittleEndian>) -> Option<Vec<u8>> {
    let data = section.compressed_data().ok()?;
    let mut bytes = Vec::new();
    match data.format {
        CompressionFormat::None => bytes.extend_from_slice(data.data),
        CompressionFormat::Zlib => {
            ZlibDecoder::new(data.data).take(LIMIT).read_to_end(&mut bytes).ok()?;
        }
        CompressionFormat::Zstandard => {
            let decoder = ruzstd::decoding::StreamingDecoder::new(data.data).ok()?;
            decoder.take(LIMIT).read_to_end(&mut bytes).ok()?;
        }
        _ => return None,
    }
    Some(bytes)
}
