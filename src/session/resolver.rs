//! A session as the resolver of its own links.

use super::dylib::{Dylib, Order, Visibility};
use super::flags::JitSymbolFlags;
use super::image::Image;
use super::linking::split_qualified;
use super::lookup::{Found, LookupKind, LookupName, near_misses};
use super::names::session_name;
use super::session::ExecutionSession;
use super::thread_locals::{not_ordinary, of_process};
use crate::base::Result;
use crate::graph::Spelling;
use crate::host;
use crate::link::{ResolvedSymbol, Resolver, SymbolQuery, ThreadLocalQuery, ThreadLocalSymbol};
use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

/// Answers from the symbols of dylibs, and notes what memory the answers keep in use.
#[derive(Debug)]
pub(super) struct SessionResolver<'s> {
    session: &'s ExecutionSession,
    order: Order,
    /// The dylibs that qualified names stand for; empty where names are not qualified.
    dylibs: Vec<Arc<Dylib>>,
    needs: Mutex<Vec<Arc<Image>>>,
}

impl<'s> SessionResolver<'s> {
    pub(super) fn new(session: &'s ExecutionSession, order: Order, dylibs: Vec<Arc<Dylib>>) -> Self {
        Self { session, order, dylibs, needs: Mutex::default() }
    }

    /// The images that the answers are in.
    pub(super) fn into_needs(self) -> Vec<Arc<Image>> {
        let mut needs = self.needs.into_inner().unwrap_or_else(PoisonError::into_inner);
        needs.sort_unstable_by_key(|image| image.sequence);
        needs.dedup_by_key(|image| image.sequence);
        needs
    }

    fn find(&self, order: &Order, names: &[LookupName<'_>]) -> Result<Vec<Option<Found>>> {
        let found = self.session.find(order, names, LookupKind::Static)?;
        let state = self.session.lock();
        let image = |found: &Found| state.units.get(found.unit)?.image.clone();
        let images = found.iter().flatten().filter_map(image);
        self.needs.lock().unwrap_or_else(PoisonError::into_inner).extend(images);
        Ok(found)
    }

    fn find_all(&self, queries: &[SymbolQuery<'_>]) -> Result<Vec<Option<Found>>> {
        if !self.dylibs.is_empty() {
            return self.find_qualified(queries);
        }
        let names: Vec<_> = queries.iter().map(name_of).collect();
        let names: Vec<_> = names.iter().map(|name| weakly(name)).collect();
        self.find(&self.order, &names)
    }

    /// Each name is looked for in the dylib that it is qualified with.
    fn find_qualified(&self, queries: &[SymbolQuery<'_>]) -> Result<Vec<Option<Found>>> {
        let mut answers = vec![None; queries.len()];
        // What plugins add has plain names.
        let plain = queries.iter().enumerate().filter(|(_, query)| split_qualified(query.name).1.is_none());
        let (positions, names): (Vec<usize>, Vec<_>) = plain.map(|(at, query)| (at, name_of(query))).unzip();
        let names: Vec<_> = names.iter().map(|name| weakly(name)).collect();
        for (position, found) in positions.into_iter().zip(self.find(&self.order, &names)?) {
            answers[position] = found;
        }
        for (index, dylib) in self.dylibs.iter().enumerate() {
            let here = queries.iter().enumerate().filter_map(|(position, query)| {
                let (_, at) = split_qualified(query.name);
                (at == Some(index)).then_some((position, name_of(query)))
            });
            let (positions, names): (Vec<usize>, Vec<_>) = here.unzip();
            let names: Vec<_> = names.iter().map(|name| weakly(split_qualified(name).0)).collect();
            let order: Order = [(Arc::clone(dylib), Visibility::All)].into();
            for (position, found) in positions.into_iter().zip(self.find(&order, &names)?) {
                answers[position] = found;
            }
        }
        Ok(answers)
    }
}

/// What the session calls the name of a query.
fn name_of<'a>(query: &SymbolQuery<'a>) -> Cow<'a, [u8]> {
    match query.c_name {
        Some(name) => Cow::Borrowed(name),
        None => session_name(Spelling::Underscored, query.name),
    }
}

fn weakly(name: &[u8]) -> LookupName<'_> {
    LookupName { name, weak: true }
}

impl Resolver for SessionResolver<'_> {
    fn resolve(&self, queries: &[SymbolQuery<'_>]) -> Result<Vec<Option<ResolvedSymbol>>> {
        let found = self.find_all(queries)?;
        let answer = |(query, found): (&SymbolQuery<'_>, Option<Found>)| {
            found.map_or(Ok(None), |found| self.answer_to(query, found))
        };
        queries.iter().zip(found).map(answer).collect()
    }

    fn resolve_thread_locals(
        &self,
        queries: &[ThreadLocalQuery<'_>],
    ) -> Result<Vec<Option<ThreadLocalSymbol>>> {
        let plain = |query: &ThreadLocalQuery<'_>| session_name(Spelling::Plain, query.name).into_owned();
        let names: Vec<_> = queries.iter().map(plain).collect();
        let as_symbol = |name| SymbolQuery { name, c_name: Some(name), weak: true, near: false };
        let found = self.find_all(&names.iter().map(|name| as_symbol(&name[..])).collect::<Vec<_>>())?;
        let answer = |((query, name), found): ((&ThreadLocalQuery<'_>, &Vec<u8>), Option<Found>)| {
            let (name, in_all_threads) = (split_qualified(name).0, query.in_all_threads);
            match found {
                Some(found) => self.session.thread_local(name, &found, in_all_threads),
                None => of_process(name, in_all_threads),
            }
        };
        queries.iter().zip(&names).zip(found).map(answer).collect()
    }

    fn near_misses(&self, query: &SymbolQuery<'_>) -> Vec<String> {
        near_misses(&self.order, split_qualified(&name_of(query)).0)
    }
}

impl SessionResolver<'_> {
    fn answer_to(&self, query: &SymbolQuery<'_>, found: Found) -> Result<Option<ResolvedSymbol>> {
        let answer = answer(found, query.near);
        let darwins = query.c_name.filter(|name| name.len() < query.name.len());
        let darwins = darwins.map(|name| split_qualified(name).0);
        if found.symbol.flags.contains(JitSymbolFlags::THREAD_LOCAL) {
            let Some(name) = darwins else { return Err(not_ordinary(split_qualified(query.name).0)) };
            return Ok(Some(ResolvedSymbol {
                address: self.session.thread_descriptor(name, &found)?,
                ..answer
            }));
        }
        Ok(match darwins {
            Some(name) => host::meant_by_darwin(name, answer, query.near),
            None => Some(answer),
        })
    }
}

fn answer(found: Found, near: bool) -> ResolvedSymbol {
    let symbol = found.symbol;
    let of_process = symbol.flags.contains(JitSymbolFlags::ABSOLUTE) && symbol.size == 0;
    if near && of_process {
        return host::describe(symbol.address);
    }
    ResolvedSymbol {
        address: symbol.address,
        size: symbol.size,
        callable: symbol.flags.contains(JitSymbolFlags::CALLABLE),
    }
}
