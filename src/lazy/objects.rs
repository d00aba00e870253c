//! Objects whose functions are linked when they are first called.

use super::reexports::{LazyReexport, LazyReexports};
use crate::base::Result;
use crate::session::{JitDylib, JitSymbolFlags, ObjectBuffer, ResourceTracker, Visibility, object_symbols};
use std::collections::HashMap;
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
        self.add_tracked(dylib, object).map(drop)
    }

    /// As [`add`](Self::add): removing the tracker removes the object, though not its names in `dylib`.
    ///
    /// # Errors
    /// As for [`add`](Self::add).
    pub fn add_tracked(&self, dylib: &JitDylib, object: ObjectBuffer) -> Result<ResourceTracker> {
        let implementation = self.implementation(dylib)?;
        let symbols = object_symbols(&object)?;
        let tracker = implementation.create_tracker();
        tracker.add_object(object)?;
        let exported = symbols.iter().filter(|(_, flags)| flags.contains(JitSymbolFlags::EXPORTED));
        let (functions, data): (Vec<_>, Vec<_>) =
            exported.partition(|(_, flags)| flags.contains(JitSymbolFlags::CALLABLE));
        // Another definition of a weak name stands.
        let is_new = |name: &[u8], flags: JitSymbolFlags| !flags.is_weak() || !dylib.defines(name);
        let functions: Vec<LazyReexport<'_>> = functions
            .iter()
            .filter(|(name, flags)| is_new(name, *flags))
            .map(|(name, flags)| LazyReexport { name, target: name, flags: *flags })
            .collect();
        let defined = self.reexports.define(dylib, None, &implementation, &functions).and_then(|()| {
            data.iter()
                .filter(|(name, flags)| is_new(name, *flags))
                .try_for_each(|(name, flags)| dylib.reexport(&implementation, [(name, name)], *flags))
        });
        match defined {
            Ok(()) => Ok(tracker),
            Err(error) => {
                tracker.remove()?;
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
