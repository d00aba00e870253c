//! Lookups: from names to addresses, by whatever has to be done in between.
//!
//! A lookup is a loop. Each round walks everything that is needed and not ready, under the lock, and then does one thing
//! without it: ask generators, call a unit of the user's, wait for others, or link all that can be linked. Threads that
//! need the same share the work.

use super::activity::Activity;
use super::dylib::{Dylib, JitDylib, Order, Visibility};
use super::flags::{ExecutorSymbol, JitSymbolFlags};
use super::generator::{GeneratorSlot, WantedName};
use super::names::{self, Name, NameList, display};
use super::session::ExecutionSession;
use super::slab::Key;
use super::state::{Place, Question, State, place_of};
use super::unit::Failure;
use crate::base::{Error, FailedToMaterialize, NotFound, Result, Undefined};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, MutexGuard};

/// For what a lookup is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LookupKind {
    /// As a static linker's: archives give members.
    #[default]
    Static,
    /// As `dlsym`'s: what is there or in a library is found, but nothing is added from archives.
    DlSym,
}

/// A name to be looked up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LookupName<'a> {
    /// The name.
    pub name: &'a [u8],
    /// Whether it is no error when nothing defines it.
    pub weak: bool,
}

impl<'a, N: AsRef<[u8]> + ?Sized> From<&'a N> for LookupName<'a> {
    fn from(name: &'a N) -> Self {
        Self { name: name.as_ref(), weak: false }
    }
}

/// What a name was found to be, and the unit that defines it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) symbol: ExecutorSymbol,
    pub(super) unit: Key,
}

pub(super) type Guard<'s> = MutexGuard<'s, State>;

/// A lookup under way.
struct Query<'a> {
    order: &'a Order,
    kind: LookupKind,
    names: Vec<(Name, u64, bool)>,
    /// The generators of so many dylibs were asked.
    asked: usize,
}

/// What the names of a query are found to be.
enum Roots {
    Units(Vec<Option<Key>>),
    Ask(Question),
}

impl<'a> Query<'a> {
    fn new(order: &'a Order, names: &[LookupName<'_>], kind: LookupKind) -> Result<Self> {
        let mut list = NameList::default();
        if names.iter().any(|wanted| !list.has_room(wanted.name)) {
            return Err(Error::invalid("a name takes more than 4 GiB", None));
        }
        let spans: Vec<_> = names.iter().map(|wanted| list.push(wanted.name)).collect();
        let bytes = list.finish();
        let entry = |(wanted, span): (&LookupName<'_>, _)| {
            (Name::new(&bytes, span), names::hash(wanted.name), wanted.weak)
        };
        Ok(Self { order, kind, names: names.iter().zip(spans).map(entry).collect(), asked: 0 })
    }

    fn roots(&mut self, state: &State) -> Roots {
        let mut units = Vec::with_capacity(self.names.len());
        let mut ask: Option<(usize, Vec<(Name, bool)>)> = None;
        for (name, hash, weak) in &self.names {
            let place = place_of(self.order, self.asked, *hash, name.bytes());
            units.push(match place {
                Place::Found(unit, _) => {
                    state.request(self.order, *hash, name.bytes(), unit);
                    Some(unit)
                }
                Place::Ask(position) => {
                    match &mut ask {
                        Some((first, names)) if *first == position => names.push((name.clone(), *weak)),
                        Some((first, _)) if *first < position => {}
                        _ => ask = Some((position, vec![(name.clone(), *weak)])),
                    }
                    None
                }
                Place::Nowhere => None,
            });
        }
        let Some((position, names)) = ask else { return Roots::Units(units) };
        self.asked = position + 1;
        Roots::Ask(Question { dylib: Arc::clone(&self.order[position].0), names })
    }

    /// The names that nothing defines and that must be.
    fn missing(&self, units: &[Option<Key>]) -> Vec<&[u8]> {
        let missing = self.names.iter().zip(units).filter(|((_, _, weak), unit)| unit.is_none() && !weak);
        missing.map(|((name, ..), _)| name.bytes()).collect()
    }

    /// What the names are; none if one of them has changed its meaning meanwhile.
    fn answers(&self, units: &[Option<Key>]) -> Option<Vec<Option<Found>>> {
        let answer = |((name, hash, _), unit): (&(Name, u64, bool), &Option<Key>)| {
            let Some(unit) = *unit else { return Some(None) };
            let entry = self.order.iter().find_map(|(dylib, _)| {
                dylib.table.get(*hash, name.bytes(), |entry| {
                    (entry.unit == unit && entry.ready).then(|| Found { symbol: entry.symbol(), unit })
                })?
            });
            entry.map(Some)
        };
        self.names.iter().zip(units).map(answer).collect()
    }
}

