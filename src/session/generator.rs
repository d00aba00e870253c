//! Generators: asked for names that a dylib does not define.

use super::activity::Activity;
use super::dylib::JitDylib;
use super::lookup::LookupKind;
use crate::base::Result;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// A name that a generator is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WantedName<'a> {
    /// The name.
    pub name: &'a [u8],
    /// Whether it may stay undefined.
    pub weak: bool,
}

/// Defines names on demand.
///
/// It is asked for all names that are wanted and not defined at once, and defines those it knows in the dylib, by any of
/// the dylib's functions. One call at a time: whoever else needs it waits meanwhile. No lock is held, so that it may look
/// names up; in such a lookup it is not asked itself.
///
/// A generator that keeps a handle of its session keeps the session alive; [`generate`](Self::generate) is given one.
pub trait DefinitionGenerator: Send + Sync {
    /// Defines those of `names` that it knows in `dylib`.
    ///
    /// # Errors
    /// Whatever keeps it from finding out; the lookup fails with it. A name that it does not know is no error.
    fn generate(&self, dylib: &JitDylib, names: &[WantedName<'_>], kind: LookupKind) -> Result<()>;

    /// Names that it could define and that look like `name`, for messages.
    fn near_misses(&self, name: &[u8]) -> Vec<String> {
        let _ = name;
        Vec::new()
    }
}

impl<F> DefinitionGenerator for F
where
    F: Fn(&JitDylib, &[WantedName<'_>]) -> Result<()> + Send + Sync,
{
    fn generate(&self, dylib: &JitDylib, names: &[WantedName<'_>], _: LookupKind) -> Result<()> {
        self(dylib, names)
    }
}

/// A generator of a dylib, and who asks it now.
pub(super) struct GeneratorSlot {
    pub(super) generator: Box<dyn DefinitionGenerator>,
    busy: Mutex<Option<Activity>>,
    withdrawn: AtomicBool,
}

impl std::fmt::Debug for GeneratorSlot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GeneratorSlot").finish_non_exhaustive()
    }
}

impl GeneratorSlot {
    pub(super) fn new(generator: Box<dyn DefinitionGenerator>) -> Self {
        Self { generator, busy: Mutex::default(), withdrawn: AtomicBool::new(false) }
    }

    pub(super) fn busy(&self) -> Option<Activity> {
        *self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_busy(&self, activity: Option<Activity>) {
        *self.busy.lock().unwrap_or_else(PoisonError::into_inner) = activity;
    }

    /// It is asked no more.
    pub(super) fn withdraw(&self) {
        self.withdrawn.store(true, Relaxed);
    }

    pub(super) fn is_withdrawn(&self) -> bool {
        self.withdrawn.load(Relaxed)
    }
}
