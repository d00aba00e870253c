//! The phases of a link, in order, with what holds after each.

use super::actions::ImageActions;
use super::addresses::Addresses;
use super::apply::Applying;
use super::batch::Batch;
use super::entries::Entries;
use super::externals::{self, External, UndefinedPolicy};
use super::finishing::{dso_handle, finish, writable_memory};
use super::frames::{add_fragment_frames, add_frame_terminator, plan_frames};
use super::globals::{GlobalId, Globals, ObjectWins, seen};
use super::harness::settle_locals;
use super::image::Image;
use super::layout::LayoutInputs;
use super::linked::Linked;
use super::linked_symbols::LinkedSymbols;
use super::linker_symbols::{define_linker_symbols, set_linker_symbols};
use super::liveness::Liveness;
use super::mark::{self, Extent, GraphFrames, Marks, Roots, need};
use super::memory::{GraphMemory, divide};
use super::merging::Merging;
use super::naming::{bind_versions, check_duplicates, define_aliases, intern_new_names};
use super::placing::Placing;
use super::plugin::Plugin;
use super::resolver::Resolver;
use super::stats::{LinkStats, Stopwatch};
use super::tables::{set_tables, tables};
use super::thread_locals::ThreadLocals;
use super::unwind_info;
use crate::alloc::{InFlightAllocation, LayoutRequest, MemoryManager, Placement};
use crate::arch::{self, FixupCounts};
use crate::base::{ExecutorAddr, Result, Workers};
use crate::formats::{BuildOptions, Findings, Object, Resolution, Scratch};
use crate::graph::{Architecture, BlockId, Demands, LinkGraph, SectionFlags, SymbolFlags};
use smallvec::SmallVec;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::Ordering::Relaxed;

/// Who answers the link's questions: memory, names, and actions in the executing process.
pub struct LinkContext<'a> {
    /// Hands out memory.
    pub manager: &'a dyn MemoryManager,
    /// Knows names that no object defines.
    pub resolver: &'a dyn Resolver,
    /// Makes allocation actions; without it nothing is registered, resolved or copied, and nothing can be run.
    pub actions: Option<&'a dyn ImageActions>,
    /// Code that sees the graphs between the phases, in this order.
    pub plugins: &'a mut [&'a mut dyn Plugin],
}

impl std::fmt::Debug for LinkContext<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LinkContext").field("plugins", &self.plugins.len()).finish_non_exhaustive()
    }
}

/// What a link does where there is a choice.
#[derive(Clone, Debug)]
pub struct LinkOptions {
    /// Drop blocks that nothing live refers to.
    pub dead_strip: bool,
    /// Give debug sections blocks, for plugins and debuggers.
    pub keep_debug: bool,
    /// Tell debuggers about objects with debug information, if the executing process can
    /// ([`ImageActions::register_debug_info`]).
    pub debugger: bool,
    /// What to do about names that nobody defines.
    pub undefined: UndefinedPolicy,
    /// Build the table of functions that unwinders search which know compact unwind encodings: Darwin's do.
    pub unwind_info: bool,
    /// Names to keep besides what the objects export.
    pub keep: Vec<Vec<u8>>,
    /// Who does the work.
    pub workers: Workers,
}

impl Default for LinkOptions {
    fn default() -> Self {
        Self {
            dead_strip: true,
            keep_debug: false,
            debugger: true,
            undefined: UndefinedPolicy::Refuse,
            unwind_info: cfg!(target_vendor = "apple"),
            keep: Vec::new(),
            workers: Workers::none(),
        }
    }
}

