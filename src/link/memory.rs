//! The working memory of the segments, divided among the graphs so that each can be written on its own.

use super::groups::GroupKind;
use super::layout::{Layout, Segment, Special, regular_index};
use crate::graph::BlockId;
use smallvec::SmallVec;

/// The working memory of one graph's blocks.
#[derive(Debug, Default)]
pub(crate) struct GraphMemory<'m> {
    /// Its chunks: index of the regular group, and the bytes.
    chunks: SmallVec<[(u8, &'m mut [u8]); 4]>,
    /// Its specials, by block.
    specials: SmallVec<[(BlockId, &'m mut [u8]); 2]>,
}

impl<'m> GraphMemory<'m> {
    pub(crate) fn chunk(&mut self, group: usize) -> Option<&mut [u8]> {
        let found = self.chunks.iter_mut().find(|(index, _)| *index as usize == group);
        found.map(|(_, bytes)| &mut **bytes)
    }

    pub(crate) fn special(&mut self, block: BlockId) -> Option<&mut [u8]> {
        let found = self.specials.binary_search_by_key(&block, |(id, _)| *id).ok()?;
        Some(&mut *self.specials[found].1)
    }
}

/// Divides `segments`, the content bytes in the order of [`Layout::segments`], among the graphs.
pub(crate) fn divide<'m>(layout: &Layout, segments: Vec<&'m mut [u8]>) -> Vec<GraphMemory<'m>> {
    let mut graphs: Vec<GraphMemory<'m>> = Vec::with_capacity(layout.chunks.len());
    graphs.resize_with(layout.chunks.len(), GraphMemory::default);
    let mut specials = layout.specials.as_slice();
    for (index, (segment, bytes)) in (0u32..).zip(layout.segments.iter().zip(segments)) {
        // Specials of segments that turned out empty have no bytes.
        let start = specials.partition_point(|special| special.segment < index);
        let count = specials[start..].iter().take_while(|special| special.segment == index).count();
        divide_segment(layout, segment, &specials[start..start + count], bytes, &mut graphs);
        specials = &specials[start + count..];
    }
    for memory in &mut graphs {
        memory.specials.sort_unstable_by_key(|(block, _)| *block);
    }
    graphs
}

fn divide_segment<'m>(
    layout: &Layout,
    segment: &Segment,
    specials: &[Special],
    bytes: &'m mut [u8],
    graphs: &mut [GraphMemory<'m>],
) {
    let mut carver = Carver { rest: bytes, position: 0 };
    let carve = |carver: &mut Carver<'m>, graphs: &mut [GraphMemory<'m>], special: &Special| {
        let bytes = carver.take(special.offset, special.size);
        graphs[special.graph as usize].specials.push((special.block, bytes));
    };
    let (front, back) = specials.split_at(specials.partition_point(|s| s.kind < GroupKind::Regular));
    front.iter().for_each(|special| carve(&mut carver, graphs, special));
    let group = regular_index(segment.class, false);
    for (memory, chunks) in graphs.iter_mut().zip(&layout.chunks) {
        let chunk = &chunks[group];
        if chunk.size > 0 {
            memory.chunks.push((group as u8, carver.take(chunk.offset, chunk.size)));
        }
    }
    back.iter().for_each(|special| carve(&mut carver, graphs, special));
}

/// Cuts pieces off the front of a segment's bytes.
struct Carver<'m> {
    rest: &'m mut [u8],
    position: u64,
}

impl<'m> Carver<'m> {
    /// The bytes at an offset, which grows from call to call; short where the memory manager gave too little.
    fn take(&mut self, offset: u64, size: u64) -> &'m mut [u8] {
        let rest = std::mem::take(&mut self.rest);
        let gap = (offset.saturating_sub(self.position) as usize).min(rest.len());
        let rest = &mut rest[gap..];
        let size = (size as usize).min(rest.len());
        let (taken, rest) = rest.split_at_mut(size);
        self.rest = rest;
        self.position = offset + size as u64;
        taken
    }
}
