//! The builder: a parsed object and the batch's decisions about its names to a link graph.
//!
//! Graph symbol ids are indexes of the object's symbol table; symbols that relocations by section need come after them.
//! Every loaded section becomes one section of the graph, and what symbols divide it into, its blocks.

use super::frames;
use super::globals::{linkage_of, scope_of};
use super::names::full_name;
use super::object::MachObject;
use super::relocations;
use super::sections::{Contents, Disposition, Traits, disposition};
use super::subsections::{NO_SYMBOL, SectionBlocks};
use crate::arch;
use crate::base::{Error, ExecutorAddr, Result};
use crate::formats::object::{BuildOptions, Resolution, Scratch, settle};
use crate::graph::edge::EdgeRun;
use crate::graph::symbol::{LinkageScope, NO_GLOBAL, NameRef};
use crate::graph::{
    Block, BlockId, Content, Lifetime, LinkGraph, Linkage, Permissions, Scope, Section, SectionFlags,
    SectionId, SectionRole, Spelling, Symbol, SymbolFlags, SymbolKind,
};
use object::LittleEndian as LE;
use object::macho::{self, Nlist64, Section64};

/// The largest alignment a section may ask for, as a power of two.
const MAX_ALIGNMENT: u32 = 30;

/// Makes the link graph of `object`.
pub(crate) fn build<'data>(
    object: &MachObject<'data>,
    resolution: Resolution<'_>,
    options: BuildOptions,
    scratch: &mut Scratch,
) -> Result<LinkGraph<'data>> {
    let architecture = object.machine.architecture;
    let mut graph = LinkGraph::new(object.name.clone(), architecture, arch::kinds(architecture));
    graph.spelling = Spelling::Underscored;
    graph.strings = object.strings;
    scratch.subsections.collect(object)?;
    let mut builder = Builder { object, options, graph, scratch };
    builder.add_symbols(resolution)?;
    builder.add_sections()?;
    for index in 0..object.sections.len() as u32 {
        builder.add_edges(index)?;
    }
    builder.finish(resolution);
    Ok(builder.graph)
}

struct Builder<'build, 'data> {
    object: &'build MachObject<'data>,
    options: BuildOptions,
    graph: LinkGraph<'data>,
    scratch: &'build mut Scratch,
}