impl ExecutionSession {
    /// Looks names up in dylibs, in their order, and has them materialized: what is returned can be called or read.
    /// A name that is weak and defined nowhere gets no answer. A thread-local variable is the calling thread's.
    ///
    /// # Errors
    /// [`Error::NotFound`] lists all names that are not defined; [`Error::FailedToMaterialize`] says what kept them from
    /// being linked.
    pub fn lookup(
        &self,
        order: &[(&JitDylib, Visibility)],
        names: &[LookupName<'_>],
        kind: LookupKind,
    ) -> Result<Vec<Option<ExecutorSymbol>>> {
        let order: Order = order.iter().map(|(dylib, v)| (Arc::clone(&dylib.inner), *v)).collect();
        let found = self.find(&order, names, kind)?;
        self.all_for_caller(names, found)
    }

    fn all_for_caller(
        &self,
        names: &[LookupName<'_>],
        found: Vec<Option<Found>>,
    ) -> Result<Vec<Option<ExecutorSymbol>>> {
        let one = |(wanted, found): (&LookupName<'_>, Option<Found>)| {
            found.map(|found| self.for_caller(wanted.name, found)).transpose()
        };
        names.iter().zip(found).map(one).collect()
    }

    /// As [`lookup`](Self::lookup), on a thread of its own; `done` is called there with the result.
    pub fn lookup_then(
        &self,
        order: &[(&JitDylib, Visibility)],
        names: &[LookupName<'_>],
        kind: LookupKind,
        done: impl FnOnce(Result<Vec<Option<ExecutorSymbol>>>) + Send + 'static,
    ) {
        let order: Order = order.iter().map(|(dylib, v)| (Arc::clone(&dylib.inner), *v)).collect();
        let names: Vec<(Vec<u8>, bool)> = names.iter().map(|n| (n.name.to_vec(), n.weak)).collect();
        let session = self.clone();
        std::thread::spawn(move || {
            let names: Vec<_> = names.iter().map(|(name, weak)| LookupName { name, weak: *weak }).collect();
            let found = session.find(&order, &names, kind);
            done(found.and_then(|found| session.all_for_caller(&names, found)));
        });
    }

    pub(super) fn find(
        &self,
        order: &Order,
        names: &[LookupName<'_>],
        kind: LookupKind,
    ) -> Result<Vec<Option<Found>>> {
        let mut query = Query::new(order, names, kind)?;
        let mut state = self.lock();
        loop {
            let units = match query.roots(&state) {
                Roots::Units(units) => units,
                Roots::Ask(question) => {
                    state = self.ask(state, vec![question], kind)?;
                    continue;
                }
            };
            let missing = query.missing(&units);
            if !missing.is_empty() {
                drop(state);
                return Err(self.not_found(order, &missing));
            }
            let roots: Vec<Key> = units.iter().flatten().copied().collect();
            state = match self.advance(state, &roots, query.kind) {
                Ok((state, false)) => state,
                Ok((state, true)) => match query.answers(&units) {
                    Some(answers) => return Ok(answers),
                    None => state,
                },
                Err(Stopped::Failed(failure)) => return Err(failed(&query, failure)),
                Err(Stopped::Error(error)) => return Err(error),
            };
        }
    }

    /// Has units materialized.
    pub(super) fn materialize(&self, roots: &[Key]) -> Result<()> {
        let mut state = self.lock();
        loop {
            state = match self.advance(state, roots, LookupKind::Static) {
                Ok((state, false)) => state,
                Ok((_, true)) => return Ok(()),
                Err(Stopped::Failed(failure)) => return Err(failure.into_error(Vec::new())),
                Err(Stopped::Error(error)) => return Err(error),
            };
        }
    }

    /// Does the next thing that is needed for `roots` to be ready; says whether they are.
    fn advance<'s>(
        &'s self,
        mut state: Guard<'s>,
        roots: &[Key],
        kind: LookupKind,
    ) -> Result<(Guard<'s>, bool), Stopped> {
        let frontier = state.frontier(roots);
        if let Some(failure) = frontier.failed {
            return Err(Stopped::Failed(failure));
        }
        if !frontier.questions.is_empty() {
            return Ok((self.ask(state, frontier.questions, kind)?, false));
        }
        if let Some(key) = frontier.to_compile {
            return Ok((self.compile(state, key), false));
        }
        if !frontier.busy.is_empty() {
            return Ok((self.wait(state, &frontier.busy)?, false));
        }
        if frontier.to_link.is_empty() {
            return Ok((state, true));
        }
        Ok((self.link_units(state, frontier.to_link), false))
    }

    /// Waits until something changes.
    pub(super) fn wait<'s>(&'s self, mut state: Guard<'s>, on: &[Activity]) -> Result<Guard<'s>> {
        if let Err(cycle) = state.activities.wait(on) {
            let what = format!("a lookup waits for itself: it needs {cycle}");
            let help = "look up what does not depend on the code that is being made";
            return Err(Error::invalid(what, Some(help)));
        }
        let mut state = self.wait_for_change(state);
        state.activities.resume();
        Ok(state)
    }

    /// Asks the generators of dylibs for names.
    pub(super) fn ask<'s>(
        &'s self,
        mut state: Guard<'s>,
        questions: Vec<Question>,
        kind: LookupKind,
    ) -> Result<Guard<'s>> {
        for question in questions {
            let generators = question.dylib.generators();
            for slot in generators.iter() {
                loop {
                    let busy = state.busy_generators(std::slice::from_ref(slot));
                    if busy.is_empty() {
                        break;
                    }
                    state = self.wait(state, &busy)?;
                }
                if slot.busy().is_none() && !slot.is_withdrawn() {
                    state = self.ask_one(state, &question, slot, kind)?;
                }
            }
        }
        Ok(state)
    }

    fn ask_one<'s>(
        &'s self,
        mut state: Guard<'s>,
        question: &Question,
        slot: &GeneratorSlot,
        kind: LookupKind,
    ) -> Result<Guard<'s>> {
        let still_missing = |(name, _): &&(Name, bool)| {
            question.dylib.table.get(names::hash(name.bytes()), name.bytes(), |_| ()).is_none()
        };
        let missing = question.names.iter().filter(still_missing);
        let wanted: Vec<_> =
            missing.map(|(name, weak)| WantedName { name: name.bytes(), weak: *weak }).collect();
        if wanted.is_empty() {
            return Ok(state);
        }
        let name = format!("a generator of {}", question.dylib.name);
        let activity = state.activities.begin(name.into());
        slot.set_busy(Some(activity));
        drop(state);
        let dylib = JitDylib { session: self.clone(), inner: Arc::clone(&question.dylib) };
        let outcome = activity.run(|| guarded(|| slot.generator.generate(&dylib, &wanted, kind)));
        let mut state = self.lock();
        slot.set_busy(None);
        state.activities.end(activity);
        self.notify();
        outcome.map(|()| state)
    }

    /// The error that says which names were not found, and which are like them.
    fn not_found(&self, order: &Order, missing: &[&[u8]]) -> Error {
        let describe = |(position, name): (usize, &&[u8])| Undefined {
            name: display(name),
            references: Vec::new(),
            near_misses: if position < EXPLAINED { near_misses(order, name) } else { Vec::new() },
        };
        let symbols = missing.iter().enumerate().map(describe).collect();
        let shown = order.iter().filter(|(dylib, _)| !dylib.is_runtime());
        let searched = shown.map(|(dylib, _)| dylib.name.to_string()).collect();
        Error::NotFound(Box::new(NotFound { symbols, searched }))
    }

    /// The answer to a lookup of one name.
    pub(super) fn single(&self, found: Vec<Option<Found>>, name: &[u8]) -> Result<ExecutorSymbol> {
        match found.first() {
            Some(Some(found)) if !found.symbol.flags.contains(JitSymbolFlags::SIDE_EFFECTS_ONLY) => {
                self.for_caller(name, *found)
            }
            _ => Err(Error::invalid(format!("{} has no address", display(name)), None)),
        }
    }
}

