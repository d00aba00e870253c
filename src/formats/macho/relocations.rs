//! Relocations to edge runs. Addends stand in the fields, and some relocations come in pairs.

use super::aarch64::Aarch64;
use super::difference;
use super::machine::Relocations;
use super::object::MachObject;
use super::sections::Contents;
use super::subsections::{NO_SYMBOL, SectionBlocks, Subsections};
use super::x86_64::X86_64;
use crate::base::{Error, Result};
use crate::graph::symbol::LinkageScope;
use crate::graph::{
    Architecture, BlockId, Edge, LinkGraph, Linkage, Scope, SectionRole, Symbol, SymbolFlags, SymbolId,
    SymbolKind,
};
use object::LittleEndian as LE;
use object::macho;

/// The outcome of looking at one relocation. Errors are boxed, so that what succeeds stays in registers.
pub(crate) type Decoded<T> = Result<T, Box<Error>>;

/// A relocation. What is said about its field stays packed until it is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields {
    /// Offset in the section.
    pub(crate) offset: u32,
    pub(super) word: u32,
}

impl Fields {
    fn new(relocation: macho::Relocation<LE>) -> Self {
        Self { offset: relocation.r_word0.get(LE), word: relocation.r_word1.get(LE) }
    }

    /// `r_type`.
    pub(crate) fn number(self) -> u8 {
        (self.word >> 28) as u8
    }

    /// The field's size in bytes as a power of two.
    pub(crate) fn length(self) -> u8 {
        (self.word >> 25) as u8 & 3
    }

    pub(crate) fn pc_relative(self) -> bool {
        self.word & 1 << 24 != 0
    }

    /// Whether [`symbol`](Self::symbol) is the index of a symbol; otherwise it is a section's number.
    pub(crate) fn external(self) -> bool {
        self.word & 1 << 27 != 0
    }

    pub(crate) fn symbol(self) -> u32 {
        self.word & 0xff_ffff
    }

    /// Whether the field is `pc_relative` and of a size that is `length` as a power of two.
    fn is_of_form(self, pc_relative: bool, length: u8) -> bool {
        self.word >> 24 & 7 == u32::from(length) << 1 | u32::from(pc_relative)
    }
}

/// Appends the edges of section `index` to the graph's, in the order of its relocations, with offsets in the section.
pub(crate) fn decode<'data>(
    object: &MachObject<'data>,
    index: u32,
    graph: &mut LinkGraph<'data>,
    subsections: &mut Subsections,
) -> Result<()> {
    let section = &object.sections[index as usize];
    let table: &[macho::Relocation<LE>] =
        object.table(section.reloff.get(LE), section.nreloc.get(LE), "relocation table")?;
    if table.is_empty() {
        return Ok(());
    }
    graph.edges.reserve(table.len());
    let architecture = graph.architecture;
    let mut decoder = Decoder::new(object, index, graph, subsections)?;
    match architecture {
        Architecture::X86_64 => decoder.run::<X86_64>(table),
        Architecture::Aarch64 => decoder.run::<Aarch64>(table),
    }
    .map_err(|error| *error)
}

/// Appends edges for the pointers of section `index`, whose symbols the indirect symbol table names.
pub(crate) fn decode_pointers<'data>(
    object: &MachObject<'data>,
    index: u32,
    graph: &mut LinkGraph<'data>,
) -> Result<()> {
    const POINTER: u64 = 8;
    let section = &object.sections[index as usize];
    let count = section.size.get(LE) / POINTER;
    let first = section.reserved1.get(LE) as usize;
    let entries = usize::try_from(count)
        .ok()
        .and_then(|count| object.indirect.get(first..first.checked_add(count)?))
        .ok_or_else(|| {
            Error::malformed(
                object.file().in_section(object.section_display(index)),
                "its pointers' entries are past the indirect symbol table",
            )
        })?;
    for (position, entry) in (0u32..).zip(entries) {
        let entry = macho::IndirectSymbol(entry.get(LE));
        // Local and absolute pointers have their values in place, with relocations where these move.
        let Some(entry) = entry.index() else { continue };
        if entry as usize >= object.symbols.len() {
            return Err(Error::malformed(
                object.file().in_section(object.section_display(index)),
                format!("indirect symbol {entry} is past the {} symbols", object.symbols.len()),
            ));
        }
        let kind = object.machine.kinds.absolute;
        graph.edges.push(Edge { offset: position * 8, target: SymbolId(entry), addend: 0, kind });
    }
    Ok(())
}

