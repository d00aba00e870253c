//! Words every other module shares: addresses in the executing process, errors and allocation actions.

mod action;
mod addr;
mod error;

pub use action::{Action, ActionPair, ActionStatus};
pub use addr::{AddrRange, ExecutorAddr};
pub use error::{
    Duplicate, Error, Located, OutOfRange, Place, Result, Undefined, UndefinedReference, Warning,
};
