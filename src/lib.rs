//! Links relocatable objects straight into memory.
pub mod alloc;
pub mod arch;
pub mod base;
mod formats;
pub mod graph;
pub mod host;
pub mod inputs;
pub mod link;
pub mod passes;
pub mod runtime;
mod sys;
