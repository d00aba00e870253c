//! The table of the batch's functions for unwinders that know compact encodings: made where it is asked for, of the records
//! that live functions have.

use super::addresses::Addresses;
use super::globals::SymbolRef;
use super::groups::GroupKind;
use super::image::{Image, Shape};
use super::layout::Layout;
use super::liveness::Liveness;
use super::mark::GraphFrames;
use crate::arch;
use crate::base::{Error, Place, Result};
use crate::graph::{BlockId, LinkGraph, Permissions, SectionFlags};
use crate::passes::compact_unwind::{self, Entry, Record, Target, UnwindInfo};
use crate::passes::eh_frame::EhFramePlan;

/// The block's and section's name.
pub(super) const NAME: &str = "__TEXT,__unwind_info";

/// Makes room for the table of all live records, if there are any.
pub(super) fn reserve(image: &mut Image<'_>, frames: &[GraphFrames], live: &Liveness) -> Option<BlockId> {
    let (mut count, mut lsdas) = (0, 0);
    for (_, record) in live_records(frames, live) {
        count += 1;
        lsdas += usize::from(record.lsda.is_some());
    }
    if count == 0 {
        return None;
    }
    let shape = Shape::content(UnwindInfo::size_bound(count, lsdas) as u64, 8);
    Some(image.add_block(NAME, Permissions::READ, SectionFlags::empty(), shape))
}

fn live_records<'a>(
    frames: &'a [GraphFrames],
    live: &'a Liveness,
) -> impl Iterator<Item = (u32, &'a Record)> {
    (0u32..).zip(frames).flat_map(move |(index, frames)| {
        let is_live = move |record: &&Record| live.is_live(index, record.function.block);
        frames.compact.iter().filter(is_live).map(move |record| (index, record))
    })
}

/// What the table is made of, once addresses are final.
pub(super) struct Making<'a, 'data> {
    pub(super) addresses: &'a Addresses<'a, 'data>,
    pub(super) layout: &'a Layout,
    pub(super) live: &'a Liveness,
    pub(super) frames: &'a [GraphFrames],
    pub(super) plans: &'a [Vec<EhFramePlan>],
}

impl Making<'_, '_> {
    /// The contents of the table's block.
    pub(super) fn bytes(&self, block: BlockId) -> Result<Vec<u8>> {
        let graph = &self.addresses.graphs[self.addresses.image.index as usize];
        let block = &graph.blocks[block.index()];
        let fault = |what: &str| Error::unsupported(Place::file(NAME), what, "link fewer objects at a time");
        let entries: Result<Vec<_>> = live_records(self.frames, self.live)
            .map(|(index, record)| self.entry(index, record).ok_or_else(|| fault("a function out of reach")))
            .collect();
        let place =
            self.distance(block.address.0).ok_or_else(|| fault("out of reach of the image's start"))?;
        let facts = arch::compact_unwind(graph.architecture());
        let mut bytes = compact_unwind::build(facts, entries?, place).map_err(fault)?.bytes;
        bytes.resize(block.size as usize, 0);
        Ok(bytes)
    }

    /// The distance of an address from the start of the image.
    fn distance(&self, address: u64) -> Option<u32> {
        let start = self.layout.segments.first()?.address.0;
        u32::try_from(address.checked_sub(start)?).ok()
    }

    fn entry(&self, index: u32, record: &Record) -> Option<Entry> {
        let graph = &self.addresses.graphs[index as usize];
        let address = graph.block(record.function.block).address().0 + record.function.offset;
        let in_eh_frame = arch::compact_unwind(graph.architecture()).is_in_eh_frame(record.encoding);
        Some(Entry {
            function: self.distance(address)?,
            length: record.length,
            encoding: record.encoding,
            personality: record.personality.map(|target| self.address(index, graph, target)),
            lsda: match record.lsda {
                Some(target) => Some(self.distance(self.address(index, graph, target))?),
                None => None,
            },
            fde: if in_eh_frame { self.fde(index, graph, record)? } else { 0 },
        })
    }

    fn address(&self, index: u32, graph: &LinkGraph<'_>, target: Target) -> u64 {
        let at = SymbolRef { graph: index, symbol: target.symbol.0 };
        let owner = self.addresses.owner(at, graph.symbol(target.symbol));
        self.addresses.address(owner).wrapping_add_signed(target.addend)
    }

    /// Where in the image's call frame records the one is that describes a function.
    fn fde(&self, index: u32, graph: &LinkGraph<'_>, record: &Record) -> Option<u32> {
        let frames = &self.frames[index as usize];
        let (position, fde) = frames.fde_of(graph, record)?;
        let block = frames.frames[position].block;
        let offset = self.plans[index as usize][position].new_offset(fde)?;
        let start = self.layout.group_range(self.addresses.graphs, GroupKind::EhFrame)?.start;
        u32::try_from(graph.block(block).address().0.checked_sub(start.0)? + u64::from(offset)).ok()
    }
}
