//! The part of a Mach-O object that the resolution of names reads: its external symbols.

use super::object::MachObject;
use super::sections::{Disposition, disposition};
use crate::base::{Error, Result};
use crate::formats::object::{GlobalKind, GlobalSymbol};
use crate::formats::refuse;
use crate::graph::{Linkage, Permissions, Scope, SectionRole, SymbolFlags};
use object::LittleEndian as LE;
use object::macho::{self, Nlist64};
use std::borrow::Cow;

/// Calls `visit` for every symbol that takes part in the resolution of names.
pub(crate) fn for_each_global<'data>(
    object: &MachObject<'data>,
    mut visit: impl FnMut(GlobalSymbol<'data>) -> Result<()>,
) -> Result<()> {
    let globals = object.symbols.get(object.first_global as usize..).unwrap_or(&[]);
    for (index, symbol) in (object.first_global..).zip(globals) {
        if !is_global(symbol) {
            continue;
        }
        let kind = kind_of(object, index, symbol)?;
        let name = object.symbol_name(index)?;
        if name.is_empty() {
            continue;
        }
        visit(GlobalSymbol {
            symbol: index,
            name: Cow::Borrowed(name),
            kind,
            linkage: linkage_of(symbol),
            scope: scope_of(symbol),
            section: 0,
        })?;
    }
    Ok(())
}

/// Calls `visit` with the name of every alias (`N_INDR`) and the name that it stands for.
pub(crate) fn for_each_alias<'data>(
    object: &MachObject<'data>,
    mut visit: impl FnMut(&'data [u8], &'data [u8]),
) -> Result<()> {
    let globals = object.symbols.get(object.first_global as usize..).unwrap_or(&[]);
    for (index, symbol) in (object.first_global..).zip(globals) {
        if !is_global(symbol) || symbol.n_type.typ() != macho::N_INDR {
            continue;
        }
        let target = u32::try_from(symbol.n_value.get(LE)).ok().and_then(|offset| object.string_at(offset));
        let Some(target) = target.filter(|name| !name.is_empty()) else {
            let what = format!("symbol {index} is another name for one past the string table");
            return Err(Error::malformed(object.file(), what));
        };
        visit(object.symbol_name(index)?, target);
    }
    Ok(())
}

/// Whether a symbol is known beyond its object.
pub(crate) fn is_global(symbol: &Nlist64<LE>) -> bool {
    !symbol.n_type.is_stab() && symbol.n_type.is_ext()
}

fn kind_of(object: &MachObject<'_>, index: u32, symbol: &Nlist64<LE>) -> Result<GlobalKind> {
    if symbol.n_desc.get(LE).contains(macho::N_SYMBOL_RESOLVER) && symbol.n_type.typ() == macho::N_SECT {
        let name = String::from_utf8_lossy(object.symbol_name(index)?).into_owned();
        return Err(refuse::symbol_resolver(object.file(), &name));
    }
    Ok(match symbol.n_type.typ() {
        macho::N_UNDF | macho::N_PBUD if symbol.n_value.get(LE) != 0 => GlobalKind::Common,
        // What an alias stands for is told apart.
        macho::N_UNDF | macho::N_PBUD | macho::N_INDR => GlobalKind::Undefined,
        macho::N_SECT | macho::N_ABS => GlobalKind::Defined,
        other => {
            return Err(Error::malformed(
                object.file(),
                format!("symbol {index} is of unknown type {:#x}", other.0),
            ));
        }
    })
}

/// Of a definition: whether it gives way to another; of a reference: whether it may stay without one.
pub(crate) fn linkage_of(symbol: &Nlist64<LE>) -> Linkage {
    let weak = match symbol.n_type.typ() {
        macho::N_UNDF | macho::N_PBUD => macho::N_WEAK_REF,
        _ => macho::N_WEAK_DEF,
    };
    if symbol.n_desc.get(LE).contains(weak) { Linkage::Weak } else { Linkage::Strong }
}

pub(crate) fn scope_of(symbol: &Nlist64<LE>) -> Scope {
    if !symbol.n_type.is_ext() {
        Scope::Local
    } else if symbol.n_type.is_pext() {
        Scope::Hidden
    } else {
        Scope::Default
    }
}

/// What the symbol table, and the section that it names, say of a symbol besides what the resolution of names goes by.
pub(crate) fn flags_of(object: &MachObject<'_>, symbol: u32) -> SymbolFlags {
    let Some(entry) = object.symbols.get(symbol as usize) else { return SymbolFlags::empty() };
    let section = usize::from(entry.n_sect).checked_sub(1).and_then(|index| object.sections.get(index));
    match section.filter(|_| entry.n_type.typ() == macho::N_SECT).map(disposition) {
        Some(Disposition::Load(traits)) if traits.permissions.contains(Permissions::EXECUTE) => {
            SymbolFlags::CALLABLE
        }
        Some(Disposition::Load(traits)) if traits.role == SectionRole::ThreadDescriptors => {
            SymbolFlags::THREAD_LOCAL
        }
        _ => SymbolFlags::empty(),
    }
}

/// Whether some section holds initialisers or finalisers.
pub(crate) fn has_initializers(object: &MachObject<'_>) -> bool {
    let runs = |role| matches!(role, SectionRole::Initializers(..) | SectionRole::Finalizers(..));
    let mut dispositions = object.sections.iter().map(disposition);
    dispositions.any(|found| matches!(found, Disposition::Load(traits) if runs(traits.role)))
}
