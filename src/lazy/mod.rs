//! Entries that lead elsewhere: redirectable symbols, and functions that are linked when they are first called.
//!
//! [`RedirectableSymbols`] defines names as entries, whose targets can be changed at any time while other threads call
//! through them. [`LazyReexports`] defines names as entries for functions of another dylib: the first call looks the
//! function up, which may compile and link it, leads the entry to it, and goes on there with all its arguments.
//! [`ReplaceableObjects`] adds objects of which a new version takes the place of the old while the program runs.
//! [`LazyObjects`] adds objects whose functions are linked on their first call.

mod block;
mod keep;
mod objects;
mod redirectable;
mod reexports;
mod replace;
mod speculate;

pub use objects::LazyObjects;
pub use redirectable::{RedirectStrategy, RedirectableSymbol, RedirectableSymbols};
pub use reexports::{LazyFailure, LazyReexport, LazyReexports};
pub use replace::{DataRule, ReplaceableObjects, Replaced};
pub use speculate::{LazyObserver, OrderSpeculator};
