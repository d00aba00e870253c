//! Who owns an image, and answers what its code asks for: the way up from here, by functions given from above.
//!
//! Linked code calls functions of the host without saying whose it is. Its return address tells: it lies in an image, and
//! that one's `__dso_handle` leads to the owner. A call that a compiler has made a jump may seem to come from elsewhere; it
//! is the only owner's, where there is but one, and nobody's otherwise.
//!
//! No lock is held while an owner does something.

use super::images;
use crate::base::{ExecutorAddr, Result};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard, Weak};

/// How something is opened: of the `RTLD_` flags those that matter here.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct OpenMode {
    /// Only if it is open already.
    pub if_open: bool,
    /// Its symbols are found by searches of everything.
    pub global: bool,
    /// It stays open whatever is closed.
    pub keep: bool,
}

/// Where a symbol is looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// In an open dylib, by its number, and in what it refers to.
    Dylib(u64),
    /// Everywhere: first in what the program began with, then in what was opened globally, then where the caller's own
    /// references are looked for.
    Everything,
    /// Where the caller's own references are looked for, but for its dylib.
    Next,
}

/// Who makes images, and has dylibs, callbacks and handlers for their code. Dylibs have numbers, which no two of this process
/// share; zero is none.
pub trait Owner: Send + Sync {
    /// Opens a dylib and returns its number. None if there is none of that name; no number if it is not open, and was to be opened
    /// only if it is.
    ///
    /// # Errors
    /// It cannot be linked, or an initialiser has thrown.
    fn open(self: Arc<Self>, name: &[u8], mode: OpenMode) -> Option<Result<Option<u64>>>;

    /// Undoes one [`open`](Self::open).
    ///
    /// # Errors
    /// It is not open.
    fn close(self: Arc<Self>, dylib: u64) -> Result<()>;

    /// Finds a symbol for code of the dylib `caller`, which has it materialized. A version is only meant for what has some:
    /// what this process exports.
    ///
    /// # Errors
    /// The dylib is not open, or the symbol cannot be linked.
    fn symbol(
        self: Arc<Self>,
        scope: Scope,
        caller: Option<u64>,
        name: &[u8],
        version: Option<&[u8]>,
    ) -> Result<Option<ExecutorAddr>>;

    /// The number of a callback, for [`callbacks`](super::callbacks).
    fn callback(&self, name: &[u8]) -> Option<u64>;

    /// Has the handler of a tag answer; none if there is no such handler.
    fn dispatch(&self, tag: u64, argument: &[u8]) -> Option<Result<Vec<u8>>>;
}

#[derive(Default)]
struct Owners {
    /// By the image's `__dso_handle`.
    by_image: HashMap<u64, (Weak<dyn Owner>, u64)>,
    /// By the number of a dylib that was opened.
    by_dylib: HashMap<u64, Weak<dyn Owner>>,
    all: Vec<Weak<dyn Owner>>,
}

static OWNERS: RwLock<Option<Owners>> = RwLock::new(None);

fn change<R>(act: impl FnOnce(&mut Owners) -> R) -> R {
    let mut owners: RwLockWriteGuard<'_, Option<Owners>> =
        OWNERS.write().unwrap_or_else(PoisonError::into_inner);
    act(owners.get_or_insert_default())
}

fn look<R>(act: impl FnOnce(&Owners) -> Option<R>) -> Option<R> {
    OWNERS.read().unwrap_or_else(PoisonError::into_inner).as_ref().and_then(act)
}

/// An image has an owner until this is dropped.
#[derive(Debug)]
pub struct OwnedImage(u64);

impl OwnedImage {
    /// The image with this `__dso_handle`, as part of the owner's dylib of this number.
    #[must_use]
    pub fn new(dso_handle: ExecutorAddr, owner: Weak<dyn Owner>, dylib: u64) -> Self {
        change(|owners| owners.by_image.insert(dso_handle.0, (owner, dylib)));
        Self(dso_handle.0)
    }
}

impl Drop for OwnedImage {
    fn drop(&mut self) {
        change(|owners| owners.by_image.remove(&self.0));
    }
}

/// Enters an owner; what has gone is forgotten.
pub fn add(owner: Weak<dyn Owner>) {
    change(|owners| {
        owners.all.retain(|owner| owner.strong_count() > 0);
        owners.by_dylib.retain(|_, owner| owner.strong_count() > 0);
        owners.all.push(owner);
    });
}

/// Notes whose a dylib is that code has got a handle of.
pub(super) fn note_open(dylib: u64, owner: &Arc<dyn Owner>) {
    change(|owners| owners.by_dylib.insert(dylib, Arc::downgrade(owner)));
}

/// Whose dylib that is.
pub(super) fn of_dylib(dylib: u64) -> Option<Arc<dyn Owner>> {
    look(|owners| owners.by_dylib.get(&dylib)?.upgrade())
}

/// The owner of the code that a call returns to, and the dylib that it is part of, if that is known.
pub(super) fn of_caller(return_address: usize) -> Option<(Arc<dyn Owner>, Option<u64>)> {
    let handle = images::dso_handle_of(ExecutorAddr(return_address as u64));
    let of_image = |handle: ExecutorAddr| {
        look(|owners| {
            owners.by_image.get(&handle.0).and_then(|(owner, dylib)| Some((owner.upgrade()?, *dylib)))
        })
    };
    if let Some((owner, dylib)) = handle.and_then(of_image) {
        return Some((owner, Some(dylib)));
    }
    let only = look(|owners| {
        let mut living = owners.all.iter().filter(|owner| owner.strong_count() > 0);
        let only = living.next()?;
        if living.next().is_some() { None } else { only.upgrade() }
    });
    Some((only?, None))
}
