//! From units that are wanted to images: what can be linked is linked in as few batches as removal allows.
//!
//! Units of one tracker go together: they come and go together. Those of several trackers do so only if they need each
//! other. Where a batch fails, its units are linked again by strongly connected components, so that what does not depend
//! on the fault is not harmed by it.
//!
//! # Safety
//! Memory is copied before anybody knows of it.
#![allow(unsafe_code)]

use super::activity::Activity;
use super::buffer::ObjectBuffer;
use super::condense::components;
use super::dylib::{Dylib, JitDylib, Order, Visibility};
use super::facts::{Def, Facts};
use super::flags::{ExecutorSymbol, JitSymbolFlags};
use super::image::{Image, ImageParts, OwnMemory};
use super::lookup::{Guard, guarded};
use super::names;
use super::plugin::{EmittedInfo, LinkInfo};
use super::resolver::SessionResolver;
use super::session::ExecutionSession;
use super::slab::Key;
use super::state::{Place, State, place_of};
use super::thread_locals::ThreadLocals;
use super::unit::{Failure, Material, Stage};
use super::visible::{OfSession, show};
use crate::base::{Error, Result};
use crate::formats::{GlobalKind, Object};
use crate::graph::{Linkage, Scope, Spelling};
use crate::host::plan_of;
use crate::link::{Batch, LinkContext, LinkOptions, Linked, Plugin, Prepared, link};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// A unit that this thread is to link.
struct Claim {
    key: Key,
    name: Arc<str>,
    dylib: Arc<Dylib>,
    tracker: Key,
    order: Order,
    sequence: u64,
    facts: Arc<Facts>,
    objects: Vec<ObjectBuffer>,
    is_alias: bool,
    /// Names that it defines and another unit's definition has won.
    lost: HashSet<Vec<u8>>,
    /// The claims that it depends on.
    needs: Vec<usize>,
}

/// What linking a batch needs besides the claims.
struct Naming {
    /// How the objects spell names.
    spelling: Spelling,
    /// The dylibs that names are qualified with; empty if all are of one dylib.
    dylibs: Vec<Arc<Dylib>>,
}

/// A linked batch, its symbols by claim.
struct Emitted {
    image: Option<Arc<Image>>,
    symbols: Vec<(usize, Vec<Option<ExecutorSymbol>>)>,
}

impl ExecutionSession {
    /// Links units, none of which anybody else is at work on, and says of each how it went.
    pub(super) fn link_units<'s>(&'s self, mut state: Guard<'s>, mut keys: Vec<Key>) -> Guard<'s> {
        keys.sort_unstable_by_key(|key| state.units.get(*key).map_or(0, |unit| unit.sequence));
        let name = keys.first().and_then(|key| state.units.get(*key)).map(|unit| Arc::clone(&unit.name));
        let activity = state.activities.begin(name.unwrap_or_else(|| "a link".into()));
        let claims = claim(&mut state, &keys, activity);
        drop(state);
        activity.run(|| self.link_claims(&claims));
        let mut state = self.lock();
        state.activities.end(activity);
        self.notify();
        state
    }

    fn link_claims(&self, claims: &[Claim]) {
        let mut failures: HashMap<usize, Failure> = HashMap::new();
        for group in groups_by_tracker(claims) {
            self.link_group(claims, &group, &mut failures);
        }
    }

    fn link_group(&self, claims: &[Claim], group: &[usize], failures: &mut HashMap<usize, Failure>) {
        let cause_of = |failures: &HashMap<usize, Failure>, member: usize| {
            claims[member].needs.iter().find_map(|need| failures.get(need).cloned())
        };
        let position: HashMap<usize, usize> = group.iter().enumerate().map(|(at, m)| (*m, at)).collect();
        let sound = group.iter().all(|member| cause_of(failures, *member).is_none());
        let formats = |member: &usize| claims[*member].facts.spelling;
        let one_format = group.iter().map(formats).all(|format| format == formats(&group[0]));
        let whole = if sound && one_format { Some(self.link_batch(claims, group)) } else { None };
        let error = match whole {
            Some(Ok(())) => return,
            Some(Err(error)) => Some(error),
            None => None,
        };
        let inner: Vec<Vec<usize>> = group
            .iter()
            .map(|member| claims[*member].needs.iter().filter_map(|n| position.get(n).copied()).collect())
            .collect();
        let parts = components(group.len(), |at| &inner[at]);
        let only_one = parts.len() == 1 && error.is_some();
        for part in parts {
            let part: Vec<usize> = part.into_iter().map(|at| group[at]).collect();
            let failure = match part.iter().find_map(|member| cause_of(failures, *member)) {
                Some(failure) => Some(failure),
                None => match error.clone().filter(|_| only_one) {
                    Some(error) => Some(error),
                    None => self.link_batch(claims, &part).err(),
                }
                .map(|cause| Failure { unit: Arc::clone(&claims[part[0]].name), cause }),
            };
            if let Some(failure) = failure {
                let mut state = self.lock();
                for member in part {
                    state.fail(claims[member].key, failure.clone());
                    failures.insert(member, failure.clone());
                }
                self.notify();
            }
        }
    }

