//! What a link asks to be done in the executing process. The driver does not know how: the host supplies it.

use super::resolver::ThreadLocalSymbol;
use super::view::LinkView;
use crate::arch::ThreadTable;
use crate::base::{Action, ActionPair, AddrRange, Error, ExecutorAddr, Result};

/// A variable to be copied into the image before its initialisers run. No two of a link overlap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DataCopy {
    /// Where the image's copy is.
    pub to: ExecutorAddr,
    /// Where the shared library's variable is.
    pub from: ExecutorAddr,
    /// Bytes.
    pub size: u64,
}

/// An indirect function: its resolver's result goes to the slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IndirectSlot {
    /// Address of the pointer to be written.
    pub slot: ExecutorAddr,
    /// Address of the resolver.
    pub resolver: ExecutorAddr,
}

/// Thread-local variables of an image that is being linked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ThreadLocalRequest {
    /// Bytes, of initial contents and zeros.
    pub size: u64,
    /// A power of two.
    pub alignment: u64,
    /// Whether their offset from the thread pointer must be the same in every thread, since code relies on it.
    pub in_all_threads: bool,
}

/// Initial contents of an image's thread-local variables.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ThreadLocalTemplate {
    /// Initial bytes; the range may be empty.
    pub content: AddrRange,
    /// Of content and the zeros that follow.
    pub size: u64,
    /// A power of two.
    pub alignment: u64,
}

/// A place for an image's thread-local variables, given back when dropped.
pub trait ThreadLocalPlace {
    /// Where the first of them is, in the terms of all models of access.
    fn start(&self) -> ThreadLocalSymbol;

    /// Fills in the initial contents, and gives the place back at deallocation.
    fn fill(&self, template: ThreadLocalTemplate) -> ActionPair;

    /// The image is finalized: its actions give the place back.
    fn keep(self: Box<Self>);
}

/// Makes the allocation actions of an image.
pub trait ImageActions {
    /// Registers call frame records with the unwinder, and withdraws them. The range ends with a terminator.
    fn register_eh_frame(&self, records: AddrRange) -> Option<ActionPair>;

    /// Calls resolvers and writes their slots.
    fn resolve_indirect(&self, slots: &[IndirectSlot]) -> Action;

    /// Moves variables into the image, for the libraries that have them, too, and moves them back.
    fn copy_data(&self, copies: &[DataCopy]) -> ActionPair;

    /// Tells the process which code belongs to the image whose handle is `dso_handle`.
    fn register_image(&self, code: AddrRange, dso_handle: ExecutorAddr) -> Option<ActionPair>;

    /// Tells debuggers about the graph at position `graph`, which was made from an object with debug information, and takes
    /// that back.
    fn register_debug_info(&self, image: &LinkView<'_, '_>, graph: usize) -> Option<ActionPair> {
        let _ = (image, graph);
        None
    }

    /// Tells profilers about the image's code.
    fn register_code(&self, image: &LinkView<'_, '_>) -> Option<ActionPair> {
        let _ = image;
        None
    }

    /// Finds a place for thread-local variables.
    ///
    /// # Errors
    /// There is none.
    fn place_thread_locals(&self, request: ThreadLocalRequest) -> Result<Box<dyn ThreadLocalPlace>> {
        let _ = request;
        Err(Error::invalid("the executing process has no place for thread-local variables", None))
    }

    /// Where threads have tables of their blocks of thread-local variables, if code may look there itself.
    fn thread_table(&self) -> Option<ThreadTable> {
        None
    }

    /// What thread-local variables that nothing defines are: null, for the models that can express it.
    fn absent_thread_local(&self) -> ThreadLocalSymbol {
        ThreadLocalSymbol::default()
    }
}
