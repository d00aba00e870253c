//! Layout: every live block gets its place in a segment.
//!
//! Blocks of one graph that go to the same regular group form one chunk; chunks follow each other in the order of the
//! graphs. Blocks whose order the batch decides (initialisers, call frames, sections with bounds, the linker's own)
//! are specials: sorted, then placed one by one. Addresses are relative to the segment until memory is allocated.

use super::bounded::first_name;
use super::groups::{GroupKind, SegmentClass, class_of, special_group};
use super::image::Image;
use super::islands::{CODE, Island, Islands};
use super::liveness::Liveness;
use super::mark::GraphFrames;
use crate::alloc::{Granularity, Placement, SegmentPlacement, SegmentRequest};
use crate::base::{AddrRange, Error, ExecutorAddr, Result, Workers};
use crate::graph::{BlockId, LinkGraph, SectionFlags};
use crate::passes::bounds::MachBounds;
use crate::passes::eh_frame::EhFramePlan;
use smallvec::SmallVec;
use std::borrow::Cow;

/// How many regular groups there are: with content and zero-filled, per class.
pub(crate) const REGULAR: usize = SegmentClass::ALL.len() * 2;

/// The blocks of one graph in one regular group.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Chunk {
    /// Offset in the segment.
    pub(crate) offset: u64,
    pub(crate) size: u64,
    alignment_log2: u8,
}

impl Chunk {
    /// Makes room for so many bytes, at an offset that is `remainder` modulo 2 to the power of `alignment_log2`.
    fn place(&mut self, size: u64, alignment_log2: u8, remainder: u64) -> Result<u64> {
        let offset = align(self.size, 1 << alignment_log2, remainder).ok_or_else(too_large)?;
        self.size = offset.checked_add(size).ok_or_else(too_large)?;
        self.alignment_log2 = self.alignment_log2.max(alignment_log2);
        Ok(offset)
    }
}

/// A block whose place the batch decides.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Special {
    pub(crate) class: SegmentClass,
    pub(crate) kind: GroupKind,
    pub(crate) key: u32,
    pub(crate) graph: u32,
    pub(crate) block: BlockId,
    pub(crate) size: u64,
    /// Position among the segments.
    pub(crate) segment: u32,
    /// Offset in the segment.
    pub(crate) offset: u64,
}

/// What one graph gives to the layout: its chunks, and the blocks whose place the batch decides.
type PlacedGraph = ([Chunk; REGULAR], SmallVec<[Special; 2]>);

/// One segment with its parts.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) class: SegmentClass,
    pub(crate) name: Cow<'static, str>,
    pub(crate) alignment: u64,
    pub(crate) content_size: u64,
    pub(crate) zero_fill_size: u64,
    pub(crate) address: ExecutorAddr,
}

impl Segment {
    pub(crate) fn range(&self) -> AddrRange {
        AddrRange::from_size(self.address, self.content_size + self.zero_fill_size)
    }

    pub(crate) fn content_end(&self) -> ExecutorAddr {
        self.address.wrapping_add(self.content_size)
    }
}

/// The places of all live blocks.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    /// The segments that are not empty, by class.
    pub(crate) segments: Vec<Segment>,
    /// The chunks of each graph, by regular group.
    pub(crate) chunks: Vec<[Chunk; REGULAR]>,
    /// Sorted by place.
    pub(crate) specials: Vec<Special>,
    /// Specials without bytes in segments that are empty.
    unplaced: Vec<Special>,
    /// The template of thread-local variables, if there are any.
    pub(crate) thread: Option<ThreadTemplate>,
    /// Zero-filled thread-local variables: offsets are those in the template.
    thread_zero_fill: Vec<Special>,
    /// Names of the sections with bounds, sorted.
    names: Vec<Vec<u8>>,
    granularity: Granularity,
}

/// Initial contents of thread-local variables: bytes in a segment, and zeros after them that take no memory. Blocks have
/// addresses as if they did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ThreadTemplate {
    /// Position among the segments; of no meaning without content.
    segment: u32,
    /// Offset in the segment.
    offset: u64,
    pub(crate) content_size: u64,
    /// Of content and zeros.
    pub(crate) size: u64,
    pub(crate) alignment: u64,
    pub(crate) address: ExecutorAddr,
}

