//! Call frame records: the references that assemblers leave without relocations.
//!
//! Sections keep their distances within an object, so that a pc-relative address of a function or of its language-specific
//! data is right in the object as it stands. Here each gets an edge, since what they refer to moves on its own.

use super::object::MachObject;
use super::relocations::Decoder;
use super::subsections::Subsections;
use crate::base::{Error, Result};
use crate::graph::{Content, Edge, LinkGraph, SymbolId};
use gimli::{BaseAddresses, EndianSlice, LittleEndian, UnwindSection};
use object::LittleEndian as LE;
use object::macho::Section64;
use std::borrow::Cow;

/// Appends edges for the fields of section `index` that have none among the edges from `start` on.
pub(super) fn add_implied<'data>(
    object: &MachObject<'data>,
    index: u32,
    start: usize,
    graph: &mut LinkGraph<'data>,
    subsections: &mut Subsections,
) -> Result<()> {
    let block = subsections.blocks[index as usize].first as usize;
    // Known differences may have been stored, so that the graph's bytes count and not the object's.
    let content: Cow<'data, [u8]> = match &graph.blocks[block].content {
        Content::Borrowed(bytes) => Cow::Borrowed(bytes),
        content => Cow::Owned(content.bytes().to_vec()),
    };
    let mut related: Vec<u32> = graph.edges[start..].iter().map(|edge| edge.offset).collect();
    related.sort_unstable();
    let mut section = gimli::EhFrame::new(&content, LittleEndian);
    section.set_address_size(8);
    let decoder = Decoder::new(object, index, graph, subsections)?;
    let mut reader = Reader { decoder, section, content: &content, related, cies: Vec::new(), text: 0 };
    let mut offset = 0;
    while let Some(next) = reader.record(offset) {
        offset = next?;
    }
    Ok(())
}

/// How the records of a CIE give addresses.
#[derive(Clone, Copy, Debug)]
struct Encodings {
    address: gimli::DwEhPe,
    lsda: Option<gimli::DwEhPe>,
    augmented: bool,
}

struct Reader<'a, 'b, 'data> {
    decoder: Decoder<'a, 'data>,
    section: gimli::EhFrame<EndianSlice<'b, LittleEndian>>,
    content: &'b [u8],
    /// Offsets that have relocations.
    related: Vec<u32>,
    /// The CIEs so far, by their offsets.
    cies: Vec<(u32, Encodings)>,
    /// The section that was referred to last.
    text: usize,
}

