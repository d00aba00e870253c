//! Names between resolution and dead strip: duplicates, versions, aliases, and what plugins add.

use super::globals::{GlobalId, Globals, seen};
use crate::base::{Duplicate, Error, Result};
use crate::graph::symbol::NO_GLOBAL;
use crate::graph::{LinkGraph, SymbolId, SymbolKind};
use std::collections::HashMap;
use std::sync::Arc;

/// A strong definition that another strong one beat.
pub(super) fn check_duplicates(
    graphs: &[LinkGraph<'_>],
    globals: &Globals<'_>,
    duplicates: &[(Arc<str>, GlobalId)],
) -> Result<()> {
    let name_of = |object: u32| graphs[object as usize].name.clone();
    let duplicate = |(object, id): &(Arc<str>, GlobalId)| {
        let (_, winner) = globals.winner(*id)?;
        Some(Duplicate {
            name: String::from_utf8_lossy(globals.name(*id)).into_owned(),
            first: name_of(winner.graph),
            second: object.clone(),
        })
    };
    let list: Vec<Duplicate> = duplicates.iter().filter_map(duplicate).collect();
    if list.is_empty() { Ok(()) } else { Err(Error::Duplicate(list)) }
}

/// A reference to `foo@VER` finds a definition of `foo` in the batch: versions tell shared libraries' symbols apart.
pub(super) fn bind_versions(globals: &Globals<'_>) {
    for id in 0..globals.len() as u32 {
        let name = globals.name(id);
        if let Some(at) = memchr::memchr(b'@', name).filter(|&at| at > 0)
            && globals.definition(id).is_none()
            && let Some(definition) = globals.find(&name[..at]).and_then(|base| globals.definition(base))
        {
            globals.define(id, definition);
        }
    }
}

/// Makes aliases lead past other aliases, and gives those whose target an object defines that definition.
pub(super) fn define_aliases(
    graphs: &[LinkGraph<'_>],
    globals: &Globals<'_>,
    aliases: &mut [(GlobalId, GlobalId)],
) -> Result<()> {
    let targets: HashMap<GlobalId, GlobalId> = aliases.iter().copied().collect();
    let mut duplicates = Vec::new();
    for (name, target) in &mut *aliases {
        // A circle of aliases ends at one of them, which nothing defines.
        for _ in 0..targets.len() {
            let Some(next) = targets.get(target) else { break };
            *target = *next;
        }
        if let Some(at) = globals.definition(*name) {
            duplicates.push(Duplicate {
                name: String::from_utf8_lossy(globals.name(*name)).into_owned(),
                first: graphs[at.graph as usize].name.clone(),
                second: "an alias".into(),
            });
        }
    }
    if !duplicates.is_empty() {
        return Err(Error::Duplicate(duplicates));
    }
    for &mut (name, target) in aliases {
        if let Some(at) = globals.definition(target) {
            globals.define(name, at);
        }
    }
    Ok(())
}

/// Symbols that plugins made have names that no object mentioned.
pub(super) fn intern_new_names<'data>(graphs: &mut [LinkGraph<'data>], globals: &mut Globals<'data>) {
    for graph in graphs {
        if graph.own_names.is_empty() {
            continue;
        }
        for position in 0..graph.symbols.len() {
            let symbol = &graph.symbols[position];
            if symbol.kind != SymbolKind::External || symbol.global != NO_GLOBAL {
                continue;
            }
            let name = graph.cloned_name(SymbolId(position as u32));
            if !name.is_empty() {
                let id = globals.intern(&name);
                globals.note(id, seen::REFERENCED);
                graph.symbols[position].global = id;
            }
        }
    }
}
