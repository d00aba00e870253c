//! Sessions: dylibs whose definitions are linked when somebody wants them, looked up, replaced and removed, from any
//! number of threads, for as long as the process lives.
//!
//! An [`ExecutionSession`] holds [`JitDylib`]s. A dylib takes definitions of five sorts: objects, absolute symbols, aliases
//! and re-exports, [`MaterializationUnit`]s (the user's code that makes objects on demand) and [`DefinitionGenerator`]s,
//! which are asked for what is not defined. Nothing is linked before it is wanted. A lookup then has all that is needed
//! linked, in few batches, and returns addresses that can be used. [`ResourceTracker`]s remove what was added.
//! [`Jit`] is the short way.
//!
//! Readiness is tracked by unit (what was added as a whole), not by symbol. DESIGN.md, "Sessions", tells more.
//!
//! # The end
//!
//! Dropping the last handle to a session, a tracker's `remove` and `remove_dylib` run finalisers and free code; so nobody
//! may be in it then, or come back to it. Who uses the library sees to that before: threads that linked code has started
//! are joined (detached ones cannot be), signal handlers in linked code are replaced and timers that lead to them
//! stopped, thread pools have no work of linked code, and threads that have its thread-locals with destructors have ended.
//! Where that cannot be had, keep the session ([`std::mem::forget`] of a handle is enough) and end the process: by `exit`,
//! from `main` or from linked code, finalisers run and nothing is freed, whatever other threads do. That is how the
//! command ends.
//!
//! An exception that leaves an initialiser or finaliser ends the process through `std::terminate`, as in a program.

mod activity;
mod adopt;
mod buffer;
mod callbacks;
mod compile;
mod condense;
mod dump;
mod dylib;
mod facts;
mod flags;
mod generator;
pub mod generators;
mod image;
mod initialize;
mod jit;
mod libraries;
mod linking;
mod lookup;
mod materialize;
mod names;
mod opening;
mod plugin;
mod resolver;
#[expect(clippy::module_inception, reason = "the session is what this is about")]
mod session;
mod slab;
mod state;
mod symbolize;
mod table;
mod thread_locals;
mod tracker;
mod typed;
mod unit;
mod visible;

pub use buffer::ObjectBuffer;
pub(crate) use dylib::WeakDylib;
pub use dylib::{JitDylib, Visibility};
pub(crate) use facts::ReadObject;
pub use facts::object_symbols;
pub use flags::{ExecutorSymbol, JitSymbolFlags};
pub use generator::{DefinitionGenerator, WantedName};
pub(crate) use image::{Image, ImageCaller, ImageId};
pub use jit::Jit;
pub use lookup::{LookupKind, LookupName};
pub use materialize::{MaterializationRequest, MaterializationUnit, Materialized};
pub use opening::DylibHandle;
pub use plugin::{EmittedInfo, LinkInfo, ResourceKey, SessionPlugin};
pub use session::{ExecutionSession, SessionOptions};
pub use tracker::{Removed, ResourceTracker};
pub use typed::{HeldSymbol, TypedSymbol};