/// The relocations of one section.
#[derive(Debug)]
pub(crate) struct Decoder<'a, 'data> {
    pub(super) object: &'a MachObject<'data>,
    pub(super) index: u32,
    pub(super) graph: &'a mut LinkGraph<'data>,
    pub(super) subsections: &'a mut Subsections,
    content: &'data [u8],
    /// The section's address in the object.
    base: u64,
    /// Whether the section holds descriptors of thread-local variables.
    descriptors: bool,
    /// Whether it holds distances of functions from the image's start.
    offsets: bool,
    /// The block that was found last: where relocations refer to places, they do so in order, as a rule.
    last_found: u32,
}

impl<'a, 'data> Decoder<'a, 'data> {
    pub(super) fn new(
        object: &'a MachObject<'data>,
        index: u32,
        graph: &'a mut LinkGraph<'data>,
        subsections: &'a mut Subsections,
    ) -> Result<Self> {
        let section = &object.sections[index as usize];
        let first = subsections.blocks[index as usize].first;
        let owner = graph.blocks[first as usize].section;
        let offsets = subsections.blocks[index as usize].contents == Contents::FunctionOffsets;
        let descriptors = graph.sections[owner.index()].role == SectionRole::ThreadDescriptors;
        let content = match graph.blocks[first as usize].is_zero_fill() {
            true => &[][..],
            false => object.section_bytes(index)?,
        };
        let base = section.addr.get(LE);
        Ok(Self { object, index, graph, subsections, content, base, descriptors, offsets, last_found: 0 })
    }

    fn run<R: Relocations>(&mut self, table: &[macho::Relocation<LE>]) -> Decoded<()> {
        let mut relocations = table.iter();
        while let Some(&relocation) = relocations.next() {
            let fields = Fields::new(relocation);
            let edge = if fields.number() == R::UNSIGNED {
                let edge = self.pointer::<R>(fields)?;
                if self.descriptors {
                    self.add_key(edge);
                }
                edge
            } else if fields.number() == R::SUBTRACTOR {
                let next = relocations.next().map(|&relocation| Fields::new(relocation));
                let minuend =
                    next.filter(|next| next.number() == R::UNSIGNED && next.offset == fields.offset);
                let Some(minuend) = minuend else { return Err(self.unpaired(fields)) };
                if self.offsets {
                    let edge = self.pointer::<R>(minuend)?;
                    self.graph.edges.push(edge);
                    continue;
                }
                match difference::edge(self, fields, minuend)? {
                    Some(edge) => edge,
                    None => continue,
                }
            } else if Some(fields.number()) == R::ADDEND {
                let next = relocations.next().map(|&relocation| Fields::new(relocation));
                let used = next.filter(|next| next.offset == fields.offset && takes_addend::<R>(*next));
                let Some(used) = used else { return Err(self.unpaired(fields)) };
                // 24 bits and a sign, where otherwise a symbol is.
                let addend = i64::from((fields.symbol() << 8).cast_signed() >> 8);
                R::edge(self, used, Some(addend))?
            } else {
                R::edge(self, fields, None)?
            };
            self.graph.edges.push(edge);
        }
        Ok(())
    }

    /// Where a descriptor has the offset of its variable, it needs the number of the module, too: its key.
    fn add_key(&mut self, edge: Edge) {
        let kinds = self.object.machine.kinds;
        if edge.kind == kinds.thread_offset {
            let offset = edge.offset - (OFFSET_IN_DESCRIPTOR - KEY_IN_DESCRIPTOR);
            self.graph.edges.push(Edge { offset, addend: 0, kind: kinds.thread_module, ..edge });
        }
    }

    #[inline]
    fn pointer<R: Relocations>(&mut self, fields: Fields) -> Decoded<Edge> {
        let kinds = self.object.machine.kinds;
        let kind = match (fields.length(), R::ABSOLUTE32) {
            _ if fields.pc_relative() => return Err(self.bad_form(fields)),
            (3, _) if self.descriptors && fields.offset % DESCRIPTOR_SIZE == OFFSET_IN_DESCRIPTOR => {
                kinds.thread_offset
            }
            (3, _) => kinds.absolute,
            (2, Some(kind)) => kind,
            _ => return Err(self.bad_form(fields)),
        };
        let content = self.number(fields)?;
        let (target, addend) = if fields.external() {
            (self.symbol(fields)?, content)
        } else {
            self.place(fields, content.cast_unsigned())?
        };
        Ok(Edge { offset: fields.offset, target, addend, kind })
    }

    /// The symbol that a relocation refers to.
    #[inline(always)]
    pub(crate) fn symbol(&self, fields: Fields) -> Decoded<SymbolId> {
        match self.object.symbols.get(fields.symbol() as usize) {
            Some(entry) if !entry.n_type.is_stab() => Ok(SymbolId(fields.symbol())),
            _ => Err(self.no_symbol(fields)),
        }
    }