/// Links a batch into memory.
///
/// # Errors
/// The first thing that is wrong with the objects, all undefined or duplicate symbols at once, or what the memory
/// manager, the resolver or an action says. Nothing is left behind then.
pub fn link<'data>(
    batch: Batch<'data>,
    context: &mut LinkContext<'_>,
    options: &LinkOptions,
) -> Result<Linked<'data>> {
    let mut watch = Stopwatch::start();

    let spelling = batch.spelling();
    // Names and COMDAT groups were resolved as objects came in; what lost never becomes a block.
    let Batch { objects, mut globals, ids, mut aliases, has_versions, harness, .. } = batch;
    let object_count = objects.len();
    let workers = &options.workers;
    let Built { mut graphs, mut findings, with_debug_info } =
        build(objects, &globals, &ids, &harness, options)?;
    graphs.iter_mut().for_each(|graph| graph.spelling = spelling);
    findings.duplicates.extend(settle_locals(&mut graphs, &globals, &harness));
    check_duplicates(&graphs, &globals, &findings.duplicates)?;
    if has_versions {
        bind_versions(&globals);
    }
    define_aliases(&graphs, &globals, &mut aliases)?;
    let keep: Vec<GlobalId> = options.keep.iter().filter_map(|name| globals.find(name)).collect();
    watch.lap("build");

    // From here on the graphs are as the objects have them.
    for graph in &mut graphs {
        run_plugins(context, |plugin| plugin.pre_prune(graph))?;
    }
    intern_new_names(&mut graphs, &mut globals);
    verify(&graphs)?;
    let frames = workers.try_map(&mut graphs[..], GraphFrames::read)?;
    watch.lap("call frames");

    // From here on it is known what is live and what it needs; dead blocks are not looked at again.
    let roots = if options.dead_strip { Roots::Exported(&keep) } else { Roots::All };
    let marks = mark::mark(&graphs, &frames, &globals, roots, extent(&graphs), workers)?;
    set_live(&mut graphs, &marks.live, context);
    for graph in &mut graphs {
        run_plugins(context, |plugin| plugin.post_prune(graph))?;
    }
    watch.lap("mark");

    // From here on every live name has a definition in a graph, an answer, or is an absent weak one.
    let image_index = graphs.len() as u32;
    let architecture = graphs.first().map_or(Architecture::host(), LinkGraph::architecture);
    let mut image = Image::new(image_index, architecture, spelling);
    define_linker_symbols(&mut image, &mut graphs, &globals, &marks.live);
    image.add_commons(&graphs, &globals)?;
    for &(name, target) in &aliases {
        if globals.seen(name) & seen::LIVE != 0 {
            globals.note(target, seen::LIVE);
        }
    }
    let undefined = externals::undefined_names(&globals);
    let externals = externals::resolve(
        &graphs,
        &globals,
        &marks,
        &undefined,
        &aliases,
        context.resolver,
        options.undefined,
    )?;
    watch.lap("resolve");

    // From here on every block exists: GOT, PLT, copies, merged strings, header.
    let Marks { live, needs, local_needs, demands, short_branches, thread_module, edge_count } = marks;
    let mut needs: Vec<u8> = needs.into_iter().map(|needs| needs.load(Relaxed)).collect();
    let near = placement(demands);
    let reaches = |address| context.manager.reaches(near, address);
    place_near(&mut image, &globals, &externals, &mut needs, reaches);
    let thread_locals = ThreadLocals::new(&needs, &local_needs, thread_module, &globals, &image);
    let entries = Entries::new(&needs, local_needs);
    image.add_entries(&entries, &graphs, &globals);
    image.add_thread_slots(thread_locals.words());
    let thread_table = context.actions.and_then(|actions| actions.thread_table());
    if let Some(table) = thread_table {
        image.add_thread_code(&thread_locals, &globals, &externals, table);
    }
    let merging = Merging::new(&mut graphs, &live, &mut image, workers)?;
    let plans = plan_frames(&frames, &live);
    add_frame_terminator(&mut image, &plans);
    add_fragment_frames(&mut image, &graphs, &live);
    let unwind_table =
        if options.unwind_info { unwind_info::reserve(&mut image, &frames, &live) } else { None };
    let image_graph = image.detach();
    graphs.push(image_graph);
    watch.lap("tables");

    // From here on every address is fixed.
    let granularity = context.manager.granularity();
    let placing = Placing {
        inputs: LayoutInputs {
            live: &live,
            frames: &frames,
            plans: &plans,
            image: &image,
            granularity,
            workers,
        },
        globals: &globals,
        externals: &externals,
        entries: &entries,
        thread_locals: &thread_locals,
        merging: &merging,
        short_branches: &short_branches,
    };
    let (mut layout, mut islands) = placing.lay_out(&mut graphs)?;
    let requests = layout.requests(near, demands.contains(Demands::TOGETHER));
    let mut allocation = context.manager.allocate(&LayoutRequest { name: "image", segments: &requests })?;
    layout.set_addresses(allocation.segments(), &mut graphs, &live, workers)?;
    if let Some(detours) = arch::detours(architecture) {
        islands.set_addresses(detours, &layout);
    }
    set_linker_symbols(&image, &globals, &mut graphs, &layout);
    let place = thread_locals.find_place(&layout, architecture, context.actions)?;
    watch.lap("layout");
    for graph in &mut graphs {
        run_plugins(context, |plugin| plugin.pre_fixup(graph))?;
    }
    verify(&graphs)?;
    let mut addresses = placing.addresses(&graphs, &islands);
    addresses.resolve_names(workers);
    let mut tables = tables(&addresses, &layout, thread_table)?;
    if let Some(block) = unwind_table {
        let (addresses, layout, live) = (&addresses, &layout, &live);
        let making = unwind_info::Making { addresses, layout, live, frames: &frames, plans: &plans };
        tables.push((block, making.bytes(block)?));
    }
    let of_global = addresses.of_global;
    set_tables(&mut graphs[image.index as usize], tables);
    let addresses = Addresses { of_global, ..placing.addresses(&graphs, &islands) };
    watch.lap("addresses");

    // From here on working memory holds the image, fixed up.
    let applying =
        Applying { addresses: &addresses, layout: &layout, live: &live, frames: &frames, plans: &plans };
    let counts = apply(&applying, allocation.as_mut(), workers)?;
    watch.lap("copy and fix up");

    let writable = writable_memory(&addresses, &layout);
    let thread_home = thread_locals.home(&layout);
    let (init, request) =
        finish(&applying, context, allocation.as_mut(), place.as_deref(), &with_debug_info)?;
    let of_global = addresses.of_global;
    let mut stats = LinkStats {
        objects: object_count,
        names: globals.len(),
        edges: edge_count,
        got_entries: entries.got.len(),
        plt_entries: entries.plt.len(),
        detours: islands.count(),
        relaxed: u64::from(counts.relaxed_got_loads) + u64::from(counts.relaxed_thread_locals),
        content_bytes: layout.segments.iter().map(|segment| segment.content_size).sum(),
        zero_fill_bytes: layout.segments.iter().map(|segment| segment.zero_fill_size).sum(),
        ..LinkStats::default()
    };

    // From here on the image can run.
    let allocation = allocation.finalize(request)?;
    if let Some(place) = place {
        place.keep();
    }
    watch.lap("finalize");
    stats.phases = watch.finish();
    Ok(Linked {
        allocation,
        dso_handle: dso_handle(&layout),
        symbols: LinkedSymbols {
            segments: layout.segments.iter().map(|segment| segment.range()).collect(),
            permissions: layout.segments.iter().map(|segment| segment.class.permissions()).collect(),
            graphs,
            globals,
            of_global,
            thread_home,
        },
        writable,
        init,
        warnings: findings.warnings,
        stats,
    })
}

