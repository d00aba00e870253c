//! Calling allocation actions.
//!
//! # Safety
//! An [`Action`] carries the address of a function of the documented type; whoever makes one vouches for that, as
//! [`FinalizeRequest`](super::FinalizeRequest) says. It is called only once the linked code is executable.
#![allow(unsafe_code)]

use crate::base::{Action, ActionPair, ActionStatus, Error, Result};

type Function = unsafe extern "C" fn(bytes: *const u8, size: usize) -> ActionStatus;

/// Calls the action's function in this process.
pub(super) fn run(action: &Action) -> Result<()> {
    if action.call.is_null() {
        return Err(Error::invalid("an allocation action has no function", None));
    }
    let address = action.call.0 as *const ();
    // SAFETY: the address is that of a function of this type (see the module documentation), and not null.
    let function = unsafe { std::mem::transmute::<*const (), Function>(address) };
    // SAFETY: the function takes the action's bytes, which are valid during the call.
    match unsafe { function(action.bytes.as_ptr(), action.bytes.len()) } {
        0 => Ok(()),
        status => Err(Error::Action { call: action.call.0, status }),
    }
}

/// Deallocate actions of what has been finalized so far.
#[derive(Debug, Default)]
pub(super) struct UndoList(Vec<Action>);

impl UndoList {
    /// Runs the finalize action and, if it succeeds, registers the one that undoes it.
    pub(super) fn perform(&mut self, pair: ActionPair) -> Result<()> {
        if let Some(action) = &pair.finalize {
            run(action)?;
        }
        self.0.extend(pair.deallocate);
        Ok(())
    }

    /// Runs all of them in reverse order, also after a failure; returns the first failure.
    pub(super) fn undo(&mut self) -> Result<()> {
        let mut outcome = Ok(());
        while let Some(action) = self.0.pop() {
            outcome = outcome.and(run(&action));
        }
        outcome
    }
}
