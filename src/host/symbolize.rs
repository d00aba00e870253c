//! Where an address of this process is.

use crate::base::ExecutorAddr;
use crate::debug::{self, Location};
use crate::runtime::debugger;

/// Where an address is in the linked objects of this process that debuggers know: those with debug information
/// ([`LinkOptions::debugger`](crate::link::LinkOptions::debugger)). Others: [`debug::symbolize`],
/// [`ExecutionSession::symbolize`](crate::session::ExecutionSession::symbolize).
#[must_use]
pub fn symbolize(address: ExecutorAddr) -> Option<Location> {
    let (name, object) = debugger::find_object(|object| debug::covers(object, address))?;
    debug::in_object(&name, &object, address)
}
