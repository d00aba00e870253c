//! Dead strip and scan in one walk: from the roots, each live block's edges are checked, classified by what they need
//! (GOT, PLT, a canonical address), and followed.

use super::globals::{GlobalId, Globals, SymbolRef, seen};
use super::liveness::Liveness;
use crate::arch;
use crate::base::{Error, Result};
use crate::graph::symbol::NO_GLOBAL;
use crate::graph::{
    Block, BlockId, Demands, Edge, EdgeKind, KindFacts, Lifetime, LinkGraph, Request, Scope, SectionFlags,
    SectionRole, SymbolFlags, SymbolId, SymbolKind,
};
use crate::passes::bounds::{self, LinkerSymbol};
use crate::passes::eh_frame::{self, EhFrame};
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// What a symbol needs besides its address.
pub(crate) mod need {
    /// A GOT entry.
    pub(crate) const GOT: u8 = 1;
    /// A PLT entry.
    pub(crate) const PLT: u8 = 2;
    /// An address in reach of the image.
    pub(crate) const NEAR: u8 = 4;
    /// A hop, perhaps. The branch needs it, not the symbol.
    pub(super) const HOP: u8 = 8;
}

/// The call frame records of one graph.
#[derive(Debug)]
pub(crate) struct GraphFrames {
    pub(crate) frames: Vec<EhFrame>,
    /// For each of `frames`: its FDEs by the block that they describe.
    by_block: Vec<Vec<(BlockId, u32)>>,
}

impl GraphFrames {
    /// Splits a graph's call frame sections into records.
    pub(crate) fn read(graph: &mut LinkGraph<'_>) -> Result<Self> {
        let mut frames = Vec::new();
        let mut by_block = Vec::new();
        for index in 0..graph.blocks.len() {
            let section = graph.blocks[index].section;
            if graph.sections.get(section.index()).is_some_and(|section| section.role == SectionRole::EhFrame)
            {
                let block = BlockId(index as u32);
                graph.sort_edges(block);
                let frame = eh_frame::split(graph, block)?;
                by_block.push(eh_frame::fdes_of_blocks(&frame, graph));
                frames.push(frame);
            }
        }
        Ok(Self { frames, by_block })
    }
}

/// What the walk found.
#[derive(Debug)]
pub(crate) struct Marks {
    pub(crate) live: Liveness,
    /// Bits of [`need`] by [`GlobalId`].
    pub(crate) needs: Vec<AtomicU8>,
    /// Bits of [`need`] of symbols without a global name; repeated.
    pub(crate) local_needs: Vec<(SymbolRef, u8)>,
    /// What live edges demand of where the batch lies.
    pub(crate) demands: Demands,
    /// Blocks with branches of short reach, in order.
    pub(crate) short_branches: Vec<(u32, BlockId)>,
    /// How many edges were looked at.
    pub(crate) edge_count: u64,
}

/// What the walk starts from, besides kept sections and symbols.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Roots<'a> {
    /// Everything is live.
    All,
    /// What the batch exports, and these names.
    Exported(&'a [GlobalId]),
}

/// Whether direct branches and pc-relative references reach everything in the image.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Extent {
    Near,
    /// All of it but what large sections hold.
    NearButLarge,
    /// The image may be larger than that: entries are made for everything.
    Far,
}