/// In [`crate::graph::Block::address`] of blocks that were merged: their pieces have places, they have none.
pub(crate) const MERGED: ExecutorAddr = ExecutorAddr(u64::MAX);

const POINTER: u64 = 8;

/// Of instructions, as a power of two.
const ISLAND_ALIGNMENT: u8 = 2;

/// Zero-filled sections with bounds stand among those with content, up to this size.
const MAX_BOUNDED: u64 = 16 << 20;

/// The index of a class's regular group.
pub(crate) const fn regular_index(class: SegmentClass, zero_fill: bool) -> usize {
    class as usize * 2 + zero_fill as usize
}

/// What decides the places of blocks, besides the graphs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LayoutInputs<'a, 'data> {
    pub(crate) live: &'a Liveness,
    pub(crate) frames: &'a [GraphFrames],
    pub(crate) plans: &'a [Vec<EhFramePlan>],
    pub(crate) image: &'a Image<'data>,
    pub(crate) granularity: Granularity,
    pub(crate) workers: &'a Workers,
}

/// Lays out all live blocks; the image graph is the last of `graphs`.
pub(crate) fn lay_out(
    graphs: &mut [LinkGraph<'_>],
    inputs: LayoutInputs<'_, '_>,
    islands: &mut Islands,
) -> Result<Layout> {
    let LayoutInputs { live, frames, plans, image, granularity, workers } = inputs;
    let mut layout = Layout { names: bounded_names(graphs), granularity, ..Layout::default() };
    let parts = islands.by_graph(graphs.len());
    let numbered: Vec<_> = (0u32..).zip(graphs.iter_mut()).zip(parts).collect();
    let place = |((index, graph), islands): ((u32, &mut LinkGraph<'_>), &mut [Island])| {
        layout.place_graph(index, graph, live, image, islands)
    };
    let placed = workers.try_map(numbered, place)?;
    for (chunks, specials) in placed {
        layout.chunks.push(chunks);
        layout.specials.extend(specials);
    }
    layout.size_frames(frames, plans);
    layout.specials.sort_unstable();
    layout.take_thread_locals(graphs);
    match granularity {
        Granularity::Segments => {
            for class in SegmentClass::ALL {
                layout.place_segment(class, graphs)?;
            }
        }
        Granularity::Sections => layout.place_sections(graphs)?,
    }
    layout.place_thread_zero_fill(graphs)?;
    Ok(layout)
}

fn bounded_names(graphs: &[LinkGraph<'_>]) -> Vec<Vec<u8>> {
    let sections = graphs.iter().flat_map(|graph| &graph.sections);
    let bounded = sections.filter(|section| section.flags.contains(SectionFlags::C_IDENTIFIER));
    let mut names: Vec<_> = bounded.map(|section| section.name.to_vec()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

impl Layout {
    fn place_graph(
        &self,
        index: u32,
        graph: &mut LinkGraph<'_>,
        live: &Liveness,
        image: &Image<'_>,
        islands: &mut [Island],
    ) -> Result<PlacedGraph> {
        let mut chunks = [Chunk::default(); REGULAR];
        let mut specials = SmallVec::new();
        let mut islands = islands.iter_mut().peekable();
        for position in 0..graph.blocks.len() {
            let id = BlockId(position as u32);
            let block = &graph.blocks[position];
            if !live.is_live(index, id) || block.address == MERGED {
                continue;
            }
            let section = &graph.sections[block.section.index()];
            let Some(class) = class_of(graph, section)? else { continue };
            let zero_fill = block.is_zero_fill();
            let special = self.special(index, id, section, image);
            let may_be_special = |kind| match kind {
                _ if !zero_fill => true,
                GroupKind::Named(_) => block.size < MAX_BOUNDED,
                GroupKind::ThreadData | GroupKind::ThreadZeroFill => true,
                _ => false,
            };
            let mut special = special.filter(|(kind, _)| may_be_special(*kind));
            if let Some((kind @ GroupKind::ThreadData, _)) = &mut special
                && zero_fill
            {
                *kind = GroupKind::ThreadZeroFill;
            }
            if self.granularity == Granularity::Sections && special.is_none() {
                special = Some((if zero_fill { GroupKind::ZeroFill } else { GroupKind::Regular }, 0));
            }
            if let Some((kind, key)) = special {
                let (graph, size) = (index, block.size);
                // One template, whatever permissions its parts have: it is only read.
                let is_thread_local = matches!(kind, GroupKind::ThreadData | GroupKind::ThreadZeroFill);
                let class = if is_thread_local { SegmentClass::ReadOnly } else { class };
                specials.push(Special { class, kind, key, graph, block: id, size, segment: 0, offset: 0 });
                continue;
            }
            let group = regular_index(class, zero_fill);
            let chunk = &mut chunks[group];
            if group == CODE {
                while let Some(island) = islands.next_if(|island| island.before() <= id.0) {
                    island.offset = chunk.place(island.size, ISLAND_ALIGNMENT, 0)?;
                }
            }
            let block = &mut graph.blocks[position];
            let (alignment, remainder) = (block.alignment_log2, block.alignment_offset());
            block.address = ExecutorAddr(chunk.place(block.size, alignment, remainder)?);
        }
        for island in islands {
            island.offset = chunks[CODE].place(island.size, ISLAND_ALIGNMENT, 0)?;
        }
        Ok((chunks, specials))
    }

    fn special(
        &self,
        graph: u32,
        id: BlockId,
        section: &crate::graph::Section<'_>,
        image: &Image<'_>,
    ) -> Option<(GroupKind, u32)> {
        if graph == image.index {
            if Some(id) == image.header {
                return Some((GroupKind::Front, 0));
            }
            if Some(id) == image.plt {
                return Some((GroupKind::Front, 1));
            }
            if id == image.got || Some(id) == image.slots || Some(id) == image.thread_slots {
                return Some((GroupKind::Got, 0));
            }
        }
        if section.flags.contains(SectionFlags::C_IDENTIFIER) {
            let position = self.names.binary_search_by(|name| name.as_slice().cmp(&section.name)).ok()?;
            return Some((GroupKind::Named(position as u32), 0));
        }
        special_group(section)
    }

    fn size_frames(&mut self, frames: &[GraphFrames], plans: &[Vec<EhFramePlan>]) {
        for special in self.specials.iter_mut().filter(|special| special.kind == GroupKind::EhFrame) {
            let graph = special.graph as usize;
            let Some(frames) = frames.get(graph) else { continue };
            if let Some(plan) = frames.position(special.block).and_then(|position| plans[graph].get(position))
            {
                special.size = u64::from(plan.size);
            }
        }
    }

    /// Gives every section a segment of its own, and every run of sections that must stand together.
    fn place_sections(&mut self, graphs: &mut [LinkGraph<'_>]) -> Result<()> {
        let mut start = 0;
        while start < self.specials.len() {
            let first = self.specials[start];
            let alone = matches!(first.kind, GroupKind::Regular | GroupKind::ZeroFill);
            let together = |other: &Special| (other.class, other.kind) == (first.class, first.kind);
            let count = if alone {
                1
            } else {
                self.specials[start..].iter().take_while(|other| together(other)).count()
            };
            let mut cursor = Cursor::default();
            self.place_specials(start..start + count, graphs, &mut cursor)?;
            let graph = &graphs[first.graph as usize];
            let section = graph.section(graph.block(first.block).section());
            let zero_fill = first.kind == GroupKind::ZeroFill;
            let name = Cow::Owned(section.display_name().into_owned());
            self.segments.push(Segment {
                class: first.class,
                name,
                alignment: cursor.alignment,
                content_size: if zero_fill { 0 } else { cursor.offset },
                zero_fill_size: if zero_fill { cursor.offset } else { 0 },
                address: ExecutorAddr(0),
            });
            start += count;
        }
        Ok(())
    }

    fn place_segment(&mut self, class: SegmentClass, graphs: &mut [LinkGraph<'_>]) -> Result<()> {
        let mut cursor = Cursor::default();
        let (start, end) = (
            self.specials.partition_point(|special| special.class < class),
            self.specials.partition_point(|special| special.class <= class),
        );
        let regular_at =
            start + self.specials[start..end].partition_point(|special| special.kind < GroupKind::Regular);
        self.place_specials(start..regular_at, graphs, &mut cursor)?;
        self.place_chunks(regular_index(class, false), &mut cursor)?;
        self.place_specials(regular_at..end, graphs, &mut cursor)?;
        let content_size = cursor.offset;
        self.place_chunks(regular_index(class, true), &mut cursor)?;
        if cursor.used {
            self.segments.push(Segment {
                class,
                name: Cow::Borrowed(class.name()),
                alignment: cursor.alignment,
                content_size,
                zero_fill_size: cursor.offset - content_size,
                address: ExecutorAddr(0),
            });
        } else {
            self.unplaced.extend(self.specials.drain(start..end));
        }
        Ok(())
    }

    fn place_specials(
        &mut self,
        range: std::ops::Range<usize>,
        graphs: &mut [LinkGraph<'_>],
        cursor: &mut Cursor,
    ) -> Result<()> {
        let segment = self.segments.len() as u32;
        for special in &mut self.specials[range] {
            special.segment = segment;
            let is_thread_data = special.kind == GroupKind::ThreadData;
            if let Some(thread) = self.thread.as_mut().filter(|thread| is_thread_data && thread.size == 0) {
                let offset = cursor.place(0, thread.alignment, 0)?;
                (thread.segment, thread.offset) = (segment, offset);
            }
            let block = &mut graphs[special.graph as usize].blocks[special.block.index()];
            // Call frame records are read as one run: a gap would look like the terminator.
            let gapless = special.kind == GroupKind::EhFrame;
            let is_array =
                matches!(special.kind, GroupKind::PreinitArray | GroupKind::InitArray | GroupKind::FiniArray);
            let alignment = match (gapless, is_array) {
                (true, _) => 1,
                // Arrays of pointers are read as such, whatever alignment hand-written assembly gives them.
                (false, true) => block.alignment().max(POINTER),
                (false, false) => block.alignment(),
            };
            special.offset = cursor.place(special.size, alignment, block.alignment_offset())?;
            block.address = ExecutorAddr(special.offset);
            if let Some(thread) = self.thread.as_mut().filter(|_| is_thread_data) {
                thread.content_size = cursor.offset - thread.offset;
                // Variables of no size are variables, too.
                thread.size = thread.content_size.max(1);
            }
        }
        Ok(())
    }

    /// Takes zero-filled thread-local variables out of the specials, which have memory.
    fn take_thread_locals(&mut self, graphs: &[LinkGraph<'_>]) {
        let is_thread_local =
            |special: &Special| matches!(special.kind, GroupKind::ThreadData | GroupKind::ThreadZeroFill);
        let alignment =
            |special: &Special| graphs[special.graph as usize].blocks[special.block.index()].alignment();
        let Some(alignment) =
            self.specials.iter().filter(|special| is_thread_local(special)).map(alignment).max()
        else {
            return;
        };
        let address = ExecutorAddr::NULL;
        self.thread =
            Some(ThreadTemplate { segment: 0, offset: 0, content_size: 0, size: 0, alignment, address });
        let is_zero_fill = |special: &mut Special| special.kind == GroupKind::ThreadZeroFill;
        self.thread_zero_fill = self.specials.extract_if(.., is_zero_fill).collect();
    }

    /// Gives zero-filled thread-local variables places after the others.
    fn place_thread_zero_fill(&mut self, graphs: &mut [LinkGraph<'_>]) -> Result<()> {
        let Some(thread) = &mut self.thread else { return Ok(()) };
        let mut cursor = Cursor { offset: thread.content_size, ..Cursor::default() };
        for special in &mut self.thread_zero_fill {
            let block = &graphs[special.graph as usize].blocks[special.block.index()];
            special.offset = cursor.place(special.size, block.alignment(), block.alignment_offset())?;
        }
        thread.size = cursor.offset;
        Ok(())
    }

    fn place_chunks(&mut self, group: usize, cursor: &mut Cursor) -> Result<()> {
        for chunks in &mut self.chunks {
            let chunk = &mut chunks[group];
            if chunk.size > 0 {
                chunk.offset = cursor.place(chunk.size, 1 << chunk.alignment_log2, 0)?;
            }
        }
        Ok(())
    }

    /// The requests for the segments, in their order.
    /// `together`: also of what may lie far.
    pub(crate) fn requests(&self, near: Placement, together: bool) -> Vec<SegmentRequest<'_>> {
        fn request(segment: &Segment, near: Placement, together: bool) -> SegmentRequest<'_> {
            SegmentRequest {
                name: &segment.name,
                permissions: segment.class.permissions(),
                lifetime: segment.class.lifetime(),
                relro: segment.class == SegmentClass::Slots,
                placement: if segment.class.is_large() && !together { Placement::Anywhere } else { near },
                alignment: segment.alignment,
                content_size: segment.content_size,
                zero_fill_size: segment.zero_fill_size,
            }
        }
        self.segments.iter().map(|segment| request(segment, near, together)).collect()
    }

    /// The address of a graph's chunk.
    pub(crate) fn chunk_address(&self, graph: u32, group: usize) -> u64 {
        let segment = self.segments.iter().find(|segment| segment.class as usize * 2 == group & !1);
        let base = segment.map_or(0, |segment| segment.address.0);
        base.wrapping_add(self.chunks[graph as usize][group].offset)
    }

    /// The addresses of a graph's chunk, if it is not empty.
    pub(crate) fn chunk_range(&self, graph: u32, group: usize) -> Option<AddrRange> {
        let size = self.chunks.get(graph as usize)?[group].size;
        (size > 0).then(|| AddrRange::from_size(ExecutorAddr(self.chunk_address(graph, group)), size))
    }

    /// Addresses beyond those of any process, where segments do not reach each other.
    pub(crate) fn pretended(&self) -> Vec<SegmentPlacement> {
        let size = |segment: &Segment| segment.content_size + segment.zero_fill_size;
        let place = |(number, segment): (u64, &Segment)| SegmentPlacement {
            address: ExecutorAddr((1 << 62) + (number << 52)),
            size: size(segment),
        };
        (0..).zip(&self.segments).map(place).collect()
    }

    /// Makes all addresses final. Empty chunks' blocks (of size zero) get the address of their chunk all the same.
    pub(crate) fn set_addresses(
        &mut self,
        placements: &[SegmentPlacement],
        graphs: &mut [LinkGraph<'_>],
        live: &Liveness,
        workers: &Workers,
    ) -> Result<()> {
        // Blocks of size zero in a segment that is empty get an address of the image all the same.
        let image = placements.first().map_or(0, |placement| placement.address.0);
        let mut bases = [image; SegmentClass::ALL.len()];
        for (segment, placement) in self.segments.iter_mut().zip(placements) {
            segment.address = placement.address;
            bases[segment.class as usize] = placement.address.0;
        }
        let numbered: Vec<_> = (0u32..).zip(graphs.iter_mut()).zip(&self.chunks).collect();
        workers
            .try_map(numbered, |((index, graph), chunks)| move_blocks(index, graph, chunks, &bases, live))?;
        for special in &self.specials {
            let base = self.segments.get(special.segment as usize).map_or(image, |segment| segment.address.0);
            let block = &mut graphs[special.graph as usize].blocks[special.block.index()];
            block.address = ExecutorAddr(base.wrapping_add(special.offset));
        }
        if let Some(thread) = &mut self.thread {
            let segment = placements.get(thread.segment as usize).filter(|_| thread.content_size > 0);
            thread.address = match segment {
                Some(segment) => segment.address.wrapping_add(thread.offset),
                // Without content no memory is taken: any address will do that is aligned.
                None => ExecutorAddr(align(image, thread.alignment, 0).unwrap_or(0)),
            };
            for special in &self.thread_zero_fill {
                let block = &mut graphs[special.graph as usize].blocks[special.block.index()];
                block.address = thread.address.wrapping_add(special.offset);
            }
        }
        for special in &self.unplaced {
            graphs[special.graph as usize].blocks[special.block.index()].address = ExecutorAddr(image);
        }
        Ok(())
    }

    /// The addresses from the first to past the last special of a group, all of which are in one segment; none if the
    /// group is empty.
    pub(crate) fn group_range(&self, graphs: &[LinkGraph<'_>], kind: GroupKind) -> Option<AddrRange> {
        let of_class = |class| {
            let start = self.specials.partition_point(|other| (other.class, other.kind) < (class, kind));
            let rest = &self.specials[start..];
            &rest[..rest.partition_point(|other| (other.class, other.kind) == (class, kind))]
        };
        let specials = SegmentClass::ALL.into_iter().map(of_class).find(|specials| !specials.is_empty())?;
        let address =
            |special: &Special| graphs[special.graph as usize].blocks[special.block.index()].address;
        let (first, last) = (specials.first()?, specials.last()?);
        Some(AddrRange { start: address(first), end: address(last).wrapping_add(last.size) })
    }

    /// The group of the sections called `name`, if some section of the batch is.
    pub(crate) fn named_group(&self, name: &[u8]) -> Option<GroupKind> {
        let position = self.names.binary_search_by(|other| other.as_slice().cmp(name)).ok()?;
        Some(GroupKind::Named(position as u32))
    }

    /// From the first to the last of the groups of sections that `bounds` includes; these are in one segment and follow
    /// each other.
    pub(crate) fn included_range(
        &self,
        graphs: &[LinkGraph<'_>],
        bounds: &MachBounds<'_>,
    ) -> Option<AddrRange> {
        let first = first_name(bounds);
        let start = self.names.partition_point(|name| *name < first);
        let included = self.names[start..].iter().take_while(|name| bounds.includes(name));
        let positions = (start as u32..).zip(included);
        let ranges =
            positions.filter_map(|(position, _)| self.group_range(graphs, GroupKind::Named(position)));
        ranges
            .reduce(|all, range| AddrRange { start: all.start.min(range.start), end: all.end.max(range.end) })
    }

    /// The segments of these classes that are not empty. Of a class there is one only, but for section by section layout.
    pub(crate) fn segments_of(&self, classes: &[SegmentClass]) -> impl Iterator<Item = &Segment> {
        self.segments.iter().filter(|segment| classes.contains(&segment.class))
    }
}

fn move_blocks(
    index: u32,
    graph: &mut LinkGraph<'_>,
    chunks: &[Chunk; REGULAR],
    bases: &[u64; SegmentClass::ALL.len()],
    live: &Liveness,
) -> Result<()> {
    for position in 0..graph.blocks.len() {
        let block = &graph.blocks[position];
        if !live.is_live(index, BlockId(position as u32)) || block.address == MERGED {
            continue;
        }
        let section = &graph.sections[block.section.index()];
        let Some(class) = class_of(graph, section)? else { continue };
        let chunk = &chunks[regular_index(class, block.is_zero_fill())];
        let base = bases[class as usize].wrapping_add(chunk.offset);
        let block = &mut graph.blocks[position];
        block.address = block.address.wrapping_add(base);
    }
    Ok(())
}

#[derive(Debug)]
struct Cursor {
    offset: u64,
    alignment: u64,
    used: bool,
}

impl Default for Cursor {
    fn default() -> Self {
        Self { offset: 0, alignment: 1, used: false }
    }
}

impl Cursor {
    fn place(&mut self, size: u64, alignment: u64, alignment_offset: u64) -> Result<u64> {
        let offset = align(self.offset, alignment, alignment_offset).ok_or_else(too_large)?;
        self.offset = offset.checked_add(size).filter(|end| *end < 1 << 62).ok_or_else(too_large)?;
        self.alignment = self.alignment.max(alignment);
        self.used |= size > 0;
        Ok(offset)
    }
}

/// The first offset from `offset` on that is `remainder` modulo `alignment`.
fn align(offset: u64, alignment: u64, remainder: u64) -> Option<u64> {
    let gap = remainder.wrapping_sub(offset) & (alignment - 1);
    offset.checked_add(gap)
}

#[cold]
fn too_large() -> Error {
    Error::invalid("the sections are larger than the address space", None)
}
