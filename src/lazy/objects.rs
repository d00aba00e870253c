//! Objects whose functions are linked when they are first called.

use super::reexports::{LazyReexport, LazyReexports};
use crate::base::Result;
use crate::session::{JitDylib, JitSymbolFlags, ObjectBuffer, ReadObject, ResourceTracker, Visibility};
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

/// Adds objects to dylibs whose functions are entries that link the object when they are first called. References to data
/// have the object linked.
///
/// The objects lie in a dylib of their own beside each dylib that they are added to, `NAME.impl`. What they refer to is
/// looked for in that dylib first, so that calls between lazy objects are lazy, too. (A function whose address is taken in
/// the object that defines it has two addresses: there its own, elsewhere the entry's.)
#[derive(Debug, Default)]
pub struct LazyObjects {
    reexports: LazyReexports,
    implementations: Mutex<HashMap<String, JitDylib>>,
}

impl LazyObjects {
    /// With entries as these.
    #[must_use]
    pub fn new(reexports: LazyReexports) -> Self {
        Self { reexports, implementations: Mutex::default() }
    }

    /// The entries.
    #[must_use]
    pub fn reexports(&self) -> &LazyReexports {
        &self.reexports
    }

    /// Adds an object to `dylib`.
    ///
    /// # Errors
    /// It is malformed, or what it defines has been defined before.
    pub fn add(&self, dylib: &JitDylib, object: ObjectBuffer) -> Result<()> {
        self.add_all(dylib, vec![object]).map(drop)
    }

    /// Adds objects to `dylib`, which is faster than one by one. Removing a tracker removes its object, though not its names
    /// in `dylib`.
    ///
    /// # Errors
    /// As for [`add`](Self::add); then none is added.
    pub fn add_all(&self, dylib: &JitDylib, objects: Vec<ObjectBuffer>) -> Result<Vec<ResourceTracker>> {
        let implementation = self.implementation(dylib)?;
        let objects = objects.into_iter().map(ReadObject::new).collect::<Result<Vec<_>>>()?;
        let entries = Entries::of(dylib, &objects);
        let mut trackers = Vec::with_capacity(objects.len());
        let mut added = objects.into_iter().try_for_each(|object| {
            let tracker = implementation.create_tracker();
            let added = tracker.add_read(object);
            trackers.push(tracker);
            added
        });
        if added.is_ok() {
            let lazy: Vec<_> = entries
                .functions
                .iter()
                .map(|(name, flags)| LazyReexport { name, target: name, flags: *flags })
                .collect();
            added = self.reexports.define(dylib, None, &implementation, &lazy);
        }
        let mut data = entries.data.iter();
        added = added.and_then(|()| {
            data.try_for_each(|(name, flags)| dylib.reexport(&implementation, [(name, name)], *flags))
        });
        match added {
            Ok(()) => Ok(trackers),
            Err(error) => {
                trackers.into_iter().try_for_each(|tracker| tracker.remove().map(drop))?;
                Err(error)
            }
        }
    }

    /// The dylib that has the objects of `dylib`.
    ///
    /// # Errors
    /// There is another dylib of its name.
    pub fn implementation(&self, dylib: &JitDylib) -> Result<JitDylib> {
        let mut implementations = self.implementations.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = implementations.get(dylib.name()) {
            return Ok(known.clone());
        }
        let made = dylib.session().create_dylib(format!("{}.impl", dylib.name()))?;
        let rest = dylib.link_order();
        let own = [(dylib, Visibility::All), (&made, Visibility::All)];
        let rest = rest.iter().filter(|(other, _)| other != dylib).map(|(other, v)| (other, *v));
        made.set_whole_order(&own.into_iter().chain(rest).collect::<Vec<_>>());
        implementations.insert(dylib.name().to_owned(), made.clone());
        Ok(made)
    }
}

type Symbols = Vec<(Vec<u8>, JitSymbolFlags)>;

/// What becomes of the names that objects export.
struct Entries {
    functions: Symbols,
    data: Symbols,
}

impl Entries {
    /// Of a weak name another definition stands, should there be one.
    fn of(dylib: &JitDylib, objects: &[ReadObject]) -> Self {
        let mut seen = HashSet::new();
        let mut entries = Self { functions: Vec::new(), data: Vec::new() };
        for (name, flags) in objects.iter().flat_map(ReadObject::symbols) {
            let hidden = !flags.contains(JitSymbolFlags::EXPORTED);
            if hidden || flags.is_weak() && (dylib.defines(name) || !seen.insert(name)) {
                continue;
            }
            let callable = flags.contains(JitSymbolFlags::CALLABLE);
            let list = if callable { &mut entries.functions } else { &mut entries.data };
            list.push((name.to_vec(), flags));
        }
        entries
    }
}
