//! The builder: a parsed object and the batch's decisions about its names to a link graph.
//!
//! Every section that is loaded and not discarded becomes one section with one block, in the order of the object.
//! Graph symbol ids are the object's symbol indexes, so that relocation tables can be viewed in place.

use super::globals::{linkage_of, scope_of};
use super::notes::{has_landing_pads, read_note};
use super::object::{ElfObject, SymbolSection};
use super::relocations;
use super::sections::{Disposition, Traits, disposition, lifetime};
use crate::arch;
use crate::base::{Error, ExecutorAddr, Result};
use crate::formats::object::{BuildOptions, Resolution, Scratch, settle};
use crate::graph::edge::EdgeRun;
use crate::graph::symbol::{LinkageScope, NO_GLOBAL, NameRef};
use crate::graph::{
    Block, BlockId, Content, LinkGraph, Linkage, Permissions, Scope, Section, SectionFlags, SectionId,
    SectionRole, Symbol, SymbolFlags, SymbolKind,
};
use object::LittleEndian as LE;
use object::elf::{self, SectionHeader64, Sym64};
use std::borrow::Cow;

/// In `Scratch::block_of_section`: the section has no block.
const NO_BLOCK: u32 = u32::MAX;
/// In `Scratch::block_of_section`: the section lost to another object's COMDAT group.
const DISCARDED: u32 = u32::MAX - 1;

/// The largest alignment a section may ask for.
const MAX_ALIGNMENT: u64 = 1 << 30;

/// Makes the link graph of `object`.
pub(crate) fn build<'data>(
    object: &ElfObject<'data>,
    resolution: Resolution<'_>,
    options: BuildOptions,
    scratch: &mut Scratch,
) -> Result<LinkGraph<'data>> {
    let machine = object.machine;
    let kinds = arch::kinds(machine.architecture);
    let mut graph = LinkGraph::new(object.name.clone(), machine.architecture, kinds);
    graph.relocation_kinds = machine.kinds;
    graph.strings = object.strings;
    graph.source = object.data;
    reset_blocks(object, resolution, &mut scratch.block_of_section);
    let mut builder = Builder { object, options, graph, scratch };
    builder.add_sections()?;
    builder.add_relocations()?;
    builder.add_symbols(resolution)?;
    Ok(builder.graph)
}

fn reset_blocks(object: &ElfObject<'_>, resolution: Resolution<'_>, blocks: &mut Vec<u32>) {
    blocks.clear();
    blocks.resize(object.sections.len(), NO_BLOCK);
    super::for_each_discarded_section(object, resolution.kept_groups, |section| {
        if let Some(block) = blocks.get_mut(section as usize) {
            *block = DISCARDED;
        }
    });
}

struct Builder<'build, 'data> {
    object: &'build ElfObject<'data>,
    options: BuildOptions,
    graph: LinkGraph<'data>,
    scratch: &'build mut Scratch,
}

