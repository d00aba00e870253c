//! Symbols with a type.
//!
//! # Safety
//! An address becomes a pointer of the type that the caller vouches for, and the memory behind it stays as long as the
//! symbol does.
#![allow(unsafe_code)]

use super::dylib::{JitDylib, Order, Visibility};
use super::image::Image;
use super::lookup::{Found, LookupKind, LookupName};
use super::names::display;
use super::tracker::ResourceTracker;
use crate::base::{Error, ExecutorAddr, Result};
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

/// A symbol of type `T` (a function pointer, or a pointer), valid as long as what it borrows.
#[derive(Clone, Copy)]
pub struct TypedSymbol<'a, T> {
    address: usize,
    lifetime: PhantomData<(&'a (), T)>,
}

/// A symbol of type `T` that keeps the memory it is in alive, and all that this refers to, even after it is removed.
#[derive(Clone)]
pub struct HeldSymbol<T> {
    address: usize,
    image: Option<Arc<Image>>,
    of_type: PhantomData<T>,
}

macro_rules! symbol {
    ($symbol:ty, $($generics:tt)*) => {
        impl<$($generics)*> Deref for $symbol {
            type Target = T;

            fn deref(&self) -> &T {
                // SAFETY: `T` has the size of an address, as whoever made the symbol has checked, and the caller of
                // that function vouches for what the address is.
                unsafe { &*(&raw const self.address).cast::<T>() }
            }
        }

        impl<$($generics)*> std::fmt::Debug for $symbol {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_tuple("Symbol").field(&ExecutorAddr(self.address as u64)).finish()
            }
        }

        impl<$($generics)*> $symbol {
            /// The address.
            #[must_use]
            pub fn address(&self) -> ExecutorAddr {
                ExecutorAddr(self.address as u64)
            }
        }
    };
}

symbol!(TypedSymbol<'_, T>, T);
symbol!(HeldSymbol<T>, T);

impl<T> HeldSymbol<T> {
    /// Whether removal of what defines it would free its memory at once, were it not held: it lies in linked memory.
    #[must_use]
    pub fn is_in_linked_memory(&self) -> bool {
        self.image.is_some()
    }
}

/// `T` is to be made of an address.
fn check_type<T>() {
    const {
        assert!(size_of::<T>() == size_of::<usize>(), "a symbol's type is a pointer or a function pointer");
    }
}

impl JitDylib {
    /// Looks up a function or variable as a `T`, and keeps its memory alive. Runs no initialisers: see
    /// [`initialize`](Self::initialize). Of a thread-local variable, it is the calling thread's, which goes with the thread.
    ///
    /// # Errors
    /// As for [`lookup`](Self::lookup).
    ///
    /// # Safety
    /// `T` is the type of the function, or of a pointer to the variable.
    pub unsafe fn get<T: Copy>(&self, name: impl AsRef<[u8]>) -> Result<HeldSymbol<T>> {
        check_type::<T>();
        let (found, image) = self.find_with_image(&self.inner.order(), name.as_ref())?;
        Ok(HeldSymbol { address: found.symbol.address.0 as usize, image, of_type: PhantomData })
    }

    /// Looks up one of its own symbols, with the memory it is in.
    pub(crate) fn find_own(&self, name: &[u8]) -> Result<(Found, Option<Arc<Image>>)> {
        self.find_with_image(&[(Arc::clone(&self.inner), Visibility::All)].into(), name)
    }

    /// The memory of something that is linked here.
    pub(crate) fn any_image(&self) -> Option<Arc<Image>> {
        let state = self.session.lock();
        let mut units = state.units.values().filter(|unit| Arc::ptr_eq(&unit.dylib, &self.inner));
        units.find_map(|unit| unit.image.clone())
    }

    fn find_with_image(&self, order: &Order, name: &[u8]) -> Result<(Found, Option<Arc<Image>>)> {
        loop {
            let names = [LookupName { name, weak: false }];
            let found = self.session.find(order, &names, LookupKind::Static)?;
            let symbol = self.session.single(found.clone(), name)?;
            let Some(Some(found)) = found.first().copied() else { continue };
            let found = Found { symbol, ..found };
            let state = self.session.lock();
            // Removed meanwhile: what is there now, or that nothing is, takes another look.
            if let Some(unit) = state.units.get(found.unit) {
                return Ok((found, unit.image.clone()));
            }
        }
    }
}

impl ResourceTracker {
    /// Looks up a function or variable of this tracker as a `T`, which cannot outlive the tracker.
    ///
    /// # Errors
    /// As for [`JitDylib::lookup`], or it is none of this tracker's.
    ///
    /// # Safety
    /// `T` is the type of the function, or of a pointer to the variable.
    pub unsafe fn get<T: Copy>(&self, name: impl AsRef<[u8]>) -> Result<TypedSymbol<'_, T>> {
        check_type::<T>();
        let name = name.as_ref();
        let (found, _) = self.dylib().find_own(name)?;
        let session = self.dylib().session();
        let owner = session.lock().units.get(found.unit).map(|unit| unit.tracker);
        if owner != Some(self.key().0) {
            let what = format!("{} is defined, but does not belong to this tracker", display(name));
            return Err(Error::invalid(what, Some("use JitDylib::get, which keeps its memory alive")));
        }
        Ok(TypedSymbol { address: found.symbol.address.0 as usize, lifetime: PhantomData })
    }
}
