//! The question a link asks about names that its objects do not define.

use crate::base::{ExecutorAddr, Result};

/// A name that the batch refers to and does not define.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SymbolQuery<'a> {
    /// The name, as the object spells it.
    pub name: &'a [u8],
    /// The name as C spells it: of a Mach-O symbol, what follows the underscore. None for a name that C cannot have.
    pub c_name: Option<&'a [u8]>,
    /// Whether every reference is weak: the link goes on without it.
    pub weak: bool,
    /// Whether code refers to it by a field of limited reach, so that its size and sort are of interest.
    pub near: bool,
}

/// What a resolver knows of a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ResolvedSymbol {
    /// Its address in the executing process.
    pub address: ExecutorAddr,
    /// Size in bytes of the variable; zero where it is not known. A variable that 32-bit code refers to is copied into
    /// the image, and its size must be known for that.
    pub size: u64,
    /// Whether it is code. Code that is out of reach is called through a PLT entry.
    pub callable: bool,
}

/// A thread-local variable that the batch refers to and does not define.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ThreadLocalQuery<'a> {
    /// The name, as the object spells it.
    pub name: &'a [u8],
    /// Whether code refers to it by its offset from the thread pointer (initial or local exec), which then must be the same
    /// in every thread.
    pub in_all_threads: bool,
}

/// What a resolver knows of a thread-local variable.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ThreadLocalSymbol {
    /// Its module, as `__tls_get_addr` in the executing process takes it.
    pub module: u64,
    /// Its offset, as `__tls_get_addr` takes it.
    pub offset: u64,
    /// Its offset from the thread pointer, where that is the same in every thread.
    pub thread_offset: Option<i64>,
    /// A TLS descriptor for it: the address of a resolver function, and what that takes.
    pub descriptor: [u64; 2],
}

/// Answers a link's one question about names that its objects do not define.
///
/// It is asked once, after dead strip and before layout; no lock is held meanwhile.
pub trait Resolver {
    /// One answer per query, in their order; `None` where the name is not known.
    ///
    /// # Errors
    /// Whatever makes the link fail. A name that is not known is no error here: the link lists all of them at once.
    fn resolve(&self, queries: &[SymbolQuery<'_>]) -> Result<Vec<Option<ResolvedSymbol>>>;

    /// The same for thread-local variables.
    ///
    /// # Errors
    /// Whatever makes the link fail: a variable whose offset differs from thread to thread, where it must not.
    fn resolve_thread_locals(
        &self,
        queries: &[ThreadLocalQuery<'_>],
    ) -> Result<Vec<Option<ThreadLocalSymbol>>> {
        Ok(vec![None; queries.len()])
    }

    /// Names that look like that of `query`, as objects spell them, for the message that says it is undefined. Asked for
    /// the first few such names only.
    fn near_misses(&self, query: &SymbolQuery<'_>) -> Vec<String> {
        let _ = query;
        Vec::new()
    }
}

/// Knows no name.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSymbols;

impl Resolver for NoSymbols {
    fn resolve(&self, queries: &[SymbolQuery<'_>]) -> Result<Vec<Option<ResolvedSymbol>>> {
        Ok(vec![None; queries.len()])
    }
}
