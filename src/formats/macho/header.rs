//! A read-only Mach-O header with load commands for an image that exists in memory only: what `__mh_execute_header` and
//! its kin point to. Programs read it to find the segments of the image that they are in.
//!
//! Addresses are distances from the header, so that the slide is the header's address.

use crate::base::{Error, Result};
use crate::graph::{Architecture, Permissions};
use object::macho::{self, MachHeader64, SegmentCommand64};
use object::pod::bytes_of;
use object::{LittleEndian as LE, U32, U64};

/// One loaded segment of the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Distance of its first byte from the header, wrapping where it lies below.
    pub(crate) address: u64,
    /// Bytes in memory.
    pub(crate) size: u64,
    /// Permissions once finalized.
    pub(crate) permissions: Permissions,
}

/// Bytes of a header for `segments` segments.
#[must_use]
pub(crate) const fn size(segments: usize) -> usize {
    size_of::<MachHeader64<LE>>() + segments * size_of::<SegmentCommand64<LE>>()
}

/// The header's bytes.
///
/// # Errors
/// There are more segments than a header can count.
pub(crate) fn bytes(architecture: Architecture, segments: &[Segment]) -> Result<Vec<u8>> {
    let machine = [&super::x86_64::MACHINE, &super::aarch64::MACHINE]
        .into_iter()
        .find(|machine| machine.architecture == architecture);
    let count = u32::try_from(segments.len()).ok().filter(|count| *count < 1 << 16);
    let (Some(machine), Some(count)) = (machine, count) else {
        return Err(Error::invalid("an image of more than 65535 segments has no Mach-O header", None));
    };
    let mut out = Vec::with_capacity(size(segments.len()));
    out.extend_from_slice(bytes_of(&MachHeader64::<LE> {
        magic: U32::new(object::BigEndian, u32::from_be_bytes(super::MAGIC)),
        cputype: U32::new(LE, machine.cpu),
        cpusubtype: U32::new(LE, macho::CpuSubtype(machine.subtype)),
        filetype: U32::new(LE, macho::MH_EXECUTE),
        ncmds: U32::new(LE, count),
        sizeofcmds: U32::new(LE, count * size_of::<SegmentCommand64<LE>>() as u32),
        flags: U32::new(LE, macho::MH_NOUNDEFS | macho::MH_DYLDLINK | macho::MH_PIE),
        reserved: U32::new(LE, 0),
    }));
    segments.iter().for_each(|segment| out.extend_from_slice(bytes_of(&command(segment))));
    Ok(out)
}

/// File offsets repeat addresses: the image is as if mapped from one file in one piece.
fn command(segment: &Segment) -> SegmentCommand64<LE> {
    let has = |flag| segment.permissions.contains(flag);
    let (name, protection) = if has(Permissions::EXECUTE) {
        (*b"__TEXT\0\0\0\0\0\0\0\0\0\0", macho::VM_PROT_READ | macho::VM_PROT_EXECUTE)
    } else if has(Permissions::WRITE) {
        (*b"__DATA\0\0\0\0\0\0\0\0\0\0", macho::VM_PROT_READ | macho::VM_PROT_WRITE)
    } else {
        (*b"__DATA_CONST\0\0\0\0", macho::VM_PROT_READ)
    };
    SegmentCommand64 {
        cmd: U32::new(LE, macho::LC_SEGMENT_64),
        cmdsize: U32::new(LE, size_of::<SegmentCommand64<LE>>() as u32),
        segname: name,
        vmaddr: U64::new(LE, segment.address),
        vmsize: U64::new(LE, segment.size),
        fileoff: U64::new(LE, segment.address),
        filesize: U64::new(LE, segment.size),
        maxprot: U32::new(LE, protection),
        initprot: U32::new(LE, protection),
        nsects: U32::new(LE, 0),
        flags: U32::new(LE, macho::SegmentFlags(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object::read::macho::{MachHeader as _, Segment as _};

    #[test]
    fn a_reader_finds_the_segments() {
        let text =
            Segment { address: 0, size: 0x1000, permissions: Permissions::READ | Permissions::EXECUTE };
        let data =
            Segment { address: 0x4000, size: 0x20, permissions: Permissions::READ | Permissions::WRITE };
        for architecture in [Architecture::X86_64, Architecture::Aarch64] {
            let bytes = bytes(architecture, &[text, data]).unwrap();
            assert_eq!(bytes.len(), size(2));
            let header = MachHeader64::<LE>::parse(&*bytes, 0).unwrap();
            assert_eq!(header.filetype(LE), macho::MH_EXECUTE);
            let mut commands = header.load_commands(LE, &*bytes, 0).unwrap();
            for (name, segment) in [(&b"__TEXT"[..], text), (b"__DATA", data)] {
                let (found, _) = commands.next().unwrap().unwrap().segment_64().unwrap().unwrap();
                assert_eq!(found.name(), name);
                assert_eq!((found.vmaddr.get(LE), found.vmsize.get(LE)), (segment.address, segment.size));
            }
            assert!(commands.next().unwrap().is_none());
        }
    }
}
