//! Initialisers and finalisers of dylibs.
//!
//! # Safety
//! Initialisers are linked code; who asks for them to run vouches for them.
#![allow(unsafe_code)]

use super::activity::Activity;
use super::dylib::{Dylib, JitDylib};
use super::image::Image;
use super::session::ExecutionSession;
use super::slab::Key;
use crate::base::{Error, Result};
use crate::runtime::update;
use std::sync::{Arc, Weak};

/// For what dylibs are initialised.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    /// They are initialised for good, as at the start of a program; an exception ends the process.
    Start {
        /// Whether this one is the program, and not one that it refers to.
        is_program: bool,
    },
    /// They are opened and can be closed; an exception is an error.
    Open,
}

/// What is next to be done for a dylib to be initialised.
enum Next {
    Done,
    Link(Vec<Key>),
    Run(Activity, Vec<Arc<Image>>),
}

impl JitDylib {
    /// Links what has initialisers in this dylib and in those of its link order, and runs those that have not run, on
    /// the calling thread: dylibs that others refer to first, and within a dylib by priority, then in the order in which
    /// objects were added. An exception that leaves an initialiser ends the process. [`open`](Self::open) is for what is to be
    /// finalized and initialised again.
    ///
    /// Lookups never do that; [`Jit`](super::Jit) does it before it hands out an address.
    ///
    /// An exception that leaves an initialiser ends the process through `std::terminate`.
    ///
    /// # Errors
    /// Something with initialisers cannot be linked.
    ///
    /// # Safety
    /// The initialisers do nothing undefined in this process.
    pub unsafe fn initialize(&self) -> Result<()> {
        for dylib in dependencies_first(&self.inner) {
            let is_program = Arc::ptr_eq(&dylib, &self.inner);
            // SAFETY: the caller's promise.
            unsafe { self.session.initialize_one(&dylib, Purpose::Start { is_program }) }?;
        }
        Ok(())
    }

    /// Runs exit handlers and finalisers of this dylib's code as when a library is closed, whoever has it open. They do not run
    /// again, unless the dylib was [opened](Self::open); what is linked later can be initialised as before.
    pub fn deinitialize(&self) {
        let images = {
            let mut state = self.session.lock();
            let Some(of_dylib) = state.initializers.get_mut(&self.inner.id()) else { return };
            (of_dylib.opened, of_dylib.kept, of_dylib.since) = (0, false, None);
            let images = of_dylib.living();
            of_dylib.images = images.iter().map(Arc::downgrade).collect();
            images
        };
        finalize(images);
    }
}

/// Finalizes images of a dylib, whose initialisers may run again if that is possible.
pub(super) fn finalize(mut images: Vec<Arc<Image>>) {
    images.sort_unstable_by_key(|image| std::cmp::Reverse(image.sequence));
    images.iter().for_each(|image| image.spend());
    Image::finalize_all(&images);
}

impl ExecutionSession {
    /// # Safety
    /// The initialisers may run.
    pub(super) unsafe fn initialize_one(&self, dylib: &Arc<Dylib>, purpose: Purpose) -> Result<()> {
        loop {
            match self.next_to_initialize(dylib, purpose)? {
                Next::Done => return Ok(()),
                Next::Link(units) => {
                    self.materialize(&units)?;
                    let mut state = self.lock();
                    if let Some(of_dylib) = state.initializers.get_mut(&dylib.id()) {
                        of_dylib.units.retain(|key| !units.contains(key));
                    }
                }
                Next::Run(activity, images) => {
                    let mut work =
                        Initializing { session: self, dylib, activity, images: &images, done: false };
                    // SAFETY: the caller's promise; nobody else has these images to initialise.
                    activity.run(|| unsafe { run_initializers(&images, purpose) })?;
                    work.done = true;
                }
            }
        }
    }

