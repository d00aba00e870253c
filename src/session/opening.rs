//! Dylibs that are opened and closed, as `dlopen` and `dlclose` do it with libraries.
//!
//! A dylib is initialised when it, or one that refers to it, is opened, and finalized when nobody wants it any more: it is not open,
//! was not initialised for good, and no such dylib refers to it, over any number of others; and no thread has objects of
//! it to destroy. Its memory stays; before it is initialised again, the memory is made what it was at first.
//!
//! # Safety
//! Initialisers are linked code; who opens a dylib vouches for them.
#![allow(unsafe_code)]

use super::activity::Activity;
use super::dylib::{Dylib, JitDylib, Order, Visibility};
use super::flags::{ExecutorSymbol, JitSymbolFlags};
use super::image::Image;
use super::initialize::{Purpose, dependencies_first, finalize};
use super::lookup::{LookupKind, LookupName};
use super::session::ExecutionSession;
use super::state::State;
use crate::base::{Error, ExecutorAddr, Result};
use crate::runtime::dlfcn;
use crate::runtime::owners::{self, OpenMode, Scope};
use std::collections::HashSet;
use std::sync::Arc;

/// An open dylib. It is closed when this is dropped.
#[derive(Debug)]
#[must_use = "dropping it closes the dylib"]
pub struct DylibHandle {
    dylib: Option<JitDylib>,
}

impl DylibHandle {
    /// Closes the dylib. If nobody else wants it, exit handlers and finalisers of its code run, and of what it refers to as far as
    /// nobody else wants that: in the reverse order of initialisation.
    ///
    /// # Errors
    /// It was closed by others who had not opened it, or removed.
    pub fn close(mut self) -> Result<()> {
        self.dylib.take().map_or(Ok(()), |dylib| dylib.session.close_dylib(&dylib.inner))
    }

    /// The dylib; none that is not open.
    #[must_use]
    pub fn dylib(&self) -> Option<&JitDylib> {
        self.dylib.as_ref()
    }
}

impl Drop for DylibHandle {
    fn drop(&mut self) {
        if let Some(dylib) = self.dylib.take() {
            // It was closed or removed by others.
            let _ = dylib.session.close_dylib(&dylib.inner);
        }
    }
}

impl JitDylib {
    /// Opens the dylib: runs initialisers that have not run since it was opened first, as [`initialize`](Self::initialize) does, on
    /// the calling thread. Each opening is undone by closing the handle; after the last, finalisers run, and a later
    /// opening finds variables as they were when the first one began.
    ///
    /// Objects that are added meanwhile are initialised by the next opening. Initialisers may open and close dylibs, and so may
    /// threads that they start; but they may not wait for a thread that opens what is being initialised.
    ///
    /// # Errors
    /// Something cannot be linked, or an exception has left an initialiser. Then the dylib is as if it had not been
    /// opened: exit handlers that were registered have run, finalisers have not.
    ///
    /// # Safety
    /// The initialisers do nothing undefined in this process, and nobody uses variables of a dylib that was closed.
    pub unsafe fn open(&self) -> Result<DylibHandle> {
        // SAFETY: the caller's promise.
        unsafe { self.session.open_dylib(&self.inner, OpenMode::default()) }?;
        Ok(DylibHandle { dylib: Some(self.clone()) })
    }

    /// Whether it is open, or initialised for good.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let state = self.session.lock();
        state.initializers.get(&self.inner.id()).is_some_and(|of_dylib| of_dylib.is_wanted())
    }
}

/// An opening that is not complete yet, and undone if it does not become so.
struct Opening<'a> {
    session: &'a ExecutionSession,
    dylib: &'a Arc<Dylib>,
    done: bool,
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        if !self.done {
            let _ = self.session.close_dylib(self.dylib);
        }
    }
}

