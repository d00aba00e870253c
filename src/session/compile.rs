//! Calling a unit of the user's, and taking in what it has made.

use super::dylib::JitDylib;
use super::facts::Facts;
use super::flags::{ExecutorSymbol, JitSymbolFlags};
use super::lookup::{Guard, guarded};
use super::materialize::{MaterializationRequest, Materialized};
use super::names::{self, Name, display};
use super::session::ExecutionSession;
use super::slab::Key;
use super::state::{State, entry};
use super::unit::{Failure, Links, Material, NewUnit, Stage};
use crate::base::{Error, Result};
use std::sync::Arc;

impl ExecutionSession {
    /// Has the user's code make the definitions of a unit.
    pub(super) fn compile<'s>(&'s self, mut state: Guard<'s>, key: Key) -> Guard<'s> {
        let Some(unit) = state.units.get_mut(key) else { return state };
        let name = Arc::clone(&unit.name);
        let dylib = JitDylib { session: self.clone(), inner: Arc::clone(&unit.dylib) };
        let facts = Arc::clone(&unit.facts);
        let of_user = match std::mem::replace(&mut unit.material, Material::Nothing) {
            Material::User(of_user) => of_user,
            other => {
                unit.material = other;
                return state;
            }
        };
        let activity = state.activities.begin(Arc::clone(&name));
        if let Some(unit) = state.units.get_mut(key) {
            unit.stage = Stage::Compiling(activity);
        }
        drop(state);
        let wanted = requested(&dylib, &facts, key);
        let request = MaterializationRequest { dylib: &dylib, wanted: &wanted };
        let made = activity.run(|| guarded(|| prepare(&name, of_user.materialize(&request)?)));
        let mut state = self.lock();
        state.activities.end(activity);
        if let Err(cause) = made.and_then(|made| state.take_in(key, &facts, made)) {
            state.fail(key, Failure { unit: name, cause });
        }
        self.notify();
        state
    }
}

/// What was made, read as far as the session needs it.
struct Made {
    objects: Facts,
    material: Material,
    absolute: Vec<(Vec<u8>, ExecutorSymbol)>,
    rest: Option<NewUnit>,
}

fn prepare(unit: &str, made: Materialized) -> Result<Made> {
    let Materialized { objects, absolute, rest } = made;
    let facts = Facts::of_objects(&objects)?;
    let rest = rest.map(NewUnit::of_user).transpose()?;
    if let Some((name, _)) = absolute.iter().find(|(name, _)| name.is_empty()) {
        return Err(Error::invalid(format!("{unit} gives a symbol without a name: {name:?}"), None));
    }
    Ok(Made { objects: facts, material: Material::Objects(objects), absolute, rest })
}

/// The names of a unit that somebody wants.
fn requested(dylib: &JitDylib, facts: &Facts, key: Key) -> Vec<Vec<u8>> {
    let table = &dylib.inner.table;
    let names = facts.defs.iter().map(|def| (def.hash, facts.name(def.span)));
    let is_wanted = |(hash, name): &(u64, &[u8])| {
        table.get(*hash, name, |entry| entry.unit == key && entry.requested) == Some(true)
    };
    names.filter(is_wanted).map(|(_, name)| name.to_vec()).collect()
}

impl State {
    /// Makes the definitions of a unit what its code has made.
    fn take_in(&mut self, key: Key, promised: &Facts, made: Made) -> Result<()> {
        let Some(unit) = self.units.get(key) else { return Ok(()) };
        let (dylib, tracker, name) = (Arc::clone(&unit.dylib), unit.tracker, Arc::clone(&unit.name));
        let Made { objects, material, absolute, rest } = made;
        let own = |hash: u64, name: &[u8]| dylib.table.get(hash, name, |entry| entry.unit == key);
        let mut missing = Vec::new();
        for def in &promised.defs {
            let wanted = promised.name(def.span);
            let is_made = objects.defs.iter().any(|d| d.hash == def.hash && objects.name(d.span) == wanted)
                || absolute.iter().any(|(name, _)| name == wanted)
                || rest.as_ref().is_some_and(|rest| {
                    let facts = &rest.facts;
                    facts.defs.iter().any(|d| d.hash == def.hash && facts.name(d.span) == wanted)
                });
            let side_effect = def.flags.contains(JitSymbolFlags::SIDE_EFFECTS_ONLY);
            if !is_made && !side_effect && own(def.hash, wanted) == Some(true) {
                missing.push(display(wanted));
            }
        }
        if !missing.is_empty() {
            return Err(Error::invalid(
                format!("{name} was to define {} and has not done so", missing.join(", ")),
                None,
            ));
        }
        self.claim_made(key, &objects)?;
        dylib.table.edit(&absolute, |entries, (name, symbol)| {
            State::publish(entries, key, name, names::hash(name), *symbol);
        });
        if let Some(rest) = rest {
            self.split_off(key, tracker, rest);
        }
        let has_objects = matches!(&material, Material::Objects(objects) if !objects.is_empty());
        if objects.has_initializers {
            self.initializers.entry(dylib.id()).or_default().units.push(key);
        }
        publish_side_effects(&dylib.table, promised, key);
        let Some(unit) = self.units.get_mut(key) else { return Ok(()) };
        unit.links = Links { epoch: u64::MAX, ..Links::default() };
        unit.facts = Arc::new(merged(promised, objects));
        unit.material = if has_objects { material } else { Material::Nothing };
        unit.stage = if has_objects { Stage::Waiting } else { Stage::Ready };
        Ok(())
    }

