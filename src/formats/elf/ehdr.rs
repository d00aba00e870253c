//! A read-only ELF header with program headers for an image that exists in memory only: what `__ehdr_start` points to.
//!
//! Programs walk it to find their own segments (`getauxval`-less crash handlers, sanitizers, profilers). Addresses are
//! distances from the header, so that the load bias is the header's address.

use crate::base::{Error, Result};
use crate::graph::Permissions;
use object::elf::{self, FileHeader64, ProgramHeader64};
use object::pod::bytes_of;
use object::{LittleEndian as LE, U16, U32, U64};
use std::mem::size_of;

/// One loaded segment of the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Distance of its first byte from the header, wrapping where it lies below.
    pub(crate) address: u64,
    /// Bytes in memory.
    pub(crate) size: u64,
    /// Permissions once finalized.
    pub(crate) permissions: Permissions,
    /// Alignment in bytes: of pages.
    pub(crate) alignment: u64,
}

/// `PT_PHDR` and `PT_GNU_STACK`.
const OTHER_HEADERS: usize = 2;

/// Bytes of a header for `segments` segments.
#[must_use]
pub(crate) const fn size(segments: usize) -> usize {
    size_of::<FileHeader64<LE>>() + (segments + OTHER_HEADERS) * size_of::<ProgramHeader64<LE>>()
}

/// The header's bytes. `machine` is the ELF machine number. Order the segments by address, as the generic ABI asks.
///
/// # Errors
/// There are more segments than a header can count.
pub(crate) fn bytes(machine: u16, segments: &[Segment]) -> Result<Vec<u8>> {
    let count = u16::try_from(segments.len() + OTHER_HEADERS)
        .ok()
        .filter(|count| *count != elf::PN_XNUM)
        .ok_or_else(|| Error::invalid("an image of more than 65532 segments has no ELF header", None))?;
    let mut out = Vec::with_capacity(size(segments.len()));
    out.extend_from_slice(bytes_of(&file_header(machine, count)));
    out.extend_from_slice(bytes_of(&header_table(count)));
    for segment in segments {
        out.extend_from_slice(bytes_of(&load(segment)));
    }
    out.extend_from_slice(bytes_of(&stack()));
    Ok(out)
}

fn file_header(machine: u16, segments: u16) -> FileHeader64<LE> {
    FileHeader64 {
        e_ident: elf::Ident {
            magic: elf::ELFMAG,
            class: elf::ELFCLASS64,
            data: elf::ELFDATA2LSB,
            version: elf::EV_CURRENT,
            os_abi: elf::ELFOSABI_SYSV,
            abi_version: 0,
            padding: [0; 7],
        },
        e_type: U16::new(LE, elf::ET_DYN),
        e_machine: U16::new(LE, elf::Machine(machine)),
        e_version: U32::new(LE, elf::EV_CURRENT.0.into()),
        e_entry: U64::new(LE, 0),
        e_phoff: U64::new(LE, size_of::<FileHeader64<LE>>() as u64),
        e_shoff: U64::new(LE, 0),
        e_flags: U32::new(LE, elf::FileFlags(0)),
        e_ehsize: U16::new(LE, size_of::<FileHeader64<LE>>() as u16),
        e_phentsize: U16::new(LE, size_of::<ProgramHeader64<LE>>() as u16),
        e_phnum: U16::new(LE, segments),
        e_shentsize: U16::new(LE, 0),
        e_shnum: U16::new(LE, 0),
        e_shstrndx: U16::new(LE, elf::SHN_UNDEF),
    }
}

fn header_table(count: u16) -> ProgramHeader64<LE> {
    let size = u64::from(count) * size_of::<ProgramHeader64<LE>>() as u64;
    program_header(elf::PT_PHDR, Permissions::READ, size_of::<FileHeader64<LE>>() as u64, size, 8)
}

fn load(segment: &Segment) -> ProgramHeader64<LE> {
    program_header(elf::PT_LOAD, segment.permissions, segment.address, segment.size, segment.alignment)
}

/// The stack is not executable, whatever the image.
fn stack() -> ProgramHeader64<LE> {
    program_header(elf::PT_GNU_STACK, Permissions::READ | Permissions::WRITE, 0, 0, 16)
}

/// File offsets repeat addresses: the image is as if mapped from one file in one piece.
fn program_header(
    kind: elf::ProgramType,
    permissions: Permissions,
    address: u64,
    size: u64,
    alignment: u64,
) -> ProgramHeader64<LE> {
    ProgramHeader64 {
        p_type: U32::new(LE, kind),
        p_flags: U32::new(LE, flags(permissions)),
        p_offset: U64::new(LE, address),
        p_vaddr: U64::new(LE, address),
        p_paddr: U64::new(LE, address),
        p_filesz: U64::new(LE, size),
        p_memsz: U64::new(LE, size),
        p_align: U64::new(LE, alignment),
    }
}

fn flags(permissions: Permissions) -> elf::ProgramFlags {
    let flag =
        |permission, flag: elf::ProgramFlags| if permissions.contains(permission) { flag.0 } else { 0 };
    elf::ProgramFlags(
        flag(Permissions::READ, elf::PF_R)
            | flag(Permissions::WRITE, elf::PF_W)
            | flag(Permissions::EXECUTE, elf::PF_X),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use object::read::elf::{FileHeader, ProgramHeader};

    const CODE: Permissions = Permissions::READ.union(Permissions::EXECUTE);

    #[test]
    fn a_reader_finds_the_segments() {
        let segments = [
            Segment { address: 0, size: 0x1000, permissions: Permissions::READ, alignment: 4096 },
            Segment { address: 0x20_0000, size: 0x1234, permissions: CODE, alignment: 4096 },
        ];
        let bytes = bytes(62, &segments).unwrap();
        assert_eq!(bytes.len(), size(segments.len()));
        let header = FileHeader64::<LE>::parse(&*bytes).unwrap();
        assert!(header.is_supported());
        assert_eq!(header.e_machine.get(LE).0, 62);
        let table = header.program_headers(LE, &*bytes).unwrap();
        assert_eq!(table.len(), 4);
        assert_eq!(table[0].p_type(LE), elf::PT_PHDR);
        assert_eq!((table[0].p_vaddr(LE), table[0].p_memsz(LE)), (64, 4 * 56));
        assert_eq!(table[2].p_type(LE), elf::PT_LOAD);
        assert_eq!((table[2].p_vaddr(LE), table[2].p_memsz(LE)), (0x20_0000, 0x1234));
        assert_eq!(table[2].p_flags(LE), elf::ProgramFlags(elf::PF_R.0 | elf::PF_X.0));
        assert_eq!(table[3].p_type(LE), elf::PT_GNU_STACK);
        assert_eq!(table[3].p_flags(LE), elf::ProgramFlags(elf::PF_R.0 | elf::PF_W.0));
    }

    #[test]
    fn too_many_segments_are_an_error() {
        let one = Segment { address: 0, size: 0, permissions: Permissions::READ, alignment: 1 };
        assert!(bytes(62, &vec![one; 65_532]).is_ok());
        assert!(bytes(62, &vec![one; 65_533]).is_err());
    }
}
