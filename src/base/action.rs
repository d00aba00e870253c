//! Allocation actions: calls to be made in the executing process when memory is finalized or deallocated.

use super::ExecutorAddr;
use smallvec::SmallVec;

/// What an action's function returns: zero for success, otherwise a code that the function's documentation explains.
pub type ActionStatus = u32;

/// One call in the executing process.
///
/// `call` is the address of an `unsafe extern "C" fn(bytes: *const u8, size: usize) -> ActionStatus` there; `bytes` is
/// its whole argument, so that an action can be sent to another process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// Address of the function.
    pub call: ExecutorAddr,
    /// Argument bytes.
    pub bytes: SmallVec<[u8; 16]>,
}

/// A call made when an allocation is finalized, and the call that undoes it when the allocation goes.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ActionPair {
    /// Run once contents, fixups and permissions are final.
    pub finalize: Option<Action>,
    /// Run at deallocation, in reverse order of finalization; registered only if `finalize` succeeded.
    pub deallocate: Option<Action>,
}