    /// Links some of the claims, which need nothing else that is not ready.
    fn link_batch(&self, claims: &[Claim], members: &[usize]) -> Result<()> {
        let members = &self.publish_aliases(claims, members)[..];
        let Some(first) = members.first().map(|member| &claims[*member]) else { return Ok(()) };
        if members.iter().all(|member| claims[*member].is_alias) {
            let names: Vec<&str> = members.iter().map(|member| &*claims[*member].name).collect();
            let what = format!("aliases that stand for nothing: {}", names.join(", "));
            return Err(Error::invalid(what, None));
        }
        let naming = Naming::of(claims, members);
        let units: Vec<Arc<str>> = members.iter().map(|member| Arc::clone(&claims[*member].name)).collect();
        let dylib = JitDylib { session: self.clone(), inner: Arc::clone(&first.dylib) };
        let info = LinkInfo { dylib: &dylib, units: &units };
        let emitted = guarded(|| self.emit(claims, members, &naming, &info));
        if let Err(error) = &emitted {
            for plugin in self.plugins().iter() {
                let _ = guarded(|| {
                    plugin.failed(&info, error);
                    Ok(())
                });
            }
        }
        self.publish(claims, emitted?);
        Ok(())
    }

    fn emit(
        &self,
        claims: &[Claim],
        members: &[usize],
        naming: &Naming,
        info: &LinkInfo<'_>,
    ) -> Result<Emitted> {
        let first = &claims[members[0]];
        let mut batch = Batch::new();
        let mut keep = Vec::new();
        for &member in members {
            add_claim(&mut batch, &claims[member], naming, &mut keep)?;
        }
        for &member in members.iter().filter(|member| claims[**member].is_alias) {
            let claim = &claims[member];
            let [def, reference] = alias_names(claim);
            let name = naming.definition(claim, def);
            let target = naming.reference(claim, reference).into_owned();
            batch.add_alias(name.into_owned(), target);
        }
        let resolver = SessionResolver::new(self, Arc::clone(&first.order), naming.dylibs.clone());
        let linked = self.link_with(batch, &resolver, info, keep)?;
        let symbols =
            members.iter().map(|&member| (member, symbols_of(&linked, &claims[member], naming))).collect();
        let first_unit = members.iter().map(|member| claims[*member].sequence).min().unwrap_or(0);
        let image = self.image_of(linked, resolver, info, first_unit)?;
        Ok(Emitted { image: Some(image), symbols })
    }

