//! Islands: code between the blocks of an image, for branches whose target is out of their reach.
//!
//! Most images have none, and finding that out costs nothing per edge: as long as all code is smaller than what a call
//! reaches, only the blocks are looked at that the walk found to have conditional branches out of them.
//!
//! Otherwise code is laid out without islands, branches that do not reach are looked for, what they need is added to
//! islands, and code is laid out again, until nothing new is needed. Veneers stand in islands between zones of half a
//! call's reach, so that every branch has one before or after it in reach; hops stand at an end of their branch's own
//! block, since any other boundary of blocks in reach lies beyond one of these. A detour is shared by all branches to its
//! destination that it is in reach of. Islands only grow, each round looks at each edge once, and rounds are few: all but
//! the first find what the growth of islands has put out of reach.

use super::addresses::{Addresses, GraphTargets};
use super::entries::EntryOwner;
use super::groups::{SegmentClass, class_of};
use super::layout::{Layout, MERGED, regular_index};
use super::liveness::Liveness;
use crate::arch::{Destination, Detour, DetourFacts, Targets};
use crate::base::{Error, Place, Result};
use crate::graph::symbol::NO_GLOBAL;
use crate::graph::{Block, BlockId, KindFacts, LinkGraph, Request};

/// Where an island stands: in a graph's code, before the first block of at least this number, or at the end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Spot {
    graph: u32,
    before: u32,
    detour: Detour,
}

/// What a detour leads to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Key {
    detour: Detour,
    owner: EntryOwner,
    addend: i64,
}

/// A detour at its spot.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Placed {
    spot: Spot,
    key: Key,
}

/// The detours of one kind at one spot.
#[derive(Debug)]
pub(crate) struct Island {
    spot: Spot,
    /// Its detours, as positions among all.
    placed: std::ops::Range<usize>,
    pub(crate) size: u64,
    /// Offset in the graph's chunk.
    pub(crate) offset: u64,
    address: u64,
}

impl Island {
    /// The number of the first block that stands after it.
    pub(crate) fn before(&self) -> u32 {
        self.spot.before
    }
}

/// All islands of an image.
#[derive(Debug, Default)]
pub(crate) struct Islands {
    /// Between zones; empty where all code is in reach of all.
    zones: Vec<Spot>,
    /// Sorted.
    islands: Vec<Island>,
    /// Sorted.
    placed: Vec<Placed>,
    /// Where detours are, sorted.
    addresses: Vec<(Key, u64)>,
}

/// What is looked at for branches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scope<'a> {
    Nothing,
    /// These blocks.
    Blocks(&'a [(u32, BlockId)]),
    /// All code.
    Everything,
}

/// The group of the chunks that islands stand in.
pub(crate) const CODE: usize = regular_index(SegmentClass::Text, false);

impl<'a> Scope<'a> {
    /// What has to be looked at, once code is laid out.
    pub(crate) fn of(detours: &DetourFacts, layout: &Layout, short_branches: &'a [(u32, BlockId)]) -> Self {
        let size = layout.segment(SegmentClass::Text).map_or(0, |segment| segment.content_size);
        match short_branches {
            _ if size > detours.reach => Self::Everything,
            [] => Self::Nothing,
            blocks => Self::Blocks(blocks),
        }
    }
}

impl Islands {
    /// How many detours there are.
    pub(crate) fn count(&self) -> usize {
        self.placed.len()
    }

    /// The islands in one graph's code.
    pub(crate) fn of_graph(&self, graph: u32) -> &[Island] {
        let (start, end) = self.range(graph);
        &self.islands[start..end]
    }

    pub(crate) fn of_graph_mut(&mut self, graph: u32) -> &mut [Island] {
        let (start, end) = self.range(graph);
        &mut self.islands[start..end]
    }

    fn range(&self, graph: u32) -> (usize, usize) {
        let at = |graph| self.islands.partition_point(|island| island.spot.graph < graph);
        (at(graph), at(graph + 1))
    }

