//! What the session's lock guards: units, trackers, and who is at work on what.

use super::activity::{Activities, Activity};
use super::dylib::{Dylib, Order};
use super::facts::Def;
use super::flags::{ExecutorSymbol, JitSymbolFlags};
use super::generator::GeneratorSlot;
use super::image::Image;
use super::names::{Name, display};
use super::slab::{Key, Slab};
use super::table::{Entries, Entry};
use super::unit::{Existing, Failure, Links, Material, NewUnit, Stage, Unit};
use crate::base::{Duplicate, Error, ExecutorAddr, Result};
use std::collections::HashMap;
use std::sync::{Arc, Weak};

/// The units that belong to one tracker.
#[derive(Debug, Default)]
pub(super) struct Tracker {
    pub(super) units: Vec<Key>,
}

/// What the session's lock guards.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) units: Slab<Unit>,
    pub(super) trackers: Slab<Tracker>,
    pub(super) dylibs: Vec<Arc<Dylib>>,
    pub(super) activities: Activities,
    /// By the address of their dylib.
    pub(super) initializers: HashMap<usize, Initializers>,
    /// Counts changes by which a name may mean something else than before.
    pub(super) epoch: u64,
    pub(super) stamp: u64,
    sequence: u64,
    openings: u64,
}

/// What is initialised of a dylib, and what is not yet.
#[derive(Debug, Default)]
pub(super) struct Initializers {
    /// Units that have initialisers and may not be linked yet.
    pub(super) units: Vec<Key>,
    /// Linked images that have not been initialised.
    pub(super) images: Vec<Weak<Image>>,
    /// All linked images, and some that have gone.
    all: Vec<Weak<Image>>,
    /// How many of those that have gone are put up with.
    room: usize,
    /// Who runs initialisers or finalisers now.
    pub(super) busy: Option<Activity>,
    /// How often it was opened and not closed.
    pub(super) opened: usize,
    /// It stays initialised whatever is closed.
    pub(super) kept: bool,
    /// Searches of everything find its symbols; in the order of these numbers.
    pub(super) global: Option<u64>,
    /// Since when it is initialised: dylibs are finalized in the reverse order.
    pub(super) since: Option<u64>,
}

impl Initializers {
    /// An image that was linked.
    pub(super) fn add(&mut self, image: &Arc<Image>) {
        self.images.push(Arc::downgrade(image));
        if self.all.len() > self.room {
            self.all.retain(|image| image.strong_count() > 0);
            self.room = self.all.len() * 2 + 16;
        }
        self.all.push(Arc::downgrade(image));
    }

    /// All linked images, in the order of linking.
    pub(super) fn living(&self) -> Vec<Arc<Image>> {
        self.all.iter().filter_map(Weak::upgrade).collect()
    }

    /// Whether somebody counts on its being initialised, other than a dylib that refers to it.
    pub(super) fn is_wanted(&self) -> bool {
        self.kept || self.opened > 0
    }
}

/// What becomes of a new definition.
enum Verdict {
    Enter,
    /// It takes the place of another unit's weak one.
    Replace(Key),
    Lose,
}

impl State {
    /// Whether a dylib is open, or being opened, and can be opened again once it is closed.
    pub(super) fn is_open(&self, dylib: &Arc<Dylib>) -> bool {
        let of_dylib = self.initializers.get(&dylib.id());
        of_dylib.is_some_and(|of_dylib| !of_dylib.kept && (of_dylib.opened > 0 || of_dylib.since.is_some()))
    }

    /// A number larger than those before.
    pub(super) fn next_opening(&mut self) -> u64 {
        self.openings += 1;
        self.openings
    }

    /// A name may mean something else from now on.
    pub(super) fn dependencies_changed(&mut self) {
        self.epoch += 1;
    }

    /// Names that were not found may be found from now on.
    pub(super) fn generators_changed(&mut self) {
        self.epoch += 1;
        self.units.values_mut().for_each(|unit| unit.links.asked = 0);
    }

