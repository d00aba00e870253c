//! Shared libraries that a dylib is linked with, and that use what the dylib defines.
//!
//! # Safety
//! A library is bound to definitions whose images are kept until the process ends.
#![allow(unsafe_code)]

use super::dylib::{JitDylib, Order, Visibility};
use super::generators::LibraryGenerator;
use super::lookup::{LookupKind, LookupName};
use crate::base::{Error, ExecutorAddr, Result};
use crate::host::open_for;
use crate::sys::dl::OpenFlags;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

impl JitDylib {
    /// Loads a shared library into this process, where it stays; what is added to the dylib finds what the library exports. Names
    /// that the library misses may be defined here: then these are linked now, and stay until the process ends. An initialiser of
    /// the library that calls one of them ends the process with a message, since they are linked after it is loaded.
    ///
    /// # Errors
    /// What the dynamic loader says, or what keeps a definition that the library needs from being linked.
    pub fn add_library(&self, path: impl AsRef<Path>) -> Result<()> {
        let mut promises = Vec::new();
        let will_define = |name: &[u8]| self.is_exported(name);
        let library = open_for(path.as_ref(), OpenFlags::KEEP, &will_define, &mut promises)?;
        self.add_generator(LibraryGenerator::of(library));
        for promised in &promises {
            let addresses = self.kept(promised.names())?;
            // SAFETY: definitions of these names, whose images stay.
            unsafe { promised.keep(&|name| addresses.get(name).copied()) }?;
        }
        // The library refers to their entries.
        std::mem::forget(promises);
        Ok(())
    }

    /// The addresses of names of its own, whose images stay from now on.
    fn kept(&self, names: &[Vec<u8>]) -> Result<HashMap<Vec<u8>, ExecutorAddr>> {
        let order: Order = [(Arc::clone(&self.inner), Visibility::Exported)].into();
        let wanted: Vec<_> = names.iter().map(LookupName::from).collect();
        let found = self.session.find(&order, &wanted, LookupKind::Static)?;
        let state = self.session.lock();
        let mut addresses = HashMap::new();
        for (name, found) in names.iter().zip(found) {
            let Some(found) = found else { continue };
            match state.units.get(found.unit) {
                Some(unit) => std::mem::forget(unit.image.clone()),
                None => {
                    return Err(Error::invalid("what a shared library needs was removed meanwhile", None));
                }
            }
            addresses.insert(name.clone(), found.symbol.address);
        }
        Ok(addresses)
    }
}
