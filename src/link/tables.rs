//! The contents of GOT, PLT, slots and header, once addresses are final.

use super::addresses::Addresses;
use super::image::SLOT;
use super::layout::{self, Layout};
use crate::arch::{self, PltEntry, ThreadTable};
use crate::base::Result;
use crate::formats::elf::{self, ehdr};
use crate::formats::macho;
use crate::graph::{Block, BlockId, Content, LinkGraph, Spelling};

/// Contents of blocks of the image graph.
pub(super) type Tables = Vec<(BlockId, Vec<u8>)>;

/// The contents of GOT, PLT, slots and header.
pub(super) fn tables(
    addresses: &Addresses<'_, '_>,
    layout: &Layout,
    thread_table: Option<ThreadTable>,
) -> Result<Tables> {
    let image = addresses.image;
    let owners = &addresses.entries.got;
    let mut got: Vec<u8> = owners.iter().flat_map(|owner| addresses.address(*owner).to_le_bytes()).collect();
    got.resize(addresses.graphs[image.index as usize].blocks[image.got.index()].size as usize, 0);
    let mut contents = vec![(image.got, got)];
    write_plt(addresses, &mut contents)?;
    let code = addresses.thread_code(thread_table)?;
    let resolver = code.as_ref().map(|(block, _)| addresses.block_address(*block));
    contents.extend(image.thread_slots.map(|block| (block, addresses.thread_slots(resolver))));
    contents.extend(code);
    if let Some(header) = image.header {
        contents.push((header, header_bytes(addresses, layout, header)?));
    }
    Ok(contents)
}

/// Gives the blocks of the image graph their contents.
pub(super) fn set_tables(graph: &mut LinkGraph<'_>, tables: Tables) {
    for (block, bytes) in tables {
        graph.blocks[block.index()].content = Content::Owned(bytes);
    }
}

fn write_plt(addresses: &Addresses<'_, '_>, contents: &mut Tables) -> Result<()> {
    let (image, entries) = (addresses.image, addresses.entries);
    let Some(plt) = image.plt else { return Ok(()) };
    let graph = &addresses.graphs[image.index as usize];
    let size = arch::plt_entry_size(graph.architecture);
    let mut code = vec![0; size * entries.plt.len()];
    let mut slots: Vec<u8> = Vec::new();
    for ((position, owner), entry) in (0u32..).zip(&entries.plt).zip(code.chunks_exact_mut(size)) {
        let wanted = PltEntry {
            address: addresses.plt_entry_address(position),
            slot: addresses.slot_address(position).unwrap_or(0),
            landing_pad: image.landing_pads,
        };
        arch::write_plt_entry(graph.architecture, entry, wanted)?;
        if !image.slot_of_plt[position as usize].0 {
            slots.extend(addresses.definition_address(*owner).to_le_bytes());
        }
    }
    contents.push((plt, code));
    if let Some(block) = image.slots {
        contents.push((block, slots));
    }
    Ok(())
}

fn header_bytes(addresses: &Addresses<'_, '_>, layout: &Layout, header: BlockId) -> Result<Vec<u8>> {
    let graph = &addresses.graphs[addresses.image.index as usize];
    let block = &graph.blocks[header.index()];
    if graph.spelling == Spelling::Underscored {
        return mach_header_bytes(graph, layout, block);
    }
    let segment = |segment: &layout::Segment| ehdr::Segment {
        address: segment.address.0.wrapping_sub(block.address.0),
        size: segment.content_size + segment.zero_fill_size,
        permissions: segment.class.permissions(),
        alignment: segment.alignment,
    };
    let segments: Vec<_> = layout.segments.iter().map(segment).collect();
    let mut bytes = ehdr::bytes(elf::machine::machine(graph.architecture).number, &segments)?;
    bytes.resize(block.size as usize, 0);
    Ok(bytes)
}

fn mach_header_bytes(graph: &LinkGraph<'_>, layout: &Layout, block: &Block<'_>) -> Result<Vec<u8>> {
    let segment = |segment: &layout::Segment| macho::header::Segment {
        address: segment.address.0.wrapping_sub(block.address.0),
        size: segment.content_size + segment.zero_fill_size,
        permissions: segment.class.permissions(),
    };
    let segments: Vec<_> = layout.segments.iter().map(segment).collect();
    let mut bytes = macho::header::bytes(graph.architecture, &segments)?;
    bytes.resize(block.size as usize, 0);
    Ok(bytes)
}

impl Addresses<'_, '_> {
    /// The address of the slot that a PLT entry jumps through.
    pub(crate) fn slot_address(&self, position: u32) -> Option<u64> {
        let (indirect, slot) = *self.image.slot_of_plt.get(position as usize)?;
        let block = if indirect { self.image.indirect_slots } else { self.image.slots }?;
        let address = self.graphs[self.image.index as usize].blocks[block.index()].address;
        Some(address.0 + u64::from(slot) * SLOT)
    }
}
