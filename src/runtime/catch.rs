//! Catching what linked code throws.
//!
//! Rust code cannot catch exceptions of other languages. So a frame in assembly has a personality of its own, which takes
//! whatever comes but what must pass: forced unwinding (`pthread_exit`, cancellation), and panics, which are Rust's to catch.
//!
//! # Safety
//!
//! The personality follows the Itanium C++ ABI, exception handling, level I; the landing pad is what the frame gives as its
//! language-specific data. A caught exception is destroyed as its runtime, or else its own clean-up function, has it.
#![allow(unsafe_code)]

use super::arch;
use crate::base::ExecutorAddr;
use crate::sys::dl;
use std::ffi::{CStr, c_char, c_int, c_void};

/// What was thrown.
#[derive(Debug)]
pub(super) struct Thrown {
    /// For messages.
    pub(super) what: String,
}

/// The head of every exception.
#[repr(C)]
struct Exception {
    class: u64,
    clean_up: usize,
}

/// The class of panics: as a number it was one thing in the past and is another now.
const PANICS: [u64; 2] = [u64::from_be_bytes(*b"MOZ\0RUST"), u64::from_le_bytes(*b"MOZ\0RUST")];

/// Classes of C++ exceptions as libstdc++ has them, without the last byte, which tells dependent ones.
const CPP: u64 = u64::from_be_bytes(*b"GNUCC++\0") >> 8;

const SEARCH_PHASE: c_int = 1;
const HANDLER_FRAME: c_int = 4;
const FORCE_UNWIND: c_int = 8;
const HANDLER_FOUND: c_int = 6;
const INSTALL_CONTEXT: c_int = 7;
const CONTINUE_UNWIND: c_int = 8;

unsafe extern "C" {
    fn _Unwind_SetGR(context: *mut c_void, index: c_int, value: usize);
    fn _Unwind_SetIP(context: *mut c_void, value: usize);
    fn _Unwind_GetLanguageSpecificData(context: *mut c_void) -> usize;
    fn _Unwind_DeleteException(exception: *mut Exception);
}

/// The personality of [`arch::call_catching`]'s frame.
pub(super) unsafe extern "C" fn personality(
    _version: c_int,
    actions: c_int,
    class: u64,
    exception: *mut c_void,
    context: *mut c_void,
) -> c_int {
    if actions & FORCE_UNWIND != 0 || PANICS.contains(&class) {
        return CONTINUE_UNWIND;
    }
    if actions & SEARCH_PHASE != 0 {
        return HANDLER_FOUND;
    }
    if actions & HANDLER_FRAME == 0 {
        return CONTINUE_UNWIND;
    }
    // SAFETY: the unwinder's own context; the landing pad expects the exception where functions return values.
    unsafe {
        _Unwind_SetGR(context, 0, exception.expose_provenance());
        _Unwind_SetIP(context, _Unwind_GetLanguageSpecificData(context));
    }
    INSTALL_CONTEXT
}

/// Does `work`; what linked code throws meanwhile ends it and is destroyed. Panics pass.
pub(super) fn catch<F: FnOnce()>(work: F) -> Result<(), Thrown> {
    unsafe extern "C-unwind" fn call<F: FnOnce()>(data: *mut c_void) {
        // SAFETY: `data` points to the `Option` below.
        if let Some(work) = unsafe { (*data.cast::<Option<F>>()).take() } {
            work();
        }
    }
    let mut work = Some(work);
    let data = (&raw mut work).cast();
    // SAFETY: `call` is of the same `F`, and `work` outlives the call.
    let exception = unsafe { arch::call_catching(call::<F>, data) };
    if exception.is_null() {
        return Ok(());
    }
    // SAFETY: what the personality has caught.
    Err(Thrown { what: unsafe { dispose(exception.cast()) } })
}

/// Destroys an exception, and says what it was.
///
/// # Safety
/// It was caught, and nobody else has it.
unsafe fn dispose(exception: *mut Exception) -> String {
    // SAFETY: every exception begins so.
    let Exception { class, clean_up } = unsafe { exception.read() };
    if class >> 8 == CPP
        && let Some(runtime) = CppRuntime::find(clean_up)
    {
        // SAFETY: the caller's promise; this is the runtime of such exceptions.
        return unsafe { runtime.dispose(exception) };
    }
    // SAFETY: the caller's promise.
    unsafe { _Unwind_DeleteException(exception) };
    "a foreign exception".to_owned()
}