struct Built<'data> {
    graphs: Vec<LinkGraph<'data>>,
    findings: Findings,
    /// Graphs of objects that have something for a debugger.
    with_debug_info: Vec<u32>,
}

fn build<'data>(
    objects: Vec<Object<'data>>,
    globals: &Globals<'data>,
    ids: &super::globals::NameIds,
    harness: &[u32],
    options: &LinkOptions,
) -> Result<Built<'data>> {
    let build_options = BuildOptions { keep_debug: options.keep_debug };
    let build_one = |scratch: &mut Scratch, (number, object): (u32, Object<'data>)| {
        let index = number as usize;
        let kept_groups: SmallVec<[bool; 64]> =
            ids.groups(index).iter().map(|&id| globals.owns_group(id, number)).collect();
        let wins = ObjectWins { globals, object: number, harness: harness.binary_search(&number).is_ok() };
        let resolution = Resolution { ids: ids.symbols(index), wins: &wins, kept_groups: &kept_groups };
        let graph = object.build(resolution, build_options, scratch)?;
        Ok((graph, std::mem::take(&mut scratch.findings)))
    };
    let numbered: Vec<_> = (0u32..).zip(objects).collect();
    let built = options.workers.try_map_init(numbered, Scratch::default, build_one)?;
    let mut graphs = Vec::with_capacity(built.len() + 1);
    let mut all = Findings::default();
    let mut with_debug_info = Vec::new();
    for (number, (graph, mut findings)) in (0u32..).zip(built) {
        graphs.push(graph);
        if findings.debug_info && options.debugger {
            with_debug_info.push(number);
        }
        all.duplicates.append(&mut findings.duplicates);
        all.warnings.append(&mut findings.warnings);
    }
    Ok(Built { graphs, findings: all, with_debug_info })
}

/// Where a batch with these demands lies.
fn placement(demands: Demands) -> Placement {
    if demands.contains(Demands::LOW) {
        Placement::Low
    } else if demands.contains(Demands::CLOSE) {
        Placement::Close
    } else {
        Placement::Near
    }
}

