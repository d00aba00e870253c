//! Splitting, merging and moving blocks.

use super::align::Congruence;
use super::edges::{VACANT, owned};
use crate::base::{Error, Result};
use crate::graph::{Block, BlockId, Content, Edge, LinkGraph, SectionId, SymbolKind};
use std::ops::Range;

impl LinkGraph<'_> {
    /// Splits a block in two; it keeps its first `offset` bytes, and the new block gets the others. Symbols and edges go
    /// with the bytes they stand at, and addresses stay what they were.
    ///
    /// # Errors
    /// If the offset is not inside the block, or inside a field that an edge changes.
    pub fn split_block(&mut self, block: BlockId, offset: u64) -> Result<BlockId> {
        let first = self.next_id(self.blocks.len(), 1)?;
        self.split_block_at(block, &[offset])?;
        Ok(BlockId(first))
    }

    /// Splits a block at each of these offsets, which ascend, as [`split_block`](Self::split_block) does; returns the
    /// new blocks, one for each offset. Far cheaper than splitting again and again.
    ///
    /// # Errors
    /// If an offset is not inside the block and above those before it, or inside a field that an edge changes.
    pub fn split_block_at(&mut self, id: BlockId, offsets: &[u64]) -> Result<Vec<BlockId>> {
        self.check_split(id, offsets)?;
        let first = self.next_id(self.blocks.len(), offsets.len())?;
        let alignment_offsets = self.split_alignment(id, offsets)?;
        let run = self.promote(id)?;
        let runs = self.split_run(run, offsets);
        let block = &mut self.blocks[id.index()];
        let whole = block.size;
        let mut contents = split_content(&mut block.content, offsets).into_iter();
        let head = Block { content: Content::ZeroFill, ..*block };
        for (index, &offset) in offsets.iter().enumerate() {
            self.blocks.push(Block {
                address: head.address.wrapping_add(offset),
                size: offsets.get(index + 1).copied().unwrap_or(whole) - offset,
                content: contents.next().unwrap_or(Content::ZeroFill),
                edges: owned(runs[index + 1].clone()),
                alignment_offset: alignment_offsets[index],
                ..head
            });
        }
        let block = &mut self.blocks[id.index()];
        block.size = offsets.first().copied().unwrap_or(whole);
        block.edges = owned(runs[0].clone());
        self.distribute_symbols(id, first, offsets);
        Ok((first..).map(BlockId).take(offsets.len()).collect())
    }

    fn check_split(&self, id: BlockId, offsets: &[u64]) -> Result<()> {
        let size = self.check_block(id)?.size;
        let mut last = 0;
        for &offset in offsets {
            if offset <= last || offset >= size {
                return Err(self.refuse(format_args!(
                    "cannot split {id:?} of {size:#x} bytes at {offset:#x}, after {last:#x}"
                )));
            }
            last = offset;
        }
        for edge in self.edges(id) {
            let facts = self.kind_facts(edge.kind);
            let start = u64::from(edge.offset);
            let cut = offsets[offsets.partition_point(|&offset| offset <= start)..].first();
            if cut.is_some_and(|&cut| cut < start + u64::from(facts.width)) {
                return Err(self.refuse(format_args!(
                    "cannot split {id:?} inside the field of its {} edge at {start:#x}",
                    facts.name
                )));
            }
        }
        Ok(())
    }

    fn split_alignment(&self, id: BlockId, offsets: &[u64]) -> Result<Vec<u32>> {
        let whole = self.blocks[id.index()].congruence();
        let moved = |&offset: &u64| self.alignment_fields(1 << whole.log2, whole.moved(offset).offset);
        offsets.iter().map(|offset| moved(offset).map(|(_, alignment_offset)| alignment_offset)).collect()
    }

    /// Cuts a run at these offsets and makes the edges' offsets those in the pieces; one more piece than offsets.
    fn split_run(&mut self, run: Range<usize>, offsets: &[u64]) -> Vec<Range<usize>> {
        let mut pieces = Vec::with_capacity(offsets.len() + 1);
        let mut start = run.start;
        let mut base = 0u64;
        for &bound in offsets.iter().chain([&u64::MAX]) {
            let rest = &mut self.edges[start..run.end];
            let count = rest.partition_point(|edge| u64::from(edge.offset) < bound);
            // The base is not above any of these offsets, so it fits 32 bits where there are any.
            rest[..count].iter_mut().for_each(|edge| edge.offset = edge.offset.saturating_sub(base as u32));
            pieces.push(start..start + count);
            start += count;
            base = bound;
        }
        pieces
    }

    fn distribute_symbols(&mut self, id: BlockId, first: u32, offsets: &[u64]) {
        for symbol in &mut self.symbols {
            if symbol.kind != SymbolKind::Defined || symbol.block != id {
                continue;
            }
            let piece = offsets.partition_point(|&offset| offset <= symbol.value);
            if let Some(before) = piece.checked_sub(1) {
                symbol.block = BlockId(first + before as u32);
                symbol.value -= offsets[before];
            }
        }
    }

    /// Joins blocks of one section, each of which starts where the one before it ends, into the first of them; the
    /// others are removed, and their symbols and edges go to the first.
    ///
    /// # Errors
    /// If the blocks are not of one section and adjacent in this order, or no address satisfies all their alignments.
    pub fn merge_blocks(&mut self, blocks: &[BlockId]) -> Result<()> {
        self.check_adjacent(blocks)?;
        let [head, others @ ..] = blocks else { return Ok(()) };
        if others.is_empty() {
            return Ok(());
        }
        let (log2, alignment_offset) = self.merged_alignment(blocks)?;
        let size = self.offset_in_merged(blocks).last().map_or(0, |(id, base)| base + self.block(id).size);
        let content = self.merged_content(blocks, size)?;
        self.merge_edges(blocks)?;
        self.gather_symbols(blocks);
        for id in others {
            self.blocks[id.index()] = Block::REMOVED;
        }
        let block = &mut self.blocks[head.index()];
        (block.size, block.content) = (size, content);
        (block.alignment_log2, block.alignment_offset) = (log2, alignment_offset);
        Ok(())
    }

    fn check_adjacent(&self, blocks: &[BlockId]) -> Result<()> {
        let mut seen = blocks.to_vec();
        seen.sort_unstable();
        if let Some(pair) = seen.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(self.refuse(format_args!("cannot merge {:?} with itself", pair[0])));
        }
        let mut before: Option<&Block<'_>> = None;
        let mut total = Some(0u64);
        for &id in blocks {
            let block = self.check_block(id)?;
            total = total.and_then(|total| total.checked_add(block.size));
            if before
                .is_some_and(|before| before.section != block.section || before.range().end != block.address)
            {
                return Err(self.refuse(format_args!(
                    "cannot merge {id:?}: it does not start where the block before it ends"
                )));
            }
            before = Some(block);
        }
        match total {
            Some(_) => Ok(()),
            None => Err(self.refuse("a merged block would have more than 2^64 bytes")),
        }
    }

    /// Adjacent blocks with the offsets they will have in the merged one.
    fn offset_in_merged(&self, blocks: &[BlockId]) -> impl Iterator<Item = (BlockId, u64)> {
        let start = blocks.first().map_or(0, |&head| self.block(head).address.0);
        blocks.iter().map(move |&id| (id, self.block(id).address.0.wrapping_sub(start)))
    }

    fn merged_alignment(&self, blocks: &[BlockId]) -> Result<(u8, u32)> {
        let mut merged = Congruence { log2: 0, offset: 0 };
        for (id, base) in self.offset_in_merged(blocks) {
            let here = self.block(id).congruence().moved(base.wrapping_neg());
            merged = merged.and(here).ok_or_else(|| {
                self.refuse(format_args!("cannot merge {id:?}: it is aligned unlike the blocks before it"))
            })?;
        }
        self.alignment_fields(1 << merged.log2, merged.offset)
    }
}