    /// Adds a unit to a dylib: all its definitions, or none.
    pub(super) fn define(&mut self, dylib: &Arc<Dylib>, tracker: Key, new: NewUnit) -> Result<Key> {
        let key = self.units.next_key();
        let verdicts = self.judge(dylib, &new)?;
        let lost = verdicts.iter().any(|verdict| matches!(verdict, Verdict::Lose));
        dylib.table.reserve(new.facts.defs.len());
        self.enter(dylib, key, &new, &verdicts);
        self.sequence += 1;
        let NewUnit { name, facts, material, order, image, .. } = new;
        let ready = matches!(material, Material::Absolute(_));
        let unit = Unit {
            name,
            dylib: Arc::clone(dylib),
            tracker,
            sequence: self.sequence,
            material: if ready { Material::Nothing } else { material },
            stage: if ready { Stage::Ready } else { Stage::Waiting },
            order,
            lost,
            links: Links { epoch: u64::MAX, ..Links::default() },
            image,
            stamp: 0,
            facts: Arc::new(facts),
        };
        if unit.facts.has_initializers {
            self.initializers.entry(dylib.id()).or_default().units.push(key);
        }
        self.units.insert(unit);
        if let Some(tracker) = self.trackers.get_mut(tracker) {
            tracker.units.push(key);
        }
        Ok(key)
    }

