//! What a new version of an object shares with the old one: calls go through entries, and variables that have not changed
//! stay where they are.

use super::DataRule;
use crate::base::{ExecutorAddr, Result};
use crate::graph::{
    BlockId, Lifetime, LinkGraph, NewSymbol, Permissions, Scope, SectionFlags, SectionRole, SymbolFlags,
    SymbolId, SymbolKind,
};
use crate::link::{LinkView, Plugin};
use crate::session::{LinkInfo, SessionPlugin};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A variable: its name, offset in its section, size, and whether it is known outside of its object.
type Variable = (Vec<u8>, u64, u64, bool);

/// A section of variables, and where it lies.
#[derive(Clone, Debug)]
pub(super) struct Variables {
    section: Vec<u8>,
    /// Among sections of this name.
    ordinal: usize,
    size: u64,
    variables: Vec<Variable>,
    address: ExecutorAddr,
}

/// Bytes that are to be taken over from the old version, since their section has changed and they have not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Copy {
    pub(super) from: ExecutorAddr,
    pub(super) to: ExecutorAddr,
    pub(super) size: u64,
}

/// One version of an object: what it is linked with, and what becomes of it.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) rule: DataRule,
    pub(super) previous: Vec<Variables>,
    pub(super) variables: Vec<Variables>,
    pub(super) copies: Vec<Copy>,
    /// How many sections of variables stay where they are.
    pub(super) kept: usize,
    fresh: Vec<(BlockId, usize)>,
}

impl Job {
    pub(super) fn new(rule: DataRule, previous: Vec<Variables>) -> Self {
        let (variables, copies, fresh) = (Vec::new(), Vec::new(), Vec::new());
        Self { rule, previous, variables, copies, kept: 0, fresh }
    }
}

/// The jobs of a session, by the name of the object.
#[derive(Debug, Default)]
pub(super) struct Keeper {
    jobs: Arc<Mutex<HashMap<Arc<str>, Job>>>,
}

impl Keeper {
    pub(super) fn jobs(&self) -> MutexGuard<'_, HashMap<Arc<str>, Job>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SessionPlugin for Keeper {
    fn link_plugin(&self, info: &LinkInfo<'_>) -> Result<Option<Box<dyn Plugin>>> {
        let jobs = self.jobs();
        let concerned = info.units.iter().any(|unit| jobs.contains_key(unit));
        Ok(concerned.then(|| Box::new(Keeping { jobs: Arc::clone(&self.jobs) }) as Box<dyn Plugin>))
    }
}

struct Keeping {
    jobs: Arc<Mutex<HashMap<Arc<str>, Job>>>,
}

impl Plugin for Keeping {
    fn pre_prune(&mut self, graph: &mut LinkGraph<'_>) -> Result<()> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(job) = jobs.get_mut(graph.name()) else { return Ok(()) };
        (job.variables, job.copies, job.fresh, job.kept) = Default::default();
        call_by_entries(graph)?;
        share_variables(graph, job)
    }

    fn post_fixup(&mut self, image: &LinkView<'_, '_>) -> Result<()> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        for (index, graph) in image.graphs().iter().enumerate() {
            if let Some(job) = jobs.get_mut(graph.name()) {
                note_addresses(image, index, job);
            }
        }
        Ok(())
    }
}

/// References to exported functions of the graph itself become references to their names, which mean entries.
fn call_by_entries(graph: &mut LinkGraph<'_>) -> Result<()> {
    let exported = |scope| matches!(scope, Scope::Default | Scope::Protected);
    let functions: Vec<(SymbolId, Vec<u8>)> = graph
        .symbols()
        .filter(|(_, symbol)| symbol.kind() == SymbolKind::Defined && exported(symbol.scope()))
        .filter(|(_, symbol)| symbol.flags().contains(SymbolFlags::CALLABLE))
        .filter(|(_, symbol)| !symbol.flags().contains(SymbolFlags::VARIANT_PCS))
        .map(|(id, _)| (id, graph.symbol_name(id).to_vec()))
        .collect();
    let mut entries = HashMap::with_capacity(functions.len());
    for (id, name) in functions {
        let entry = NewSymbol::external(name).flags(SymbolFlags::CALLABLE);
        entries.insert(id, graph.add_symbol(entry)?);
    }
    let code_and_data = |section: &crate::graph::Section<'_>| {
        section.role == SectionRole::Regular && section.lifetime != Lifetime::NoAlloc
    };
    let blocks: Vec<BlockId> = graph
        .blocks()
        .filter(|(_, block)| code_and_data(graph.section(block.section())))
        .map(|(id, _)| id)
        .collect();
    for block in blocks {
        if graph.edges(block).any(|edge| entries.contains_key(&edge.target)) {
            for edge in graph.edges_mut(block)? {
                edge.target = entries.get(&edge.target).copied().unwrap_or(edge.target);
            }
        }
    }
    Ok(())
}