/// Walks the batch.
pub(crate) fn mark(
    graphs: &[LinkGraph<'_>],
    frames: &[GraphFrames],
    globals: &Globals<'_>,
    roots: Roots<'_>,
    extent: Extent,
) -> Result<Marks> {
    let needs = (0..globals.len()).map(|_| AtomicU8::new(0)).collect();
    let mut walk = Walk {
        graphs,
        frames,
        globals,
        extent,
        live: Liveness::new(graphs),
        needs,
        local_needs: Vec::new(),
        demands: Demands::empty(),
        short_branches: Vec::new(),
        edge_count: 0,
        pending: Vec::new(),
        named: named_sections(graphs),
    };
    walk.add_roots(roots);
    while let Some((graph, block)) = walk.pending.pop() {
        walk.visit(graph, block)?;
    }
    let Walk { live, needs, local_needs, demands, mut short_branches, edge_count, .. } = walk;
    short_branches.sort_unstable();
    short_branches.dedup();
    Ok(Marks { live, needs, local_needs, demands, short_branches, edge_count })
}

/// The blocks of sections that `__start_NAME` and `__stop_NAME` can bound, by name.
fn named_sections<'a>(graphs: &'a [LinkGraph<'_>]) -> Vec<(&'a [u8], u32, BlockId)> {
    let mut named = Vec::new();
    for (index, graph) in (0u32..).zip(graphs) {
        if !graph.sections.iter().any(|section| section.flags.contains(SectionFlags::C_IDENTIFIER)) {
            continue;
        }
        for (id, block) in graph.blocks() {
            let section = &graph.sections[block.section.index()];
            if section.flags.contains(SectionFlags::C_IDENTIFIER) {
                named.push((&*section.name, index, id));
            }
        }
    }
    named.sort_unstable();
    named
}

struct Walk<'a, 'data> {
    graphs: &'a [LinkGraph<'data>],
    frames: &'a [GraphFrames],
    globals: &'a Globals<'data>,
    extent: Extent,
    live: Liveness,
    needs: Vec<AtomicU8>,
    local_needs: Vec<(SymbolRef, u8)>,
    demands: Demands,
    short_branches: Vec<(u32, BlockId)>,
    edge_count: u64,
    pending: Vec<(u32, BlockId)>,
    named: Vec<(&'a [u8], u32, BlockId)>,
}

/// Absolute addresses below are in reach of an image that lies low.
const LOW_END: u64 = 1 << 31;

/// A scanned edge's target, as far as the batch knows it.
enum Target {
    /// A place in the batch.
    Block { graph: u32, block: BlockId, indirect: bool },
    /// Memory that the linker will allocate in the image.
    Common,
    /// An address that the batch itself states.
    Absolute(u64),
    /// Something outside of the batch.
    Outside,
    /// No symbol at all: zero.
    None,
}

impl<'a> Walk<'a, '_> {
    fn add_roots(&mut self, roots: Roots<'_>) {
        for (index, graph) in (0u32..).zip(self.graphs) {
            for (id, block) in graph.blocks() {
                let section = &graph.sections[block.section.index()];
                let kept = roots == Roots::All || section.flags.contains(SectionFlags::KEEP);
                if kept && section.lifetime != Lifetime::NoAlloc && section.role != SectionRole::EhFrame {
                    self.push(index, id);
                }
            }
            if roots != Roots::All {
                self.add_exports(index, graph);
            }
        }
        if let Roots::Exported(names) = roots {
            for &id in names {
                self.reach_global(id);
            }
        }
    }

    fn add_exports(&mut self, index: u32, graph: &LinkGraph<'_>) {
        for symbol in &graph.symbols {
            let exported = symbol.global != NO_GLOBAL
                && symbol.kind == SymbolKind::Defined
                && matches!(symbol.scope(), Scope::Default | Scope::Protected)
                && self.globals.seen(symbol.global) & seen::HIDDEN == 0;
            if (exported || symbol.flags.contains(SymbolFlags::KEEP)) && symbol.place().is_some() {
                self.push(index, symbol.block);
            }
        }
    }

    #[inline]
    fn push(&mut self, graph: u32, block: BlockId) {
        if self.live.mark(graph, block) {
            self.pending.push((graph, block));
        }
    }

    fn visit(&mut self, index: u32, id: BlockId) -> Result<()> {
        let graph = &self.graphs[index as usize];
        let block = &graph.blocks[id.index()];
        if block.edges.len() != 0 {
            let section = &graph.sections[block.section.index()];
            if section.lifetime == Lifetime::NoAlloc {
                return Ok(());
            }
            self.scan(index, graph, id, block)?;
        }
        if let Some(frames) = self.frames.get(index as usize)
            && !frames.frames.is_empty()
        {
            self.visit_frames(index, graph, frames, id)?;
        }
        Ok(())
    }

    fn scan(
        &mut self,
        index: u32,
        graph: &'a LinkGraph<'_>,
        id: BlockId,
        block: &'a Block<'_>,
    ) -> Result<()> {
        self.edge_count += block.edges.len() as u64;
        let content = block.content.bytes();
        let kinds = graph.kinds;
        graph.edges_of(block).try_for_each_edge(|edge| {
            let facts = kinds.get(edge.kind.index()).unwrap_or(&kinds[EdgeKind::UNKNOWN.index()]);
            if edge.offset as usize + facts.width as usize > content.len() {
                return Err(past_end(graph, id, &edge));
            }
            self.edge(index, graph, id, &edge, facts, content)
        })
    }

    #[inline(always)]
    fn edge(
        &mut self,
        index: u32,
        graph: &'a LinkGraph<'_>,
        id: BlockId,
        edge: &Edge,
        facts: &KindFacts,
        content: &[u8],
    ) -> Result<()> {
        let target = match self.target(index, graph, edge.target) {
            Some(target) => target,
            None => return Err(bad_target(graph, id, edge)),
        };
        self.demands |= facts.demands;
        let needs = match target {
            Target::Block { graph: home, block, indirect } => {
                self.push(home, block);
                let plain = !indirect
                    && self.extent == Extent::Near
                    && !matches!(facts.request, Request::Got | Request::RelaxableGot | Request::ShortBranch);
                if plain {
                    0
                } else {
                    let far = self.is_far(home, block);
                    needs_inside(graph, edge, facts.request, indirect, far, content)
                }
            }
            Target::Common => {
                let far = self.extent != Extent::Near;
                needs_inside(graph, edge, facts.request, false, far, content)
            }
            Target::Absolute(address) => {
                if facts.pc_relative && facts.request == Request::NearAddress && address < LOW_END {
                    self.demands |= Demands::LOW;
                }
                needs_outside(facts.request)
            }
            Target::Outside => needs_outside(facts.request),
            // Without a symbol the address is zero, and needs an entry to be loaded from all the same.
            Target::None => needs_outside(facts.request) & need::GOT,
        };
        if edge.kind == EdgeKind::UNKNOWN {
            return Err(unknown_kind(graph, id, edge));
        }
        if needs != 0 {
            self.note_needs(index, graph, id, edge.target, needs);
        }
        Ok(())
    }

    #[inline(always)]
    fn target(&mut self, index: u32, graph: &LinkGraph<'_>, target: SymbolId) -> Option<Target> {
        let symbol = graph.symbols.get(target.index())?;
        match symbol.kind {
            SymbolKind::Defined => Some(Target::Block {
                graph: index,
                block: symbol.block,
                indirect: symbol.flags.contains(SymbolFlags::INDIRECT),
            }),
            SymbolKind::External | SymbolKind::Common => Some(self.reach_global(symbol.global)),
            SymbolKind::Absolute => Some(Target::Absolute(symbol.value)),
            SymbolKind::Null if target.0 == 0 => Some(Target::None),
            SymbolKind::Null | SymbolKind::Discarded => None,
        }
    }

    /// Follows a name to its definition in the batch; notes that it is used where there is none.
    fn reach_global(&mut self, id: GlobalId) -> Target {
        if id == NO_GLOBAL {
            return Target::Outside;
        }
        if let Some(at) = self.globals.definition(id) {
            let symbol = &self.graphs[at.graph as usize].symbols[at.symbol as usize];
            match symbol.kind {
                SymbolKind::Defined => {}
                SymbolKind::Absolute => return Target::Absolute(symbol.value),
                _ => return Target::Outside,
            }
            self.push(at.graph, symbol.block);
            let indirect = symbol.flags.contains(SymbolFlags::INDIRECT);
            return Target::Block { graph: at.graph, block: symbol.block, indirect };
        }
        if self.globals.seen(id) & seen::LIVE == 0 {
            self.globals.note(id, seen::LIVE);
            self.keep_bounded_sections(id);
        }
        match self.globals.winner(id) {
            Some((super::globals::Rank::Common, _)) => Target::Common,
            _ => Target::Outside,
        }
    }

    /// `__start_NAME` and `__stop_NAME` keep all sections called NAME.
    fn keep_bounded_sections(&mut self, id: GlobalId) {
        let Some(LinkerSymbol::Section(bounds)) = bounds::parse_linker_symbol(self.globals.name(id)) else {
            return;
        };
        let start = self.named.partition_point(|entry| entry.0 < bounds.section);
        for index in start..self.named.len() {
            let (name, graph, block) = self.named[index];
            if name != bounds.section {
                break;
            }
            self.push(graph, block);
        }
    }

    /// Whether a block may be out of the reach of code.
    fn is_far(&self, graph: u32, block: BlockId) -> bool {
        match self.extent {
            Extent::Near => false,
            Extent::Far => true,
            Extent::NearButLarge => {
                let graph = &self.graphs[graph as usize];
                let section = graph.blocks[block.index()].section;
                graph.sections[section.index()].flags.contains(SectionFlags::LARGE)
            }
        }
    }

    /// Notes what an edge of `block` needs.
    fn note_needs(&mut self, index: u32, graph: &LinkGraph<'_>, block: BlockId, target: SymbolId, needs: u8) {
        if needs & need::HOP != 0 && self.short_branches.last() != Some(&(index, block)) {
            self.short_branches.push((index, block));
        }
        let needs = needs & !need::HOP;
        if needs == 0 {
            return;
        }
        match graph.symbols[target.index()].global {
            NO_GLOBAL => {
                let at = SymbolRef { graph: index, symbol: target.0 };
                if self.local_needs.last() != Some(&(at, needs)) {
                    self.local_needs.push((at, needs));
                }
            }
            id => {
                self.needs[id as usize].fetch_or(needs, Relaxed);
            }
        }
    }

    /// A live function keeps what its call frame records refer to: language-specific data and personality.
    fn visit_frames(
        &mut self,
        index: u32,
        graph: &'a LinkGraph<'_>,
        frames: &'a GraphFrames,
        id: BlockId,
    ) -> Result<()> {
        for (frame, by_block) in frames.frames.iter().zip(&frames.by_block) {
            let block = &graph.blocks[frame.block.index()];
            for &(_, fde) in eh_frame::fdes_of(by_block, id) {
                // Marked, not walked: records of dead functions keep nothing.
                self.live.mark(index, frame.block);
                for range in frame.edges_kept_by(fde) {
                    let content = block.content.bytes();
                    graph.edges_of(block).slice(range).try_for_each_edge(|edge| {
                        let facts = graph.kind_facts(edge.kind);
                        self.edge(index, graph, frame.block, &edge, facts, content)
                    })?;
                }
            }
        }
        Ok(())
    }
}