    fn link_with<'data>(
        &self,
        batch: Batch<'data>,
        resolver: &SessionResolver<'_>,
        info: &LinkInfo<'_>,
        keep: Vec<Vec<u8>>,
    ) -> Result<Linked<'data>> {
        let mut own = Vec::new();
        for plugin in self.plugins().iter() {
            own.extend(plugin.link_plugin(info)?);
        }
        let mut plugins: Vec<&mut dyn Plugin> = Vec::with_capacity(own.len());
        for plugin in &mut own {
            plugins.push(&mut **plugin);
        }
        let mut context =
            LinkContext { manager: self.manager(), resolver, actions: self.actions(), plugins: &mut plugins };
        let options = LinkOptions { keep, ..self.link_options().clone() };
        link(batch, &mut context, &options)
    }

    /// The memory of a link, with what it needs.
    fn image_of(
        &self,
        linked: Linked<'_>,
        resolver: SessionResolver<'_>,
        info: &LinkInfo<'_>,
        first_unit: u64,
    ) -> Result<Arc<Image>> {
        for plugin in self.plugins().iter() {
            plugin.emitted(&EmittedInfo { link: info, segments: linked.segments() })?;
        }
        let sequence = self.next_image();
        let visible = self.actions().is_some().then(|| {
            let symbols = Arc::new(OfSession::new(self, sequence));
            show(info.dylib.name(), &linked.symbols, symbols)
        });
        Ok(Arc::new(Image::new(ImageParts {
            visible,
            needs: resolver.into_needs(),
            memory: OwnMemory::of(&linked),
            owner: self.owner(),
            dylib: info.dylib.inner.number,
            plan: plan_of(linked.init_functions()),
            dso_handle: linked.dso_handle(),
            thread_locals: ThreadLocals::of(&linked.symbols),
            runs: self.actions().is_some(),
            sequence,
            symbols: None,
            first_unit,
            allocation: linked.into_allocation(),
        })))
    }

    fn publish(&self, claims: &[Claim], emitted: Emitted) {
        let mut state = self.lock();
        let of_open = |(member, _): &(usize, _)| state.is_open(&claims[*member].dylib);
        if let Some(image) = emitted.image.as_ref().filter(|_| emitted.symbols.iter().any(of_open)) {
            // SAFETY: nobody knows where it is before it is published.
            unsafe { image.keep_initial() };
        }
        let mut dylibs: Vec<&Arc<Dylib>> = Vec::new();
        for (member, symbols) in &emitted.symbols {
            let claim = &claims[*member];
            let Some(unit) = state.units.get_mut(claim.key) else { continue };
            unit.stage = Stage::Ready;
            unit.material = Material::Nothing;
            unit.image.clone_from(&emitted.image);
            publish_symbols(claim, symbols);
            if !dylibs.iter().any(|dylib| Arc::ptr_eq(dylib, &claim.dylib)) {
                dylibs.push(&claim.dylib);
            }
        }
        if let Some(image) = &emitted.image {
            for dylib in dylibs {
                state.initializers.entry(dylib.id()).or_default().add(image);
            }
        }
        self.notify();
    }

    /// Aliases whose targets are ready are what these are; returns all other members.
    fn publish_aliases(&self, claims: &[Claim], members: &[usize]) -> Vec<usize> {
        let mut rest = members.to_vec();
        if !members.iter().any(|member| claims[*member].is_alias) {
            return rest;
        }
        let mut state = self.lock();
        loop {
            let before = rest.len();
            rest.retain(|&member| !claims[member].is_alias || !publish_alias(&mut state, &claims[member]));
            if rest.len() == before {
                self.notify();
                return rest;
            }
        }
    }
}

/// Takes the units over; returns them in their order.
fn claim(state: &mut State, keys: &[Key], activity: Activity) -> Vec<Claim> {
    let position: HashMap<Key, usize> = keys.iter().enumerate().map(|(index, key)| (*key, index)).collect();
    let claim_one = |&key: &Key| {
        let unit = state.units.get_mut(key)?;
        unit.stage = Stage::Linking(activity);
        let objects = match &unit.material {
            Material::Objects(objects) => objects.clone(),
            _ => Vec::new(),
        };
        Some(Claim {
            key,
            name: Arc::clone(&unit.name),
            dylib: Arc::clone(&unit.dylib),
            tracker: unit.tracker,
            order: unit.order(),
            sequence: unit.sequence,
            facts: Arc::clone(&unit.facts),
            objects,
            is_alias: matches!(unit.material, Material::Alias),
            lost: if unit.lost { lost_names(&unit.dylib, &unit.facts, key) } else { HashSet::new() },
            needs: unit.links.units.iter().filter_map(|need| position.get(need).copied()).collect(),
        })
    };
    keys.iter().filter_map(claim_one).collect()
}

/// The names that a unit defines and another unit's definition has won.
fn lost_names(dylib: &Dylib, facts: &Facts, key: Key) -> HashSet<Vec<u8>> {
    let is_lost =
        |def: &&Def| dylib.table.get(def.hash, facts.name(def.span), |entry| entry.unit == key) != Some(true);
    facts.defs.iter().filter(is_lost).map(|def| facts.name(def.span).to_vec()).collect()
}

