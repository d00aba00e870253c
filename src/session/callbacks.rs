//! Functions of the program that linked code calls: by a symbol of their own, by name, or by tag.

use super::dylib::JitDylib;
use super::flags::ExecutorSymbol;
use super::names::display;
use super::session::ExecutionSession;
use super::slab::Key;
use super::state::Tracker;
use crate::alloc::{FinalizeRequest, FinalizedAllocation, LayoutRequest, Placement, SegmentRequest};
use crate::base::{Error, ExecutorAddr, Result};
use crate::graph::{Lifetime, Permissions};
use crate::runtime::callbacks::{Callback, Registration};
use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Answers bytes with bytes.
type Handler = Arc<dyn Fn(&[u8]) -> Result<Vec<u8>> + Send + Sync>;

/// What linked code can call.
#[derive(Default)]
pub(super) struct Callbacks {
    by_name: Mutex<HashMap<Vec<u8>, Named>>,
    by_tag: Mutex<HashMap<u64, Handler>>,
}

/// A callback, and the tracker of its symbol.
struct Named {
    registration: Registration,
    tracker: Key,
}

/// A function with what it is called with.
struct Bound<C> {
    function: fn(&C, *mut c_void) -> i32,
    context: C,
}

impl<C: Send + Sync> Callback for Bound<C> {
    fn call(&self, argument: *mut c_void) -> i32 {
        (self.function)(&self.context, argument)
    }
}

impl Callbacks {
    fn names(&self) -> MutexGuard<'_, HashMap<Vec<u8>, Named>> {
        self.by_name.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tags(&self) -> MutexGuard<'_, HashMap<u64, Handler>> {
        self.by_tag.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn number(&self, name: &[u8]) -> Option<u64> {
        self.names().get(name).map(|named| named.registration.number())
    }

    pub(super) fn handler(&self, tag: u64) -> Option<Handler> {
        self.tags().get(&tag).cloned()
    }
}

impl ExecutionSession {
    /// Lets linked code of all dylibs call a function, with this context and an argument of its own: as `int NAME(void *)`, or
    /// by `PerformCustomCallback(NAME, argument)`. A definition of the name in a dylib's link order comes before it, but what
    /// [`ProcessGenerator`](super::generators::ProcessGenerator) has by the name does not, unless it was in use before.
    ///
    /// The function is called on the thread that calls it, with no lock held: it may link, look up and run code, and register and
    /// unregister callbacks. A panic goes no further than to it: the caller gets
    /// [`PANICKED`](crate::runtime::callbacks::PANICKED), and [`UNKNOWN`](crate::runtime::callbacks::UNKNOWN) for a name that is
    /// not registered (any more). An exception that leaves it ends the process.
    ///
    /// # Errors
    /// There is a callback of that name already, or no memory for its symbol.
    pub fn register_callback<C: Send + Sync + 'static>(
        &self,
        name: impl AsRef<[u8]>,
        function: fn(&C, *mut c_void) -> i32,
        context: C,
    ) -> Result<()> {
        let name = name.as_ref();
        if self.callbacks().number(name).is_some() {
            return Err(self.taken(name));
        }
        let registration = Registration::new(Arc::new(Bound { function, context }));
        let code = self.code(&registration.entry_code())?;
        let address = code.segments().first().map_or(ExecutorAddr::NULL, |segment| segment.address);
        let symbol = [(name.to_vec(), ExecutorSymbol::function(address))];
        let tracker = self.lock().trackers.insert(Tracker::default());
        // A name that another thread registers at the same time is refused here.
        self.runtime().define_owned_in(tracker, "<callback>", &symbol, Arc::new(code))?;
        let named = Named { registration, tracker };
        self.callbacks().names().insert(name.to_vec(), named);
        Ok(())
    }

    /// Takes a callback back. Calls that are under way come to their end; its context is dropped after the last of them. Code that
    /// was linked against its symbol gets [`UNKNOWN`](crate::runtime::callbacks::UNKNOWN) from now on.
    ///
    /// # Errors
    /// There is no callback of that name.
    pub fn unregister_callback(&self, name: impl AsRef<[u8]>) -> Result<()> {
        let name = name.as_ref();
        let named = self.callbacks().names().remove(name);
        let Some(Named { registration, tracker }) = named else {
            return Err(Error::invalid(format!("there is no callback called {}", display(name)), None));
        };
        self.remove_tracker(&self.runtime(), tracker)?;
        drop(registration);
        Ok(())
    }

    /// Has a function answer what linked code asks by `jit_dispatch(tag, ...)`; see [`crate::runtime::callbacks`]. It is called
    /// as callbacks are. Returns whether it takes the place of another one.
    pub fn set_dispatch_handler(
        &self,
        tag: u64,
        handler: impl Fn(&[u8]) -> Result<Vec<u8>> + Send + Sync + 'static,
    ) -> bool {
        let before = self.callbacks().tags().insert(tag, Arc::new(handler));
        before.is_some()
    }

    /// Takes the handler of a tag back; whether there was one. Calls that are under way come to their end.
    pub fn remove_dispatch_handler(&self, tag: u64) -> bool {
        let before = self.callbacks().tags().remove(&tag);
        before.is_some()
    }

    fn taken(&self, name: &[u8]) -> Error {
        let what = format!("there is a callback called {} already", display(name));
        Error::invalid(what, Some("unregister that one first"))
    }

    /// Memory with this code.
    fn code(&self, code: &[u8]) -> Result<Box<dyn FinalizedAllocation>> {
        let segment = SegmentRequest {
            name: "callback",
            permissions: Permissions::READ | Permissions::EXECUTE,
            lifetime: Lifetime::Standard,
            relro: false,
            placement: Placement::Near,
            alignment: 16,
            content_size: code.len() as u64,
            zero_fill_size: 0,
        };
        let request = LayoutRequest { name: "callback", segments: &[segment] };
        let mut allocation = self.manager().allocate(&request)?;
        match &mut allocation.working_memory()[..] {
            [bytes] if bytes.len() == code.len() => bytes.copy_from_slice(code),
            _ => {
                return Err(Error::invalid(
                    "the memory manager gave other segments than were asked for",
                    None,
                ));
            }
        }
        allocation.finalize(FinalizeRequest::default())
    }

    /// The dylib that is at the end of every link order: names of the session's own.
    pub(super) fn runtime(&self) -> JitDylib {
        JitDylib { session: self.clone(), inner: self.runtime_dylib() }
    }
}