impl<'data> Builder<'_, 'data> {
    /// Symbols of sections get their places together with the sections' blocks.
    fn add_symbols(&mut self, resolution: Resolution<'_>) -> Result<()> {
        let first_global = self.object.first_global as usize;
        self.graph.symbols.reserve_exact(self.object.symbols.len());
        let (locals, globals) = self.object.symbols.split_at(first_global);
        for (index, entry) in (0u32..).zip(locals) {
            let symbol = self.symbol(index, entry)?;
            self.graph.symbols.push(symbol);
        }
        for ((index, entry), &id) in (self.object.first_global..).zip(globals).zip(resolution.ids) {
            let mut symbol = self.symbol(index, entry)?;
            symbol.global = id;
            self.graph.symbols.push(symbol);
        }
        Ok(())
    }

    fn symbol(&self, index: u32, entry: &Nlist64<LE>) -> Result<Symbol> {
        if entry.n_type.is_stab() {
            return Ok(Symbol::NULL);
        }
        let name = entry.n_strx.get(LE);
        if name as usize >= self.object.strings.len() && name != 0 {
            return Err(self.object.bad_name(index));
        }
        let value = entry.n_value.get(LE);
        let external = entry.n_type.is_ext();
        let (kind, value, size) = match entry.n_type.typ() {
            macho::N_SECT => (SymbolKind::Null, 0, 0),
            macho::N_ABS => (SymbolKind::Absolute, value, 0),
            macho::N_UNDF | macho::N_PBUD if external && value != 0 => {
                (SymbolKind::Common, common_alignment(entry), value)
            }
            macho::N_UNDF | macho::N_PBUD | macho::N_INDR if external => (SymbolKind::External, 0, 0),
            _ => (SymbolKind::Null, 0, 0),
        };
        let scope = scope_of(entry);
        let linkage = if scope == Scope::Local { Linkage::Strong } else { linkage_of(entry) };
        let mut flags = SymbolFlags::empty();
        let defined = matches!(entry.n_type.typ(), macho::N_SECT | macho::N_ABS);
        flags.set(SymbolFlags::KEEP, defined && entry.n_desc.get(LE).contains(macho::N_NO_DEAD_STRIP));
        Ok(Symbol {
            value,
            size,
            block: Symbol::NULL.block,
            name: NameRef(name),
            global: NO_GLOBAL,
            kind,
            linkage_scope: LinkageScope::new(linkage, scope),
            flags,
        })
    }

    fn add_sections(&mut self) -> Result<()> {
        let count = self.object.sections.len();
        self.graph.sections.reserve_exact(count);
        self.graph.blocks.reserve(count + self.scratch.subsections.places.len());
        let mut places = 0;
        for (index, section) in (0u32..).zip(self.object.sections) {
            let start = places;
            let number = index as usize + 1;
            let all = &self.scratch.subsections.places;
            places += all[places..].iter().take_while(|place| usize::from(place.section()) == number).count();
            let blocks = self.add_section(index, section, start..places)?;
            self.scratch.subsections.blocks.push(blocks);
        }
        Ok(())
    }

    fn add_section(
        &mut self,
        index: u32,
        section: &'data Section64<LE>,
        places: std::ops::Range<usize>,
    ) -> Result<SectionBlocks> {
        let traits = match disposition(section) {
            Disposition::Load(traits) => traits,
            Disposition::Debug if self.options.keep_debug => NOT_LOADED,
            Disposition::Unwind => Traits { role: SectionRole::CompactUnwind, ..NOT_LOADED },
            Disposition::Debug | Disposition::Skip => return Ok(SectionBlocks::NONE),
            Disposition::Unknown => return Err(self.unknown_section(index, section)),
        };
        let id = SectionId(self.graph.sections.len() as u32);
        let loaded = matches!(disposition(section), Disposition::Load(_));
        self.graph.sections.push(Section {
            name: full_name(section),
            permissions: traits.permissions,
            lifetime: if loaded { Lifetime::Standard } else { Lifetime::NoAlloc },
            role: traits.role,
            flags: traits.flags,
            number: index + 1,
        });
        self.add_blocks(index, section, id, traits, places)
    }

    fn add_blocks(
        &mut self,
        index: u32,
        section: &'data Section64<LE>,
        id: SectionId,
        traits: Traits,
        places: std::ops::Range<usize>,
    ) -> Result<SectionBlocks> {
        let alignment = self.alignment(index, section)?;
        let bytes = if traits.zero_fill { None } else { Some(self.object.section_bytes(index)?) };
        let first = self.graph.blocks.len() as u32;
        let (address, size) = (section.addr.get(LE), section.size.get(LE));
        let whole = traits.contents != Contents::Plain;
        let callable = traits.permissions.contains(Permissions::EXECUTE);
        let mut cursor = Cutter { id, address, size, bytes, alignment, start: 0 };
        let mut pending = places.start;
        for position in places.clone() {
            let place = self.scratch.subsections.places[position];
            if place.divides() && !whole && place.offset() > cursor.start {
                let block = cursor.cut(place.offset());
                self.give(pending..position, block, callable);
                pending = position;
            }
        }
        let block = cursor.cut(size);
        self.give(pending..places.end, block, callable);
        let count = self.graph.blocks.len() as u32 - first;
        let merged =
            matches!(traits.role, SectionRole::MergeStrings { .. } | SectionRole::MergeConstants { .. });
        if traits.contents == Contents::FunctionOffsets {
            widen_block(&mut self.graph.blocks[first as usize]);
        }
        Ok(SectionBlocks { first, count, merged, contents: traits.contents })
    }

    /// Adds a block and puts the symbols at these places into it.
    fn give(&mut self, places: std::ops::Range<usize>, block: Block<'data>, callable: bool) {
        let id = BlockId(self.graph.blocks.len() as u32);
        let start = block.address.0;
        for place in &self.scratch.subsections.places[places] {
            let entry = &self.object.symbols[place.symbol as usize];
            let symbol = &mut self.graph.symbols[place.symbol as usize];
            symbol.kind = SymbolKind::Defined;
            symbol.block = id;
            symbol.value = entry.n_value.get(LE).wrapping_sub(start);
            symbol.size = block.size.saturating_sub(symbol.value);
            symbol.flags.set(SymbolFlags::CALLABLE, callable);
        }
        self.graph.blocks.push(block);
        self.scratch.subsections.starts.push(NO_SYMBOL);
    }

    fn alignment(&self, index: u32, section: &Section64<LE>) -> Result<u8> {
        let alignment = section.align.get(LE);
        if alignment <= MAX_ALIGNMENT {
            return Ok(alignment as u8);
        }
        Err(Error::malformed(
            self.object.file().in_section(self.object.section_display(index)),
            format!("alignment 2^{alignment} is above 2^{MAX_ALIGNMENT}"),
        ))
    }

    #[cold]
    fn unknown_section(&self, index: u32, section: &Section64<LE>) -> Error {
        Error::unsupported(
            self.object.file().in_section(self.object.section_display(index)),
            format!("unknown section type {:#x}", section.flags.get(LE).typ().0),
            "its meaning in relocatable objects is not documented",
        )
    }

    fn add_edges(&mut self, index: u32) -> Result<()> {
        let blocks = self.scratch.subsections.blocks[index as usize];
        if blocks.count == 0 {
            return Ok(());
        }
        let start = self.graph.edges.len();
        relocations::decode(self.object, index, &mut self.graph, &mut self.scratch.subsections)?;
        match blocks.contents {
            Contents::SymbolPointers => relocations::decode_pointers(self.object, index, &mut self.graph)?,
            Contents::FunctionOffsets => self.widen_offsets(start),
            Contents::CallFrames => {
                frames::add_implied(
                    self.object,
                    index,
                    start,
                    &mut self.graph,
                    &mut self.scratch.subsections,
                )?;
            }
            Contents::Plain | Contents::Whole => {}
        }
        self.distribute(index, start)
    }

    /// Makes the offsets of functions, from edge `start` on, their addresses.
    fn widen_offsets(&mut self, start: usize) {
        for edge in &mut self.graph.edges[start..] {
            edge.offset = edge.offset.saturating_mul(2);
            edge.kind = self.object.machine.kinds.absolute;
        }
    }

    /// Hands the edges from `start` on, whose offsets are those in the section, to the section's blocks.
    fn distribute(&mut self, index: u32, start: usize) -> Result<()> {
        let LinkGraph { blocks, edges, .. } = &mut self.graph;
        let run = &mut edges[start..];
        // Assemblers write relocations from the section's end to its start.
        if run.is_sorted_by(|a, b| a.offset >= b.offset) {
            run.reverse();
        } else if !run.is_sorted_by_key(|edge| edge.offset) {
            run.sort_by_key(|edge| edge.offset);
        }
        if u32::try_from(start + run.len()).is_err() {
            return Err(Error::malformed(self.object.file(), "more than 2^32 relocations"));
        }
        let SectionBlocks { first, count, .. } = self.scratch.subsections.blocks[index as usize];
        let base = self.object.sections[index as usize].addr.get(LE);
        let mut next = 0;
        for block in &mut blocks[first as usize..(first + count) as usize] {
            let offset = block.address.0.wrapping_sub(base);
            let end = offset + block.size;
            let from = next;
            while let Some(edge) = run.get_mut(next).filter(|edge| u64::from(edge.offset) < end) {
                edge.offset -= offset as u32;
                next += 1;
            }
            block.edges = EdgeRun::Owned { start: (start + from) as u32, count: (next - from) as u32 };
        }
        match run.get(next) {
            Some(edge) => Err(Error::malformed(
                self.object.file().in_section(self.object.section_display(index)).at(u64::from(edge.offset)),
                "relocation offset is past its section",
            )),
            None => Ok(()),
        }
    }

    /// Definitions that lost their names become references to those that won.
    fn finish(&mut self, resolution: Resolution<'_>) {
        for position in self.object.first_global..self.object.symbols.len() as u32 {
            let symbol = &mut self.graph.symbols[position as usize];
            if symbol.global != NO_GLOBAL && symbol.kind != SymbolKind::Null {
                settle(symbol, position, resolution, &self.object.name, self.scratch);
            }
        }
    }
}

