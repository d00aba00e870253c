//! Plugins: the user's code that sees every link of a session, and what becomes of it.

use super::dylib::JitDylib;
use crate::base::{AddrRange, Error, Result};
use crate::link;
use std::sync::Arc;

/// What is linked together.
#[derive(Debug)]
pub struct LinkInfo<'a> {
    /// The dylib of the first unit.
    pub dylib: &'a JitDylib,
    /// What messages call the units.
    pub units: &'a [Arc<str>],
}

/// What was linked together.
#[derive(Debug)]
pub struct EmittedInfo<'a> {
    /// What is linked together.
    pub link: &'a LinkInfo<'a>,
    /// The memory that it takes.
    pub segments: &'a [AddrRange],
}

/// Stands for a tracker in [`SessionPlugin`]'s functions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ResourceKey(pub(super) super::slab::Key);

/// The user's code that sees every link of a session, and what becomes of it.
///
/// Called on whatever thread does the work; no lock is held. A panic is taken for an error.
pub trait SessionPlugin: Send + Sync {
    /// What sees the graphs of this link between its phases.
    ///
    /// # Errors
    /// Whatever makes the link fail.
    fn link_plugin(&self, info: &LinkInfo<'_>) -> Result<Option<Box<dyn link::Plugin>>> {
        let _ = info;
        Ok(None)
    }

    /// The link is done and its memory final, before anybody gets an address in it.
    ///
    /// # Errors
    /// Whatever makes the link fail: it is undone then.
    fn emitted(&self, info: &EmittedInfo<'_>) -> Result<()> {
        let _ = info;
        Ok(())
    }

    /// The link has failed. If units fail together because one of them does, the others are linked again without it.
    fn failed(&self, info: &LinkInfo<'_>, error: &Error) {
        let _ = (info, error);
    }

    /// What belongs to a tracker is about to be removed.
    fn removing(&self, dylib: &JitDylib, key: ResourceKey) {
        let _ = (dylib, key);
    }

    /// What belongs to `source` now belongs to `target`.
    fn transferred(&self, dylib: &JitDylib, target: ResourceKey, source: ResourceKey) {
        let _ = (dylib, target, source);
    }
}
