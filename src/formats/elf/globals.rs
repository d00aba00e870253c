//! The part of an ELF object that the resolution of names reads: global symbols and COMDAT groups.

use super::object::{ElfObject, SymbolSection};
use crate::base::{Error, Result};
use crate::formats::elf::priority::init_priority;
use crate::formats::object::{GlobalKind, GlobalSymbol};
use crate::graph::{Linkage, Scope, SymbolFlags};
use object::LittleEndian as LE;
use object::elf::{self, Sym64};
use std::borrow::Cow;

/// Calls `visit` for every symbol that takes part in the resolution of names.
pub(crate) fn for_each_global<'data>(
    object: &ElfObject<'data>,
    mut visit: impl FnMut(GlobalSymbol<'data>) -> Result<()>,
) -> Result<()> {
    let globals = object.symbols.get(object.first_global as usize..).unwrap_or(&[]);
    for (index, symbol) in (object.first_global..).zip(globals) {
        let bind = symbol.st_bind();
        if bind == elf::STB_LOCAL {
            continue;
        }
        let (kind, section) = kind_of(object, index, symbol)?;
        let (name, _) = object.symbol_name(index)?;
        if name.is_empty() {
            continue;
        }
        visit(GlobalSymbol {
            symbol: index,
            name: Cow::Borrowed(name),
            kind,
            linkage: linkage_of(symbol),
            scope: scope_of(symbol),
            section,
        })?;
    }
    Ok(())
}

fn kind_of(object: &ElfObject<'_>, index: u32, symbol: &Sym64<LE>) -> Result<(GlobalKind, u32)> {
    Ok(match object.symbol_section(index, symbol)? {
        SymbolSection::Undefined => (GlobalKind::Undefined, 0),
        SymbolSection::Index(section) => (GlobalKind::Defined, section),
        SymbolSection::Reserved(section) => match section {
            0xfff1 => (GlobalKind::Defined, 0),
            0xfff2 => (GlobalKind::Common, 0),
            _ if object.machine.large_common == Some(section) => (GlobalKind::Common, 0),
            _ => {
                return Err(Error::malformed(
                    object.file(),
                    format!("symbol {index} is in reserved section {section:#x}"),
                ));
            }
        },
    })
}

pub(crate) fn linkage_of(symbol: &Sym64<LE>) -> Linkage {
    if symbol.st_bind() == elf::STB_WEAK { Linkage::Weak } else { Linkage::Strong }
}

pub(crate) fn scope_of(symbol: &Sym64<LE>) -> Scope {
    if symbol.st_bind() == elf::STB_LOCAL {
        return Scope::Local;
    }
    match symbol.st_other.0 & 3 {
        0 => Scope::Default,
        3 => Scope::Protected,
        _ => Scope::Hidden,
    }
}

/// The signature of COMDAT group `index`: a symbol and its name, or a section symbol and its section's name.
pub(crate) fn group_signature<'data>(object: &ElfObject<'data>, index: usize) -> Result<(u32, &'data [u8])> {
    let symbol = object.groups[index].signature;
    let entry = &object.symbols[symbol as usize];
    if entry.st_type() == elf::STT_SECTION
        && let SymbolSection::Index(section) = object.symbol_section(symbol, entry)?
    {
        return Ok((symbol, object.section_name(&object.sections[section as usize])));
    }
    Ok((symbol, object.symbol_name(symbol)?.0))
}

/// Calls `mark` with each section that is a member of a group that is not kept.
pub(crate) fn for_each_discarded_section(
    object: &ElfObject<'_>,
    kept_groups: &[bool],
    mut mark: impl FnMut(u32),
) {
    for (group, kept) in object.groups.iter().zip(kept_groups) {
        if !kept {
            group.members.iter().for_each(|member| mark(member.get(LE)));
        }
    }
}

/// What the symbol table says of a symbol besides what the resolution of names goes by.
pub(crate) fn flags_of(object: &ElfObject<'_>, symbol: u32) -> SymbolFlags {
    let Some(entry) = object.symbols.get(symbol as usize) else { return SymbolFlags::empty() };
    let mut flags = match entry.st_type() {
        elf::STT_FUNC => SymbolFlags::CALLABLE,
        elf::STT_GNU_IFUNC => SymbolFlags::CALLABLE | SymbolFlags::INDIRECT,
        elf::STT_TLS => SymbolFlags::THREAD_LOCAL,
        _ => SymbolFlags::empty(),
    };
    flags.set(SymbolFlags::UNIQUE, entry.st_bind() == elf::STB_GNU_UNIQUE);
    flags.set(SymbolFlags::VARIANT_PCS, entry.st_other.0 & object.machine.variant_pcs != 0);
    flags
}

/// Whether some section holds initialisers or finalisers.
pub(crate) fn has_initializers(object: &ElfObject<'_>) -> bool {
    object.sections.iter().any(|section| match section.sh_type.get(LE) {
        elf::SHT_INIT_ARRAY | elf::SHT_FINI_ARRAY | elf::SHT_PREINIT_ARRAY => true,
        elf::SHT_PROGBITS => init_priority(object.section_name(section)).is_some(),
        _ => false,
    })
}
