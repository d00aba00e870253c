//! Debuggers, profilers, symbolisation: what is known of linked code, in the forms that they read.

mod object;

pub(crate) use object::DebugObject;
