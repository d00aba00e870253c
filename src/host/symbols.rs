//! The symbols of this process, as a resolver.

use super::spelling::one_slip_away;
use crate::base::{ExecutorAddr, Result};
use crate::graph::Spelling;
use crate::link::{ResolvedSymbol, Resolver, SymbolQuery, ThreadLocalQuery, ThreadLocalSymbol};
use crate::runtime::builtins::{self, Builtin, BuiltinKind};
use crate::runtime::darwin::{self, Darwin};
use crate::runtime::promise::Promises;
use crate::runtime::{crash, dlfcn, exit_handlers, static_libc, thread_locals, visible};
use crate::sys::dl::{self, Library, OpenFlags};
use crate::sys::loaded;
use crate::sys::thread_stub::{Access, ThreadVariable, thread_variables};
use std::path::Path;

/// Knows the symbols of this process: of loaded libraries, and what a static link would add from the C library and
/// the compiler's runtime.
#[derive(Debug)]
pub struct ProcessSymbols {
    pub(super) libraries: Vec<Library>,
    whole_process: bool,
    /// What libraries were told that a link will define.
    pub(super) promises: Vec<Promises>,
}

impl Default for ProcessSymbols {
    fn default() -> Self {
        Self { libraries: Vec::new(), whole_process: true, promises: Vec::new() }
    }
}

impl ProcessSymbols {
    /// All symbols that this process exports.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Only the symbols of libraries given by [`Self::load`], and what a static link would add.
    #[must_use]
    pub fn without_process() -> Self {
        Self { whole_process: false, ..Self::default() }
    }

    /// Loads a shared library into this process, where it stays; its symbols come before the process's.
    ///
    /// # Errors
    /// What the dynamic loader says.
    pub fn load(&mut self, path: &Path) -> Result<()> {
        self.libraries.push(Library::open(path, OpenFlags::GLOBAL | OpenFlags::KEEP)?);
        Ok(())
    }

    /// Code for Darwin is given what it means by a name, which may not be what the host does.
    fn find_spelled(&self, spelling: Spelling, name: &[u8], near: bool) -> Option<ResolvedSymbol> {
        if spelling == Spelling::Plain {
            return self.find(name, near);
        }
        match darwin::lookup(name) {
            Darwin::Here(here) => Some(builtin(here)),
            Darwin::Host(name) => self.find(name, near),
            Darwin::Refused => None,
        }
    }

    fn find(&self, name: &[u8], near: bool) -> Option<ResolvedSymbol> {
        let in_libraries = || self.libraries.iter().find_map(|library| library.lookup(name));
        let in_process = || self.whole_process.then(|| dl::lookup(name)).flatten();
        let loaded = || Some(describe(in_libraries().or_else(in_process)?, near));
        let own = static_libc::lookup(name)
            .or_else(|| exit_handlers::lookup(name))
            .or_else(|| dlfcn::lookup(name))
            .or_else(|| visible::lookup(name))
            .or_else(|| (name == b"__tls_get_addr").then(thread_locals::get_addr_function))
            .or_else(|| crash::lookup(name));
        own.map(function).or_else(loaded).or_else(|| builtins::lookup(name).map(builtin))
    }
}