    /// Puts islands, empty as yet, between zones of half the reach of a call.
    pub(crate) fn divide(
        &mut self,
        detours: &DetourFacts,
        graphs: &[LinkGraph<'_>],
        live: &Liveness,
        layout: &Layout,
    ) {
        let mut start = None;
        let mut last = None;
        for (index, graph) in (0u32..).zip(graphs) {
            let Some(chunk) = layout.chunk_range(index, CODE) else { continue };
            for (id, block) in graph.blocks().filter(|(id, _)| live.is_live(index, *id)) {
                if !chunk.contains(block.address) || !is_code(graph, block) {
                    continue;
                }
                let start = start.get_or_insert(block.address.0);
                let end = block.address.0.saturating_add(block.size);
                if end - *start > detours.reach / 2 && block.address.0 > *start {
                    self.zones.push(Spot { graph: index, before: id.0, detour: Detour::Veneer });
                    *start = block.address.0;
                }
            }
            last = Some(Spot { graph: index, before: graph.blocks.len() as u32, detour: Detour::Veneer });
        }
        self.zones.extend(last);
        self.rebuild(detours);
    }

    /// Finds the detours that branches need and that are not there.
    pub(crate) fn wanted(
        &self,
        scope: Scope<'_>,
        live: &Liveness,
        addresses: &Addresses<'_, '_>,
    ) -> Vec<Placed> {
        let mut wanted = Vec::new();
        let mut buffer = Vec::new();
        let graphs = addresses.graphs;
        let mut scan = |index: u32, blocks: &mut dyn Iterator<Item = BlockId>| {
            let graph = &graphs[index as usize];
            addresses.fill(index, &mut buffer);
            let targets = GraphTargets { addresses, index, graph, of_symbol: &buffer };
            blocks.for_each(|block| self.scan(&targets, block, &mut wanted));
        };
        match scope {
            Scope::Nothing => {}
            Scope::Blocks(blocks) => {
                for of_graph in blocks.chunk_by(|a, b| a.0 == b.0) {
                    scan(of_graph[0].0, &mut of_graph.iter().map(|(_, block)| *block));
                }
            }
            Scope::Everything => {
                for (index, graph) in (0u32..).zip(graphs) {
                    scan(index, &mut graph.blocks().map(|(id, _)| id).filter(|id| live.is_live(index, *id)));
                }
            }
        }
        wanted
    }

    /// Adds detours; whether there was any among them that was not there.
    pub(crate) fn add(&mut self, detours: &DetourFacts, mut wanted: Vec<Placed>) -> bool {
        wanted.sort_unstable();
        wanted.dedup();
        wanted.retain(|one| self.placed.binary_search(one).is_err());
        let grows = !wanted.is_empty();
        if grows {
            self.placed.append(&mut wanted);
            self.rebuild(detours);
        }
        grows
    }

    /// Adds what the branches of one block need.
    fn scan(&self, targets: &GraphTargets<'_, '_>, id: BlockId, wanted: &mut Vec<Placed>) {
        let graph = targets.graph;
        let block = &graph.blocks[id.index()];
        if !is_code(graph, block) || block.address == MERGED {
            return;
        }
        for edge in graph.edges_of(block) {
            let facts = graph.kind_facts(edge.kind);
            let detour = match facts.request {
                Request::Call => Detour::Veneer,
                Request::ShortBranch => Detour::Hop,
                _ => continue,
            };
            let from = block.address.0.wrapping_add(u64::from(edge.offset));
            let reaches =
                |place: u64| (facts.min..=facts.max).contains(&place.wrapping_sub(from).cast_signed());
            let (address, addend) = targets.resolve(edge.target, edge.addend);
            let entry =
                targets.plt_entry(edge.target).filter(|_| edge.addend == 0 && detour == Detour::Veneer);
            if reaches(address.wrapping_add_signed(addend))
                || entry.is_some_and(reaches)
                || targets.detour(detour, edge.target, edge.addend, from).is_some_and(reaches)
                || targets.is_absent(edge.target)
            {
                continue;
            }
            let spot = match detour {
                Detour::Veneer => self.zone_for(facts, from),
                Detour::Hop => end_for(facts, targets.index, id, block, from),
            };
            let owner = owner(targets, edge.target.0);
            wanted.extend(spot.map(|spot| Placed { spot, key: Key { detour, owner, addend: edge.addend } }));
        }
    }

    /// The island between zones that is in reach of a call, after it or before.
    fn zone_for(&self, facts: &KindFacts, from: u64) -> Option<Spot> {
        let zones = |index: usize| {
            let spot = self.zones.get(index)?;
            self.islands.get(self.islands.binary_search_by_key(spot, |island| island.spot).ok()?)
        };
        let next = self.zones.partition_point(|spot| {
            let found = self.islands.binary_search_by_key(spot, |island| island.spot);
            found.is_ok_and(|index| self.islands[index].address < from)
        });
        let reaches = |place: u64| (facts.min..=facts.max).contains(&place.wrapping_sub(from).cast_signed());
        let after = zones(next).filter(|island| reaches(island.address + island.size + MARGIN));
        let before = || zones(next.checked_sub(1)?).filter(|island| reaches(island.address));
        after.or_else(before).map(|island| island.spot)
    }

    /// Makes the islands that `zones` and detours stand in.
    fn rebuild(&mut self, detours: &DetourFacts) {
        self.placed.sort_unstable();
        self.islands.clear();
        let mut spots: Vec<Spot> = self.zones.clone();
        spots.extend(self.placed.iter().map(|one| one.spot));
        spots.sort_unstable();
        spots.dedup();
        let mut start = 0;
        for spot in spots {
            let count = self.placed[start..].iter().take_while(|one| one.spot == spot).count();
            let size = (count * detours.size(spot.detour)) as u64;
            let placed = start..start + count;
            start += count;
            self.islands.push(Island { spot, placed, size, offset: 0, address: 0 });
        }
    }

    /// Takes over where the islands lie.
    pub(crate) fn set_addresses(&mut self, detours: &DetourFacts, layout: &Layout) {
        self.addresses.clear();
        for island in &mut self.islands {
            island.address = layout.chunk_address(island.spot.graph, CODE).wrapping_add(island.offset);
            let size = detours.size(island.spot.detour) as u64;
            let at = (0..).map(|index| island.address + index * size);
            let keys = self.placed[island.placed.clone()].iter().map(|one| one.key);
            self.addresses.extend(keys.zip(at));
        }
        self.addresses.sort_unstable();
    }

    /// The address of the detour to what a symbol names that is nearest to `from`.
    pub(crate) fn nearest(&self, detour: Detour, owner: EntryOwner, addend: i64, from: u64) -> Option<u64> {
        let key = Key { detour, owner, addend };
        let after = self.addresses.partition_point(|entry| *entry < (key, from));
        let before = after.checked_sub(1);
        let candidates = [Some(after), before].into_iter().flatten();
        candidates
            .filter_map(|index| self.addresses.get(index).filter(|(other, _)| *other == key))
            .map(|(_, address)| *address)
            .min_by_key(|address| address.abs_diff(from))
    }

    /// Writes the detours among the code of one graph, which is `chunk`.
    pub(crate) fn write(&self, graph: u32, chunk: &mut [u8], addresses: &Addresses<'_, '_>) -> Result<()> {
        let graph_of = &addresses.graphs[graph as usize];
        let Some(detours) = crate::arch::detours(graph_of.architecture) else { return Ok(()) };
        for island in self.of_graph(graph) {
            let size = detours.size(island.spot.detour);
            let start = island.offset as usize;
            let Some(bytes) = chunk.get_mut(start..start + island.size as usize) else {
                return Err(Error::Memory {
                    what: "write branch islands: the memory manager gave less than was asked for".into(),
                    source: None,
                });
            };
            let placed = &self.placed[island.placed.clone()];
            for ((index, bytes), one) in (0..).zip(bytes.chunks_exact_mut(size)).zip(placed) {
                let address = island.address + index * size as u64;
                let destination = destination(addresses, one.key);
                detours
                    .write(one.key.detour, bytes, address, destination)
                    .ok_or_else(|| out_of_reach(addresses, graph_of, one.key))?;
            }
        }
        Ok(())
    }
}

/// How many bytes an island may grow by, at least, before what it holds is out of reach.
const MARGIN: u64 = 1 << 12;

/// The end of a block that a short branch in it reaches.
fn end_for(facts: &KindFacts, graph: u32, id: BlockId, block: &Block<'_>, from: u64) -> Option<Spot> {
    let reaches = |place: u64| (facts.min..=facts.max).contains(&place.wrapping_sub(from).cast_signed());
    let spot = |before| Spot { graph, before, detour: Detour::Hop };
    let (start, end) = (block.address.0, block.address.0.wrapping_add(block.size));
    match (reaches(end), reaches(start)) {
        (true, false) => Some(spot(id.0 + 1)),
        (false, true) => Some(spot(id.0)),
        // Where both are in reach, what is nearer stays so when the island grows.
        (true, true) if end - from <= from - start => Some(spot(id.0 + 1)),
        (true, true) => Some(spot(id.0)),
        (false, false) => None,
    }
}

fn is_code(graph: &LinkGraph<'_>, block: &Block<'_>) -> bool {
    let section = &graph.sections[block.section.index()];
    !block.is_zero_fill() && matches!(class_of(graph, section), Ok(Some(SegmentClass::Text)))
}

pub(crate) fn owner(targets: &GraphTargets<'_, '_>, symbol: u32) -> EntryOwner {
    match targets.graph.symbols.get(symbol as usize).map_or(NO_GLOBAL, |symbol| symbol.global) {
        NO_GLOBAL => EntryOwner::Local(super::globals::SymbolRef { graph: targets.index, symbol }),
        id => EntryOwner::Global(id),
    }
}

fn destination(addresses: &Addresses<'_, '_>, key: Key) -> Destination {
    let slot = addresses.plt_position(key.owner).and_then(|entry| addresses.slot_address(entry));
    match slot.filter(|_| key.addend == 0 && key.detour == Detour::Veneer) {
        Some(slot) => Destination::Slot(slot),
        None => Destination::Place(addresses.address(key.owner).wrapping_add_signed(key.addend)),
    }
}

#[cold]
fn out_of_reach(addresses: &Addresses<'_, '_>, graph: &LinkGraph<'_>, key: Key) -> Error {
    let name = addresses.display(key.owner);
    let what = match key.detour {
        Detour::Veneer => format!("{name} is out of reach of the veneer that calls to it go through"),
        Detour::Hop => {
            format!("a conditional branch to {name} does not reach it, nor does a branch beside it")
        }
    };
    let help = match key.detour {
        Detour::Veneer => "link caller and target into memory within 4 GiB",
        Detour::Hop => "branch over a `bl` or `b` to the target instead: only these can be extended",
    };
    Error::unsupported(Place::file(graph.name.clone()), what, help)
}