impl ExecutionSession {
    /// Names of the session's own, and this session as what answers linked code.
    pub(super) fn serve_linked_code(&self) {
        let own = dlfcn::OWN_NAMES.iter();
        let function = |name: &&'static str| {
            let address = dlfcn::lookup_own(name.as_bytes())?;
            Some((*name, ExecutorSymbol::function(address)))
        };
        let symbols: Vec<_> = own.filter_map(function).collect();
        // Few names, none of which is defined yet.
        let _ = self.runtime().define_missing_absolute(symbols);
        owners::add(self.owner());
    }

    /// # Safety
    /// The initialisers may run.
    unsafe fn open_dylib(&self, dylib: &Arc<Dylib>, mode: OpenMode) -> Result<()> {
        {
            let mut state = self.lock();
            let number = state.next_opening();
            let of_dylib = state.initializers.entry(dylib.id()).or_default();
            of_dylib.opened += 1;
            if mode.global {
                of_dylib.global.get_or_insert(number);
            }
        }
        let mut opening = Opening { session: self, dylib, done: false };
        for needed in dependencies_first(dylib) {
            // SAFETY: the caller's promise.
            unsafe { self.initialize_one(&needed, Purpose::Open) }?;
        }
        opening.done = true;
        if mode.keep
            && let Some(of_dylib) = self.lock().initializers.get_mut(&dylib.id())
        {
            of_dylib.kept = true;
        }
        Ok(())
    }

    fn close_dylib(&self, dylib: &Arc<Dylib>) -> Result<()> {
        let mut state = self.lock();
        let of_dylib = state.initializers.get_mut(&dylib.id()).filter(|of_dylib| of_dylib.opened > 0);
        let Some(of_dylib) = of_dylib else {
            return Err(Error::invalid(format!("{} is not open", dylib.name), None));
        };
        of_dylib.opened -= 1;
        if of_dylib.opened == 0 {
            of_dylib.global = None;
            drop(state);
            self.finalize_unwanted();
        }
        Ok(())
    }

    /// Finalizes dylibs that nobody wants any more, those initialised last first.
    fn finalize_unwanted(&self) {
        while let Some(Unwanted { dylib, activity, images }) = self.take_unwanted() {
            activity.run(|| finalize(images));
            let mut state = self.lock();
            state.activities.end(activity);
            if let Some(of_dylib) = state.initializers.get_mut(&dylib.id()) {
                of_dylib.busy = None;
            }
            self.notify();
        }
    }

    /// The initialised dylib that was initialised last of those that nobody wants.
    fn take_unwanted(&self) -> Option<Unwanted> {
        let mut state = self.lock();
        let wanted = wanted(&state);
        let candidates = state.dylibs.iter().filter(|dylib| !wanted.contains(&dylib.id()));
        let since = |dylib: &&Arc<Dylib>| {
            let of_dylib = state.initializers.get(&dylib.id())?;
            of_dylib.since.filter(|_| of_dylib.busy.is_none())
        };
        let (_, dylib) =
            candidates.filter_map(|dylib| Some((since(&dylib)?, dylib))).max_by_key(|(at, _)| *at)?;
        let dylib = Arc::clone(dylib);
        let activity = state.activities.begin(format!("the finalisers of {}", dylib.name).into());
        let of_dylib = state.initializers.get_mut(&dylib.id())?;
        (of_dylib.since, of_dylib.busy) = (None, Some(activity));
        let images = of_dylib.living();
        of_dylib.images = images.iter().map(Arc::downgrade).collect();
        Some(Unwanted { dylib, activity, images })
    }
}

/// A dylib that is to be finalized.
struct Unwanted {
    dylib: Arc<Dylib>,
    activity: Activity,
    images: Vec<Arc<Image>>,
}

/// All dylibs that stay initialised: those that somebody wants, and what they refer to.
fn wanted(state: &State) -> HashSet<usize> {
    let is_root = |dylib: &&Arc<Dylib>| {
        let of_dylib = state.initializers.get(&dylib.id());
        of_dylib.is_some_and(|of_dylib| {
            let by_threads = || of_dylib.living().iter().any(|image| image.is_needed_by_threads());
            of_dylib.is_wanted() || of_dylib.busy.is_some() || of_dylib.since.is_some() && by_threads()
        })
    };
    let roots: Vec<Arc<Dylib>> = state.dylibs.iter().filter(is_root).cloned().collect();
    let mut seen = HashSet::new();
    breadth_first(roots, &mut seen);
    seen
}

/// Dylibs and what they refer to, nearer ones first, each once.
fn breadth_first(roots: Vec<Arc<Dylib>>, seen: &mut HashSet<usize>) -> Vec<Arc<Dylib>> {
    let mut out: Vec<Arc<Dylib>> = roots.into_iter().filter(|dylib| seen.insert(dylib.id())).collect();
    let mut next = 0;
    while let Some(dylib) = out.get(next) {
        let order = dylib.order();
        out.extend(
            order.iter().filter(|(other, _)| seen.insert(other.id())).map(|(other, _)| Arc::clone(other)),
        );
        next += 1;
    }
    out
}

