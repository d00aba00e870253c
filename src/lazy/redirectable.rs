//! Redirectable symbols: names whose meaning can be changed while they are called.

use super::block::{Block, First, blocks};
use crate::base::{Error, ExecutorAddr, Result};
use crate::session::{ExecutionSession, ExecutorSymbol, JitDylib, JitSymbolFlags, ResourceTracker};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// How an entry leads on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum RedirectStrategy {
    /// By a pointer in writable memory, which a jump goes through. Reaches everywhere.
    #[default]
    Stub,
    /// By a direct jump, which is rewritten: needs dual-mapped memory, and targets in reach of a branch.
    Patch,
}

/// Makes and redirects symbols whose addresses are those of entries: they never change, so that function pointers can be
/// compared, but where they lead does.
#[derive(Debug)]
pub struct RedirectableSymbols {
    session: ExecutionSession,
    strategy: RedirectStrategy,
    by_name: Mutex<Names>,
}

/// Entries by dylib and name.
type Names = HashMap<(String, Vec<u8>), (Weak<Block>, u32)>;

/// One entry. It stays usable after its name was removed.
#[derive(Clone, Debug)]
pub struct RedirectableSymbol {
    block: Arc<Block>,
    number: u32,
}

impl RedirectableSymbols {
    /// Entries in a session's memory.
    #[must_use]
    pub fn new(session: &ExecutionSession, strategy: RedirectStrategy) -> Self {
        Self { session: session.clone(), strategy, by_name: Mutex::default() }
    }

    /// Defines names in a dylib that lead to the addresses given, until they are redirected.
    ///
    /// # Errors
    /// A name has been defined before, or there is no memory. With [`RedirectStrategy::Patch`] also when the session's
    /// memory manager never lets code be written that can be executed, or an address is out of reach.
    pub fn create<N: AsRef<[u8]>>(
        &self,
        dylib: &JitDylib,
        tracker: Option<&ResourceTracker>,
        symbols: impl IntoIterator<Item = (N, ExecutorAddr)>,
    ) -> Result<Vec<RedirectableSymbol>> {
        let symbols: Vec<(N, ExecutorAddr)> = symbols.into_iter().collect();
        let mut entries = Vec::with_capacity(symbols.len());
        for range in blocks(symbols.len()) {
            let symbols = &symbols[range];
            let targets: Vec<ExecutorAddr> = symbols.iter().map(|(_, target)| *target).collect();
            let fallback = ExecutorAddr(removed as *const () as u64);
            let first = First::Targets(&targets, fallback);
            let block = Arc::new(Block::new(self.session.manager(), symbols.len(), first, self.strategy)?);
            let definitions: Vec<_> = (0u32..)
                .zip(symbols)
                .map(|(number, (name, _))| (name.as_ref().to_vec(), symbol_of(&block, number)))
                .collect();
            dylib.define_owned(tracker, "<redirectable symbols>", &definitions, block.clone())?;
            let mut by_name = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
            for (number, (name, _)) in (0u32..).zip(definitions) {
                by_name.insert((dylib.name().to_owned(), name), (Arc::downgrade(&block), number));
            }
            entries
                .extend((0..block.count()).map(|number| RedirectableSymbol { block: block.clone(), number }));
        }
        Ok(entries)
    }

    /// The entry of a name that was [created](Self::create) in a dylib and not removed.
    #[must_use]
    pub fn get(&self, dylib: &JitDylib, name: impl AsRef<[u8]>) -> Option<RedirectableSymbol> {
        let key = (dylib.name().to_owned(), name.as_ref().to_vec());
        let mut by_name = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        let (block, number) = by_name.get(&key)?;
        match block.upgrade() {
            Some(block) => Some(RedirectableSymbol { block, number: *number }),
            None => {
                by_name.remove(&key);
                None
            }
        }
    }

    /// Leads a name to what a name of another dylib's own is, which is materialized for it. Should that one's memory be freed, a
    /// call through the entry ends the process with a message.
    ///
    /// # Errors
    /// The name is none of those created here, or the other cannot be looked up.
    pub fn redirect(
        &self,
        dylib: &JitDylib,
        name: impl AsRef<[u8]>,
        source: &JitDylib,
        target: impl AsRef<[u8]>,
    ) -> Result<()> {
        let name = name.as_ref();
        let Some(entry) = self.get(dylib, name) else {
            let what =
                format!("{} is no redirectable symbol of {}", String::from_utf8_lossy(name), dylib.name());
            return Err(Error::invalid(what, Some("create it first")));
        };
        entry.redirect_to(source, target)
    }
}

impl RedirectableSymbol {
    pub(super) fn new(block: &Arc<Block>, number: u32) -> Self {
        Self { block: Arc::clone(block), number }
    }

    /// The address that never changes.
    #[must_use]
    pub fn address(&self) -> ExecutorAddr {
        self.block.entry(self.number)
    }

    /// Leads it to an address. Threads that enter it meanwhile go to the old target or the new one.
    ///
    /// # Errors
    /// The address is out of reach ([`RedirectStrategy::Patch`]).
    pub fn redirect(&self, target: ExecutorAddr) -> Result<()> {
        self.block.redirect(self.number, target, None)
    }

    /// Leads it to what a name of a dylib's own is, which is materialized for it: see [`RedirectableSymbols::redirect`].
    ///
    /// # Errors
    /// The name cannot be looked up, or its address is out of reach ([`RedirectStrategy::Patch`]).
    pub fn redirect_to(&self, source: &JitDylib, target: impl AsRef<[u8]>) -> Result<()> {
        let (found, image) = source.find_own(target.as_ref())?;
        self.block.redirect(self.number, found.symbol.address, image.as_ref())
    }
}

pub(super) fn symbol_of(block: &Block, number: u32) -> ExecutorSymbol {
    ExecutorSymbol { address: block.entry(number), flags: JitSymbolFlags::FUNCTION, size: 0 }
}

/// Where entries lead whose target was freed.
extern "C" fn removed() -> ! {
    eprintln!("jitlink: a call to a function that was removed");
    std::process::abort();
}
