//! The call frame records of single functions, as they have to be where `perf` puts them: after the code, at the next
//! multiple of eight, with a table for binary search (`.eh_frame_hdr`, LSB Core 10.6.2) of one entry after them.

use super::functions::Function;
use crate::base::AddrRange;
use crate::link::LinkView;
use gimli::{BaseAddresses, CieOrFde, EhFrame, EndianSlice, LittleEndian, UnwindSection};
use std::collections::HashMap;

/// The call frame records of an image, by the first address of their functions.
pub(super) struct Unwinding<'a> {
    records: &'a [u8],
    of_address: HashMap<u64, Record>,
}

/// Where an FDE and its CIE are among the records.
#[derive(Clone, Copy, Debug)]
struct Record {
    fde: usize,
    cie: usize,
}

/// What one function needs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct OfFunction {
    pub(super) frames: Vec<u8>,
    pub(super) header: Vec<u8>,
}

/// Bytes of a record's length, and then of the distance to the CIE.
const LENGTH: usize = 4;
const POINTER: usize = 4;

impl<'a> Unwinding<'a> {
    /// None if the image has no records.
    pub(super) fn of(view: &LinkView<'a, '_>) -> Option<Self> {
        let range: AddrRange = view.eh_frame_range()?;
        let records = view.bytes_at(range.start)?.get(..usize::try_from(range.size()).ok()?)?;
        let section = EhFrame::new(records, LittleEndian);
        let bases = BaseAddresses::default().set_eh_frame(range.start.0);
        let mut entries = section.entries(&bases);
        let mut of_address = HashMap::new();
        while let Ok(Some(entry)) = entries.next() {
            let CieOrFde::Fde(partial) = entry else { continue };
            let Ok(fde) = partial.parse(|section, bases, offset| section.cie_from_offset(bases, offset))
            else {
                continue;
            };
            let record = Record { fde: fde.offset(), cie: fde.cie().offset() };
            if is_simple(fde.cie()) {
                of_address.insert(fde.initial_address(), record);
            }
        }
        Some(Self { records, of_address })
    }

    pub(super) fn of_function(&self, function: &Function<'_>) -> Option<OfFunction> {
        let Record { fde, cie } = *self.of_address.get(&function.address)?;
        let (cie, fde) = (self.record(cie)?, self.record(fde)?);
        // In `perf`'s file, from the code's start on.
        let start = function.code.len().next_multiple_of(8);
        let mut frames = cie.to_vec();
        let fde_at = frames.len();
        frames.extend(fde);
        set(&mut frames, fde_at + LENGTH, fde_at + LENGTH)?;
        let place = fde_at + LENGTH + POINTER;
        set(&mut frames, place, 0usize.wrapping_sub(start + place))?;
        // An empty record ends the section.
        frames.extend([0; LENGTH]);
        frames.resize(frames.len().next_multiple_of(8), 0);
        let header_at = start + frames.len();
        let mut header = Vec::new();
        // Version; the section's start relative to here, a count, and a table relative to the header, all of 32 bits.
        header.extend([1, 0x1b, 0x03, 0x3b]);
        let relative = |to: usize, from: usize| (to.wrapping_sub(from) as u32).to_le_bytes();
        header.extend(relative(start, header_at + 4));
        header.extend(1u32.to_le_bytes());
        header.extend(relative(0, header_at));
        header.extend(relative(start + fde_at, header_at));
        header.resize(header.len().next_multiple_of(8), 0);
        Some(OfFunction { frames, header })
    }

    fn record(&self, at: usize) -> Option<&'a [u8]> {
        let rest = self.records.get(at..)?;
        let length = u32::from_le_bytes(*rest.first_chunk()?);
        rest.get(..LENGTH.checked_add(length as usize)?)
    }
}

/// Whether records of a CIE say where a function is by a distance of 32 bits, as compilers have it.
fn is_simple(cie: &gimli::CommonInformationEntry<EndianSlice<'_, LittleEndian>>) -> bool {
    let encoding = cie.fde_address_encoding();
    encoding.is_some_and(|encoding| {
        encoding.application() == gimli::DW_EH_PE_pcrel
            && matches!(encoding.format(), gimli::DW_EH_PE_sdata4 | gimli::DW_EH_PE_udata4)
            && !encoding.is_indirect()
    }) && cie.encoding().format == gimli::Format::Dwarf32
}

fn set(bytes: &mut [u8], at: usize, value: usize) -> Option<()> {
    *bytes.get_mut(at..)?.first_chunk_mut()? = (value as u32).to_le_bytes();
    Some(())
}
