//! Edges of one block: adding, changing, removing; from a view of a relocation table to a run of the graph's own.
//!
//! Runs lie in one vector. A run that must grow takes the vacant slots after it, or moves to the vector's end and leaves
//! vacant ones behind; so a run's position is all that has to be stored.

use crate::base::Result;
use crate::graph::edge::{EdgeRun, decode_rela};
use crate::graph::{Block, BlockId, Edge, EdgeKind, LinkGraph, SymbolId};
use std::ops::Range;

/// A slot of the edge vector in no block's run. No edge looks like it: no symbol has that id.
pub(super) const VACANT: Edge =
    Edge { offset: u32::MAX, target: SymbolId(u32::MAX), addend: 0, kind: EdgeKind::UNKNOWN };

impl LinkGraph<'_> {
    /// The edges of a block, to be changed in place; whoever changes offsets keeps their order.
    ///
    /// # Errors
    /// If the block is not of this graph, or its relocation table names a symbol that is not.
    pub fn edges_mut(&mut self, block: BlockId) -> Result<&mut [Edge]> {
        let run = self.promote(block)?;
        Ok(&mut self.edges[run])
    }

    /// Adds an edge, after those of the same offset.
    ///
    /// # Errors
    /// If the edge does not fit the block or its target is not of this graph.
    pub fn add_edge(&mut self, block: BlockId, edge: Edge) -> Result<()> {
        self.check_edge(block, edge)?;
        let run = self.promote(block)?;
        let position = self.edges[run].partition_point(|other| other.offset <= edge.offset);
        let run = self.append(block, &[edge])?;
        self.edges[run.start + position..run.end].rotate_right(1);
        Ok(())
    }

    /// Adds edges in any order; those of the same offset keep the order they come in, after those already there.
    ///
    /// # Errors
    /// If one does not fit the block or its target is not of this graph; then none is added.
    pub fn add_edges(&mut self, block: BlockId, edges: &[Edge]) -> Result<()> {
        for edge in edges {
            self.check_edge(block, *edge)?;
        }
        self.promote(block)?;
        let run = self.append(block, edges)?;
        let run = &mut self.edges[run];
        if !run.is_sorted_by_key(|edge| edge.offset) {
            run.sort_by_key(|edge| edge.offset);
        }
        Ok(())
    }

    /// Removes the edges of a block for which `condemn` says so.
    ///
    /// # Errors
    /// If the block is not of this graph, or its relocation table names a symbol that is not.
    pub fn remove_edges(&mut self, block: BlockId, mut condemn: impl FnMut(&Edge) -> bool) -> Result<()> {
        let run = self.promote(block)?;
        let mut kept = run.start;
        for index in run.clone() {
            let edge = self.edges[index];
            if !condemn(&edge) {
                self.edges[kept] = edge;
                kept += 1;
            }
        }
        self.edges[kept..run.end].fill(VACANT);
        self.set_run(block, run.start..kept);
        Ok(())
    }

    /// Gives the block a run of its own, if its edges are a view of a relocation table.
    pub(super) fn promote(&mut self, block: BlockId) -> Result<Range<usize>> {
        let table = match self.check_block(block)?.edges {
            EdgeRun::Owned { start, count } => return Ok(start as usize..start as usize + count as usize),
            EdgeRun::Rela(table) => table,
        };
        let start = self.edges.len();
        self.next_id(start, table.len())?;
        let bound = self.symbols.len();
        if let Some(bad) =
            table.iter().map(|rela| decode_rela(rela, &[]).target).find(|id| id.index() >= bound)
        {
            return Err(self.not_here(bad));
        }
        let kinds = self.relocation_kinds;
        self.edges.extend(table.iter().map(|rela| decode_rela(rela, kinds)));
        let run = &mut self.edges[start..];
        if !run.is_sorted_by_key(|edge| edge.offset) {
            run.sort_by_key(|edge| edge.offset);
        }
        let run = start..self.edges.len();
        self.set_run(block, run.clone());
        Ok(run)
    }

    /// Stores edges at the end of the block's run, which is owned; returns the whole run.
    fn append(&mut self, block: BlockId, edges: &[Edge]) -> Result<Range<usize>> {
        let mut run = self.promote(block)?;
        if !self.has_room_after(&run, edges.len()) {
            run = self.move_to_end(run, edges.len())?;
        }
        self.next_id(run.end, edges.len())?;
        for (slot, edge) in (run.end..).zip(edges) {
            match self.edges.get_mut(slot) {
                Some(vacant) => *vacant = *edge,
                None => self.edges.push(*edge),
            }
        }
        run.end += edges.len();
        self.set_run(block, run.clone());
        Ok(run)
    }

    /// Whether a run can take `count` more edges where it is. An empty run owns no place to grow from.
    fn has_room_after(&self, run: &Range<usize>, count: usize) -> bool {
        !run.is_empty() && self.edges[run.end..].iter().take(count).all(|slot| *slot == VACANT)
    }

    /// Moves a run to the vector's end, with room for `count` more edges there and, since who grows once will grow
    /// again, as many vacant slots as the run is long.
    fn move_to_end(&mut self, run: Range<usize>, count: usize) -> Result<Range<usize>> {
        let start = self.edges.len();
        let room = if run.is_empty() { 0 } else { 2 * run.len() + count };
        self.next_id(start, room)?;
        self.edges.extend_from_within(run.clone());
        self.edges[run.clone()].fill(VACANT);
        let end = self.edges.len();
        self.edges.resize(start + room, VACANT);
        Ok(start..end)
    }

    pub(super) fn set_run(&mut self, block: BlockId, run: Range<usize>) {
        // Callers have seen to it that the vector's length fits 32 bits.
        self.blocks[block.index()].edges = owned(run);
    }

    fn check_edge(&self, block: BlockId, edge: Edge) -> Result<()> {
        self.check_symbol(edge.target)?;
        let facts = self.kind_facts(edge.kind);
        let fits = fixup_fits(self.check_block(block)?, edge.offset, facts.width);
        if fits {
            return Ok(());
        }
        Err(self.refuse(format_args!("{} edge at {:#x} does not fit {block:?}", facts.name, edge.offset)))
    }
}

/// The run at these positions, which fit 32 bits.
pub(super) fn owned(run: Range<usize>) -> EdgeRun<'static> {
    if run.is_empty() {
        return EdgeRun::EMPTY;
    }
    EdgeRun::Owned { start: run.start as u32, count: run.len() as u32 }
}

/// Whether a fixup of `width` bytes at `offset` lies in the block, and finds bytes there to change.
pub(in crate::graph) fn fixup_fits(block: &Block<'_>, offset: u32, width: u8) -> bool {
    let stores_nothing = width == 0;
    u64::from(offset) + u64::from(width) <= block.size && (stores_nothing || !block.is_zero_fill())
}
