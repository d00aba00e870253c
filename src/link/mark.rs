//! Dead strip and scan in one walk: from the roots, each live block's edges are checked, classified by what they need
//! (GOT, PLT, a canonical address), and followed.

mod support;
mod thread_locals;

use super::bounded::SectionNames;
use super::globals::{GlobalId, Globals, Rank, SymbolRef, seen};
use super::liveness::Liveness;
use crate::arch;
use crate::base::{Error, Result, Workers};
use crate::graph::symbol::NO_GLOBAL;
use crate::graph::{
    Block, BlockId, Demands, Edge, EdgeKind, KindFacts, Lifetime, LinkGraph, Request, Scope, SectionFlags,
    SectionRole, Spelling, Symbol, SymbolFlags, SymbolId, SymbolKind,
};
use crate::passes::bounds::{self, LinkerSymbol, MachBounds};
use crate::passes::compact_unwind;
use crate::passes::eh_frame::{self, EhFrame};
use bitflags::bitflags;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// What a symbol needs besides its address.
pub(crate) mod need {
    /// A GOT entry.
    pub(crate) const GOT: u8 = 1;
    /// A PLT entry.
    pub(crate) const PLT: u8 = 2;
    /// An address in reach of the image.
    pub(crate) const NEAR: u8 = 4;
    /// A pair of GOT entries for `__tls_get_addr`.
    pub(crate) const THREAD_PAIR: u8 = 8;
    /// A TLS descriptor.
    pub(crate) const THREAD_DESCRIPTOR: u8 = 16;
    /// A GOT entry for the offset from the thread pointer.
    pub(crate) const THREAD_OFFSET: u8 = 32;
    /// The same offset from the thread pointer in every thread.
    pub(crate) const THREAD_STATIC: u8 = 64;
    /// Whatever is needed of a thread-local variable.
    pub(crate) const THREAD: u8 = THREAD_PAIR | THREAD_DESCRIPTOR | THREAD_OFFSET | THREAD_STATIC;
}

/// The call frame records of one graph.
#[derive(Debug)]
pub(crate) struct GraphFrames {
    /// One for each call frame section, in the order of their blocks.
    pub(crate) frames: Vec<EhFrame>,
    /// All FDEs, sorted by the block that they describe.
    fdes: Vec<Fde>,
    /// Compact unwind records; each function that they describe has an FDE, too.
    pub(crate) compact: Vec<compact_unwind::Record>,
}

/// An FDE: the block that it describes, its section as an index in [`GraphFrames::frames`], its index there.
type Fde = (BlockId, u32, u32);

impl GraphFrames {
    /// Splits a graph's call frame sections into records. Functions of compact unwind records that have none get some.
    pub(crate) fn read(graph: &mut LinkGraph<'_>) -> Result<Self> {
        let mut read = Self { frames: Vec::new(), fdes: Vec::new(), compact: Vec::new() };
        for index in 0..graph.blocks.len() {
            let section = graph.blocks[index].section;
            let block = BlockId(index as u32);
            match graph.sections.get(section.index()).map(|section| section.role) {
                Some(SectionRole::EhFrame) => read.add(graph, block)?,
                Some(SectionRole::CompactUnwind) => {
                    graph.sort_edges(block);
                    read.compact.extend(compact_unwind::read(graph, block)?);
                }
                _ => {}
            }
        }
        if !read.compact.is_empty()
            && let Some(made) = compact_unwind::synthesize(graph, &read.compact, &read.frames)?
        {
            read.add(graph, made)?;
        }
        if read.frames.len() > 1 {
            read.fdes.sort_unstable();
        }
        Ok(read)
    }

    fn add(&mut self, graph: &mut LinkGraph<'_>, block: BlockId) -> Result<()> {
        graph.sort_edges(block);
        let frame = eh_frame::split(graph, block)?;
        let position = self.frames.len() as u32;
        let of_blocks = eh_frame::fdes_of_blocks(&frame, graph);
        self.fdes.extend(of_blocks.into_iter().map(|(block, fde)| (block, position, fde)));
        self.frames.push(frame);
        Ok(())
    }

    /// The records of a section, by its block: an index in [`Self::frames`].
    pub(crate) fn position(&self, block: BlockId) -> Option<usize> {
        self.frames.binary_search_by_key(&block, |frame| frame.block).ok()
    }

