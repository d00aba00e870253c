//! The sections of a batch by name, for Mach-O's symbols that bound sections and segments.

use crate::graph::{LinkGraph, SectionId};
use crate::passes::bounds::MachBounds;

/// All sections of a batch, sorted by their full names. Made only where bounds are asked for.
#[derive(Debug)]
pub(crate) struct SectionNames {
    sorted: Vec<(Box<[u8]>, u32, SectionId)>,
}

impl SectionNames {
    pub(crate) fn new(graphs: &[LinkGraph<'_>]) -> Self {
        let mut sorted = Vec::new();
        for (index, graph) in (0u32..).zip(graphs) {
            sorted.extend(graph.sections().map(|(id, section)| (Box::from(&*section.name), index, id)));
        }
        sorted.sort_unstable();
        Self { sorted }
    }

    /// The sections that `bounds` includes: the index of the graph, and the section there.
    pub(crate) fn included(&self, bounds: &MachBounds<'_>) -> impl Iterator<Item = (u32, SectionId)> {
        let first = first_name(bounds);
        let start = self.sorted.partition_point(|(name, ..)| **name < *first);
        let rest = self.sorted[start..].iter().take_while(|(name, ..)| bounds.includes(name));
        rest.map(|&(_, graph, section)| (graph, section))
    }
}

/// The first name that `bounds` can include: such names follow each other where names are sorted.
pub(crate) fn first_name(bounds: &MachBounds<'_>) -> Vec<u8> {
    [bounds.segment, b",", bounds.section.unwrap_or_default()].concat()
}