impl<'data> LinkGraph<'data> {
    fn merged_content(&self, blocks: &[BlockId], size: u64) -> Result<Content<'data>> {
        if blocks.iter().all(|&id| self.block(id).is_zero_fill()) {
            return Ok(Content::ZeroFill);
        }
        let refuse =
            || Error::Memory { what: format!("allocate {size:#x} bytes for a merged block"), source: None };
        let mut bytes = Vec::new();
        let whole = usize::try_from(size).map_err(|_| refuse())?;
        bytes.try_reserve_exact(whole).map_err(|_| refuse())?;
        for (id, base) in self.offset_in_merged(blocks) {
            // Zero-fill is what the resize adds.
            bytes.resize(base as usize, 0);
            bytes.extend_from_slice(self.block(id).content.bytes());
        }
        bytes.resize(whole, 0);
        Ok(Content::Owned(bytes))
    }

    fn merge_edges(&mut self, blocks: &[BlockId]) -> Result<()> {
        let runs = blocks.iter().map(|&id| self.promote(id)).collect::<Result<Vec<_>>>()?;
        let mut edges: Vec<Edge> = Vec::new();
        for ((_, base), run) in self.offset_in_merged(blocks).zip(&runs) {
            for edge in &self.edges[run.clone()] {
                let offset = u32::try_from(base + u64::from(edge.offset));
                let offset =
                    offset.map_err(|_| self.refuse("an edge's offset would have more than 32 bits"))?;
                edges.push(Edge { offset, ..*edge });
            }
        }
        let start = self.edges.len();
        self.next_id(start, edges.len())?;
        self.edges.append(&mut edges);
        runs.into_iter().for_each(|run| self.edges[run].fill(VACANT));
        self.set_run(blocks[0], start..self.edges.len());
        Ok(())
    }

    fn gather_symbols(&mut self, blocks: &[BlockId]) {
        let mut bases: Vec<_> = self.offset_in_merged(blocks).collect();
        bases.sort_unstable();
        let head = blocks[0];
        for symbol in &mut self.symbols {
            if symbol.kind != SymbolKind::Defined {
                continue;
            }
            if let Ok(found) = bases.binary_search_by_key(&symbol.block, |&(id, _)| id) {
                symbol.block = head;
                symbol.value = symbol.value.saturating_add(bases[found].1);
            }
        }
    }

    /// Moves a block to another section, with its symbols and edges.
    ///
    /// # Errors
    /// If block or section are not of this graph.
    pub fn transfer_block(&mut self, block: BlockId, section: SectionId) -> Result<()> {
        self.check_section(section)?;
        self.block_mut(block)?.section = section;
        Ok(())
    }
}

/// Leaves the content its bytes up to the first offset; returns those from each offset to the next.
fn split_content<'data>(content: &mut Content<'data>, offsets: &[u64]) -> Vec<Content<'data>> {
    let mut pieces = Vec::with_capacity(offsets.len());
    for &offset in offsets.iter().rev() {
        // Offsets are inside the block, whose bytes are in memory.
        let offset = offset as usize;
        pieces.push(match content {
            Content::ZeroFill => Content::ZeroFill,
            Content::Borrowed(bytes) => {
                let (head, tail) = bytes.split_at(offset);
                *bytes = head;
                Content::Borrowed(tail)
            }
            Content::Owned(bytes) => Content::Owned(bytes.split_off(offset)),
        });
    }
    pieces.reverse();
    pieces
}