/// The sections of variables of a graph.
fn sections_of_variables(graph: &LinkGraph<'_>) -> Vec<(BlockId, Variables)> {
    let mut ordinals: HashMap<Vec<u8>, usize> = HashMap::new();
    let mut out = Vec::new();
    for (id, block) in graph.blocks() {
        let section = graph.section(block.section());
        let variable = section.permissions.contains(Permissions::WRITE)
            && section.role == SectionRole::Regular
            && section.lifetime == Lifetime::Standard
            && !section.flags.contains(SectionFlags::RELRO);
        if !variable || block.size() == 0 {
            continue;
        }
        let name = section.name.to_vec();
        let ordinal = ordinals.entry(name.clone()).or_default();
        let named = graph.symbols_in(id).filter(|(id, symbol)| {
            !symbol.flags().contains(SymbolFlags::SECTION) && !graph.symbol_name(*id).is_empty()
        });
        let mut variables: Vec<Variable> = named
            .map(|(id, symbol)| {
                let known = symbol.scope() != Scope::Local;
                (graph.symbol_name(id).to_vec(), symbol.value(), symbol.size(), known)
            })
            .collect();
        variables.sort_unstable();
        let (section, size, address) = (name, block.size(), ExecutorAddr::NULL);
        out.push((id, Variables { section, ordinal: *ordinal, size, variables, address }));
        *ordinal += 1;
    }
    out
}

/// Sections whose variables are as they were stay where they were.
fn share_variables(graph: &mut LinkGraph<'_>, job: &mut Job) -> Result<()> {
    for (block, mut found) in sections_of_variables(graph) {
        let unchanged = |old: &&Variables| {
            (&old.section, old.ordinal, old.size) == (&found.section, found.ordinal, found.size)
                && old.variables == found.variables
                && !old.variables.is_empty()
        };
        let keeps = found.variables.iter().all(|(name, ..)| job.rule.keeps(name));
        let old = job.previous.iter().find(unchanged).filter(|_| keeps);
        let Some(old) = old else {
            job.fresh.push((block, job.variables.len()));
            job.variables.push(found);
            continue;
        };
        found.address = old.address;
        let symbols: Vec<(SymbolId, u64)> =
            graph.symbols_in(block).map(|(id, symbol)| (id, symbol.value())).collect();
        for (symbol, offset) in symbols {
            graph.make_absolute(symbol, old.address.wrapping_add(offset))?;
        }
        job.kept += 1;
        job.variables.push(found);
    }
    Ok(())
}

/// Where the new sections lie, and what of their variables is to be taken over.
fn note_addresses(image: &LinkView<'_, '_>, index: usize, job: &mut Job) {
    let Job { rule, previous, variables, copies, fresh, .. } = job;
    for (block, position) in fresh.drain(..) {
        let Some(range) = image.block_range(index, block) else { continue };
        let section = &mut variables[position];
        section.address = range.start;
        for (name, offset, size, _) in section.variables.iter().filter(|(name, ..)| rule.keeps(name)) {
            let old = previous.iter().filter(|old| !old.address.is_null()).find_map(|old| {
                let same = |(n, _, s, _): &&Variable| n == name && s == size && *s > 0;
                old.variables.iter().find(same).map(|(_, at, ..)| old.address.wrapping_add(*at))
            });
            if let Some(from) = old {
                copies.push(Copy { from, to: range.start.wrapping_add(*offset), size: *size });
            }
        }
    }
    variables.retain(|section| !section.address.is_null());
}
