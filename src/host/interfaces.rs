//! Libraries of which only the interface is known, as a resolver.

use crate::base::{ExecutorAddr, Result};
use crate::inputs::LibraryInterface;
use crate::link::{ResolvedSymbol, Resolver, SymbolQuery};

/// Knows what libraries export that cannot be loaded here, for links whose code is not run: every such name is a
/// function at address zero. What no interface has, another resolver is asked for.
#[derive(Clone, Copy, Debug)]
pub struct InterfaceSymbols<'a, R> {
    interfaces: &'a [LibraryInterface<'a>],
    others: &'a R,
}

impl<'a, R: Resolver> InterfaceSymbols<'a, R> {
    /// The names of `interfaces`, and `others` for all that these do not have.
    #[must_use]
    pub fn new(interfaces: &'a [LibraryInterface<'a>], others: &'a R) -> Self {
        Self { interfaces, others }
    }

    fn exports(&self, name: &[u8]) -> bool {
        self.interfaces.iter().any(|interface| interface.exports(name))
    }
}

impl<R: Resolver> Resolver for InterfaceSymbols<'_, R> {
    fn resolve(&self, queries: &[SymbolQuery<'_>]) -> Result<Vec<Option<ResolvedSymbol>>> {
        const UNKNOWN_PLACE: ResolvedSymbol =
            ResolvedSymbol { address: ExecutorAddr(0), size: 0, callable: true };
        let mut answers = self.others.resolve(queries)?;
        for (query, answer) in queries.iter().zip(&mut answers) {
            if self.exports(query.name) {
                *answer = Some(UNKNOWN_PLACE);
            }
        }
        Ok(answers)
    }

    fn near_misses(&self, query: &SymbolQuery<'_>) -> Vec<String> {
        self.others.near_misses(query)
    }
}
