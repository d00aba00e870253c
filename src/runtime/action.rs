//! Making allocation actions, and reading their arguments in the executing process.
//!
//! Arguments are a run of 64-bit little-endian words.
//!
//! # Safety
//!
//! An action's bytes are read through the pointer and size that its function was called with; whoever runs an action
//! passes the bytes that were made with it.
#![allow(unsafe_code)]

use crate::base::{Action, ActionStatus, ExecutorAddr};
use smallvec::SmallVec;

/// What [`Action::call`] is the address of: a function that gets the action's bytes and their number.
pub type ActionFn = unsafe extern "C" fn(bytes: *const u8, size: usize) -> ActionStatus;

/// The codes that the actions of this module return.
pub mod status {
    use crate::base::ActionStatus;

    /// Done.
    pub const OK: ActionStatus = 0;
    /// The argument bytes are not what the function expects.
    pub const BAD_ARGUMENTS: ActionStatus = 1;
    /// No unwinder that takes registrations is in this process: neither libgcc's nor LLVM's.
    pub const NO_UNWINDER: ActionStatus = 2;
    /// The unwind records run past their range, or lack the terminator at its end.
    pub const BAD_EH_FRAME: ActionStatus = 3;
    /// The image's range is empty, or overlaps that of another image.
    pub const BAD_IMAGE: ActionStatus = 4;
    /// No image is registered at this address.
    pub const UNKNOWN_IMAGE: ActionStatus = 5;
    /// Pointers of a loaded library cannot be rewritten: its pages cannot be made writable, or read-only again.
    pub const PROTECTED: ActionStatus = 6;
    /// Thread-local variables cannot be laid out as asked, or their module is not reserved.
    pub const BAD_TEMPLATE: ActionStatus = 7;
    /// An object is registered with debuggers at this address already, or none is.
    pub const BAD_DEBUG_OBJECT: ActionStatus = 8;
}

/// The call of `function` with `words`, in this process.
pub(super) fn action(function: ActionFn, words: impl IntoIterator<Item = u64>) -> Action {
    let mut bytes = SmallVec::new();
    for word in words {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    Action { call: ExecutorAddr(function as usize as u64), bytes }
}

/// The words of an action's argument; none if its size is not a whole number of words.
///
/// # Safety
/// `bytes` points to `size` readable bytes that live as long as `'a`.
pub(super) unsafe fn words<'a>(
    bytes: *const u8,
    size: usize,
) -> Option<impl ExactSizeIterator<Item = u64> + Clone + 'a> {
    let bytes = match size {
        0 => &[],
        // SAFETY: the caller gives `size` readable bytes at `bytes`.
        _ => unsafe { std::slice::from_raw_parts(bytes, size) },
    };
    match bytes.as_chunks::<8>() {
        (words, []) => Some(words.iter().map(|word| u64::from_le_bytes(*word))),
        _ => None,
    }
}

/// The argument of an action that takes exactly `N` words.
///
/// # Safety
/// As for [`words`].
pub(super) unsafe fn arguments<const N: usize>(bytes: *const u8, size: usize) -> Option<[u64; N]> {
    // SAFETY: the caller's promise is the same.
    let mut words = unsafe { words(bytes, size) }?;
    let mut out = [0; N];
    if words.len() != N {
        return None;
    }
    out.fill_with(|| words.next().unwrap_or_default());
    Some(out)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Runs `action` as a memory manager would.
    pub(in crate::runtime) fn run(action: &Action) -> ActionStatus {
        // SAFETY: `call` was made from an `ActionFn` by `action`.
        let function: ActionFn = unsafe { std::mem::transmute(action.call.0 as usize) };
        // SAFETY: the bytes are the action's own.
        unsafe { function(action.bytes.as_ptr(), action.bytes.len()) }
    }

    unsafe extern "C" fn sum_is_six(bytes: *const u8, size: usize) -> ActionStatus {
        // SAFETY: called with an action's bytes.
        match unsafe { arguments::<3>(bytes, size) } {
            Some(words) if words.iter().sum::<u64>() == 6 => status::OK,
            _ => status::BAD_ARGUMENTS,
        }
    }

    #[test]
    fn arguments_arrive_whole_or_not_at_all() {
        assert_eq!(run(&action(sum_is_six, [1, 2, 3])), status::OK);
        assert_eq!(run(&action(sum_is_six, [1, 2])), status::BAD_ARGUMENTS);
        assert_eq!(run(&action(sum_is_six, [1, 2, 3, 0])), status::BAD_ARGUMENTS);
        let mut cut = action(sum_is_six, [1, 2, 3]);
        cut.bytes.pop();
        assert_eq!(run(&cut), status::BAD_ARGUMENTS);
    }
}
