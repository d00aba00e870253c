//! What memory a section's blocks go to.

use bitflags::bitflags;

bitflags! {
    /// What the executing process may do with a page, once it is finalized.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub struct Permissions: u8 {
        /// Reading.
        const READ = 1;
        /// Writing.
        const WRITE = 2;
        /// Executing.
        const EXECUTE = 4;
    }
}

/// How long a section's memory lives.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Lifetime {
    /// Until the allocation is deallocated.
    #[default]
    Standard,
    /// Until finalization is over: memory that only allocation actions read.
    Finalize,
    /// Never in the executing process: debug info and the like, for plugins and debuggers.
    NoAlloc,
}