    /// A symbol near an address in the section that a relocation refers to, and the address's distance from it.
    pub(crate) fn place(&mut self, fields: Fields, address: u64) -> Decoded<(SymbolId, i64)> {
        let number = fields.symbol();
        let index = number.checked_sub(1).filter(|&index| (index as usize) < self.object.sections.len());
        let Some(index) = index else { return Err(self.no_section(fields)) };
        match self.place_in(index, address) {
            Some(place) => Ok(place),
            None => Err(self.outside_of(fields, index, address)),
        }
    }

    /// A symbol near an address in section `index`, and the address's distance from it.
    pub(crate) fn place_in(&mut self, index: u32, address: u64) -> Option<(SymbolId, i64)> {
        let block = self.block_at(index, address)?;
        let offset = address.wrapping_sub(self.graph.blocks[block.index()].address.0);
        if self.subsections.blocks[index as usize].merged {
            // Each string and constant goes to a place of its own, which only a symbol there can lead to.
            return Some((self.add_symbol(block, offset), 0));
        }
        let start = self.subsections.starts[block.index()];
        if start != NO_SYMBOL {
            return Some((SymbolId(start), offset.cast_signed()));
        }
        let symbol = self.add_symbol(block, 0);
        self.subsections.starts[block.index()] = symbol.0;
        Some((symbol, offset.cast_signed()))
    }

    fn add_symbol(&mut self, block: BlockId, offset: u64) -> SymbolId {
        let id = SymbolId(self.graph.symbols.len() as u32);
        self.graph.symbols.push(Symbol {
            kind: SymbolKind::Defined,
            block,
            value: offset,
            linkage_scope: LinkageScope::new(Linkage::Strong, Scope::Local),
            flags: SymbolFlags::empty(),
            ..Symbol::NULL
        });
        id
    }

    /// The block of section `index` that holds an address of the object; the last one holds the address of its end, too.
    pub(crate) fn block_at(&mut self, index: u32, address: u64) -> Option<BlockId> {
        let SectionBlocks { first, count, .. } = self.subsections.blocks[index as usize];
        let blocks = self.graph.blocks.get(first as usize..(first + count) as usize)?;
        let holds = |position: u32| {
            let block = blocks.get(position as usize);
            block.is_some_and(|block| address.wrapping_sub(block.address.0) < block.size)
        };
        let last = self.last_found.wrapping_sub(first);
        let near = [last, last.wrapping_sub(1), last.wrapping_add(1)].into_iter().find(|&near| holds(near));
        let position = match near {
            Some(position) => position,
            None => {
                let after = blocks.partition_point(|block| block.address.0 <= address);
                let position = after.checked_sub(1)?;
                let block = &blocks[position];
                if address - block.address.0 > block.size {
                    return None;
                }
                position as u32
            }
        };
        self.last_found = first + position;
        Some(BlockId(self.last_found))
    }

    /// The block that the field at an offset of the section is in.
    pub(crate) fn own_block(&mut self, offset: u32) -> Option<BlockId> {
        self.block_at(self.index, self.address(offset))
    }

    /// The address, in the object, of an offset in the section.
    pub(crate) fn address(&self, offset: u32) -> u64 {
        self.base.wrapping_add(u64::from(offset))
    }

    /// The four bytes of the field.
    #[inline(always)]
    pub(crate) fn word(&self, fields: Fields) -> Decoded<u32> {
        let field = self.content.get(fields.offset as usize..).and_then(|bytes| bytes.first_chunk());
        field.map(|bytes| u32::from_le_bytes(*bytes)).ok_or_else(|| self.past_end(fields))
    }

    /// The signed number in a field of four or eight bytes.
    #[inline]
    pub(crate) fn number(&self, fields: Fields) -> Decoded<i64> {
        if fields.length() == 2 {
            return self.word(fields).map(|word| i64::from(word.cast_signed()));
        }
        let field = self.content.get(fields.offset as usize..).and_then(|bytes| bytes.first_chunk());
        field.map(|bytes| i64::from_le_bytes(*bytes)).ok_or_else(|| self.past_end(fields))
    }

    #[inline(always)]
    pub(crate) fn check_form(&self, fields: Fields, pc_relative: bool, length: u8) -> Decoded<()> {
        if fields.is_of_form(pc_relative, length) { Ok(()) } else { Err(self.bad_form(fields)) }
    }
}

/// Bytes of a descriptor of a thread-local variable: a function, a key, an offset.
const DESCRIPTOR_SIZE: u32 = 24;
const KEY_IN_DESCRIPTOR: u32 = 8;
const OFFSET_IN_DESCRIPTOR: u32 = 16;

fn takes_addend<R: Relocations>(fields: Fields) -> bool {
    fields.number() != R::UNSIGNED && fields.number() != R::SUBTRACTOR && Some(fields.number()) != R::ADDEND
}
