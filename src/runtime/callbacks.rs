//! From linked code to functions of the program that linked it: callbacks by name, and bytes by tag.
//!
//! | for linked code | |
//! |---|---|
//! | `int NAME(void *argument)` | a callback, as a symbol of its own |
//! | `int PerformCustomCallback(const char *name, void *argument)` | the same by its name |
//! | `int jit_dispatch(uint64_t tag, const void *data, size_t size, struct jit_bytes *result)` | a handler, which takes bytes and gives bytes |
//! | `void jit_dispatch_free(struct jit_bytes *result)` | frees what a handler gave |
//!
//! with `struct jit_bytes { void *data; size_t size; }`. They return what the callback does, or 0 for a handler, and otherwise
//! one of [`UNKNOWN`], [`PANICKED`], [`FAILED`].
//!
//! A callback's own symbol is code that puts its number into the second argument and jumps to one function: the number leads to
//! the callback, or to nothing once it is unregistered. No lock is held while a callback runs, so that it may link, look up, and
//! register or unregister callbacks, itself included.
//!
//! # Safety
//!
//! Linked code gives pointers as the functions' types have them. Exceptions of linked code must not leave a callback: they
//! end the process.
#![allow(unsafe_code)]

use super::{arch, owners};
use crate::base::{ExecutorAddr, Result};
use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, RwLock};

/// There is no callback of that name (any more), or no handler of that tag.
pub const UNKNOWN: c_int = c_int::MIN;

/// The callback or handler has panicked.
pub const PANICKED: c_int = c_int::MIN + 1;

/// The handler has failed: the result is a message.
pub const FAILED: c_int = c_int::MIN + 2;

/// A function of the program that linked code can call.
pub trait Callback: Send + Sync {
    /// Called on the calling thread. What it panics with goes no further: the caller gets [`PANICKED`].
    fn call(&self, argument: *mut c_void) -> c_int;
}

static CALLBACKS: RwLock<Option<HashMap<u64, Arc<dyn Callback>>>> = RwLock::new(None);

/// A callback that linked code can reach until this is dropped. Calls that are under way then come to their end.
#[derive(Debug)]
pub struct Registration {
    number: u64,
}

impl Registration {
    /// Gives a callback a number.
    #[must_use]
    pub fn new(callback: Arc<dyn Callback>) -> Self {
        use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Relaxed);
        let mut callbacks = CALLBACKS.write().unwrap_or_else(PoisonError::into_inner);
        callbacks.get_or_insert_default().insert(number, callback);
        Self { number }
    }

    /// The number.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Position-independent code of an `int f(void *argument)` that calls it.
    #[must_use]
    pub fn entry_code(&self) -> Vec<u8> {
        arch::bound_call(enter as *const () as u64, self.number)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut callbacks = CALLBACKS.write().unwrap_or_else(PoisonError::into_inner);
        let callback = callbacks.as_mut().and_then(|callbacks| callbacks.remove(&self.number));
        // The context's destructor is code of the user's.
        drop(callbacks);
        drop(callback);
    }
}

/// The address of the function `name`, if it is one of those here.
#[must_use]
pub fn lookup(name: &[u8]) -> Option<ExecutorAddr> {
    let function = match name {
        b"PerformCustomCallback" => arch::perform_custom_callback as *const (),
        b"jit_dispatch" => arch::jit_dispatch as *const (),
        b"jit_dispatch_free" => free_bytes as *const (),
        _ => return None,
    };
    Some(ExecutorAddr(function.addr() as u64))
}

/// Calls the callback of a number.
unsafe extern "C" fn enter(argument: *mut c_void, number: u64) -> c_int {
    let callback = {
        let callbacks = CALLBACKS.read().unwrap_or_else(PoisonError::into_inner);
        callbacks.as_ref().and_then(|callbacks| callbacks.get(&number).cloned())
    };
    let Some(callback) = callback else { return UNKNOWN };
    // What is unregistered meanwhile is dropped here, and its destructor may panic, too.
    catch_unwind(AssertUnwindSafe(move || callback.call(argument))).unwrap_or(PANICKED)
}

/// `PerformCustomCallback`, with its return address as one more argument.
pub(super) unsafe extern "C" fn perform(name: *const c_char, argument: *mut c_void, caller: usize) -> c_int {
    if name.is_null() {
        return UNKNOWN;
    }
    // SAFETY: the caller gives a string.
    let name = unsafe { CStr::from_ptr(name) }.to_bytes();
    let number = owners::of_caller(caller).and_then(|(owner, _)| owner.callback(name));
    // SAFETY: a number that may be a callback's.
    number.map_or(UNKNOWN, |number| unsafe { enter(argument, number) })
}

/// Bytes that the C library has allocated.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Bytes {
    data: *mut u8,
    size: usize,
}

