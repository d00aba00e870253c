//! Where the parts of an ELF object are.

use super::{Part, Shape, Sort, read};

pub(super) const SHAPE: Shape = Shape {
    header: &[
        (4, 1),
        (5, 1),
        (6, 1),
        (16, 2),
        (18, 2),
        (20, 4),
        (40, 8),
        (48, 4),
        (52, 2),
        (58, 2),
        (60, 2),
        (62, 2),
    ],
    section: &[(0, 4), (4, 4), (8, 8), (16, 8), (24, 8), (32, 8), (40, 4), (44, 4), (48, 8), (56, 8)],
    section_size: 64,
    symbol: &[(0, 4), (4, 1), (5, 1), (6, 2), (8, 8), (16, 8)],
    symbol_size: 24,
    relocation: &[(0, 8), (8, 4), (12, 4), (16, 8)],
    relocation_size: 24,
};

const SHT_SYMTAB: u64 = 2;
const SHT_STRTAB: u64 = 3;
const SHT_RELA: u64 = 4;
const SHT_GROUP: u64 = 17;
const SHT_CREL: u64 = 0x4000_0014;

/// The sections.
pub(super) fn parts(bytes: &[u8]) -> Vec<Part> {
    let table = read(bytes, 40, 8) as usize;
    let count = read(bytes, 60, 2) as usize;
    let header = |index: usize| table + index * SHAPE.section_size;
    let names = read(bytes, header(read(bytes, 62, 2) as usize) + 24, 8) as usize;
    let describe = |index| {
        let at = header(index);
        let start = read(bytes, at + 24, 8) as usize;
        let sort = match read(bytes, at + 4, 4) {
            SHT_SYMTAB => Sort::Symbols,
            SHT_RELA => Sort::Relocations,
            SHT_GROUP | SHT_CREL | SHT_STRTAB => Sort::Parsed,
            _ if is_looked_into(&text(bytes, names + read(bytes, at, 4) as usize)) => Sort::LookedInto,
            _ => Sort::Other,
        };
        Part { header: Some(at), sort, range: start..start + read(bytes, at + 32, 8) as usize }
    };
    (0..count).map(describe).collect()
}

fn is_looked_into(name: &str) -> bool {
    [".eh_frame", ".note", ".llvm", ".debug"].iter().any(|prefix| name.starts_with(prefix))
}

fn text(bytes: &[u8], at: usize) -> String {
    let rest = bytes.get(at..).unwrap_or_default();
    let end = rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
    String::from_utf8_lossy(&rest[..end]).into_owned()
}