/// Why a lookup goes no further.
enum Stopped {
    Failed(Failure),
    Error(Error),
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl Failure {
    pub(super) fn into_error(self, symbols: Vec<String>) -> Error {
        let Self { unit, cause } = self;
        Error::FailedToMaterialize(Box::new(FailedToMaterialize { symbols, unit, cause }))
    }
}

fn failed(query: &Query<'_>, failure: Failure) -> Error {
    failure.into_error(query.names.iter().map(|(name, ..)| display(name.bytes())).collect())
}

/// Runs the user's code; what it panics with becomes an error.
pub(super) fn guarded<R>(work: impl FnOnce() -> Result<R>) -> Result<R> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        Err(Error::invalid(format!("panicked: {}", text.unwrap_or_else(|| "no message".into())), None))
    })
}

/// For how many names similar ones are looked for, which takes a look at all names.
const EXPLAINED: usize = 20;

/// How many similar names a message lists.
const SUGGESTIONS: usize = 3;

/// Names that look like `name` in the dylibs of an order.
pub(super) fn near_misses(order: &[(Arc<Dylib>, Visibility)], name: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for (dylib, _) in order {
        let mut similar = Vec::new();
        dylib.table.for_each(|entry| {
            if entry.name.bytes() != name && crate::link::is_similar(name, entry.name.bytes()) {
                similar.push(display(entry.name.bytes()));
            }
        });
        similar.sort_unstable();
        let of_generators = dylib.generators();
        let offered = of_generators.iter().flat_map(|slot| slot.generator.near_misses(name));
        for other in similar.into_iter().chain(offered) {
            if !found.contains(&other) {
                found.push(other);
            }
        }
        if found.len() >= SUGGESTIONS {
            break;
        }
    }
    found.truncate(SUGGESTIONS);
    found
}
