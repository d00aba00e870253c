//! Where the parts of a Mach-O object are.

use super::{Part, Shape, Sort, read};

/// `MH_MAGIC_64`.
pub(super) const MAGIC: [u8; 4] = 0xfeed_facf_u32.to_le_bytes();

pub(super) const SHAPE: Shape = Shape {
    // Of the header, and of the first load command, which is the segment.
    header: &[(4, 4), (8, 4), (12, 4), (16, 4), (20, 4), (24, 4), (32, 4), (36, 4), (96, 4)],
    section: &[
        (0, 4),
        (16, 4),
        (32, 8),
        (40, 8),
        (48, 4),
        (52, 4),
        (56, 4),
        (60, 4),
        (64, 4),
        (64, 1),
        (68, 4),
    ],
    section_size: 80,
    symbol: &[(0, 4), (4, 1), (5, 1), (6, 2), (8, 8)],
    symbol_size: 16,
    // The second word's last byte holds the type and what else is said about the field.
    relocation: &[(0, 4), (4, 2), (6, 1), (7, 1)],
    relocation_size: 8,
};

const HEADER_SIZE: usize = 32;
const LC_SYMTAB: u64 = 2;
const LC_DYSYMTAB: u64 = 11;
const LC_SEGMENT_64: u64 = 0x19;

/// Sections with their relocation tables, the symbol table, names, and the other load commands.
pub(super) fn parts(bytes: &[u8]) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut at = HEADER_SIZE;
    for _ in 0..read(bytes, 16, 4) {
        let (kind, size) = (read(bytes, at, 4), read(bytes, at + 4, 4) as usize);
        let span = |offset: usize, count: usize, unit: usize| {
            let start = read(bytes, at + offset, 4) as usize;
            start..start + read(bytes, at + count, 4) as usize * unit
        };
        match kind {
            LC_SEGMENT_64 => {
                let count = read(bytes, at + 64, 4) as usize;
                parts.extend(
                    (0..count).flat_map(|index| section(bytes, at + 72 + index * SHAPE.section_size)),
                );
            }
            LC_SYMTAB => {
                let range = span(8, 12, SHAPE.symbol_size);
                parts.push(Part { header: None, sort: Sort::Symbols, range });
                parts.push(Part { header: None, sort: Sort::Parsed, range: span(16, 20, 1) });
                parts.push(Part { header: None, sort: Sort::Parsed, range: at..at + size });
            }
            LC_DYSYMTAB => {
                parts.push(Part { header: None, sort: Sort::Parsed, range: span(56, 60, 4) });
                parts.push(Part { header: None, sort: Sort::Parsed, range: at..at + size });
            }
            _ => {}
        }
        at += size;
    }
    parts
}

fn section(bytes: &[u8], header: usize) -> [Part; 2] {
    let start = read(bytes, header + 48, 4) as usize;
    let content = start..start + read(bytes, header + 40, 8) as usize;
    let relocations = read(bytes, header + 56, 4) as usize;
    let count = read(bytes, header + 60, 4) as usize;
    let name = bytes.get(header..header + 16).unwrap_or_default();
    let looked_into = [&b"__eh_frame"[..], b"__compact_unwind", b"__debug", b"__cstring", b"__init_offsets"];
    let sort = if looked_into.iter().any(|prefix| name.starts_with(prefix)) {
        Sort::LookedInto
    } else {
        Sort::Other
    };
    [
        Part { header: Some(header), sort, range: content },
        Part {
            header: None,
            sort: Sort::Relocations,
            range: relocations..relocations + count * SHAPE.relocation_size,
        },
    ]
}
