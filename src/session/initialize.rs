//! Initialisers and finalisers of dylibs.
//!
//! # Safety
//! Initialisers are linked code; who asks for them to run vouches for them.
#![allow(unsafe_code)]

use super::dylib::{Dylib, JitDylib};
use super::image::Image;
use super::session::ExecutionSession;
use super::slab::Key;
use crate::base::Result;
use std::sync::{Arc, Weak};

impl JitDylib {
    /// Links what has initialisers in this dylib and in those of its link order, and runs those that have not run, on
    /// the calling thread: dylibs that others refer to first, and within a dylib in the order of linking.
    ///
    /// Lookups never do that; [`Jit`](super::Jit) does it before it hands out an address.
    ///
    /// # Errors
    /// Something with initialisers cannot be linked.
    ///
    /// # Safety
    /// The initialisers do nothing undefined in this process.
    pub unsafe fn initialize(&self) -> Result<()> {
        for dylib in dependencies_first(&self.inner) {
            // SAFETY: the caller's promise.
            unsafe { self.session.initialize_one(&dylib) }?;
        }
        Ok(())
    }

    /// Runs exit handlers and finalisers of this dylib's code, last linked first. They do not run again; what is linked
    /// later can be initialised as before.
    pub fn deinitialize(&self) {
        let state = self.session.lock();
        let units = state.units.values().filter(|unit| Arc::ptr_eq(&unit.dylib, &self.inner));
        let mut images: Vec<Arc<Image>> = units.filter_map(|unit| unit.image.clone()).collect();
        drop(state);
        images.sort_unstable_by_key(|image| std::cmp::Reverse(image.sequence));
        images.dedup_by_key(|image| image.sequence);
        images.iter().for_each(|image| image.finalize());
    }
}

impl ExecutionSession {
    /// # Safety
    /// The initialisers may run.
    unsafe fn initialize_one(&self, dylib: &Arc<Dylib>) -> Result<()> {
        loop {
            let (units, images) = {
                let mut state = self.lock();
                loop {
                    let busy = state.initializers.get(&dylib.id()).and_then(|of_dylib| of_dylib.busy);
                    match busy {
                        // An initialiser that initialises its own dylib goes on: the rest runs when it returns.
                        Some(activity) if activity.is_own() => return Ok(()),
                        Some(activity) => state = self.wait(state, &[activity])?,
                        None => break,
                    }
                }
                let Some(of_dylib) = state.initializers.get_mut(&dylib.id()) else { return Ok(()) };
                if of_dylib.units.is_empty() && of_dylib.images.is_empty() {
                    return Ok(());
                }
                let units: Vec<Key> = of_dylib.units.clone();
                let images = if units.is_empty() { std::mem::take(&mut of_dylib.images) } else { Vec::new() };
                if !images.is_empty() {
                    let activity =
                        state.activities.begin(format!("the initialisers of {}", dylib.name).into());
                    if let Some(of_dylib) = state.initializers.get_mut(&dylib.id()) {
                        of_dylib.busy = Some(activity);
                    }
                }
                (units, images)
            };
            if !units.is_empty() {
                self.materialize(&units)?;
                let mut state = self.lock();
                if let Some(of_dylib) = state.initializers.get_mut(&dylib.id()) {
                    of_dylib.units.retain(|key| !units.contains(key));
                }
                continue;
            }
            // SAFETY: the caller's promise.
            unsafe { self.run_initializers(dylib, &images) }?;
        }
    }

    /// # Safety
    /// The initialisers may run.
    unsafe fn run_initializers(&self, dylib: &Arc<Dylib>, images: &[Weak<Image>]) -> Result<()> {
        let busy = self.lock().initializers.get(&dylib.id()).and_then(|of_dylib| of_dylib.busy);
        let run = || {
            images.iter().filter_map(Weak::upgrade).try_for_each(|image| {
                // SAFETY: the caller's promise.
                unsafe { image.initialize() }
            })
        };
        let outcome = busy.map_or(Ok(()), |activity| activity.run(run));
        let mut state = self.lock();
        if let Some(activity) = busy {
            state.activities.end(activity);
        }
        if let Some(of_dylib) = state.initializers.get_mut(&dylib.id()) {
            of_dylib.busy = None;
        }
        self.notify();
        outcome
    }
}

/// A dylib and those of its link order, transitively; what is referred to comes before who refers to it, as far as they
/// do not refer to each other.
fn dependencies_first(root: &Arc<Dylib>) -> Vec<Arc<Dylib>> {
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
