//! Names that live code refers to and the batch does not define: linker symbols, answers of the resolver, absent weak
//! symbols, and the list of what is undefined.

use super::globals::{GlobalId, Globals, Rank, seen};
use super::liveness::Liveness;
use super::mark::{Marks, need};
use super::resolver::{ResolvedSymbol, Resolver, SymbolQuery, ThreadLocalQuery, ThreadLocalSymbol};
use crate::base::{Error, ExecutorAddr, Place, Result, Undefined, UndefinedReference};
use crate::graph::{BlockId, LinkGraph, Spelling};
use crate::passes::bounds::parse_linker_symbol;
use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;

/// What is known of a name that the batch does not define.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum External {
    Known(ResolvedSymbol),
    /// A thread-local variable.
    ThreadLocal(ThreadLocalSymbol),
    /// Every reference is weak, and nothing defines it: null.
    Absent,
}

/// What to do about names that nobody defines.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum UndefinedPolicy {
    /// The link fails and lists all of them.
    #[default]
    Refuse,
    /// They are null: for links whose result is looked at, not run.
    Null,
}

/// The live names that the batch leaves undefined, in the order of their ids.
pub(crate) fn undefined_names(globals: &Globals<'_>) -> Vec<GlobalId> {
    let is_undefined = |id: &GlobalId| {
        globals.seen(*id) & seen::LIVE != 0 && matches!(globals.winner(*id), None | Some((Rank::Lazy, _)))
    };
    (0..globals.len() as u32).filter(is_undefined).collect()
}

/// Asks the resolver about `names`, once.
pub(crate) fn resolve(
    graphs: &[LinkGraph<'_>],
    globals: &Globals<'_>,
    marks: &Marks,
    names: &[GlobalId],
    aliases: &[(GlobalId, GlobalId)],
    resolver: &dyn Resolver,
    policy: UndefinedPolicy,
) -> Result<HashMap<GlobalId, External>> {
    let live = &marks.live;
    let spelling = graphs.first().map_or(Spelling::Plain, LinkGraph::spelling);
    let is_near = |id: GlobalId| {
        marks.needs.get(id as usize).is_some_and(|needs| needs.load(Relaxed) & need::NEAR != 0)
    };
    let is_weak = |id: GlobalId| globals.seen(id) & seen::REFERENCED == 0;
    let is_alias = |id: GlobalId| aliases.iter().any(|(name, _)| *name == id);
    let thread_needs =
        |id: GlobalId| marks.needs.get(id as usize).map_or(0, |needs| needs.load(Relaxed) & need::THREAD);
    let is_asked = |&id: &GlobalId| {
        globals.seen(id) & seen::HIDDEN == 0 && !is_own(spelling, globals.name(id)) && !is_alias(id)
    };
    let (asked, thread_locals): (Vec<_>, Vec<_>) =
        names.iter().copied().filter(is_asked).partition(|id| thread_needs(*id) == 0);
    let queries: Vec<_> =
        asked.iter().map(|&id| query(globals, spelling, id, is_weak(id), is_near(id))).collect();
    let answers = if queries.is_empty() { Vec::new() } else { resolver.resolve(&queries)? };
    if answers.len() != queries.len() {
        return Err(Error::invalid("the resolver did not answer every query", None));
    }
    let mut externals: HashMap<GlobalId, External> =
        asked.iter().zip(answers).filter_map(|(&id, answer)| Some((id, External::Known(answer?)))).collect();
    externals.extend(resolve_thread_locals(globals, &thread_locals, thread_needs, resolver)?);
    for (name, target) in aliases {
        if let Some(&external) = externals.get(target) {
            externals.insert(*name, external);
        }
    }
    let mut missing = Vec::new();
    for &id in names {
        if externals.contains_key(&id) {
            continue;
        }
        if !is_weak(id) && policy == UndefinedPolicy::Refuse {
            missing.push(id);
        }
        externals.insert(id, External::Absent);
    }
    if missing.is_empty() {
        return Ok(externals);
    }
    Err(Error::Undefined(describe(graphs, globals, live, &missing, aliases, resolver)))
}

fn query<'a>(
    globals: &'a Globals<'_>,
    spelling: Spelling,
    id: GlobalId,
    weak: bool,
    near: bool,
) -> SymbolQuery<'a> {
    let name = globals.name(id);
    SymbolQuery { name, c_name: spelling.c_name(name), weak, near }
}

