//! Layout with the islands that branches need: see [`islands`](super::islands).

use super::addresses::Addresses;
use super::entries::Entries;
use super::externals::External;
use super::globals::{GlobalId, Globals};
use super::image::Image;
use super::islands::{Islands, Scope};
use super::layout::{self, Layout};
use super::liveness::Liveness;
use super::mark::GraphFrames;
use super::merging::Merging;
use crate::alloc::Granularity;
use crate::arch::{self, DetourFacts};
use crate::base::Result;
use crate::graph::{BlockId, LinkGraph};
use crate::passes::eh_frame::EhFramePlan;
use std::collections::HashMap;

/// What layout needs besides the graphs.
#[derive(Debug)]
pub(super) struct Placing<'a, 'data> {
    pub(super) live: &'a Liveness,
    pub(super) frames: &'a [GraphFrames],
    pub(super) plans: &'a [Vec<EhFramePlan>],
    pub(super) image: &'a Image<'data>,
    pub(super) globals: &'a Globals<'data>,
    pub(super) externals: &'a HashMap<GlobalId, External>,
    pub(super) entries: &'a Entries,
    pub(super) merging: &'a Merging<'data>,
    pub(super) granularity: Granularity,
    /// Blocks with branches of short reach.
    pub(super) short_branches: &'a [(u32, BlockId)],
}

/// Islands that grow put branches out of reach that reached before. This is not followed for ever: what is still out of
/// reach then is an error where it is fixed up.
const ROUNDS: usize = 16;

impl<'data> Placing<'_, 'data> {
    /// Lays out all live blocks, with islands between them where branches need any.
    pub(super) fn lay_out(&self, graphs: &mut [LinkGraph<'data>]) -> Result<(Layout, Islands)> {
        let mut islands = Islands::default();
        let layout = self.lay_out_once(graphs, &mut islands)?;
        // Sections with segments of their own have nothing between them.
        let detours = arch::detours(self.image.graph.architecture())
            .filter(|_| self.granularity == Granularity::Segments);
        match detours {
            Some(detours) => match Scope::of(detours, &layout, self.short_branches) {
                Scope::Nothing => Ok((layout, islands)),
                scope => Ok((self.settle(graphs, layout, &mut islands, detours, scope)?, islands)),
            },
            None => Ok((layout, islands)),
        }
    }

    fn lay_out_once(&self, graphs: &mut [LinkGraph<'data>], islands: &mut Islands) -> Result<Layout> {
        layout::lay_out(graphs, self.live, self.frames, self.plans, self.image, islands, self.granularity)
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
            layout.set_addresses(&layout.pretended(), graphs, self.live)?;
            islands.divide(detours, graphs, self.live, &layout);
            layout = self.lay_out_once(graphs, islands)?;
        }
        for _ in 0..ROUNDS {
            layout.set_addresses(&layout.pretended(), graphs, self.live)?;
            islands.set_addresses(detours, &layout);
            let Self { globals, externals, entries, image, merging, .. } = *self;
            let addresses = Addresses::new(graphs, globals, externals, entries, image, merging, islands);
            let wanted = islands.wanted(scope, self.live, &addresses);
            let grows = islands.add(detours, wanted);
            layout = self.lay_out_once(graphs, islands)?;
            if !grows {
                break;
            }
        }
        Ok(layout)
    }
}
