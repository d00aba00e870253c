//! The short way: objects in, code in this process out.

use super::{HostActions, ProcessSymbols};
use crate::alloc::InProcessManager;
use crate::base::Result;
use crate::link::{Batch, LinkContext, LinkOptions, Linked, link};

/// Links batches into this process, with the default memory manager and what this process exports.
///
/// Whoever wants another manager, resolver or plugins gives them to [`link`](crate::link::link()) in a
/// [`LinkContext`]; this does no more.
#[derive(Debug)]
pub struct HostLinker {
    manager: InProcessManager,
    symbols: ProcessSymbols,
}

impl HostLinker {
    /// A linker with address space reserved near the C library, where that is possible.
    ///
    /// # Errors
    /// [`Error::Memory`](crate::base::Error::Memory) when the process may not have as much address space.
    pub fn new() -> Result<Self> {
        Ok(Self { manager: InProcessManager::new()?, symbols: ProcessSymbols::new() })
    }

    /// The names that linked code sees besides its own.
    pub fn symbols_mut(&mut self) -> &mut ProcessSymbols {
        &mut self.symbols
    }

    /// Links `batch`; its code can run until the result is dropped. Initialisers are not run: see
    /// [`run_main`](super::run_main).
    ///
    /// # Errors
    /// As for [`link`](crate::link::link()).
    pub fn link<'data>(&self, batch: Batch<'data>, options: &LinkOptions) -> Result<Linked<'data>> {
        let mut context = LinkContext {
            manager: &self.manager,
            resolver: &self.symbols,
            actions: Some(&HostActions),
            plugins: &mut [],
        };
        link(batch, &mut context, options)
    }
}