/// The claims by tracker and format; those of trackers that need each other go together, and what is needed comes first.
fn groups_by_tracker(claims: &[Claim]) -> Vec<Vec<usize>> {
    let mut numbers: HashMap<(Key, Spelling), usize> = HashMap::new();
    let of_claim: Vec<usize> = claims
        .iter()
        .map(|claim| {
            let next = numbers.len();
            *numbers.entry((claim.tracker, claim.facts.spelling)).or_insert(next)
        })
        .collect();
    let mut edges: Vec<Vec<usize>> = vec![Vec::new(); numbers.len()];
    for (claim, &from) in claims.iter().zip(&of_claim) {
        edges[from].extend(claim.needs.iter().map(|need| of_claim[*need]).filter(|to| *to != from));
    }
    for list in &mut edges {
        list.sort_unstable();
        list.dedup();
    }
    let parts = components(edges.len(), |node| &edges[node]);
    let mut part_of = vec![0; edges.len()];
    for (index, part) in parts.iter().enumerate() {
        part.iter().for_each(|&node| part_of[node] = index);
    }
    let mut groups = vec![Vec::new(); parts.len()];
    for (index, tracker) in of_claim.iter().enumerate() {
        groups[part_of[*tracker]].push(index);
    }
    groups
}

/// Adds the objects of a claim: what another definition has won is a reference to that one, and what is hidden is seen
/// by all of the dylib.
fn add_claim<'data>(
    batch: &mut Batch<'data>,
    claim: &'data Claim,
    naming: &Naming,
    keep: &mut Vec<Vec<u8>>,
) -> Result<()> {
    let hasher = batch.name_hasher();
    for buffer in &claim.objects {
        let object = Object::parse(Arc::clone(buffer.name()), buffer.bytes())?;
        let mut prepared = Prepared::new(&hasher, object)?;
        for symbol in &mut prepared.symbols {
            let global = &mut symbol.global;
            let spelling = claim.facts.spelling;
            if !claim.lost.is_empty() && claim.lost.contains(&*names::session_name(spelling, &global.name)) {
                global.kind = GlobalKind::Undefined;
                global.linkage = Linkage::Strong;
            }
            let defined = global.kind != GlobalKind::Undefined;
            if !naming.dylibs.is_empty() {
                let name = names::session_name(spelling, &global.name);
                let qualified =
                    if defined { naming.definition(claim, &name) } else { naming.reference(claim, &name) };
                global.name = Cow::Owned(qualified.into_owned());
                symbol.hash = hasher.hash(&global.name);
            }
            match global.scope {
                Scope::Hidden if defined => keep.push(global.name.to_vec()),
                Scope::Hidden => global.scope = Scope::Default,
                _ => {}
            }
        }
        batch.admit(prepared)?;
    }
    Ok(())
}

/// The name that an alias defines and the one it stands for.
fn alias_names(claim: &Claim) -> [&[u8]; 2] {
    let name = |span: Option<_>| span.map_or(&[][..], |span| claim.facts.name(span));
    let facts = &claim.facts;
    [name(facts.defs.first().map(|def| def.span)), name(facts.refs.first().map(|r| r.span))]
}

/// What became of the definitions of a claim; none where another one has won, or nothing is left of it.
fn symbols_of(linked: &Linked<'_>, claim: &Claim, naming: &Naming) -> Vec<Option<ExecutorSymbol>> {
    let symbol_of = |def: &Def| {
        let name = claim.facts.name(def.span);
        if claim.lost.contains(name) {
            return None;
        }
        let named = if claim.is_alias {
            naming.reference(claim, alias_names(claim)[1])
        } else {
            naming.definition(claim, name)
        };
        let found = linked.find(&named)?;
        let mut flags = def.flags;
        flags.set(JitSymbolFlags::CALLABLE, found.callable || flags.contains(JitSymbolFlags::CALLABLE));
        flags.set(
            JitSymbolFlags::THREAD_LOCAL,
            found.thread_local || flags.contains(JitSymbolFlags::THREAD_LOCAL),
        );
        Some(ExecutorSymbol { address: found.address, flags, size: found.size })
    };
    claim.facts.defs.iter().map(symbol_of).collect()
}

fn publish_symbols(claim: &Claim, symbols: &[Option<ExecutorSymbol>]) {
    claim.dylib.table.edit(claim.facts.defs.iter().zip(symbols), |entries, (def, symbol)| {
        let name = claim.facts.name(def.span);
        match symbol {
            Some(symbol) => State::publish(entries, claim.key, name, def.hash, *symbol),
            None if claim.lost.contains(name) => {}
            None => entries.remove(def.hash, name, claim.key),
        }
    });
}