fn needs_inside(
    graph: &LinkGraph<'_>,
    edge: &Edge,
    request: Request,
    indirect: bool,
    far: bool,
    content: &[u8],
) -> u8 {
    let mut needs = if indirect { need::PLT } else { 0 };
    match request {
        Request::Got => needs |= need::GOT,
        Request::RelaxableGot => {
            let relaxes =
                !far && arch::can_relax(graph.architecture, edge.kind, content, edge.offset, edge.addend);
            needs |= if relaxes { 0 } else { need::GOT };
        }
        Request::Call if far => needs |= need::PLT,
        Request::ShortBranch => needs |= need::HOP,
        _ => {}
    }
    needs
}

fn needs_outside(request: Request) -> u8 {
    match request {
        Request::NearAddress => need::NEAR,
        Request::Call | Request::Plt => need::PLT,
        Request::Got | Request::RelaxableGot => need::GOT,
        Request::ShortBranch => need::HOP,
        Request::Nothing | Request::Address | Request::ThreadLocal => 0,
    }
}

#[cold]
fn past_end(graph: &LinkGraph<'_>, block: BlockId, edge: &Edge) -> Error {
    Error::malformed(
        graph.place(block, u64::from(edge.offset)),
        format!("{} relocation reaches past the end of its section", graph.kind_facts(edge.kind).name),
    )
}

