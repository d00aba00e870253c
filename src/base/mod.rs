//! Words every other module shares: addresses in the executing process, errors, allocation actions, and
//! threads to work with.

mod action;
mod addr;
mod error;
mod workers;

pub use action::{Action, ActionPair, ActionStatus};
pub use addr::{AddrRange, ExecutorAddr};
pub use error::{
    Duplicate, Error, FailedToMaterialize, Located, NotFound, OutOfRange, Place, Result, Undefined,
    UndefinedReference, Warning,
};
pub use workers::Workers;