/// Publishes an alias if its target is ready; whether it was.
fn publish_alias(state: &mut State, claim: &Claim) -> bool {
    let (Some(def), Some(reference)) = (claim.facts.defs.first(), claim.facts.refs.first()) else {
        return true;
    };
    let target = claim.facts.name(reference.span);
    let Place::Found(unit, true) = place_of(&claim.order, usize::MAX, reference.hash, target) else {
        return false;
    };
    let symbol = claim.order.iter().find_map(|(dylib, _)| {
        dylib.table.get(reference.hash, target, |entry| (entry.unit == unit).then(|| entry.symbol()))?
    });
    let Some(symbol) = symbol else { return false };
    let image = state.units.get(unit).and_then(|unit| unit.image.clone());
    let Some(own) = state.units.get_mut(claim.key) else { return true };
    own.stage = Stage::Ready;
    own.material = Material::Nothing;
    own.image = image;
    let taken = JitSymbolFlags::CALLABLE | JitSymbolFlags::ABSOLUTE | JitSymbolFlags::THREAD_LOCAL;
    let flags = def.flags | symbol.flags & taken;
    let symbol = ExecutorSymbol { flags, ..symbol };
    let name = claim.facts.name(def.span);
    claim.dylib.table.edit([symbol], |entries, symbol| {
        State::publish(entries, claim.key, name, def.hash, symbol);
    });
    true
}

/// Between a name and the dylib it is qualified with. No symbol table can have it in a name.
const MARK: u8 = 0;

impl Naming {
    fn of(claims: &[Claim], members: &[usize]) -> Self {
        let objects = members.iter().find(|member| !claims[**member].is_alias);
        let spelling = objects.map_or(Spelling::Plain, |member| claims[*member].facts.spelling);
        let mut dylibs: Vec<Arc<Dylib>> = Vec::new();
        members.iter().for_each(|member| add_once(&mut dylibs, &claims[*member].dylib));
        let mixed = dylibs.len() > 1;
        // What a claim defines itself need not be what it refers to by that name.
        let special = |claim: &Claim| {
            claim.is_alias || claim.order.first().is_none_or(|(first, _)| !Arc::ptr_eq(first, &claim.dylib))
        };
        let plain = members.iter().all(|member| !special(&claims[*member]));
        if !mixed && plain {
            return Self { spelling, dylibs: Vec::new() };
        }
        let orders = members.iter().flat_map(|member| claims[*member].order.iter());
        orders.for_each(|(dylib, _)| add_once(&mut dylibs, dylib));
        Self { spelling, dylibs }
    }

    /// What the batch calls a definition of a claim.
    fn definition<'n>(&self, claim: &Claim, name: &'n [u8]) -> Cow<'n, [u8]> {
        self.qualified(name, &claim.dylib)
    }

    /// What the batch calls a name that a claim refers to. It means what the order of its unit says.
    fn reference<'n>(&self, claim: &Claim, name: &'n [u8]) -> Cow<'n, [u8]> {
        if self.dylibs.is_empty() {
            return names::spelled(self.spelling, name);
        }
        let hash = names::hash(name);
        let has = |(dylib, visibility): &&(Arc<Dylib>, Visibility)| {
            let visible = |flags: JitSymbolFlags| {
                *visibility == Visibility::All || flags.contains(JitSymbolFlags::EXPORTED)
            };
            dylib.table.get(hash, name, |entry| visible(entry.flags)) == Some(true)
        };
        let home = claim.order.iter().find(has).map_or(&claim.dylib, |(dylib, _)| dylib);
        self.qualified(name, home)
    }

    fn qualified<'n>(&self, name: &'n [u8], dylib: &Arc<Dylib>) -> Cow<'n, [u8]> {
        let spelled = names::spelled(self.spelling, name);
        match self.dylibs.iter().position(|known| Arc::ptr_eq(known, dylib)) {
            Some(index) => Cow::Owned([&spelled, &[MARK][..], index.to_string().as_bytes()].concat()),
            None => spelled,
        }
    }
}

fn add_once(dylibs: &mut Vec<Arc<Dylib>>, dylib: &Arc<Dylib>) {
    if !dylibs.iter().any(|known| Arc::ptr_eq(known, dylib)) {
        dylibs.push(Arc::clone(dylib));
    }
}

/// A name of a batch of several dylibs, and the number of the dylib it is looked for in.
pub(super) fn split_qualified(name: &[u8]) -> (&[u8], Option<usize>) {
    let Some(at) = memchr::memrchr(MARK, name) else { return (name, None) };
    let number = std::str::from_utf8(&name[at + 1..]).ok().and_then(|digits| digits.parse().ok());
    (&name[..at], number)
}
