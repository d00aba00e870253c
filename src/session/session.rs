//! The session: what dylibs share.

use super::callbacks::Callbacks;
use super::dylib::{Dylib, JitDylib};
use super::image::Image;
use super::initialize::finalize;
use super::lookup::Guard;
use super::plugin::SessionPlugin;
use super::state::{State, Tracker};
use super::tracker::Removed;
use crate::alloc::{InProcessManager, MemoryManager};
use crate::base::{Error, ExecutorAddr, Result};
use crate::host::HostActions;
use crate::link::{ImageActions, LinkOptions};
use crate::runtime::owners::{OpenMode, Owner, Scope};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock, Weak};

type Actions = Box<dyn ImageActions + Send + Sync>;
type Plugins = Arc<[Arc<dyn SessionPlugin>]>;

/// How a session links.
pub struct SessionOptions {
    /// Hands out memory.
    pub manager: Box<dyn MemoryManager>,
    /// Makes allocation actions; without it, nothing of the linked code can be run.
    pub actions: Option<Actions>,
    /// What links do where there is a choice. [`LinkOptions::keep`] is not used.
    pub link: LinkOptions,
}

impl SessionOptions {
    /// Linking into this process, in the default way.
    ///
    /// # Errors
    /// [`Error::Memory`] when the process may not have as much address space.
    pub fn new() -> Result<Self> {
        Ok(Self {
            manager: Box::new(InProcessManager::new()?),
            actions: Some(Box::new(HostActions)),
            link: LinkOptions::default(),
        })
    }
}

impl std::fmt::Debug for SessionOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionOptions").field("link", &self.link).finish_non_exhaustive()
    }
}

/// Dylibs that refer to each other, and the memory of what was linked for them. Cloning makes another handle; the session
/// ends when the last handle, that of a dylib or tracker included, is dropped.
#[derive(Clone)]
pub struct ExecutionSession(Arc<Inner>);

/// A handle that does not keep the session alive.
#[derive(Clone)]
pub(super) struct WeakSession(Weak<Inner>);

impl WeakSession {
    pub(super) fn upgrade(&self) -> Option<ExecutionSession> {
        self.0.upgrade().map(ExecutionSession)
    }
}

impl std::fmt::Debug for WeakSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WeakSession")
    }
}

struct Inner {
    options: SessionOptions,
    state: Mutex<State>,
    changed: Condvar,
    plugins: RwLock<Plugins>,
    images: AtomicU64,
    /// What is at the end of every link order.
    runtime: Arc<Dylib>,
    callbacks: Callbacks,
}

impl std::fmt::Debug for ExecutionSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExecutionSession").field("options", &self.0.options).finish_non_exhaustive()
    }
}

impl ExecutionSession {
    /// A session that links into this process.
    ///
    /// # Errors
    /// [`Error::Memory`] when the process may not have as much address space.
    pub fn new() -> Result<Self> {
        Ok(Self::with_options(SessionOptions::new()?))
    }

    /// A session that links as the options say.
    #[must_use]
    pub fn with_options(options: SessionOptions) -> Self {
        let plugins: [Arc<dyn SessionPlugin>; 0] = [];
        let mut state = State::default();
        let tracker = state.trackers.insert(Tracker::default());
        let session = Self(Arc::new(Inner {
            options,
            state: Mutex::new(state),
            changed: Condvar::new(),
            plugins: RwLock::new(plugins.into()),
            images: AtomicU64::new(0),
            runtime: Arc::new(Dylib::new("<session>".into(), tracker, None)),
            callbacks: Callbacks::default(),
        }));
        session.serve_linked_code();
        session
    }

    /// Makes a dylib without symbols that refers to itself alone.
    ///
    /// # Errors
    /// The session has a dylib of that name.
    pub fn create_dylib(&self, name: impl Into<Arc<str>>) -> Result<JitDylib> {
        let name = name.into();
        let mut state = self.lock();
        if state.dylibs.iter().any(|dylib| dylib.name == name) {
            let what = format!("the session has a dylib called {name} already");
            return Err(Error::invalid(what, Some("give it another name, or use that one")));
        }
        let tracker = state.trackers.insert(Tracker::default());
        let inner = Arc::new(Dylib::new(name, tracker, Some(Arc::clone(&self.0.runtime))));
        state.dylibs.push(Arc::clone(&inner));
        drop(state);
        Ok(JitDylib { session: self.clone(), inner })
    }

    /// The dylib of that name.
    #[must_use]
    pub fn dylib(&self, name: &str) -> Option<JitDylib> {
        let inner = self.lock().dylibs.iter().find(|dylib| &*dylib.name == name).cloned()?;
        Some(JitDylib { session: self.clone(), inner })
    }

    /// All dylibs, in the order of their creation.
    #[must_use]
    pub fn dylibs(&self) -> Vec<JitDylib> {
        let dylibs = self.lock().dylibs.clone();
        dylibs.into_iter().map(|inner| JitDylib { session: self.clone(), inner }).collect()
    }