/// How sections are treated that get no memory.
const NOT_LOADED: Traits = Traits {
    permissions: Permissions::READ,
    role: SectionRole::Regular,
    flags: SectionFlags::empty(),
    zero_fill: false,
    contents: Contents::Whole,
};

/// Cuts a section into blocks.
struct Cutter<'data> {
    id: SectionId,
    address: u64,
    size: u64,
    bytes: Option<&'data [u8]>,
    alignment: u8,
    /// Offset of the next block.
    start: u64,
}

impl<'data> Cutter<'data> {
    /// The block from the last cut to `end`.
    fn cut(&mut self, end: u64) -> Block<'data> {
        let start = self.start;
        self.start = end;
        let content = match self.bytes {
            Some(bytes) => Content::Borrowed(bytes.get(start as usize..end as usize).unwrap_or(&[])),
            None => Content::ZeroFill,
        };
        // A block is never less aligned than its place made it, and never more: what its section guarantees.
        let alignment_log2 =
            if start == 0 { self.alignment } else { self.alignment.min(start.trailing_zeros() as u8) };
        debug_assert!(end <= self.size, "symbols lie in their sections");
        Block {
            address: ExecutorAddr(self.address.wrapping_add(start)),
            size: end - start,
            content,
            edges: EdgeRun::EMPTY,
            section: self.id,
            alignment_offset: 0,
            alignment_log2,
            live: false,
        }
    }
}

/// Makes an array of four bytes per function one of eight, as all arrays of initialisers are here.
fn widen_block(block: &mut Block<'_>) {
    block.size *= 2;
    block.content = Content::Owned(vec![0; block.content.bytes().len() * 2]);
    block.alignment_log2 = block.alignment_log2.max(3);
}

/// The alignment of a common symbol in bytes: stated, or that of its size as far as any type has it.
fn common_alignment(entry: &Nlist64<LE>) -> u64 {
    match entry.n_desc.get(LE).common_alignment() {
        0 => entry.n_value.get(LE).min(16).next_power_of_two(),
        stated => 1 << stated,
    }
}
