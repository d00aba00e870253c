//! The link driver: a batch of objects to one image in memory.
//!
//! [`Batch`] takes objects and resolves their names; [`link`] runs the phases, which `driver.rs` lists in order with
//! what holds after each.

mod actions;
mod addresses;
mod apply;
mod batch;
mod bounded;
mod driver;
mod entries;
mod externals;
mod finishing;
mod frames;
mod globals;
mod groups;
mod harness;
mod image;
mod initializers;
mod islands;
mod layout;
mod linked;
mod linked_symbols;
mod linker_symbols;
mod liveness;
mod mark;
mod memory;
mod merging;
mod naming;
mod placing;
mod plugin;
mod prepared;
mod resolver;
mod stats;
mod tables;
mod thread_locals;
mod unwind_info;
mod view;

pub use actions::{
    DataCopy, ImageActions, IndirectSlot, ThreadLocalPlace, ThreadLocalRequest, ThreadLocalTemplate,
};
pub use batch::Batch;
pub use driver::{LinkContext, LinkOptions, link};
pub use externals::UndefinedPolicy;
pub(crate) use externals::is_similar;
pub(crate) use globals::NameHasher;
pub use initializers::{InitFunctions, InitStep, StepFunctions};
pub use linked::{Linked, WritableMemory};
pub(crate) use linked_symbols::{Definition, LinkedSymbols};
pub use plugin::Plugin;
pub(crate) use prepared::Prepared;
pub use resolver::{NoSymbols, ResolvedSymbol, Resolver, SymbolQuery, ThreadLocalQuery, ThreadLocalSymbol};
pub use stats::LinkStats;
pub(crate) use thread_locals::ThreadHome;
pub use view::LinkView;