    /// Adds units to a dylib: all of them or none.
    pub(super) fn define_all(&mut self, dylib: &Arc<Dylib>, tracker: Key, units: Vec<NewUnit>) -> Result<()> {
        let mut done = Vec::with_capacity(units.len());
        for unit in units {
            match self.define(dylib, tracker, unit) {
                Ok(key) => done.push(key),
                Err(error) => {
                    done.into_iter().for_each(|key| _ = self.remove_unit(key));
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    fn judge(&self, dylib: &Dylib, new: &NewUnit) -> Result<Vec<Verdict>> {
        let mut duplicates = Vec::new();
        let mut verdicts = Vec::with_capacity(new.facts.defs.len());
        for def in &new.facts.defs {
            let name = new.facts.name(def.span);
            let other = dylib.table.get(def.hash, name, |entry| (entry.unit, entry.flags));
            verdicts.push(match other {
                None => Verdict::Enter,
                Some(_) if new.existing == Existing::Keep => Verdict::Lose,
                Some((unit, flags)) => match self.compete(unit, flags, def) {
                    Ok(verdict) => verdict,
                    Err(used) => {
                        duplicates.push(self.duplicate(name, unit, &new.name, used));
                        Verdict::Lose
                    }
                },
            });
        }
        if duplicates.is_empty() { Ok(verdicts) } else { Err(Error::Duplicate(duplicates)) }
    }

    /// How a new definition fares against one that is there; if they contradict each other, whether that is because the
    /// weaker one is in use.
    fn compete(&self, unit: Key, there: JitSymbolFlags, new: &Def) -> Result<Verdict, bool> {
        let beats = |a: JitSymbolFlags, b: JitSymbolFlags| {
            b.is_weak() && !a.is_weak()
                || a.contains(JitSymbolFlags::COMMON) && b.contains(JitSymbolFlags::WEAK) && b.is_weak()
        };
        let unused = self.units.get(unit).is_some_and(|unit| matches!(unit.stage, Stage::Waiting));
        if beats(new.flags, there) {
            return match (unused, new.flags.is_weak()) {
                (true, _) => Ok(Verdict::Replace(unit)),
                (false, true) => Ok(Verdict::Lose),
                (false, false) => Err(true),
            };
        }
        if new.flags.is_weak() { Ok(Verdict::Lose) } else { Err(false) }
    }

    fn duplicate(&self, name: &[u8], first: Key, second: &Arc<str>, used: bool) -> Duplicate {
        let first = self.units.get(first).map_or("<removed>".into(), |unit| Arc::clone(&unit.name));
        let first = if used { format!("{first} (weakly, and in use already)").into() } else { first };
        Duplicate { name: display(name), first, second: Arc::clone(second) }
    }

    fn enter(&mut self, dylib: &Dylib, key: Key, new: &NewUnit, verdicts: &[Verdict]) {
        let won = new.facts.defs.iter().zip(verdicts).enumerate();
        let won = won.filter(|(_, (_, verdict))| !matches!(verdict, Verdict::Lose));
        dylib.table.edit(won, |entries, (index, (def, verdict))| {
            if let Verdict::Replace(loser) = verdict {
                self.epoch += 1;
                if let Some(unit) = self.units.get_mut(*loser) {
                    unit.lost = true;
                }
            }
            let value = match &new.material {
                Material::Absolute(values) => values.get(index).copied(),
                _ => None,
            };
            entries.put(entry(Name::new(&new.facts.names, def.span), def, key, value));
        });
    }

    /// Gives a unit's definition its address.
    pub(super) fn publish(entries: &mut Entries, key: Key, name: &[u8], hash: u64, symbol: ExecutorSymbol) {
        if let Some(entry) = entries.get_mut(hash, name).filter(|entry| entry.unit == key) {
            entry.address = symbol.address;
            entry.size = symbol.size;
            entry.flags |= symbol.flags;
            entry.ready = true;
        }
    }

    /// Makes a unit and its names be gone; what it leaves is the memory it was in.
    pub(super) fn remove_unit(&mut self, key: Key) -> Option<Unit> {
        let unit = self.units.remove(key)?;
        self.epoch += 1;
        unit.dylib.table.edit(&unit.facts.defs, |entries, def| {
            entries.remove(def.hash, unit.facts.name(def.span), key);
        });
        Some(unit)
    }

    /// Fails a unit: whoever waits for it learns why.
    pub(super) fn fail(&mut self, key: Key, failure: Failure) {
        if let Some(unit) = self.units.get_mut(key) {
            unit.stage = Stage::Failed(failure);
            unit.material = Material::Nothing;
        }
    }
}

/// The entry of a definition.
pub(super) fn entry(name: Name, def: &Def, unit: Key, value: Option<ExecutorSymbol>) -> Entry {
    Entry {
        hash: def.hash,
        name,
        unit,
        flags: def.flags,
        ready: value.is_some(),
        requested: false,
        address: value.map_or(ExecutorAddr::NULL, |symbol| symbol.address),
        size: value.map_or(0, |symbol| symbol.size),
    }
}

/// A question for the generators of a dylib.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) dylib: Arc<Dylib>,
    pub(super) names: Vec<(Name, bool)>,
}

/// Where a name is.
pub(super) enum Place {
    Found(Key, bool),
    /// The generators of the dylib at this position have to be asked first.
    Ask(usize),
    Nowhere,
}

/// Looks for a name in the order given; the generators of the first `asked` dylibs have been asked.
pub(super) fn place_of(order: &Order, asked: usize, hash: u64, name: &[u8]) -> Place {
    use super::dylib::Visibility;
    for (position, (dylib, visibility)) in order.iter().enumerate() {
        let found = dylib.table.get(hash, name, |entry| {
            let visible = *visibility == Visibility::All || entry.flags.contains(JitSymbolFlags::EXPORTED);
            visible.then_some((entry.unit, entry.ready))
        });
        if let Some(Some((unit, ready))) = found {
            return Place::Found(unit, ready);
        }
        if position >= asked && dylib.has_generators() {
            return Place::Ask(position);
        }
    }
    Place::Nowhere
}

/// What a walk over everything that some units need has found.
#[derive(Debug, Default)]
pub(super) struct Frontier {
    /// For generators.
    pub(super) questions: Vec<Question>,
    /// A unit whose definitions the user's code has to make.
    pub(super) to_compile: Option<Key>,
    /// What others are at work on.
    pub(super) busy: Vec<Activity>,
    /// What can be linked.
    pub(super) to_link: Vec<Key>,
    pub(super) failed: Option<Failure>,
}

impl State {
    /// Walks everything that the units `roots` need and that is not ready.
    pub(super) fn frontier(&mut self, roots: &[Key]) -> Frontier {
        self.stamp += 1;
        let mut frontier = Frontier::default();
        let mut rest: Vec<Key> = roots.iter().rev().copied().collect();
        while let Some(key) = rest.pop() {
            let stamp = self.stamp;
            let Some(unit) = self.units.get_mut(key).filter(|unit| unit.stamp != stamp) else { continue };
            unit.stamp = stamp;
            match &unit.stage {
                Stage::Ready => continue,
                Stage::Failed(failure) => {
                    frontier.failed.get_or_insert_with(|| failure.clone());
                    continue;
                }
                Stage::Compiling(activity) | Stage::Linking(activity) => {
                    if !frontier.busy.contains(activity) {
                        frontier.busy.push(*activity);
                    }
                    continue;
                }
                Stage::Waiting => {}
            }
            if matches!(unit.material, Material::User(_)) {
                frontier.to_compile.get_or_insert(key);
                continue;
            }
            self.resolve(key, &mut frontier.questions);
            if let Some(unit) = self.units.get(key) {
                rest.extend(unit.links.units.iter().rev());
            }
            frontier.to_link.push(key);
        }
        frontier
    }

    /// Finds out what a unit's references mean.
    fn resolve(&mut self, key: Key, questions: &mut Vec<Question>) {
        let epoch = self.epoch;
        let Some(unit) = self.units.get_mut(key) else { return };
        let order = unit.order();
        let facts = Arc::clone(&unit.facts);
        if unit.links.epoch != epoch {
            unit.links.epoch = epoch;
            unit.links.units.clear();
            unit.links.missing = (0..facts.refs.len() as u32).collect();
        }
        if unit.links.missing.is_empty() {
            return;
        }
        let mut links = std::mem::take(&mut unit.links);
        let mut ask: Option<(usize, Vec<(Name, bool)>)> = None;
        links.missing.retain(|&index| {
            let reference = &facts.refs[index as usize];
            let name = facts.name(reference.span);
            match place_of(&order, links.asked, reference.hash, name) {
                Place::Found(_, true) => return false,
                Place::Found(found, false) => {
                    if links.units.last() != Some(&found) {
                        links.units.push(found);
                    }
                    self.request(&order, reference.hash, name, found);
                    return false;
                }
                Place::Ask(position) => {
                    let entry = (Name::new(&facts.names, reference.span), reference.weak);
                    match &mut ask {
                        Some((first, names)) if *first == position => names.push(entry),
                        Some((first, _)) if *first < position => {}
                        _ => ask = Some((position, vec![entry])),
                    }
                }
                Place::Nowhere => {}
            }
            true
        });
        if let Some((position, names)) = ask {
            links.asked = position + 1;
            add_question(questions, &order[position].0, names);
        }
        if let Some(unit) = self.units.get_mut(key) {
            unit.links = links;
        }
    }

    /// Notes that a name of a unit is wanted, for units of the user's that are asked for names.
    pub(super) fn request(&self, order: &Order, hash: u64, name: &[u8], unit: Key) {
        let Some(of_user) = self.units.get(unit).filter(|unit| matches!(unit.material, Material::User(_)))
        else {
            return;
        };
        if order.iter().any(|(dylib, _)| Arc::ptr_eq(dylib, &of_user.dylib)) {
            of_user.dylib.table.update(hash, name, |entry| entry.requested = true);
        }
    }

    /// The generators that are in use, so that nobody else may ask them now.
    pub(super) fn busy_generators(&self, generators: &[Arc<GeneratorSlot>]) -> Vec<Activity> {
        generators.iter().filter_map(|slot| slot.busy()).filter(|activity| !activity.is_own()).collect()
    }
}

/// Adds names to the question for a dylib's generators.
fn add_question(questions: &mut Vec<Question>, dylib: &Arc<Dylib>, names: Vec<(Name, bool)>) {
    match questions.iter_mut().find(|question| Arc::ptr_eq(&question.dylib, dylib)) {
        Some(question) => question.names.extend(names),
        None => questions.push(Question { dylib: Arc::clone(dylib), names }),
    }
}
