//! What a link asks to be done in the executing process. The driver does not know how: the host supplies it.

use crate::base::{Action, ActionPair, AddrRange, ExecutorAddr};

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
}