pub(super) fn run_plugins(
    context: &mut LinkContext<'_>,
    mut call: impl FnMut(&mut dyn Plugin) -> Result<()>,
) -> Result<()> {
    context.plugins.iter_mut().try_for_each(|plugin| call(&mut **plugin))
}

/// In debug builds the graphs are checked between phases.
fn verify(graphs: &[LinkGraph<'_>]) -> Result<()> {
    if cfg!(debug_assertions) { graphs.iter().try_for_each(LinkGraph::verify) } else { Ok(()) }
}

/// Near code reaches 2 GiB; some of that is left for what the linker adds.
const NEAR_LIMIT: u64 = 0x7800_0000;

fn extent(graphs: &[LinkGraph<'_>]) -> Extent {
    let mut near_size = 0u64;
    let mut any_large = false;
    for graph in graphs {
        for block in &graph.blocks {
            let section = graph.sections.get(block.section.index());
            if section.is_some_and(|section| section.flags.contains(SectionFlags::LARGE)) {
                any_large = true;
            } else {
                near_size = near_size.saturating_add(block.size);
            }
        }
        any_large |= graph.symbols.iter().any(|symbol| symbol.flags.contains(SymbolFlags::LARGE));
    }
    match (near_size < NEAR_LIMIT, any_large) {
        (false, _) => Extent::Far,
        (true, true) => Extent::NearButLarge,
        (true, false) => Extent::Near,
    }
}

fn set_live(graphs: &mut [LinkGraph<'_>], live: &Liveness, context: &LinkContext<'_>) {
    if context.plugins.is_empty() {
        return;
    }
    for (index, graph) in (0u32..).zip(graphs) {
        for (position, block) in (0u32..).zip(&mut graph.blocks) {
            block.live = live.is_live(index, BlockId(position));
        }
    }
}

/// Gives names outside of the batch that 32-bit code refers to an address in its reach.
fn place_near<'data>(
    image: &mut Image<'data>,
    globals: &Globals<'data>,
    externals: &HashMap<GlobalId, External>,
    needs: &mut [u8],
    reaches: impl Fn(ExecutorAddr) -> bool,
) {
    let mut variables = Vec::new();
    for (id, needs) in (0u32..).zip(needs) {
        if *needs & need::NEAR == 0 {
            continue;
        }
        let Some(External::Known(symbol)) = externals.get(&id) else { continue };
        if reaches(symbol.address) {
            continue;
        }
        if symbol.callable {
            *needs |= need::PLT;
            image.canonical.push(id);
        } else if symbol.size > 0 {
            variables.push(symbol.address.0..symbol.address.0.saturating_add(symbol.size));
        }
    }
    if !variables.is_empty() {
        add_copies(image, globals, externals, variables);
    }
}

/// Copies variables of libraries, each once, however many names it has: they all move, also those that no 32-bit code
/// refers to.
fn add_copies<'data>(
    image: &mut Image<'data>,
    globals: &Globals<'data>,
    externals: &HashMap<GlobalId, External>,
    mut variables: Vec<Range<u64>>,
) {
    variables.sort_unstable_by_key(|range| range.start);
    variables.dedup_by(|next, last| {
        let overlap = next.start < last.end;
        if overlap {
            last.end = last.end.max(next.end);
        }
        overlap
    });
    variables.into_iter().for_each(|range| image.add_copy(range));
    let address = |(&id, external): (&GlobalId, &External)| match external {
        External::Known(symbol) => Some((id, symbol.address.0)),
        External::ThreadLocal(_) | External::Absent => None,
    };
    let mut names: Vec<_> = externals.iter().filter_map(address).collect();
    names.sort_unstable();
    names.into_iter().for_each(|(id, address)| image.define_in_copy(globals, id, address));
}

fn apply(
    applying: &Applying<'_, '_>,
    allocation: &mut dyn InFlightAllocation,
    workers: &Workers,
) -> Result<FixupCounts> {
    let memory = divide(applying.layout, allocation.working_memory());
    let numbered: Vec<_> = (0u32..).zip(memory).collect();
    let apply_one = |buffer: &mut Vec<u64>, (index, mut memory): (u32, GraphMemory<'_>)| {
        let mut counts = FixupCounts::default();
        applying.apply_graph(index, &mut memory, buffer, &mut counts)?;
        Ok(counts)
    };
    let counts = workers.try_map_init(numbered, Vec::new, apply_one)?;
    Ok(counts.into_iter().fold(FixupCounts::default(), FixupCounts::plus))
}