#[cold]
fn unknown_kind(graph: &LinkGraph<'_>, block: BlockId, edge: &Edge) -> Error {
    let number = graph.relocation_number(block, edge.offset);
    let what = number.map_or("unknown relocation type".into(), |n| format!("unknown relocation type {n}"));
    Error::unsupported(
        graph.place(block, u64::from(edge.offset)),
        what,
        "its meaning for relocatable objects is in no psABI that is supported here",
    )
}

#[cold]
fn bad_target(graph: &LinkGraph<'_>, block: BlockId, edge: &Edge) -> Error {
    let place = graph.place(block, u64::from(edge.offset));
    match graph.symbols.get(edge.target.index()).map(|symbol| symbol.kind) {
        None => Error::malformed(
            place,
            format!(
                "relocation refers to symbol {}, past the {} symbols",
                edge.target.0,
                graph.symbols.len()
            ),
        ),
        Some(SymbolKind::Discarded) => Error::unsupported(
            place,
            format!(
                "relocation refers to {} in a section that another object's COMDAT copy replaced",
                graph.display_symbol(edge.target)
            ),
            "compile the objects with the same compiler and flags",
        ),
        Some(_) => Error::malformed(
            place,
            format!(
                "relocation refers to {}, which is in no loaded section",
                graph.display_symbol(edge.target)
            ),
        ),
    }
}
