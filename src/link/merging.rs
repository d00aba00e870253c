//! Mergeable sections of the batch: one copy of each string and constant, in blocks of the image graph.

use super::image::{Image, Shape};
use super::layout::MERGED;
use super::liveness::Liveness;
use crate::base::{Error, Result, Workers};
use crate::graph::{BlockId, Content, LinkGraph, Permissions, SectionFlags, SectionRole};
use crate::passes::merge::{self, MergeInput, MergeRole, Merged};
use smallvec::SmallVec;

/// Where the pieces of merged blocks went.
#[derive(Debug, Default)]
pub(crate) struct Merging<'data> {
    merged: Option<Merged<'data>>,
    /// For each graph: its merged blocks, in order, with the positions of their maps.
    maps: Vec<SmallVec<[(BlockId, u32); 2]>>,
    /// For each group of pieces: its block in the image graph.
    pub(crate) blocks: Vec<BlockId>,
}

impl<'data> Merging<'data> {
    /// Merges the live mergeable blocks and gives the pieces blocks in the image graph.
    pub(crate) fn new(
        graphs: &mut [LinkGraph<'data>],
        live: &Liveness,
        image: &mut Image<'data>,
        workers: &Workers,
    ) -> Result<Self> {
        let mut inputs: Vec<MergeInput<'data>> = Vec::new();
        let mut sources = Vec::new();
        let mut maps = vec![SmallVec::new(); graphs.len()];
        for (index, graph) in (0u32..).zip(graphs.iter()) {
            for (id, block) in graph.blocks() {
                let section = &graph.sections[block.section.index()];
                let Some(role) = role_of(section.role) else { continue };
                // Pieces have no relocations of their own: a section that has them stays as it is.
                if !live.is_live(index, id) || block.edges.len() != 0 || block.size == 0 {
                    continue;
                }
                let &Content::Borrowed(bytes) = &block.content else { continue };
                let class = u32::from(section.flags.contains(SectionFlags::LARGE)) << 8
                    | u32::from(section.permissions.bits());
                maps[index as usize].push((id, inputs.len() as u32));
                sources.push((index, id));
                inputs.push(MergeInput { bytes, role, alignment: block.alignment(), class });
            }
        }
        if inputs.is_empty() {
            return Ok(Self::default());
        }
        let merged = merge::merge(&inputs, workers).map_err(|error| {
            let (graph, block) = sources[error.input];
            Error::malformed(graphs[graph as usize].place(block, error.offset), error.fault.to_string())
        })?;
        for (graph, block) in sources {
            graphs[graph as usize].blocks[block.index()].address = MERGED;
        }
        let mut merging = Self { merged: None, maps, blocks: Vec::new() };
        for group in &merged.groups {
            let mut bytes = vec![0; group.size as usize];
            group.write(&mut bytes);
            let mut flags = SectionFlags::empty();
            flags.set(SectionFlags::LARGE, group.class & 0x100 != 0);
            let permissions = Permissions::from_bits_truncate(group.class as u8);
            let shape = Shape::bytes(bytes, group.alignment);
            merging.blocks.push(image.add_block(".merged", permissions, flags, shape));
        }
        merging.merged = Some(merged);
        Ok(merging)
    }

    /// The address of an offset in a merged block.
    pub(crate) fn address(
        &self,
        image: &LinkGraph<'_>,
        graph: u32,
        block: BlockId,
        offset: u64,
    ) -> Option<u64> {
        let maps = self.maps.get(graph as usize)?;
        let (_, map) = maps[maps.binary_search_by_key(&block, |(id, _)| *id).ok()?];
        let map = self.merged.as_ref()?.maps.get(map as usize)?;
        let group = self.blocks.get(map.group as usize)?;
        Some(image.blocks[group.index()].address.0.wrapping_add(map.map(offset)?))
    }
}

fn role_of(role: SectionRole) -> Option<MergeRole> {
    match role {
        SectionRole::MergeStrings { unit } => Some(MergeRole::Strings { unit }),
        SectionRole::MergeConstants { unit } => Some(MergeRole::Constants { unit }),
        _ => None,
    }
}