    /// What the objects define beyond what was promised is the unit's, too, as far as nothing else defines it.
    fn claim_made(&mut self, key: Key, objects: &Facts) -> Result<()> {
        let Some(unit) = self.units.get_mut(key) else { return Ok(()) };
        let table = &unit.dylib.table;
        let (mut lost, mut made) = (unit.lost, Vec::new());
        for def in &objects.defs {
            let name = objects.name(def.span);
            match table.get(def.hash, name, |entry| (entry.unit, entry.flags)) {
                Some((owner, _)) if owner == key => {}
                Some((_, flags)) if !def.flags.is_weak() && !flags.is_weak() => {
                    let what =
                        format!("{} defines {} besides what it was to define", unit.name, display(name));
                    return Err(Error::invalid(what, Some("another unit defines it, too: make it local")));
                }
                Some(_) => lost = true,
                None => made.push(def),
            }
        }
        table.edit(made, |entries, def| {
            entries.put(entry(Name::new(&objects.names, def.span), def, key, None))
        });
        unit.lost = lost;
        Ok(())
    }

    /// Gives names that nobody wanted yet to a unit of their own.
    fn split_off(&mut self, key: Key, tracker: Key, rest: NewUnit) {
        let Some(unit) = self.units.get(key) else { return };
        let dylib = Arc::clone(&unit.dylib);
        let target = self.units.next_key();
        dylib.table.edit(&rest.facts.defs, |entries, def| {
            let entry = entries.get_mut(def.hash, rest.facts.name(def.span));
            if let Some(entry) = entry.filter(|entry| entry.unit == key) {
                entry.unit = target;
            }
        });
        // Names that are another unit's by now, or never were this one's, stay what they are.
        let rest = NewUnit { existing: super::unit::Existing::Keep, ..rest };
        let _ = self.define(&dylib, tracker, rest);
        self.dependencies_changed();
    }
}

fn publish_side_effects(table: &super::table::SymbolTable, promised: &Facts, key: Key) {
    let only = promised.defs.iter().filter(|def| def.flags.contains(JitSymbolFlags::SIDE_EFFECTS_ONLY));
    table.edit(only, |entries, def| {
        if let Some(entry) = entries.get_mut(def.hash, promised.name(def.span)) {
            entry.ready |= entry.unit == key;
        }
    });
}

/// The facts of a unit whose objects are there: theirs, and the names that have no object.
fn merged(promised: &Facts, objects: Facts) -> Facts {
    if objects.defs.is_empty() && objects.refs.is_empty() {
        return promised.clone();
    }
    let mut list = names::NameList::default();
    let mut copy = |facts: &Facts, span| list.push(facts.name(span));
    let defs: Vec<_> =
        objects.defs.iter().map(|def| super::facts::Def { span: copy(&objects, def.span), ..*def }).collect();
    let refs =
        objects.refs.iter().map(|r| super::facts::Ref { span: copy(&objects, r.span), ..*r }).collect();
    let known: std::collections::HashSet<u64> = defs.iter().map(|def| def.hash).collect();
    let others = promised.defs.iter().filter(|def| !known.contains(&def.hash));
    let others: Vec<_> =
        others.map(|def| super::facts::Def { span: copy(promised, def.span), ..*def }).collect();
    let defs = defs.into_iter().chain(others).collect();
    let Facts { has_initializers, spelling, .. } = objects;
    Facts { names: list.finish(), defs, refs, has_initializers, spelling }
}
