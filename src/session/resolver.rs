//! A session as the resolver of its own links.

use super::dylib::{Dylib, Order, Visibility};
use super::flags::JitSymbolFlags;
use super::image::Image;
use super::linking::split_qualified;
use super::lookup::{Found, LookupKind, LookupName, near_misses};
use super::names::session_name;
use super::session::ExecutionSession;
use crate::base::Result;
use crate::graph::Spelling;
use crate::host;
use crate::link::{ResolvedSymbol, Resolver, SymbolQuery};
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
        let found = if self.dylibs.is_empty() {
            let names: Vec<_> = queries.iter().map(name_of).collect();
            let names: Vec<_> = names.iter().map(|name| weakly(name)).collect();
            self.find(&self.order, &names)?
        } else {
            self.find_qualified(queries)?
        };
        Ok(queries.iter().zip(found).map(|(query, found)| answer_to(query, found?)).collect())
    }

    fn near_misses(&self, query: &SymbolQuery<'_>) -> Vec<String> {
        near_misses(&self.order, split_qualified(&name_of(query)).0)
    }
}

fn answer_to(query: &SymbolQuery<'_>, found: Found) -> Option<ResolvedSymbol> {
    let answer = answer(found, query.near);
    match query.c_name {
        Some(name) if name.len() < query.name.len() => {
            host::meant_by_darwin(split_qualified(name).0, answer, query.near)
        }
        _ => Some(answer),
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
