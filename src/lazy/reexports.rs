//! Lazy reexports: names for functions of another dylib, which are materialized when they are first called.

use super::RedirectStrategy;
use super::block::{Block, First, blocks};
use super::redirectable::{RedirectableSymbol, symbol_of};
use super::speculate::LazyObserver;
use crate::base::{Error, ExecutorAddr, Result};
use crate::runtime::reentry::{Reenter, Registration};
use crate::session::{JitDylib, JitSymbolFlags, ResourceTracker};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

/// A name, and what it stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LazyReexport<'a> {
    /// The name that is defined.
    pub name: &'a [u8],
    /// The function of the other dylib.
    pub target: &'a [u8],
    /// What is known of it.
    pub flags: JitSymbolFlags,
}

impl<'a> LazyReexport<'a> {
    /// An exported function, by the same name.
    #[must_use]
    pub const fn function(name: &'a [u8]) -> Self {
        Self { name, target: name, flags: JitSymbolFlags::FUNCTION }
    }
}

/// A first call whose function cannot be had.
#[derive(Debug)]
pub struct LazyFailure<'a> {
    /// The dylib that was to have the function.
    pub dylib: &'a JitDylib,
    /// The function.
    pub name: &'a [u8],
    /// Why it cannot be had.
    pub error: &'a Error,
}

type FailureHandler = dyn Fn(&LazyFailure<'_>) -> Option<ExecutorAddr> + Send + Sync;

/// Defines names as entries that find their functions when they are first called, on whatever thread.
///
/// Cloning makes another handle. The entries last as long as their names are not removed.
#[derive(Clone)]
pub struct LazyReexports {
    strategy: RedirectStrategy,
    shared: Arc<Shared>,
}

/// What all entries share.
pub(super) struct Shared {
    on_failure: RwLock<Option<Arc<FailureHandler>>>,
    observer: RwLock<Option<Arc<dyn LazyObserver>>>,
}

impl std::fmt::Debug for LazyReexports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LazyReexports").field("strategy", &self.strategy).finish_non_exhaustive()
    }
}

impl Default for LazyReexports {
    fn default() -> Self {
        Self::new(RedirectStrategy::Stub)
    }
}

impl LazyReexports {
    /// Entries that lead on in the way given.
    #[must_use]
    pub fn new(strategy: RedirectStrategy) -> Self {
        let shared = Arc::new(Shared { on_failure: RwLock::default(), observer: RwLock::default() });
        Self { strategy, shared }
    }