impl Reader<'_, '_, '_> {
    /// Reads the record at `offset`; answers where the next one is. Records that make no sense are left to the pass that
    /// splits the section, which says what is wrong with them.
    fn record(&mut self, offset: u32) -> Option<Result<u32>> {
        let length = self.u32_at(offset)?;
        let next = offset.checked_add(4)?.checked_add(length)?;
        if length == 0 {
            return Some(Ok(next));
        }
        // The length field of 12 bytes is one that no compiler writes.
        if length >= 0xffff_fff0 || next as usize > self.content.len() {
            return None;
        }
        let distance = self.u32_at(offset + 4)?;
        if distance == 0 {
            self.add_cie(offset);
        } else if let Some(encodings) = (offset + 4).checked_sub(distance).and_then(|cie| self.encodings(cie))
        {
            return Some(self.fde(offset + 8, next, encodings).map(|()| next));
        }
        Some(Ok(next))
    }

    fn add_cie(&mut self, offset: u32) {
        let bases = BaseAddresses::default().set_eh_frame(0).set_text(0).set_got(0);
        if let Ok(cie) = self.section.cie_from_offset(&bases, (offset as usize).into()) {
            let encodings = Encodings {
                address: cie.fde_address_encoding().unwrap_or(gimli::DW_EH_PE_absptr),
                lsda: cie.lsda_encoding(),
                augmented: cie.augmentation().is_some(),
            };
            self.cies.push((offset, encodings));
        }
    }

    /// Those of a CIE, which stands before its records; next to them, as a rule.
    fn encodings(&self, cie: u32) -> Option<Encodings> {
        match self.cies.last() {
            Some((last, encodings)) if *last == cie => Some(*encodings),
            _ => {
                let found = self.cies.binary_search_by_key(&cie, |(offset, _)| *offset).ok()?;
                Some(self.cies[found].1)
            }
        }
    }

    fn fde(&mut self, body: u32, end: u32, encodings: Encodings) -> Result<()> {
        let Some(width) = width(encodings.address) else { return Ok(()) };
        self.imply(body, encodings.address)?;
        let Some(lsda) = encodings.lsda.filter(|_| encodings.augmented) else { return Ok(()) };
        let mut data = body.saturating_add(2 * width);
        // The augmentation data's length, as a LEB128 number of a few bytes.
        while self.content.get(data as usize).is_some_and(|byte| byte & 0x80 != 0) {
            data += 1;
        }
        data += 1;
        if data < end { self.imply(data, lsda) } else { Ok(()) }
    }

    /// Adds an edge for the address at `offset`, if it is one that is relative to its place and has no relocation.
    fn imply(&mut self, offset: u32, encoding: gimli::DwEhPe) -> Result<()> {
        if encoding == gimli::DW_EH_PE_omit
            || encoding.application() != gimli::DW_EH_PE_pcrel
            || !self.related.is_empty() && self.related.binary_search(&offset).is_ok()
        {
            return Ok(());
        }
        let Some(width) = width(encoding) else { return Ok(()) };
        let value = match width {
            4 => self.u32_at(offset).map(|word| i64::from(word.cast_signed())),
            _ => self.u64_at(offset).map(u64::cast_signed),
        };
        let Some(value) = value.filter(|value| *value != 0) else { return Ok(()) };
        let target = self.decoder.address(offset).wrapping_add_signed(value);
        let Some((target, addend)) = self.target(target) else {
            return Err(self.leads_nowhere(offset, target));
        };
        let kind = self.decoder.object.machine.kinds.delta[usize::from(width == 8)];
        self.decoder.graph.edges.push(Edge { offset, target, addend, kind });
        Ok(())
    }

    fn target(&mut self, address: u64) -> Option<(SymbolId, i64)> {
        let holds =
            |section: &Section64<LE>| address.wrapping_sub(section.addr.get(LE)) < section.size.get(LE);
        let sections = self.decoder.object.sections;
        if !sections.get(self.text).is_some_and(holds) {
            self.text = sections.iter().position(holds)?;
        }
        self.decoder.place_in(self.text as u32, address)
    }

    #[cold]
    fn leads_nowhere(&self, offset: u32, address: u64) -> Error {
        let object = self.decoder.object;
        Error::malformed(
            object.file().in_section(object.section_display(self.decoder.index)).at(u64::from(offset)),
            format!("call frame record refers to {address:#x}, which is in no section"),
        )
    }

    fn u32_at(&self, offset: u32) -> Option<u32> {
        let bytes = self.content.get(offset as usize..)?.first_chunk()?;
        Some(u32::from_le_bytes(*bytes))
    }

    fn u64_at(&self, offset: u32) -> Option<u64> {
        let bytes = self.content.get(offset as usize..)?.first_chunk()?;
        Some(u64::from_le_bytes(*bytes))
    }
}

/// Bytes of an address; none for encodings of which the length depends on the value.
fn width(encoding: gimli::DwEhPe) -> Option<u32> {
    match encoding.format() {
        gimli::DW_EH_PE_absptr | gimli::DW_EH_PE_udata8 | gimli::DW_EH_PE_sdata8 => Some(8),
        gimli::DW_EH_PE_udata4 | gimli::DW_EH_PE_sdata4 => Some(4),
        _ => None,
    }
}