impl Resolver for ProcessSymbols {
    fn resolve(&self, queries: &[SymbolQuery<'_>]) -> Result<Vec<Option<ResolvedSymbol>>> {
        let answer = |query: &SymbolQuery<'_>| self.find_spelled(spelling(query), query.c_name?, query.near);
        Ok(queries.iter().map(answer).collect())
    }

    fn resolve_thread_locals(
        &self,
        queries: &[ThreadLocalQuery<'_>],
    ) -> Result<Vec<Option<ThreadLocalSymbol>>> {
        let name = |query: &ThreadLocalQuery<'_>| dl::split_version(query.name).0.to_vec();
        let names: Vec<_> = queries.iter().map(|query| (name(query), query.in_all_threads)).collect();
        let names: Vec<_> = names.iter().map(|(name, in_all_threads)| (&name[..], *in_all_threads)).collect();
        Ok(thread_variables(&names)?.into_iter().map(|found| found.map(thread_local)).collect())
    }

    /// The dynamic loader lists no names; but it can be asked for each name that `name` may be a slip for.
    fn near_misses(&self, query: &SymbolQuery<'_>) -> Vec<String> {
        let Some(name) = query.c_name else { return Vec::new() };
        let (prefix, _) = query.name.split_at(query.name.len() - name.len());
        let mut found: Vec<String> = one_slip_away(name)
            .filter(|other| self.find_spelled(spelling(query), other, false).is_some())
            .map(|other| String::from_utf8_lossy(&[prefix, &other].concat()).into_owned())
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// What code for Darwin means by a name of C that was found, by whatever way: if that is what this process has, what it would
/// have been given for the name in a link of its own.
pub(crate) fn meant_by_darwin(name: &[u8], found: ResolvedSymbol, near: bool) -> Option<ResolvedSymbol> {
    if darwin::lookup(name) == Darwin::Host(name) {
        return Some(found);
    }
    let process = ProcessSymbols::new();
    match process.find(name, false) {
        Some(own) if own.address == found.address => process.find_spelled(Spelling::Underscored, name, near),
        _ => Some(found),
    }
}

/// Which of these names, found at these addresses, are thread-local variables: no loaded object has them where it lies.
pub(crate) fn thread_locals_among(found: &[(&[u8], ExecutorAddr)]) -> Vec<usize> {
    let addresses: Vec<u64> = found.iter().map(|(_, address)| address.0).collect();
    let mut outside = loaded::outside(&addresses);
    outside.retain(|&position| loaded::is_thread_local(found[position].0));
    outside
}

/// How the object that asks spells names of C.
fn spelling(query: &SymbolQuery<'_>) -> Spelling {
    match query.c_name {
        Some(name) if name.len() < query.name.len() => Spelling::Underscored,
        _ => Spelling::Plain,
    }
}

const fn function(address: ExecutorAddr) -> ResolvedSymbol {
    ResolvedSymbol { address, size: 0, callable: true }
}

fn thread_local(variable: ThreadVariable) -> ThreadLocalSymbol {
    let ThreadVariable { module, offset, access } = variable;
    let (thread_offset, descriptor) = match access {
        Access::ThreadOffset(offset) => {
            let function = thread_locals::static_descriptor_function().0;
            (Some(offset), [function, offset.cast_unsigned()])
        }
        Access::Descriptor(words) => (None, words),
    };
    ThreadLocalSymbol { module, offset, thread_offset, descriptor }
}

fn builtin(builtin: Builtin) -> ResolvedSymbol {
    let (size, callable) = match builtin.kind {
        BuiltinKind::Function => (0, true),
        BuiltinKind::Data { size, .. } => (size as u64, false),
    };
    ResolvedSymbol { address: builtin.address, size, callable }
}

/// What is at an address of this process.
pub(crate) fn describe_near(address: ExecutorAddr) -> ResolvedSymbol {
    describe(address, true)
}

/// Finding out what is at an address takes the dynamic loader a walk through a symbol table: only where it matters.
fn describe(address: ExecutorAddr, near: bool) -> ResolvedSymbol {
    const FUNCTION: u8 = 2;
    const INDIRECT_FUNCTION: u8 = 10;
    let known = if near { dl::symbol_at(address) } else { None };
    match known {
        Some(symbol) if symbol.address == address => ResolvedSymbol {
            address,
            size: symbol.size,
            callable: matches!(symbol.kind, FUNCTION | INDIRECT_FUNCTION),
        },
        // What no symbol table lists is a function: the target of an indirect one, or one of this library's own.
        _ => function(address),
    }
}
