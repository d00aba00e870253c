//! This process as the place where linked code runs: its symbols, its unwinder, its C library.

mod actions;
mod interfaces;
mod libraries;
mod linker;
mod program;
mod spelling;
mod symbolize;
mod symbols;

pub use crate::runtime::thread_locals::pool::enter_thread;
pub(crate) use crate::runtime::thread_locals::variable as thread_variable;
pub use actions::HostActions;
pub use interfaces::InterfaceSymbols;
pub(crate) use libraries::open_for;
pub use linker::HostLinker;
pub(crate) use program::plan_of;
pub use program::{call_main, exit, run_main};
pub use symbolize::symbolize;
pub use symbols::ProcessSymbols;
pub(crate) use symbols::{describe_near as describe, meant_by_darwin, thread_locals_among};
