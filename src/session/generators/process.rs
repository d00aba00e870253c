//! What this process exports, and what a static link would add from the C library and the compiler's runtime.

use crate::base::{ExecutorAddr, Result};
use crate::host::{ProcessSymbols, thread_locals_among};
use crate::link::{ResolvedSymbol, Resolver, SymbolQuery};
use crate::session::{DefinitionGenerator, ExecutorSymbol, JitDylib, JitSymbolFlags, LookupKind, WantedName};

/// Defines what this process exports.
#[derive(Debug, Default)]
pub struct ProcessGenerator {
    symbols: ProcessSymbols,
}

impl ProcessGenerator {
    /// All that this process exports.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// As [`new`](Self::new), for these symbols.
    #[must_use]
    pub fn with_symbols(symbols: ProcessSymbols) -> Self {
        Self { symbols }
    }
}

impl ProcessGenerator {
    /// What only code for Darwin names.
    fn darwins(&self, query: &SymbolQuery<'_>) -> Result<Option<ResolvedSymbol>> {
        let spelled = [b"_", query.name].concat();
        let query = SymbolQuery { name: &spelled, ..*query };
        Ok(self.symbols.resolve(&[query])?.pop().flatten())
    }
}

impl DefinitionGenerator for ProcessGenerator {
    fn generate(&self, dylib: &JitDylib, names: &[WantedName<'_>], _: LookupKind) -> Result<()> {
        // What the session itself defines comes before this process, but stands at the end of the link order.
        let runtime = dylib.session().runtime();
        let names: Vec<_> = names.iter().filter(|wanted| !runtime.defines(wanted.name)).collect();
        let mut queries = Vec::with_capacity(names.len());
        for WantedName { name, weak } in names.iter().copied() {
            queries.push(SymbolQuery { name, c_name: Some(name), weak: *weak, near: false });
        }
        let mut answers = self.symbols.resolve(&queries)?;
        for (answer, query) in answers.iter_mut().zip(&queries) {
            if answer.is_none() {
                *answer = self.darwins(query)?;
            }
        }
        let found =
            names.iter().zip(answers).filter_map(|(wanted, answer)| Some((wanted.name, symbol(answer?))));
        let mut found: Vec<_> = found.collect();
        mark_thread_locals(&mut found);
        if found.is_empty() { Ok(()) } else { dylib.define_missing_absolute(found) }
    }

    fn near_misses(&self, name: &[u8]) -> Vec<String> {
        self.symbols.near_misses(&SymbolQuery { name, c_name: Some(name), weak: true, near: false })
    }
}

/// What the dynamic loader has answered for thread-local variables is the calling thread's, and tells others nothing.
pub(super) fn mark_thread_locals(found: &mut [(&[u8], ExecutorSymbol)]) {
    let names: Vec<_> = found.iter().map(|(name, symbol)| (*name, symbol.address)).collect();
    for position in thread_locals_among(&names) {
        let symbol = &mut found[position].1;
        *symbol = ExecutorSymbol::data(ExecutorAddr::NULL, 0);
        symbol.flags |= JitSymbolFlags::THREAD_LOCAL;
    }
}

pub(super) fn symbol(known: ResolvedSymbol) -> ExecutorSymbol {
    let callable = if known.callable { JitSymbolFlags::CALLABLE } else { JitSymbolFlags::empty() };
    ExecutorSymbol { address: known.address, flags: JitSymbolFlags::EXPORTED | callable, size: known.size }
}