fn resolve_thread_locals(
    globals: &Globals<'_>,
    names: &[GlobalId],
    needs: impl Fn(GlobalId) -> u8,
    resolver: &dyn Resolver,
) -> Result<Vec<(GlobalId, External)>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let queries: Vec<_> = names
        .iter()
        .map(|&id| ThreadLocalQuery {
            name: globals.name(id),
            in_all_threads: needs(id) & need::THREAD_STATIC != 0,
        })
        .collect();
    let answers = resolver.resolve_thread_locals(&queries)?;
    if answers.len() != queries.len() {
        return Err(Error::invalid("the resolver did not answer every query", None));
    }
    let known =
        names.iter().zip(answers).filter_map(|(&id, answer)| Some((id, External::ThreadLocal(answer?))));
    Ok(known.collect())
}

/// Names that mean something of this image, never of the process that it is linked into.
fn is_own(spelling: Spelling, name: &[u8]) -> bool {
    parse_linker_symbol(spelling, name).is_some()
}

/// For how many names similar ones are looked for, which takes a look at all names: a longer list is no list of slips.
const EXPLAINED: usize = 20;

/// How many referring places a message lists for each name.
const PLACES: usize = 3;

fn describe(
    graphs: &[LinkGraph<'_>],
    globals: &Globals<'_>,
    live: &Liveness,
    missing: &[GlobalId],
    aliases: &[(GlobalId, GlobalId)],
    resolver: &dyn Resolver,
) -> Vec<Undefined> {
    let mut places: HashMap<GlobalId, Vec<UndefinedReference>> =
        missing.iter().map(|&id| (id, Vec::new())).collect();
    for (name, target) in aliases {
        if let Some(list) = places.get_mut(target) {
            let alias = format!("alias {}", String::from_utf8_lossy(globals.name(*name)));
            list.push(UndefinedReference { place: Place::file(alias) });
        }
    }
    for (index, graph) in (0u32..).zip(graphs) {
        for (id, _) in graph.blocks().filter(|&(id, _)| live.is_live(index, id)) {
            add_places(graph, id, &mut places);
        }
    }
    let describe_one = |(position, &id): (usize, &GlobalId)| Undefined {
        name: String::from_utf8_lossy(globals.name(id)).into_owned(),
        references: places.remove(&id).unwrap_or_default(),
        near_misses: if position < EXPLAINED {
            near_misses(graphs, globals, id, resolver)
        } else {
            Vec::new()
        },
    };
    missing.iter().enumerate().map(describe_one).collect()
}

fn add_places(
    graph: &LinkGraph<'_>,
    block: BlockId,
    places: &mut HashMap<GlobalId, Vec<UndefinedReference>>,
) {
    for edge in graph.edges(block) {
        let Some(symbol) = graph.symbols.get(edge.target.index()) else { continue };
        if let Some(list) = places.get_mut(&symbol.global)
            && list.len() < PLACES
        {
            let place: Place = graph.place(block, u64::from(edge.offset));
            list.push(UndefinedReference { place });
        }
    }
}

/// How many similar names a message lists.
const SUGGESTIONS: usize = 3;

fn near_misses(
    graphs: &[LinkGraph<'_>],
    globals: &Globals<'_>,
    id: GlobalId,
    resolver: &dyn Resolver,
) -> Vec<String> {
    let spelling = graphs.first().map_or(Spelling::Plain, LinkGraph::spelling);
    let name = globals.name(id);
    let mut list: Vec<String> = (0..globals.len() as u32)
        .filter(|&other| globals.definition(other).is_some() && is_similar(name, globals.name(other)))
        .take(SUGGESTIONS)
        .map(|other| String::from_utf8_lossy(globals.name(other)).into_owned())
        .collect();
    list.extend(resolver.near_misses(&query(globals, spelling, id, false, false)));
    list.truncate(SUGGESTIONS);
    list
}

/// Whether two names differ by one edit, by case, or by leading underscores.
pub(crate) fn is_similar(a: &[u8], b: &[u8]) -> bool {
    if a.len().abs_diff(b.len()) > 1 {
        return trim_underscores(a) == trim_underscores(b);
    }
    if a.eq_ignore_ascii_case(b) {
        return true;
    }
    let prefix = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let suffix = a[prefix..].iter().rev().zip(b[prefix..].iter().rev()).take_while(|(x, y)| x == y).count();
    let (left_a, left_b) = (&a[prefix..a.len() - suffix], &b[prefix..b.len() - suffix]);
    let swapped = matches!((left_a, left_b), ([x, y], [z, w]) if x == w && y == z);
    a.len().min(b.len()) > 2 && (swapped || left_a.len() <= 1 && left_b.len() <= 1)
}

fn trim_underscores(name: &[u8]) -> &[u8] {
    let start = name.iter().take_while(|&&byte| byte == b'_').count();
    &name[start..]
}

impl External {
    /// The address: null for an absent weak symbol.
    pub(crate) fn address(self) -> ExecutorAddr {
        match self {
            Self::Known(symbol) => symbol.address,
            Self::ThreadLocal(_) | Self::Absent => ExecutorAddr::NULL,
        }
    }
}