    /// Calls `handler` when the function of a first call cannot be had: it returns where the call goes on, a function that
    /// takes the same arguments. By default, and if it returns nothing, the process ends with a message.
    pub fn on_failure(
        &self,
        handler: impl Fn(&LazyFailure<'_>) -> Option<ExecutorAddr> + Send + Sync + 'static,
    ) {
        let mut on_failure = self.shared.on_failure.write().unwrap_or_else(PoisonError::into_inner);
        *on_failure = Some(Arc::new(handler));
    }

    /// Has an observer told what is defined and what is called for the first time.
    pub fn set_observer(&self, observer: Arc<dyn LazyObserver>) {
        *self.shared.observer.write().unwrap_or_else(PoisonError::into_inner) = Some(observer);
    }

    /// Defines names in `dylib` that stand for functions of `source`, which are looked up when first called. A function
    /// with a register convention of its own ([`JitSymbolFlags::VARIANT_PCS`]) is not bound lazily: its name is an ordinary
    /// re-export.
    ///
    /// # Errors
    /// A name has been defined before, or there is no memory.
    pub fn define(
        &self,
        dylib: &JitDylib,
        tracker: Option<&ResourceTracker>,
        source: &JitDylib,
        names: &[LazyReexport<'_>],
    ) -> Result<()> {
        self.define_entries(dylib, tracker, source, names).map(drop)
    }

    /// As [`define`](Self::define); returns the entries of those names that are bound lazily.
    pub(super) fn define_entries(
        &self,
        dylib: &JitDylib,
        tracker: Option<&ResourceTracker>,
        source: &JitDylib,
        names: &[LazyReexport<'_>],
    ) -> Result<Vec<(Vec<u8>, RedirectableSymbol)>> {
        let is_variant = |entry: &LazyReexport<'_>| {
            let known = source.flags_of(entry.target).unwrap_or_default();
            (entry.flags | known).contains(JitSymbolFlags::VARIANT_PCS)
        };
        let (eager, lazy): (Vec<_>, Vec<_>) = names.iter().copied().partition(is_variant);
        for entry in &eager {
            dylib.reexport(source, [(entry.name, entry.target)], entry.flags)?;
        }
        let mut entries = Vec::with_capacity(lazy.len());
        for range in blocks(lazy.len()) {
            let names = &lazy[range];
            let block = self.define_block(dylib, tracker, source, names)?;
            let symbol = |number| RedirectableSymbol::new(&block, number);
            entries.extend((0u32..).zip(names).map(|(number, entry)| (entry.name.to_vec(), symbol(number))));
        }
        if let Some(observer) = self.shared.observer() {
            let defined: Vec<&[u8]> = lazy.iter().map(|entry| entry.target).collect();
            observer.defined(source, &defined);
        }
        Ok(entries)
    }

    fn define_block(
        &self,
        dylib: &JitDylib,
        tracker: Option<&ResourceTracker>,
        source: &JitDylib,
        names: &[LazyReexport<'_>],
    ) -> Result<Arc<Block>> {
        let entries = Arc::new(Entries {
            source: source.downgrade(),
            targets: names.iter().map(|entry| entry.target.into()).collect(),
            block: OnceLock::new(),
            shared: Arc::clone(&self.shared),
        });
        let registration = Registration::new(names.len() as u32, entries.clone())?;
        let manager = dylib.session().manager();
        let first = First::Trampolines(registration);
        let block = Arc::new(Block::new(manager, names.len(), first, self.strategy)?);
        let _ = entries.block.set(Arc::downgrade(&block));
        let definitions: Vec<_> = (0u32..)
            .zip(names)
            .map(|(number, entry)| {
                let mut symbol = symbol_of(&block, number);
                symbol.flags |= entry.flags;
                symbol.flags.set(JitSymbolFlags::EXPORTED, entry.flags.contains(JitSymbolFlags::EXPORTED));
                (entry.name.to_vec(), symbol)
            })
            .collect();
        dylib.define_owned(tracker, "<lazy reexports>", &definitions, block.clone())?;
        Ok(block)
    }
}

impl Shared {
    fn observer(&self) -> Option<Arc<dyn LazyObserver>> {
        self.observer.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where a call goes on whose function cannot be had.
    fn fail(&self, failure: &LazyFailure<'_>) -> ExecutorAddr {
        let handler = self.on_failure.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(address) = handler.and_then(|handler| handler(failure)) {
            return address;
        }
        let name = String::from_utf8_lossy(failure.name);
        eprintln!("jitlink: cannot call {name} of {}: {}", failure.dylib.name(), failure.error);
        std::process::abort();
    }
}

/// The entries of one block, as their trampolines see them.
struct Entries {
    source: crate::session::WeakDylib,
    targets: Vec<Box<[u8]>>,
    block: OnceLock<std::sync::Weak<Block>>,
    shared: Arc<Shared>,
}

impl Reenter for Entries {
    fn reenter(&self, position: u32) -> ExecutorAddr {
        let Some(target) = self.targets.get(position as usize) else { return ExecutorAddr::NULL };
        let Some(source) = self.source.upgrade() else {
            eprintln!("jitlink: a call to {} after its session ended", String::from_utf8_lossy(target));
            std::process::abort();
        };
        let (found, image) = match source.find_own(target) {
            Ok(found) => found,
            Err(error) => {
                return self.shared.fail(&LazyFailure { dylib: &source, name: target, error: &error });
            }
        };
        let address = found.symbol.address;
        if let Some(observer) = self.shared.observer() {
            observer.called(&source, target);
        }
        if let Some(block) = self.block.get().and_then(std::sync::Weak::upgrade)
            && let Err(error) = block.redirect_first(position, address, image.as_ref())
        {
            return self.shared.fail(&LazyFailure { dylib: &source, name: target, error: &error });
        }
        address
    }
}