impl<'data> Builder<'_, 'data> {
    fn add_sections(&mut self) -> Result<()> {
        self.graph.sections.reserve_exact(self.object.loaded_sections);
        self.graph.blocks.reserve_exact(self.object.loaded_sections);
        for (index, header) in (0u32..).zip(self.object.sections) {
            if self.scratch.block_of_section[index as usize] == DISCARDED {
                continue;
            }
            let name = self.object.section_name(header);
            match disposition(header, name, self.object.machine) {
                Disposition::Load(traits) => self.add_block(index, header, name, traits)?,
                Disposition::Debug => {
                    self.scratch.findings.debug_info = true;
                    if self.options.keep_debug {
                        self.add_debug(index, header, name)?;
                    }
                }
                Disposition::Note => {
                    self.graph.landing_pads |= has_landing_pads(self.object, header, name);
                    read_note(self.object, header, name, &mut self.scratch.findings.warnings)
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn add_debug(&mut self, index: u32, header: &'data SectionHeader64<LE>, name: &'data [u8]) -> Result<()> {
        let compressed =
            header.sh_flags.get(LE).0 & elf::SHF_COMPRESSED.0 != 0 || name.starts_with(b".zdebug");
        let mut flags = SectionFlags::empty();
        flags.set(SectionFlags::COMPRESSED, compressed);
        let traits =
            Traits { permissions: Permissions::READ, role: SectionRole::Regular, flags, zero_fill: false };
        self.add_block(index, header, name, traits)?;
        if let Some(section) = self.graph.sections.last_mut() {
            section.lifetime = lifetime(Disposition::Debug);
        }
        Ok(())
    }

    fn add_block(
        &mut self,
        index: u32,
        header: &SectionHeader64<LE>,
        name: &'data [u8],
        traits: Traits,
    ) -> Result<()> {
        let size = header.sh_size.get(LE);
        let content = if traits.zero_fill {
            Content::ZeroFill
        } else {
            Content::Borrowed(self.object.section_bytes(index)?)
        };
        let alignment_log2 = self.alignment(index, header)?;
        let section = SectionId(self.graph.sections.len() as u32);
        self.scratch.block_of_section[index as usize] = self.graph.blocks.len() as u32;
        self.graph.sections.push(Section {
            name: Cow::Borrowed(name),
            permissions: traits.permissions,
            lifetime: lifetime(Disposition::Load(traits)),
            role: traits.role,
            flags: traits.flags,
            number: index,
        });
        self.graph.blocks.push(Block {
            address: ExecutorAddr(0),
            size,
            content,
            edges: EdgeRun::EMPTY,
            section,
            alignment_offset: 0,
            alignment_log2,
            live: false,
        });
        Ok(())
    }

    fn alignment(&self, index: u32, header: &SectionHeader64<LE>) -> Result<u8> {
        let alignment = header.sh_addralign.get(LE).max(1);
        if alignment.is_power_of_two() && alignment <= MAX_ALIGNMENT {
            return Ok(alignment.trailing_zeros() as u8);
        }
        Err(Error::malformed(
            self.object.file().in_section(self.object.section_display(index)),
            format!("alignment {alignment:#x} is not a power of two up to {MAX_ALIGNMENT:#x}"),
        ))
    }

    fn add_relocations(&mut self) -> Result<()> {
        for (index, header) in (0u32..).zip(self.object.sections) {
            if !matches!(header.sh_type.get(LE), elf::SHT_RELA | elf::SHT_REL | elf::SHT_CREL) {
                continue;
            }
            let target = header.sh_info.get(LE);
            match self.scratch.block_of_section.get(target as usize) {
                Some(&(NO_BLOCK | DISCARDED)) => {}
                Some(&block) => relocations::attach(self.object, index, header, block, &mut self.graph)?,
                None => {
                    return Err(Error::malformed(
                        self.object.file().in_section(self.object.section_display(index)),
                        format!("relocations for section {target}, which does not exist"),
                    ));
                }
            }
        }
        Ok(())
    }

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
            if id != NO_GLOBAL {
                symbol.global = id;
                settle(&mut symbol, index, resolution, &self.object.name, self.scratch);
            }
            self.graph.symbols.push(symbol);
        }
        Ok(())
    }

    fn symbol(&self, index: u32, entry: &Sym64<LE>) -> Result<Symbol> {
        let (kind, block) = self.kind_and_block(index, entry)?;
        let name = entry.st_name.get(LE);
        if name as usize >= self.object.strings.len() && name != 0 {
            return Err(Error::malformed(
                self.object.file(),
                format!("name offset {name:#x} of symbol {index} is past the string table"),
            ));
        }
        let (mut flags, machine) = (flags_of(entry), self.object.machine);
        if kind == SymbolKind::Common && machine.large_common == Some(entry.st_shndx.get(LE).0) {
            flags |= SymbolFlags::LARGE;
        }
        if entry.st_other.0 & machine.variant_pcs != 0 {
            flags |= SymbolFlags::VARIANT_PCS;
        }
        let scope = scope_of(entry);
        let linkage = if scope == Scope::Local { Linkage::Strong } else { linkage_of(entry) };
        Ok(Symbol {
            value: entry.st_value.get(LE),
            size: entry.st_size.get(LE),
            block: BlockId(block),
            name: NameRef(name),
            global: NO_GLOBAL,
            kind,
            linkage_scope: LinkageScope::new(linkage, scope),
            flags,
        })
    }

    fn kind_and_block(&self, index: u32, entry: &Sym64<LE>) -> Result<(SymbolKind, u32)> {
        let section = self.object.symbol_section(index, entry)?;
        Ok(match section {
            SymbolSection::Index(section) => match self.scratch.block_of_section[section as usize] {
                NO_BLOCK => (SymbolKind::Null, NO_BLOCK),
                DISCARDED => (SymbolKind::Discarded, NO_BLOCK),
                block => (SymbolKind::Defined, block),
            },
            SymbolSection::Undefined if index == 0 || entry.st_bind() == elf::STB_LOCAL => {
                (SymbolKind::Null, NO_BLOCK)
            }
            SymbolSection::Undefined => (SymbolKind::External, NO_BLOCK),
            SymbolSection::Reserved(_) if entry.st_type() == elf::STT_FILE => (SymbolKind::Null, NO_BLOCK),
            SymbolSection::Reserved(0xfff1) => (SymbolKind::Absolute, NO_BLOCK),
            SymbolSection::Reserved(_) => (SymbolKind::Common, NO_BLOCK),
        })
    }
}

fn flags_of(entry: &Sym64<LE>) -> SymbolFlags {
    let mut flags = match entry.st_type() {
        elf::STT_FUNC => SymbolFlags::CALLABLE,
        elf::STT_GNU_IFUNC => SymbolFlags::CALLABLE | SymbolFlags::INDIRECT,
        elf::STT_TLS => SymbolFlags::THREAD_LOCAL,
        elf::STT_SECTION => SymbolFlags::SECTION,
        _ => SymbolFlags::empty(),
    };
    flags.set(SymbolFlags::UNIQUE, entry.st_bind() == elf::STB_GNU_UNIQUE);
    flags
}
