//! Trackers: what is removed together.

use super::buffer::ObjectBuffer;
use super::dylib::{Dylib, JitDylib, Visibility};
use super::facts::ReadObject;
use super::flags::{ExecutorSymbol, JitSymbolFlags};
use super::image::Image;
use super::lookup::{Guard, guarded};
use super::materialize::MaterializationUnit;
use super::plugin::ResourceKey;
use super::session::ExecutionSession;
use super::slab::Key;
use super::state::Tracker;
use super::unit::Existing;
use crate::base::{Error, Result};
use std::sync::{Arc, Weak};

/// Definitions of a dylib that can be removed together. What is left when it is dropped stays in the dylib.
///
/// Removal takes the names back at once: they are undefined from then on and can be defined anew. Memory is freed once
/// nothing needs it any more: not before everything that was linked against it has been removed, too, and every
/// [held symbol](super::HeldSymbol) has been dropped.
#[derive(Debug)]
pub struct ResourceTracker {
    dylib: JitDylib,
    key: Key,
}

/// What a removal has come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Removed {
    /// How many images were freed.
    pub freed: usize,
    /// How many are still in use by what was linked against them, and will be freed with that.
    pub in_use: usize,
}

impl ResourceTracker {
    pub(super) fn new(dylib: &JitDylib) -> Self {
        let key = dylib.session.lock().trackers.insert(Tracker::default());
        Self { dylib: dylib.clone(), key }
    }

    /// The dylib whose definitions it tracks.
    #[must_use]
    pub fn dylib(&self) -> &JitDylib {
        &self.dylib
    }

    /// What it is called in [`SessionPlugin`](super::SessionPlugin)'s functions.
    #[must_use]
    pub fn key(&self) -> ResourceKey {
        ResourceKey(self.key)
    }

    /// As [`JitDylib::add_object`].
    ///
    /// # Errors
    /// As there.
    pub fn add_object(&self, object: ObjectBuffer) -> Result<()> {
        self.dylib.add_objects_to(self.key, vec![object])
    }

    /// As [`add_object`](Self::add_object), for one whose names have been read.
    pub(crate) fn add_read(&self, object: ReadObject) -> Result<()> {
        let unit = object.into_unit();
        self.dylib.session.lock().define(&self.dylib.inner, self.key, unit).map(drop)
    }

    /// As [`JitDylib::add_objects`].
    ///
    /// # Errors
    /// As there.
    pub fn add_objects(&self, objects: Vec<ObjectBuffer>) -> Result<()> {
        self.dylib.add_objects_to(self.key, objects)
    }

    /// As [`JitDylib::define_absolute`].
    ///
    /// # Errors
    /// As there.
    pub fn define_absolute<N: AsRef<[u8]>>(
        &self,
        symbols: impl IntoIterator<Item = (N, ExecutorSymbol)>,
    ) -> Result<()> {
        self.dylib.define_absolute_in(self.key, symbols, Existing::Refuse)
    }

    /// Defines a name as that of another dylib.
    pub(crate) fn reexport(&self, source: &JitDylib, name: &[u8], flags: JitSymbolFlags) -> Result<()> {
        let order = [(Arc::clone(&source.inner), Visibility::All)].into();
        self.dylib.define_aliases_in(self.key, Some(order), &[(name, name)], flags, Existing::Refuse)
    }

    /// As [`JitDylib::define`].
    ///
    /// # Errors
    /// As there.
    pub fn define(&self, unit: impl MaterializationUnit + 'static) -> Result<()> {
        self.dylib.define_in(self.key, Box::new(unit))
    }

    /// Removes everything: names first, then exit handlers and finalisers run and memory is freed, last linked first.
    /// What is being made at the moment is dropped when it is done, and who waits for it learns that it is gone.
    ///
    /// # Errors
    /// The tracker's dylib has been removed before.
    pub fn remove(self) -> Result<Removed> {
        let (dylib, key) = (self.dylib.clone(), self.key);
        // The key finds nothing any more, so that dropping this has nothing to do.
        dylib.session.remove_tracker(&dylib, key)
    }

    /// Gives everything to another tracker of the same dylib.
    ///
    /// # Errors
    /// The other tracker is another dylib's.
    pub fn transfer_to(self, target: &ResourceTracker) -> Result<()> {
        if target.dylib != self.dylib {
            let what =
                format!("a tracker of {} cannot give to one of {}", self.dylib.name(), target.dylib.name());
            return Err(Error::invalid(what, None));
        }
        self.dylib.session.transfer(&self.dylib, target.key, self.key);
        Ok(())
    }
}

impl Drop for ResourceTracker {
    fn drop(&mut self) {
        self.dylib.session.transfer(&self.dylib, self.dylib.inner.default_tracker, self.key);
    }
}

impl ExecutionSession {
    fn transfer(&self, dylib: &JitDylib, target: Key, source: Key) {
        let mut state = self.lock();
        let Some(tracker) = state.trackers.remove(source) else { return };
        if tracker.units.is_empty() {
            return;
        }
        for key in &tracker.units {
            if let Some(unit) = state.units.get_mut(*key) {
                unit.tracker = target;
            }
        }
        if let Some(target) = state.trackers.get_mut(target) {
            target.units.extend(tracker.units);
        }
        drop(state);
        for plugin in self.plugins().iter() {
            let _ = guarded(|| {
                plugin.transferred(dylib, ResourceKey(target), ResourceKey(source));
                Ok(())
            });
        }
    }

    pub(super) fn remove_tracker(&self, dylib: &JitDylib, key: Key) -> Result<Removed> {
        if self.lock().trackers.get(key).is_none() {
            let what = format!("the tracker belongs to {}, which was removed", dylib.name());
            return Err(Error::invalid(what, None));
        }
        for plugin in self.plugins().iter() {
            let _ = guarded(|| {
                plugin.removing(dylib, ResourceKey(key));
                Ok(())
            });
        }
        let mut state = self.lock();
        let tracker = state.trackers.remove(key).unwrap_or_default();
        let images = take_units(&mut state, &dylib.inner, &tracker.units);
        self.notify();
        drop(state);
        Ok(free(images))
    }
}

/// Removes units with their names; what they leave is memory.
fn take_units(state: &mut Guard<'_>, dylib: &Arc<Dylib>, units: &[Key]) -> Vec<Arc<Image>> {
    let mut images = Vec::new();
    for key in units {
        images.extend(state.remove_unit(*key).and_then(|unit| unit.image));
    }
    if let Some(initializers) = state.initializers.get_mut(&dylib.id()) {
        initializers.units.retain(|key| !units.contains(key) || units.len() > FEW);
        initializers.images.retain(|image| image.strong_count() > 0);
    }
    images
}

/// Keys to removed units find nothing; few enough are taken out all the same.
const FEW: usize = 16;

/// Lets go of images, last linked first.
fn free(mut images: Vec<Arc<Image>>) -> Removed {
    images.sort_unstable_by_key(|image| std::cmp::Reverse(image.sequence));
    images.dedup_by_key(|image| image.sequence);
    let watch: Vec<Weak<Image>> = images.iter().map(Arc::downgrade).collect();
    images.into_iter().for_each(drop);
    let in_use = watch.iter().filter(|image| image.strong_count() > 0).count();
    Removed { freed: watch.len() - in_use, in_use }
}