    /// The FDE of a compact record's function: its section, as an index in [`Self::frames`], and its index there.
    pub(crate) fn fde_of(
        &self,
        graph: &LinkGraph<'_>,
        record: &compact_unwind::Record,
    ) -> Option<(usize, u32)> {
        let mut fdes = self.of_block(record.function.block).map(|fde| (fde.1 as usize, fde.2));
        fdes.find(|&(position, fde)| {
            let frame = &self.frames[position];
            compact_unwind::start_of(graph, frame.block, &frame.records[fde as usize])
                == Some(record.function)
        })
    }

    /// The FDEs that describe a block.
    fn of_block(&self, block: BlockId) -> impl Iterator<Item = &Fde> {
        let start = self.fdes.partition_point(|fde| fde.0 < block);
        self.fdes[start..].iter().take_while(move |fde| fde.0 == block)
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
    /// Whether live code asks for the start of the image's thread-local variables.
    pub(crate) thread_module: bool,
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

/// Walks the batch: every graph's roots and all that they reach and nobody reached before, by one worker at a time.
///
/// # Errors
/// Of all faults in the edges of live blocks, the one in the first graph, block and edge, whoever found it.
pub(crate) fn mark(
    graphs: &[LinkGraph<'_>],
    frames: &[GraphFrames],
    globals: &Globals<'_>,
    roots: Roots<'_>,
    extent: Extent,
    workers: &Workers,
) -> Result<Marks> {
    let ground = Ground {
        graphs,
        frames,
        globals,
        extent,
        live: Liveness::new(graphs),
        needs: zeros(globals.len()),
        reached: zeros(globals.len()),
        named: named_sections(graphs),
        section_names: OnceLock::new(),
    };
    let indices = 0..graphs.len() as u32;
    let mut walk =
        workers.fold(indices, || Walk::new(&ground), |walk, index| walk.over(index, roots), Walk::merge);
    if let Roots::Exported(names) = roots {
        names.iter().for_each(|&id| _ = walk.reach_global(id));
    }
    walk.finish();
    walk.keep_support();
    let Walk { found, .. } = walk;
    let Found { local_needs, demands, mut short_branches, thread_module, edge_count, fault } = found;
    if let Some((_, error)) = fault {
        return Err(error);
    }
    short_branches.sort_unstable();
    short_branches.dedup();
    let Ground { live, needs, .. } = ground;
    Ok(Marks { live, needs, local_needs, demands, short_branches, thread_module, edge_count })
}

fn zeros(count: usize) -> Vec<AtomicU8> {
    (0..count).map(|_| AtomicU8::new(0)).collect()
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

/// What all walks share.
struct Ground<'a, 'data> {
    graphs: &'a [LinkGraph<'data>],
    frames: &'a [GraphFrames],
    globals: &'a Globals<'data>,
    extent: Extent,
    live: Liveness,
    needs: Vec<AtomicU8>,
    /// What each name leads to, as bits of [`Target`], once a walk has followed it.
    reached: Vec<AtomicU8>,
    named: Vec<(&'a [u8], u32, BlockId)>,
    /// The sections that Mach-O's bounds can include, once they are asked for.
    section_names: OnceLock<SectionNames>,
}

/// One worker's walk.
struct Walk<'a, 'data> {
    ground: &'a Ground<'a, 'data>,
    pending: Vec<(u32, BlockId)>,
    /// Places in other graphs that are reached by name. Most are roots there, and are walked together with their
    /// neighbours if only they are left until then.
    deferred: Vec<(u32, BlockId)>,
    found: Found,
}

/// What a walk found.
#[derive(Default)]
struct Found {
    local_needs: Vec<(SymbolRef, u8)>,
    demands: Demands,
    short_branches: Vec<(u32, BlockId)>,
    thread_module: bool,
    edge_count: u64,
    /// The first fault, and where it is.
    fault: Option<(FaultPosition, Error)>,
}

/// Graph, block and offset of a faulty edge.
type FaultPosition = (u32, BlockId, u32);

bitflags! {
    /// What is at the other end of an edge, as far as the batch knows it. Nothing: a place in reach, in the edge's block.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    struct Target: u8 {
        /// Not in the edge's own block.
        const ELSEWHERE = 1;
        /// May be out of the reach of code.
        const FAR = 2;
        /// An indirect function.
        const INDIRECT = 4;
        /// An absolute address or something outside of the batch.
        const OUTSIDE = 8;
        /// No symbol at all: zero.
        const NULL = 16;
        /// An absolute address in reach of an image that lies low.
        const LOW = 32;
        /// In [`Ground::reached`]: the name has been followed.
        const KNOWN = 64;
    }
}

impl<'a, 'data> Walk<'a, 'data> {
    fn new(ground: &'a Ground<'a, 'data>) -> Self {
        Self { ground, pending: Vec::new(), deferred: Vec::new(), found: Found::default() }
    }

    fn merge(mut self, mut other: Self) -> Self {
        self.deferred.append(&mut other.deferred);
        self.found.local_needs.append(&mut other.found.local_needs);
        self.found.demands |= other.found.demands;
        self.found.short_branches.append(&mut other.found.short_branches);
        self.found.thread_module |= other.found.thread_module;
        self.found.edge_count += other.found.edge_count;
        if let Some((position, error)) = other.found.fault {
            self.note_fault(position, |_| error);
        }
        self
    }

    /// This walk, gone on from the roots of one more graph.
    fn over(mut self, index: u32, roots: Roots<'_>) -> Self {
        self.add_roots(index, roots);
        self.drain();
        self
    }

    /// Visits all that is pending, and what that reaches.
    fn drain(&mut self) {
        while let Some((graph, block)) = self.pending.pop() {
            self.visit(graph, block);
        }
    }

    /// Visits what was deferred, and all that that reaches.
    fn finish(&mut self) {
        while let Some((graph, block)) = self.deferred.pop() {
            self.push(graph, block);
            self.drain();
        }
    }

    /// Keeps the fault that comes first in the batch.
    #[cold]
    fn note_fault(&mut self, position: FaultPosition, describe: impl FnOnce(&'a LinkGraph<'data>) -> Error) {
        if self.found.fault.as_ref().is_none_or(|(first, _)| position < *first) {
            let graph = &self.ground.graphs[position.0 as usize];
            self.found.fault = Some((position, describe(graph)));
        }
    }

    fn add_roots(&mut self, index: u32, roots: Roots<'_>) {
        let graph = &self.ground.graphs[index as usize];
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

    fn add_exports(&mut self, index: u32, graph: &LinkGraph<'_>) {
        for symbol in &graph.symbols {
            let exported = symbol.global != NO_GLOBAL
                && symbol.kind == SymbolKind::Defined
                && matches!(symbol.scope(), Scope::Default | Scope::Protected)
                && self.ground.globals.seen(symbol.global) & seen::HIDDEN == 0;
            if (exported || symbol.flags.contains(SymbolFlags::KEEP)) && symbol.place().is_some() {
                self.push(index, symbol.block);
            }
        }
    }

    #[inline]
    fn push(&mut self, graph: u32, block: BlockId) {
        if self.ground.live.mark(graph, block) {
            self.pending.push((graph, block));
        }
    }

    fn visit(&mut self, index: u32, id: BlockId) {
        let graph = &self.ground.graphs[index as usize];
        let block = &graph.blocks[id.index()];
        if block.edges.len() != 0 {
            let section = &graph.sections[block.section.index()];
            if section.lifetime == Lifetime::NoAlloc {
                return;
            }
            self.scan(index, graph, id, block);
        }
        if let Some(frames) = self.ground.frames.get(index as usize)
            && !frames.frames.is_empty()
        {
            self.visit_frames(index, graph, frames, id);
        }
    }

    fn scan(&mut self, index: u32, graph: &'a LinkGraph<'data>, id: BlockId, block: &'a Block<'data>) {
        self.found.edge_count += block.edges.len() as u64;
        let content = block.content.bytes();
        for edge in graph.edges_of(block) {
            self.edge(index, graph, id, &edge, content);
        }
    }

    #[inline(always)]
    fn edge(&mut self, index: u32, graph: &'a LinkGraph<'data>, id: BlockId, edge: &Edge, content: &[u8]) {
        let kinds = graph.kinds;
        let facts = kinds.get(edge.kind.index()).unwrap_or(&kinds[EdgeKind::UNKNOWN.index()]);
        if edge.offset as usize + facts.width as usize > content.len() {
            return self.note_fault((index, id, edge.offset), |graph| past_end(graph, id, edge));
        }
        let Some(target) = self.target(index, graph, id, edge.target) else {
            return self.note_fault((index, id, edge.offset), |graph| bad_target(graph, id, edge));
        };
        if edge.kind == EdgeKind::UNKNOWN {
            return self.note_fault((index, id, edge.offset), |graph| unknown_kind(graph, id, edge));
        }
        self.found.demands |= facts.demands;
        if needs_looking_at(target, facts.request) {
            self.note_request(index, graph, id, edge, target, facts, content);
        }
    }

    /// Notes what an edge needs besides the target's address.
    #[inline(never)]
    #[expect(clippy::too_many_arguments, reason = "the parts of one edge")]
    fn note_request(
        &mut self,
        index: u32,
        graph: &LinkGraph<'_>,
        id: BlockId,
        edge: &Edge,
        target: Target,
        facts: &KindFacts,
        content: &[u8],
    ) {
        let request = facts.request;
        if request == Request::ThreadLocal {
            return self.note_thread_local(index, graph, id, edge, facts.access);
        }
        if request == Request::ShortBranch && target.contains(Target::ELSEWHERE) {
            self.note_short_branch(index, id);
        }
        if target.contains(Target::LOW) && facts.pc_relative && request == Request::NearAddress {
            self.found.demands |= Demands::LOW;
        }
        let needs = if target.contains(Target::NULL) {
            // Without a symbol the address is zero, and needs an entry to be loaded from all the same.
            needs_outside(request) & need::GOT
        } else if target.contains(Target::OUTSIDE) {
            needs_outside(request)
        } else {
            needs_inside(graph, edge, request, target, content)
        };
        if needs != 0 {
            self.note_needs(index, graph, edge.target, needs);
        }
    }

    #[inline(always)]
    fn target(
        &mut self,
        index: u32,
        graph: &LinkGraph<'_>,
        block: BlockId,
        target: SymbolId,
    ) -> Option<Target> {
        let symbol = graph.symbols.get(target.index())?;
        match symbol.kind {
            SymbolKind::Defined => {
                self.push(index, symbol.block);
                let mut target = self.place(index, symbol);
                target.set(Target::ELSEWHERE, symbol.block != block);
                Some(target)
            }
            SymbolKind::External | SymbolKind::Common => Some(self.reach_global(symbol.global)),
            SymbolKind::Absolute => Some(absolute(symbol.value) | Target::ELSEWHERE),
            SymbolKind::Null if target.0 == 0 => Some(Target::NULL),
            SymbolKind::Null | SymbolKind::Discarded => None,
        }
    }

    /// Follows a name to its definition in the batch, once; notes that it is used where there is none.
    #[inline(always)]
    fn reach_global(&mut self, id: GlobalId) -> Target {
        let Some(reached) = self.ground.reached.get(id as usize) else {
            return Target::OUTSIDE | Target::ELSEWHERE;
        };
        // What several walks find out at a time is the same.
        match Target::from_bits_truncate(reached.load(Relaxed)) {
            target if target.contains(Target::KNOWN) => target,
            _ => {
                let target = self.follow(id) | Target::KNOWN | Target::ELSEWHERE;
                reached.store(target.bits(), Relaxed);
                target
            }
        }
    }

    #[inline(never)]
    fn follow(&mut self, id: GlobalId) -> Target {
        if let Some(at) = self.ground.globals.definition(id) {
            let symbol = &self.ground.graphs[at.graph as usize].symbols[at.symbol as usize];
            match symbol.kind {
                SymbolKind::Defined => {}
                SymbolKind::Absolute => return absolute(symbol.value),
                _ => return Target::OUTSIDE,
            }
            self.deferred.push((at.graph, symbol.block));
            return self.place(at.graph, symbol);
        }
        self.ground.globals.note(id, seen::LIVE);
        self.keep_bounded_sections(id);
        match self.ground.globals.winner(id) {
            // Memory that the linker will allocate in the image.
            Some((Rank::Common, _)) if self.ground.extent == Extent::Near => Target::empty(),
            Some((Rank::Common, _)) => Target::FAR,
            _ => Target::OUTSIDE,
        }
    }

    /// What a place in the batch is.
    #[inline(always)]
    fn place(&self, graph: u32, symbol: &Symbol) -> Target {
        let mut target = Target::empty();
        target.set(Target::INDIRECT, symbol.flags.contains(SymbolFlags::INDIRECT));
        target.set(Target::FAR, self.is_far(graph, symbol.block));
        target
    }

    /// `__start_NAME` and `__stop_NAME` keep all sections called NAME.
    fn keep_bounded_sections(&mut self, id: GlobalId) {
        let spelling = self.ground.graphs.first().map_or(Spelling::Plain, LinkGraph::spelling);
        let name = self.ground.globals.name(id);
        let bounds = match bounds::parse_linker_symbol(spelling, name) {
            Some(LinkerSymbol::Section(bounds)) => bounds,
            Some(LinkerSymbol::MachBounds(bounds)) => return self.keep_included_sections(&bounds),
            _ => return,
        };
        let start = self.ground.named.partition_point(|entry| entry.0 < bounds.section);
        for index in start..self.ground.named.len() {
            let (name, graph, block) = self.ground.named[index];
            if name != bounds.section {
                break;
            }
            self.push(graph, block);
        }
    }

    /// The same for `section$start$SEGMENT$SECTION` and its kin.
    fn keep_included_sections(&mut self, bounds: &MachBounds<'_>) {
        let graphs = self.ground.graphs;
        let names = self.ground.section_names.get_or_init(|| SectionNames::new(graphs));
        for (index, id) in names.included(bounds) {
            let graph = &graphs[index as usize];
            let section = graph.section(id);
            if section.lifetime == Lifetime::NoAlloc || section.role == SectionRole::EhFrame {
                continue;
            }
            for (block, _) in graph.blocks_in(id) {
                self.push(index, block);
            }
        }
    }

    /// Whether a block may be out of the reach of code.
    fn is_far(&self, graph: u32, block: BlockId) -> bool {
        match self.ground.extent {
            Extent::Near => false,
            Extent::Far => true,
            Extent::NearButLarge => {
                let graph = &self.ground.graphs[graph as usize];
                let section = graph.blocks[block.index()].section;
                graph.sections[section.index()].flags.contains(SectionFlags::LARGE)
            }
        }
    }

    fn note_short_branch(&mut self, index: u32, block: BlockId) {
        if self.found.short_branches.last() != Some(&(index, block)) {
            self.found.short_branches.push((index, block));
        }
    }

    #[inline(always)]
    fn note_needs(&mut self, index: u32, graph: &LinkGraph<'_>, target: SymbolId, needs: u8) {
        match graph.symbols[target.index()].global {
            NO_GLOBAL => {
                let at = SymbolRef { graph: index, symbol: target.0 };
                if self.found.local_needs.last() != Some(&(at, needs)) {
                    self.found.local_needs.push((at, needs));
                }
            }
            id => {
                let cell = &self.ground.needs[id as usize];
                if cell.load(Relaxed) & needs != needs {
                    cell.fetch_or(needs, Relaxed);
                }
            }
        }
    }

    /// A live function keeps what its call frame records refer to: language-specific data and personality.
    fn visit_frames(
        &mut self,
        index: u32,
        graph: &'a LinkGraph<'data>,
        frames: &'a GraphFrames,
        id: BlockId,
    ) {
        for &(_, position, fde) in frames.of_block(id) {
            let frame = &frames.frames[position as usize];
            let block = &graph.blocks[frame.block.index()];
            // Marked, not walked: records of dead functions keep nothing.
            self.ground.live.mark(index, frame.block);
            for range in frame.edges_kept_by(fde) {
                let content = block.content.bytes();
                for edge in graph.edges_of(block).slice(range) {
                    self.edge(index, graph, frame.block, &edge, content);
                }
            }
        }
    }
}

/// What an address is that the batch itself states.
fn absolute(address: u64) -> Target {
    /// Addresses below are in reach of an image that lies low.
    const LOW_END: u64 = 1 << 31;
    if address < LOW_END { Target::OUTSIDE | Target::LOW } else { Target::OUTSIDE }
}

/// Whether an edge may need anything besides the target's address: most do not.
#[inline(always)]
fn needs_looking_at(target: Target, request: Request) -> bool {
    let plain = Target::ELSEWHERE.union(Target::KNOWN);
    let always =
        matches!(request, Request::Got | Request::RelaxableGot | Request::ShortBranch | Request::ThreadLocal);
    !plain.contains(target) || always
}

fn needs_inside(graph: &LinkGraph<'_>, edge: &Edge, request: Request, target: Target, content: &[u8]) -> u8 {
    let far = target.contains(Target::FAR);
    let mut needs = if target.contains(Target::INDIRECT) { need::PLT } else { 0 };
    match request {
        Request::Got => needs |= need::GOT,
        Request::RelaxableGot => {
            let relaxes =
                !far && arch::can_relax(graph.architecture, edge.kind, content, edge.offset, edge.addend);
            needs |= if relaxes { 0 } else { need::GOT };
        }
        Request::Call if far => needs |= need::PLT,
        _ => {}
    }
    needs
}

fn needs_outside(request: Request) -> u8 {
    match request {
        Request::NearAddress => need::NEAR,
        Request::Call | Request::Plt => need::PLT,
        Request::Got | Request::RelaxableGot => need::GOT,
        Request::Nothing | Request::Address | Request::ShortBranch | Request::ThreadLocal => 0,
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
