//! Layout with the islands that branches need: see [`islands`](super::islands).

use super::addresses::Addresses;
use super::entries::Entries;
use super::externals::External;
use super::globals::{GlobalId, Globals};
use super::islands::{Islands, Scope};
use super::layout::{self, Layout, LayoutInputs};
use super::merging::Merging;
use super::thread_locals::ThreadLocals;
use crate::alloc::Granularity;
use crate::arch::{self, DetourFacts};
use crate::base::Result;
use crate::graph::{BlockId, LinkGraph};
use std::collections::HashMap;

/// What layout needs besides the graphs.
#[derive(Debug)]
pub(super) struct Placing<'a, 'data> {
    pub(super) inputs: LayoutInputs<'a, 'data>,
    pub(super) globals: &'a Globals<'data>,
    pub(super) externals: &'a HashMap<GlobalId, External>,
    pub(super) entries: &'a Entries,
    pub(super) thread_locals: &'a ThreadLocals,
    pub(super) merging: &'a Merging<'data>,
    /// Blocks with branches of short reach out of them.
    pub(super) short_branches: &'a [(u32, BlockId)],
}

/// Islands that grow put branches out of reach that reached before. This is not followed for ever: what is still out of
/// reach then is an error where it is fixed up.
const ROUNDS: usize = 16;

impl<'a, 'data> Placing<'a, 'data> {
    /// The addresses of everything, as blocks and islands lie now; those of names are not resolved yet.
    pub(super) fn addresses<'b>(
        &self,
        graphs: &'b [LinkGraph<'data>],
        islands: &'b Islands,
    ) -> Addresses<'b, 'data>
    where
        'a: 'b,
    {
        Addresses::new(graphs, self, islands)
    }

    /// Lays out all live blocks, with islands between them where branches need any.
    pub(super) fn lay_out(&self, graphs: &mut [LinkGraph<'data>]) -> Result<(Layout, Islands)> {
        let mut islands = Islands::default();
        let layout = self.lay_out_once(graphs, &mut islands)?;
        // Sections with segments of their own have nothing between them.
        let detours = arch::detours(self.inputs.image.graph.architecture())
            .filter(|_| self.inputs.granularity == Granularity::Segments);
        match detours {
            Some(detours) => match Scope::of(detours, &layout, self.short_branches) {
                Scope::Nothing => Ok((layout, islands)),
                scope => Ok((self.settle(graphs, layout, &mut islands, detours, scope)?, islands)),
            },
            None => Ok((layout, islands)),
        }
    }

    fn lay_out_once(&self, graphs: &mut [LinkGraph<'data>], islands: &mut Islands) -> Result<Layout> {
        layout::lay_out(graphs, self.inputs, islands)
    }

    /// Adds islands to `layout` until every branch has what it needs.
    fn settle(
        &self,
        graphs: &mut [LinkGraph<'data>],
        mut layout: Layout,
        islands: &mut Islands,
        detours: &DetourFacts,
        scope: Scope<'_>,
    ) -> Result<Layout> {
        if scope == Scope::Everything {
            layout.set_addresses(&layout.pretended(), graphs, self.inputs.live, self.inputs.workers)?;
            islands.divide(detours, graphs, self.inputs.live, &layout);
            layout = self.lay_out_once(graphs, islands)?;
        }
        for _ in 0..ROUNDS {
            layout.set_addresses(&layout.pretended(), graphs, self.inputs.live, self.inputs.workers)?;
            islands.set_addresses(detours, &layout);
            let mut addresses = self.addresses(graphs, islands);
            addresses.resolve_names(self.inputs.workers);
            let wanted = islands.wanted(scope, self.inputs.live, &addresses);
            let grows = islands.add(detours, wanted);
            layout = self.lay_out_once(graphs, islands)?;
            if !grows {
                break;
            }
        }
        Ok(layout)
    }
}