    /// Removes a dylib with all its definitions, as [`ResourceTracker::remove`](super::ResourceTracker::remove) does
    /// each. It is no longer in other dylibs' link order; its name can be used again. A handle to it stays valid, as one
    /// to an empty dylib.
    ///
    /// # Errors
    /// It was removed before, or is another session's.
    pub fn remove_dylib(&self, dylib: &JitDylib) -> Result<Removed> {
        let mut state = self.lock();
        let Some(position) = state.dylibs.iter().position(|known| Arc::ptr_eq(known, &dylib.inner)) else {
            let what = format!("{} is no dylib of this session, or was removed before", dylib.name());
            return Err(Error::invalid(what, None));
        };
        state.dylibs.remove(position);
        for other in &state.dylibs {
            let order = other.order();
            if order.iter().any(|(known, _)| Arc::ptr_eq(known, &dylib.inner)) {
                let rest = order.iter().filter(|(known, _)| !Arc::ptr_eq(known, &dylib.inner));
                other.set_order(rest.cloned().collect());
            }
        }
        state.dependencies_changed();
        let units = state.units.values().filter(|unit| Arc::ptr_eq(&unit.dylib, &dylib.inner));
        let mut trackers: Vec<_> = units.map(|unit| unit.tracker).collect();
        drop(state);
        trackers.sort_unstable();
        trackers.dedup();
        dylib.withdraw();
        let mut total = Removed { freed: 0, in_use: 0 };
        for tracker in trackers.into_iter().rev().filter(|tracker| *tracker != dylib.inner.default_tracker) {
            if let Ok(removed) = self.remove_tracker(dylib, tracker) {
                total = Removed { freed: total.freed + removed.freed, in_use: total.in_use + removed.in_use };
            }
        }
        let removed = self.remove_tracker(dylib, dylib.inner.default_tracker)?;
        self.lock().initializers.remove(&dylib.inner.id());
        Ok(Removed { freed: total.freed + removed.freed, in_use: total.in_use + removed.in_use })
    }

    /// Adds a plugin, which sees every link from now on.
    pub fn add_plugin(&self, plugin: Arc<dyn SessionPlugin>) {
        let mut plugins = self.0.plugins.write().unwrap_or_else(PoisonError::into_inner);
        *plugins = plugins.iter().cloned().chain([plugin]).collect();
    }

    /// Runs exit handlers and finalisers of all dylibs, those created last first.
    pub fn deinitialize(&self) {
        self.dylibs().iter().rev().for_each(JitDylib::deinitialize);
    }

    pub(super) fn downgrade(&self) -> WeakSession {
        WeakSession(Arc::downgrade(&self.0))
    }

    pub(crate) fn manager(&self) -> &dyn MemoryManager {
        &*self.0.options.manager
    }

    pub(super) fn actions(&self) -> Option<&dyn ImageActions> {
        self.0.options.actions.as_ref().map(|actions| &**actions as &dyn ImageActions)
    }

    pub(super) fn link_options(&self) -> &LinkOptions {
        &self.0.options.link
    }

    pub(super) fn plugins(&self) -> Plugins {
        Arc::clone(&self.0.plugins.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn runtime_dylib(&self) -> Arc<Dylib> {
        Arc::clone(&self.0.runtime)
    }

    pub(super) fn callbacks(&self) -> &Callbacks {
        &self.0.callbacks
    }

    /// Itself, as what answers linked code.
    pub(super) fn owner(&self) -> Weak<dyn Owner> {
        let inner: Weak<Inner> = Arc::downgrade(&self.0);
        inner
    }

    /// Never held while the user's code runs.
    pub(super) fn lock(&self) -> Guard<'_> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes those who wait for something to change.
    pub(super) fn notify(&self) {
        self.0.changed.notify_all();
    }

    pub(super) fn wait_for_change<'s>(&self, state: Guard<'s>) -> Guard<'s> {
        self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// A number for the next image.
    pub(super) fn next_image(&self) -> u64 {
        self.0.images.fetch_add(1, Relaxed)
    }
}

impl Owner for Inner {
    fn open(self: Arc<Self>, name: &[u8], mode: OpenMode) -> Option<Result<Option<u64>>> {
        ExecutionSession(self).open_for_code(name, mode)
    }

    fn close(self: Arc<Self>, dylib: u64) -> Result<()> {
        ExecutionSession(self).close_for_code(dylib)
    }

    fn symbol(
        self: Arc<Self>,
        scope: Scope,
        caller: Option<u64>,
        name: &[u8],
        version: Option<&[u8]>,
    ) -> Result<Option<ExecutorAddr>> {
        ExecutionSession(self).symbol_for_code(scope, caller, name, version)
    }

    fn callback(&self, name: &[u8]) -> Option<u64> {
        self.callbacks.number(name)
    }

    fn dispatch(&self, tag: u64, argument: &[u8]) -> Option<Result<Vec<u8>>> {
        let handler = self.callbacks.handler(tag)?;
        Some(handler(argument))
    }
}

impl Drop for Inner {
    /// Finalisers run, of dylibs that were initialised last first, and memory is freed, last linked first. Dylibs refer to each other, and let go of that.
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        for dylib in &state.dylibs {
            dylib.reset_order();
            dylib.set_generators(Vec::new());
        }
        let mut initialized: Vec<_> = state.initializers.values().filter(|one| one.since.is_some()).collect();
        initialized.sort_unstable_by_key(|of_dylib| std::cmp::Reverse(of_dylib.since));
        initialized.into_iter().for_each(|of_dylib| finalize(of_dylib.living()));
        let mut images: Vec<Arc<Image>> =
            state.units.values_mut().filter_map(|unit| unit.image.take()).collect();
        images.sort_unstable_by_key(|image| std::cmp::Reverse(image.sequence));
        images.into_iter().for_each(drop);
    }
}
