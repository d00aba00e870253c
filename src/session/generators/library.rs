//! A shared library, loaded into this process.

use super::process::mark_thread_locals;
use crate::base::{ExecutorAddr, Result};
use crate::session::{DefinitionGenerator, ExecutorSymbol, JitDylib, LookupKind, WantedName};
use crate::sys::dl::{Library, OpenFlags};
use std::path::Path;

/// Defines what a shared library exports. The library stays loaded until the process ends.
#[derive(Debug)]
pub struct LibraryGenerator {
    library: Option<Library>,
}

impl LibraryGenerator {
    /// Loads the shared library at `path`, and runs its initialisers as the dynamic loader does.
    ///
    /// # Errors
    /// What the dynamic loader says.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Library::open(path.as_ref(), OpenFlags::KEEP).map(|library| Self { library: Some(library) })
    }

    /// A library that was loaded, and stays.
    pub(in crate::session) fn of(library: Library) -> Self {
        Self { library: Some(library) }
    }

    /// As [`open`](Self::open); if the library cannot be loaded, every weak name that it is asked for is null.
    #[must_use]
    pub fn open_weak(path: impl AsRef<Path>) -> Self {
        Self { library: Library::open(path.as_ref(), OpenFlags::KEEP).ok() }
    }

    /// Whether the library could be loaded.
    #[must_use]
    pub fn is_loaded(&self) -> bool {
        self.library.is_some()
    }
}

impl DefinitionGenerator for LibraryGenerator {
    fn generate(&self, dylib: &JitDylib, names: &[WantedName<'_>], _: LookupKind) -> Result<()> {
        let find = |wanted: &WantedName<'_>| match &self.library {
            Some(library) => library.lookup(wanted.name),
            None => wanted.weak.then_some(ExecutorAddr::NULL),
        };
        let mut found: Vec<_> = names
            .iter()
            .filter_map(|wanted| Some((wanted.name, ExecutorSymbol::function(find(wanted)?))))
            .collect();
        mark_thread_locals(&mut found);
        if found.is_empty() { Ok(()) } else { dylib.define_missing_absolute(found) }
    }
}