    /// Waits until nobody else is at work on a dylib, and says what is to be done for it.
    fn next_to_initialize(&self, dylib: &Arc<Dylib>, purpose: Purpose) -> Result<Next> {
        let mut state = self.lock();
        loop {
            match state.initializers.get(&dylib.id()).and_then(|of_dylib| of_dylib.busy) {
                // An initialiser that initialises its own dylib goes on: the rest runs when it returns.
                Some(activity) if activity.is_own() => return Ok(Next::Done),
                Some(activity) => state = self.wait(state, &[activity])?,
                None => break,
            }
        }
        let Some(of_dylib) = state.initializers.get_mut(&dylib.id()) else { return Ok(Next::Done) };
        of_dylib.kept |= purpose != Purpose::Open;
        if !of_dylib.units.is_empty() {
            return Ok(Next::Link(of_dylib.units.clone()));
        }
        let is_new = of_dylib.since.is_none();
        let mut images: Vec<Arc<Image>> =
            std::mem::take(&mut of_dylib.images).iter().filter_map(Weak::upgrade).collect();
        if is_new {
            let number = state.next_opening();
            if let Some(of_dylib) = state.initializers.get_mut(&dylib.id()) {
                of_dylib.since = Some(number);
            }
        }
        if images.is_empty() {
            return Ok(Next::Done);
        }
        images.sort_by_key(|image| image.first_unit);
        let activity = state.activities.begin(format!("the initialisers of {}", dylib.name).into());
        if let Some(of_dylib) = state.initializers.get_mut(&dylib.id()) {
            of_dylib.busy = Some(activity);
        }
        Ok(Next::Run(activity, images))
    }
}

/// Initialisers are running.
struct Initializing<'a> {
    session: &'a ExecutionSession,
    dylib: &'a Arc<Dylib>,
    activity: Activity,
    images: &'a [Arc<Image>],
    done: bool,
}

impl Drop for Initializing<'_> {
    /// They have run, or one of them has thrown.
    fn drop(&mut self) {
        let mut state = self.session.lock();
        state.activities.end(self.activity);
        if let Some(of_dylib) = state.initializers.get_mut(&self.dylib.id()) {
            of_dylib.busy = None;
            if !self.done {
                self.images.iter().for_each(|image| image.spend());
                of_dylib.images.extend(self.images.iter().map(Arc::downgrade));
                if !of_dylib.living().iter().any(|image| image.is_initialized()) {
                    of_dylib.since = None;
                }
            }
        }
        self.session.notify();
    }
}

/// # Safety
/// The initialisers may run, and nobody uses images that were finalized.
unsafe fn run_initializers(images: &[Arc<Image>], purpose: Purpose) -> Result<()> {
    if purpose == Purpose::Open
        && let Some(image) = images.iter().find(|image| image.is_used_up())
    {
        let what =
            format!("image {} was finalized, and what its memory held at first was not kept", image.sequence);
        let help = "open the dylib (JitDylib::open) where it is initialised first, and close it";
        return Err(Error::invalid(what, Some(help)));
    }
    for image in images {
        // SAFETY: the caller's promise.
        unsafe {
            image.reset()?;
            if purpose == Purpose::Open {
                image.keep_initial();
            }
        }
    }
    let of_program = purpose == Purpose::Start { is_program: true };
    let members = images.iter().filter(|image| image.claim()).map(|image| image.member(of_program));
    let members: Vec<_> = members.collect();
    match purpose {
        // SAFETY: as above.
        Purpose::Start { .. } => unsafe { update::initialize(&members) },
        // SAFETY: as above.
        Purpose::Open => unsafe { update::try_initialize(&members) },
    }
}

/// A dylib and those of its link order, transitively; what is referred to comes before who refers to it, as far as they
/// do not refer to each other.
pub(super) fn dependencies_first(root: &Arc<Dylib>) -> Vec<Arc<Dylib>> {
    let mut seen = std::collections::HashSet::from([root.id()]);
    let mut out = Vec::new();
    let mut path = vec![(Arc::clone(root), 0)];
    while let Some((dylib, position)) = path.pop() {
        let order = dylib.order();
        match order.get(position) {
            Some((next, _)) => {
                path.push((dylib, position + 1));
                if seen.insert(next.id()) {
                    path.push((Arc::clone(next), 0));
                }
            }
            None => out.push(dylib),
        }
    }
    out
}
