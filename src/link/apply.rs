//! Copy and fix up: each content byte goes to working memory once, and the block's edges are applied while it is in cache.

use super::addresses::{Addresses, GraphTargets};
use super::groups::class_of;
use super::islands::CODE;
use super::layout::{Layout, MERGED, regular_index};
use super::liveness::Liveness;
use super::mark::GraphFrames;
use super::memory::GraphMemory;
use crate::arch::{self, FixupCounts, Site};
use crate::base::{Error, Result};
use crate::graph::{Block, BlockId, LinkGraph, SectionRole};
use crate::passes::eh_frame::{self, EhFrame, EhFramePlan};

/// What applying needs besides the graph itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Applying<'a, 'data> {
    pub(crate) addresses: &'a Addresses<'a, 'data>,
    pub(crate) layout: &'a Layout,
    pub(crate) live: &'a Liveness,
    pub(crate) frames: &'a [GraphFrames],
    pub(crate) plans: &'a [Vec<EhFramePlan>],
}

impl<'a, 'data> Applying<'a, 'data> {
    /// Writes all live blocks of graph `index`; `buffer` is used again from graph to graph.
    pub(crate) fn apply_graph(
        &self,
        index: u32,
        memory: &mut GraphMemory<'_>,
        buffer: &mut Vec<u64>,
        counts: &mut FixupCounts,
    ) -> Result<()> {
        let graph = &self.addresses.graphs[index as usize];
        self.addresses.fill(index, buffer);
        let targets = GraphTargets { addresses: self.addresses, index, graph, of_symbol: buffer };
        for (position, block) in graph.blocks.iter().enumerate() {
            let id = BlockId(position as u32);
            if block.is_zero_fill() || block.address == MERGED || !self.live.is_live(index, id) {
                continue;
            }
            let section = &graph.sections[block.section.index()];
            let Some(class) = class_of(graph, section)? else { continue };
            if let Some(bytes) = memory.special(id) {
                if section.role == SectionRole::EhFrame && self.frames.get(index as usize).is_some() {
                    self.apply_frames(index, graph, id, block, bytes, &targets, counts)?;
                } else {
                    apply_block(graph, id, block, bytes, &targets, counts)?;
                }
                continue;
            }
            let group = regular_index(class, false);
            let base = self.layout.chunk_address(index, group);
            let start = block.address.0.wrapping_sub(base) as usize;
            let bytes = memory
                .chunk(group)
                .and_then(|chunk| chunk.get_mut(start..start + block.size as usize))
                .filter(|bytes| bytes.len() == block.content.bytes().len());
            match bytes {
                Some(bytes) => apply_block(graph, id, block, bytes, &targets, counts)?,
                None if block.size == 0 => {}
                None => return Err(short_memory(graph, id)),
            }
        }
        match memory.chunk(CODE) {
            Some(chunk) => self.addresses.islands.write(index, chunk, self.addresses),
            None => Ok(()),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one fixup site")]
    fn apply_frames(
        &self,
        index: u32,
        graph: &LinkGraph<'_>,
        id: BlockId,
        block: &Block<'_>,
        bytes: &mut [u8],
        targets: &GraphTargets<'_, '_>,
        counts: &mut FixupCounts,
    ) -> Result<()> {
        let frames = &self.frames[index as usize].frames;
        let Some(position) = frames.iter().position(|frame| frame.block == id) else { return Ok(()) };
        let (frame, plan): (&EhFrame, &EhFramePlan) =
            (&frames[position], &self.plans[index as usize][position]);
        if bytes.len() < plan.size as usize {
            return Err(short_memory(graph, id));
        }
        eh_frame::write(frame, plan, block.content.bytes(), bytes);
        for run in plan.runs(frame) {
            let address = block.address.0 + u64::from(run.output.start);
            let content = &mut bytes[run.output.start as usize..run.output.end as usize];
            let mut site = Site { graph, block: id, content, start: run.start, address };
            arch::fix_up(&mut site, graph.edges_of(block).slice(run.edges), targets, counts)?;
        }
        Ok(())
    }
}

fn apply_block(
    graph: &LinkGraph<'_>,
    id: BlockId,
    block: &Block<'_>,
    bytes: &mut [u8],
    targets: &GraphTargets<'_, '_>,
    counts: &mut FixupCounts,
) -> Result<()> {
    let source = block.content.bytes();
    if bytes.len() != source.len() {
        return Err(short_memory(graph, id));
    }
    bytes.copy_from_slice(source);
    if block.edges.len() == 0 {
        return Ok(());
    }
    let mut site = Site { graph, block: id, content: bytes, start: 0, address: block.address.0 };
    arch::fix_up(&mut site, graph.edges_of(block), targets, counts)
}

#[cold]
fn short_memory(graph: &LinkGraph<'_>, block: BlockId) -> Error {
    Error::Memory {
        what: format!("write {}: the memory manager gave less than was asked for", graph.place(block, 0)),
        source: None,
    }
}