impl Bytes {
    /// A copy; none without memory for it.
    fn copy(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() {
            return Some(Self { data: std::ptr::null_mut(), size: 0 });
        }
        // SAFETY: the size is not zero, and what comes back is null or has room.
        unsafe {
            let data = libc::malloc(bytes.len()).cast::<u8>();
            if data.is_null() {
                return None;
            }
            data.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            Some(Self { data, size: bytes.len() })
        }
    }
}

/// `jit_dispatch`, with its return address as one more argument. A null `result` is for callers that want none.
pub(super) unsafe extern "C" fn dispatch(
    tag: u64,
    data: *const u8,
    size: usize,
    result: *mut Bytes,
    caller: usize,
) -> c_int {
    let argument = match size {
        0 => &[],
        // SAFETY: the caller gives so many bytes.
        _ => unsafe { std::slice::from_raw_parts(data, size) },
    };
    let answer = owners::of_caller(caller)
        .and_then(|(owner, _)| catch_unwind(AssertUnwindSafe(|| owner.dispatch(tag, argument))).transpose());
    let (status, bytes) = outcome(answer);
    let Some(copy) = (if result.is_null() { None } else { Some(Bytes::copy(&bytes)) }) else { return status };
    let status = if copy.is_some() { status } else { FAILED };
    let copy = copy.unwrap_or(Bytes { data: std::ptr::null_mut(), size: 0 });
    // SAFETY: the caller gives a place for it, or null.
    unsafe { result.write(copy) };
    status
}

/// What of it linked code gets to see.
fn outcome<P>(answer: Option<std::result::Result<Result<Vec<u8>>, P>>) -> (c_int, Vec<u8>) {
    match answer {
        None => (UNKNOWN, Vec::new()),
        Some(Err(_)) => (PANICKED, Vec::new()),
        Some(Ok(Err(error))) => (FAILED, error.to_string().into_bytes()),
        Some(Ok(Ok(bytes))) => (0, bytes),
    }
}

unsafe extern "C" fn free_bytes(bytes: *mut Bytes) {
    if bytes.is_null() {
        return;
    }
    // SAFETY: the caller gives what `dispatch` has written, whose data is the C library's.
    unsafe {
        let taken = bytes.replace(Bytes { data: std::ptr::null_mut(), size: 0 });
        libc::free(taken.data.cast());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    struct Adds(i32);

    impl Callback for Adds {
        fn call(&self, argument: *mut c_void) -> c_int {
            // SAFETY: the tests give an integer.
            let argument = unsafe { &mut *argument.cast::<i32>() };
            assert!(*argument >= 0, "negative");
            *argument += self.0;
            self.0
        }
    }

    #[test]
    fn a_number_leads_to_its_callback_until_it_is_unregistered() {
        let registration = Registration::new(Arc::new(Adds(5)));
        let mut value = 1;
        let argument = (&raw mut value).cast();
        let number = registration.number();
        // SAFETY: the callback takes an integer.
        let call = || unsafe { enter(argument, number) };
        assert_eq!(call(), 5);
        drop(registration);
        assert_eq!(call(), UNKNOWN);
        assert_eq!(value, 6);
    }

    #[test]
    fn a_panic_stays_here() {
        let registration = Registration::new(Arc::new(Adds(5)));
        let mut value = -1;
        // SAFETY: the callback takes an integer.
        assert_eq!(unsafe { enter((&raw mut value).cast(), registration.number()) }, PANICKED);
    }

    #[test]
    fn one_that_unregisters_itself_comes_to_its_end() {
        static DROPPED: AtomicUsize = AtomicUsize::new(0);
        struct Removes(std::sync::Mutex<Option<Registration>>);
        impl Callback for Removes {
            fn call(&self, _: *mut c_void) -> c_int {
                drop(self.0.lock().unwrap().take());
                assert_eq!(DROPPED.load(Ordering::Relaxed), 0, "it is in use");
                3
            }
        }
        impl Drop for Removes {
            fn drop(&mut self) {
                DROPPED.fetch_add(1, Ordering::Relaxed);
            }
        }
        let callback = Arc::new(Removes(std::sync::Mutex::default()));
        let registration = Registration::new(callback.clone());
        let number = registration.number();
        *callback.0.lock().unwrap() = Some(registration);
        drop(callback);
        // SAFETY: the callback ignores its argument.
        assert_eq!(unsafe { enter(std::ptr::null_mut(), number) }, 3);
        assert_eq!(DROPPED.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn bytes_are_copied_and_freed() {
        let mut bytes = Bytes::copy(b"abc").unwrap();
        // SAFETY: three bytes were copied, and are freed once.
        unsafe {
            assert_eq!(std::slice::from_raw_parts(bytes.data, bytes.size), b"abc");
            free_bytes(&raw mut bytes);
            free_bytes(&raw mut bytes);
        }
        assert_eq!((bytes.data.is_null(), bytes.size), (true, 0));
    }
}