/// For linked code.
impl ExecutionSession {
    pub(super) fn open_for_code(&self, name: &[u8], mode: OpenMode) -> Option<Result<Option<u64>>> {
        let dylib = self.dylib(std::str::from_utf8(name).ok()?)?;
        if mode.if_open && !self.is_initialized(&dylib.inner) {
            return Some(Ok(None));
        }
        // SAFETY: linked code asks for it, and for whatever that does somebody has vouched.
        let opened = unsafe { self.open_dylib(&dylib.inner, mode) };
        Some(opened.map(|()| Some(dylib.inner.number)))
    }

    fn is_initialized(&self, dylib: &Arc<Dylib>) -> bool {
        let state = self.lock();
        let of_dylib = state.initializers.get(&dylib.id());
        of_dylib.is_some_and(|of_dylib| of_dylib.is_wanted() || of_dylib.since.is_some())
    }

    pub(super) fn close_for_code(&self, dylib: u64) -> Result<()> {
        self.close_dylib(&self.by_number(dylib)?)
    }

    fn by_number(&self, number: u64) -> Result<Arc<Dylib>> {
        let state = self.lock();
        let found = state.dylibs.iter().find(|dylib| dylib.number == number).cloned();
        found.ok_or_else(|| Error::invalid("the dylib of this handle was removed", None))
    }

    pub(super) fn symbol_for_code(
        &self,
        scope: Scope,
        caller: Option<u64>,
        name: &[u8],
        version: Option<&[u8]>,
    ) -> Result<Option<ExecutorAddr>> {
        let caller = caller.and_then(|number| self.by_number(number).ok());
        let order = match scope {
            Scope::Dylib(number) => self.order_of_open(number)?,
            Scope::Everything => self.order_of_everything(caller),
            Scope::Next => {
                caller.map_or_else(|| [].into(), |caller| caller.order().iter().skip(1).cloned().collect())
            }
        };
        let found = self.exported(&order, name)?;
        let Some(version) = version else { return Ok(found.map(|symbol| symbol.address)) };
        let is_linked = |symbol: &ExecutorSymbol| !symbol.flags.contains(JitSymbolFlags::ABSOLUTE);
        let found = match found.filter(is_linked) {
            Some(symbol) => Some(symbol),
            None => self.exported(&order, &[name, b"@", version].concat())?,
        };
        Ok(found.map(|symbol| symbol.address))
    }

    /// What the first dylib of an order exports by that name, for the calling thread.
    fn exported(&self, order: &Order, name: &[u8]) -> Result<Option<ExecutorSymbol>> {
        let found = self.find(order, &[LookupName { name, weak: true }], LookupKind::DlSym)?;
        let Some(Some(found)) = found.into_iter().next() else { return Ok(None) };
        let symbol = self.for_caller(name, found)?;
        Ok(Some(symbol).filter(|symbol| !symbol.flags.contains(JitSymbolFlags::SIDE_EFFECTS_ONLY)))
    }

    fn order_of_open(&self, number: u64) -> Result<Order> {
        let dylib = self.by_number(number)?;
        if !self.is_initialized(&dylib) {
            return Err(Error::invalid(format!("{} is not open", dylib.name), None));
        }
        Ok(exported(breadth_first(vec![dylib], &mut HashSet::new())))
    }

    /// What was initialised for good, what was opened globally, and what the caller sees, with all that these refer to.
    fn order_of_everything(&self, caller: Option<Arc<Dylib>>) -> Order {
        let (mut kept, mut global) = (Vec::new(), Vec::new());
        {
            let state = self.lock();
            for dylib in &state.dylibs {
                let Some(of_dylib) = state.initializers.get(&dylib.id()) else { continue };
                if of_dylib.kept {
                    kept.push(Arc::clone(dylib));
                } else if let Some(number) = of_dylib.global {
                    global.push((number, Arc::clone(dylib)));
                }
            }
        }
        global.sort_unstable_by_key(|(number, _)| *number);
        let mut seen = HashSet::new();
        let mut all = breadth_first(kept, &mut seen);
        for dylib in global.into_iter().map(|(_, dylib)| dylib).chain(caller) {
            all.extend(breadth_first(vec![dylib], &mut seen));
        }
        exported(all)
    }
}

/// An order in which exported symbols are found.
fn exported(dylibs: Vec<Arc<Dylib>>) -> Order {
    dylibs.into_iter().map(|dylib| (dylib, Visibility::Exported)).collect()
}