/// Functions of libstdc++ (or libc++abi) by which a handler takes an exception over.
struct CppRuntime {
    begin_catch: unsafe extern "C" fn(*mut Exception) -> *mut c_void,
    end_catch: unsafe extern "C-unwind" fn(),
    current_type: unsafe extern "C" fn() -> *const TypeInfo,
    demangle: unsafe extern "C" fn(*const c_char, *mut c_char, *mut usize, *mut c_int) -> *mut c_char,
}

/// `std::type_info`, by the Itanium C++ ABI, 2.9.4.
#[repr(C)]
struct TypeInfo {
    table: *const c_void,
    name: *const c_char,
}

impl CppRuntime {
    /// That which has this function, or else that of this process, if it has one.
    fn find(function: usize) -> Option<Self> {
        let library = dl::library_at(ExecutorAddr(function as u64));
        let find = |name: &[u8]| {
            let address =
                library.as_ref().and_then(|library| library.lookup(name)).or_else(|| dl::lookup(name));
            Some(std::ptr::with_exposed_provenance::<()>(address?.0 as usize))
        };
        let [begin, end, current, demangle] = [
            find(b"__cxa_begin_catch")?,
            find(b"__cxa_end_catch")?,
            find(b"__cxa_current_exception_type")?,
            find(b"__cxa_demangle")?,
        ];
        // SAFETY: functions of these types, by the ABI.
        unsafe {
            Some(Self {
                begin_catch: std::mem::transmute::<*const (), unsafe extern "C" fn(_) -> _>(begin),
                end_catch: std::mem::transmute::<*const (), unsafe extern "C-unwind" fn()>(end),
                current_type: std::mem::transmute::<*const (), unsafe extern "C" fn() -> _>(current),
                demangle: std::mem::transmute::<*const (), unsafe extern "C" fn(_, _, _, _) -> _>(demangle),
            })
        }
    }

    /// # Safety
    /// The exception is one of this runtime's, was caught, and nobody else has it.
    unsafe fn dispose(&self, exception: *mut Exception) -> String {
        // SAFETY: the caller's promise; type and name are there as long as the exception's code.
        unsafe {
            (self.begin_catch)(exception);
            let of_type = (self.current_type)();
            let name = if of_type.is_null() { None } else { Some(self.name(&*of_type)) };
            (self.end_catch)();
            name.map_or_else(|| "an exception".to_owned(), |name| format!("an exception of type {name}"))
        }
    }

    /// # Safety
    /// A type of this runtime's.
    unsafe fn name(&self, of_type: &TypeInfo) -> String {
        // SAFETY: names are strings, and what the function returns is to be freed.
        unsafe {
            let mut status = 0;
            let null = std::ptr::null_mut();
            let text = (self.demangle)(of_type.name, null, std::ptr::null_mut(), &raw mut status);
            let shown = if text.is_null() { of_type.name } else { text.cast_const() };
            let name = CStr::from_ptr(shown).to_string_lossy().into_owned();
            libc::free(text.cast());
            name
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Raises an exception of a class that nobody knows.
    fn raise() {
        #[repr(C, align(16))]
        struct Foreign([u64; 8]);
        unsafe extern "C-unwind" {
            fn _Unwind_RaiseException(exception: *mut Foreign) -> c_int;
        }
        let mut exception = Box::new(Foreign([0; 8]));
        exception.0[0] = u64::from_be_bytes(*b"JITLTEST");
        let exception = Box::into_raw(exception);
        // SAFETY: an exception object without a function that deletes it; it is caught.
        unsafe { _Unwind_RaiseException(exception) };
        unreachable!("it is caught");
    }

    #[test]
    fn foreign_exceptions_are_caught_and_panics_pass() {
        struct Note<'a>(&'a mut bool);
        impl Drop for Note<'_> {
            fn drop(&mut self) {
                *self.0 = true;
            }
        }
        let (mut done, mut dropped) = (false, false);
        assert!(catch(|| done = true).is_ok() && done);
        let thrown = catch(|| {
            let _note = Note(&mut dropped);
            raise();
        });
        assert_eq!(thrown.unwrap_err().what, "a foreign exception");
        assert!(dropped, "frames in between are cleaned up");
        let panics = || catch(|| std::panic::resume_unwind(Box::new("thrown")));
        let panic = std::panic::catch_unwind(panics).unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"thrown"));
    }
}
