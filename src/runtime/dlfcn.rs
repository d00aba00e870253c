//! `dlopen` and its kin for linked code: by their own names, and as `jit_dlopen` and so on.
//!
//! A name is looked for among the dylibs of whoever owns the caller's code; the plain functions go on to the dynamic loader. Handles
//! of the two sorts are told apart: those of dylibs are no addresses. A null name, or handle (`RTLD_DEFAULT`), means everything:
//! the dylibs, and then this process.
//!
//! | | a dylib | else |
//! |---|---|---|
//! | `dlopen` | linked and initialised, dependencies first; an exception that leaves an initialiser is an error | the loader's |
//! | `RTLD_NOLOAD` | if it is not open: null, and no error, as the loader has it | the loader's |
//! | `RTLD_GLOBAL` | found by searches of everything; links go by link orders alone | the loader's |
//! | `RTLD_NODELETE` | as of a library | the loader's |
//! | `RTLD_LAZY`, `RTLD_NOW` | make no difference; one must be given to `dlopen` | the loader's |
//! | `dlsym` | exported symbols of the dylib and of what it refers to, in the order of link orders, breadth first | the loader's |
//! | `dlvsym` | what is linked has no versions: as `dlsym`; of this process's symbols those of the version | the loader's |
//! | `dlclose` | undoes one `dlopen`; with the last one finalisers run | the loader's |
//!
//! A handle that nobody has given out is an error, not a crash. `dlerror` gives and clears the calling thread's last error.
//!
//! # Safety
//!
//! Linked code gives strings and handles as for the C library's functions; handles are checked.
#![allow(unsafe_code)]

use super::owners::{self, OpenMode, Owner, Scope};
use super::{arch, callbacks, exit_handlers, static_libc, visible};
use crate::base::{Error, ExecutorAddr, Result};
use crate::sys::loaded;
use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::{null, null_mut};
use std::sync::Arc;

/// What handles of dylibs begin with; the rest is the dylib's number. No pointer can be that.
const DYLIB: usize = 0x4a49 << 48;
const DYLIB_MASK: usize = 0xffff << 48;

unsafe extern "C-unwind" {
    #[link_name = "dlopen"]
    fn host_open(name: *const c_char, mode: c_int) -> *mut c_void;
    #[link_name = "dlclose"]
    fn host_close(handle: *mut c_void) -> c_int;
}

/// Where a function looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reach {
    /// Dylibs alone.
    Dylibs,
    /// Dylibs, then the loader.
    Process,
}

/// The calling thread's last error.
#[derive(Default)]
struct LastError {
    text: Option<CString>,
    state: Pending,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Pending {
    #[default]
    Nothing,
    /// [`LastError::text`].
    Own,
    /// What the loader says.
    Loader,
}

thread_local! {
    static ERROR: RefCell<LastError> = const { RefCell::new(LastError { text: None, state: Pending::Nothing }) };
}

/// The address of the function `name`, if it is one of those here. To be asked before `dlsym`.
#[must_use]
pub fn lookup(name: &[u8]) -> Option<ExecutorAddr> {
    let function = match name {
        b"dlopen" => arch::dlopen as *const (),
        b"dlsym" => arch::dlsym as *const (),
        b"dlvsym" => arch::dlvsym as *const (),
        b"dlclose" => dlclose as *const (),
        b"dlerror" => dlerror as *const (),
        _ => return lookup_own(name),
    };
    Some(ExecutorAddr(function.addr() as u64))
}

/// The names of the functions that only this library has.
pub const OWN_NAMES: [&str; 7] = [
    "jit_dlopen",
    "jit_dlsym",
    "jit_dlclose",
    "jit_dlerror",
    "jit_dispatch",
    "jit_dispatch_free",
    "PerformCustomCallback",
];

/// As [`lookup`], of what only this library has.
#[must_use]
pub fn lookup_own(name: &[u8]) -> Option<ExecutorAddr> {
    let function = match name {
        b"jit_dlopen" => arch::jit_dlopen as *const (),
        b"jit_dlsym" => arch::jit_dlsym as *const (),
        b"jit_dlclose" => jit_dlclose as *const (),
        b"jit_dlerror" => dlerror as *const (),
        _ => return callbacks::lookup(name),
    };
    Some(ExecutorAddr(function.addr() as u64))
}

/// The number of a dylib, if that is what a handle means; zero for everything.
fn dylib_of(handle: *mut c_void) -> Option<u64> {
    (handle.addr() & DYLIB_MASK == DYLIB).then_some((handle.addr() & !DYLIB_MASK) as u64)
}

fn handle_of(dylib: u64) -> *mut c_void {
    std::ptr::without_provenance_mut(DYLIB | dylib as usize)
}

fn set(state: Pending, text: Option<CString>) {
    // A thread that is past its end has no errors.
    let _ = ERROR.try_with(|error| *error.borrow_mut() = LastError { text, state });
}

/// What is returned where there is an error.
fn fail(text: String) -> *mut c_void {
    let text = CString::new(text.replace('\0', "?")).unwrap_or_default();
    set(Pending::Own, Some(text));
    null_mut()
}

/// The loader's answer, with its error, if any.
fn of_loader<R>(ask: impl FnOnce() -> R) -> R {
    set(Pending::Loader, None);
    ask()
}

/// # Safety
/// Null, or a string.
unsafe fn bytes<'a>(text: *const c_char) -> Option<&'a [u8]> {
    // SAFETY: the caller's promise.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_bytes())
}

fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

/// `dlopen`, with its return address as one more argument.
pub(super) unsafe extern "C-unwind" fn open_anything(
    name: *const c_char,
    mode: c_int,
    caller: usize,
) -> *mut c_void {
    // SAFETY: the caller's promise is the same.
    unsafe { open(name, mode, caller, Reach::Process) }
}

/// `jit_dlopen`, with its return address as one more argument.
pub(super) unsafe extern "C-unwind" fn open_dylib(
    name: *const c_char,
    mode: c_int,
    caller: usize,
) -> *mut c_void {
    // SAFETY: the caller's promise is the same.
    unsafe { open(name, mode, caller, Reach::Dylibs) }
}

/// Opens a dylib or a library.
///
/// # Safety
/// The name is null or a string; initialisers of what is opened do nothing undefined.
pub(super) unsafe fn open(name: *const c_char, mode: c_int, caller: usize, reach: Reach) -> *mut c_void {
    set(Pending::Nothing, None);
    // SAFETY: the caller's promise.
    let text = unsafe { bytes(name) }.filter(|name| !name.is_empty());
    let owner = owners::of_caller(caller).map(|(owner, _)| owner);
    let modes = OpenMode {
        if_open: mode & libc::RTLD_NOLOAD != 0,
        global: mode & libc::RTLD_GLOBAL != 0,
        keep: mode & libc::RTLD_NODELETE != 0,
    };
    match (text, owner) {
        (None, Some(_)) => handle_of(0),
        (Some(text), Some(owner)) => match Arc::clone(&owner).open(text, modes) {
            Some(Ok(Some(dylib))) => {
                owners::note_open(dylib, &owner);
                handle_of(dylib)
            }
            Some(Ok(None)) => null_mut(),
            Some(Err(error)) => fail(format!("{}: {error}", shown(text))),
            None => open_library(name, text, mode, reach),
        },
        (text, None) => open_library(name, text.unwrap_or_default(), mode, reach),
    }
}

fn open_library(name: *const c_char, text: &[u8], mode: c_int, reach: Reach) -> *mut c_void {
    match reach {
        Reach::Dylibs => fail(format!("{}: the session has no dylib of that name", shown(text))),
        Reach::Process => {
            // A library that needs none of it can be loaded all the same; one that does will say what it misses.
            let _ = visible::publish();
            // SAFETY: the name is what linked code gave; the library's initialisers run as it asks.
            of_loader(|| unsafe { host_open(name, mode) })
        }
    }
}

/// `dlsym`, with its return address as one more argument.
pub(super) unsafe extern "C" fn find_anywhere(
    handle: *mut c_void,
    name: *const c_char,
    caller: usize,
) -> *mut c_void {
    // SAFETY: the caller's promise is the same.
    unsafe { find(handle, name, null(), caller, Reach::Process) }
}

/// `jit_dlsym`, with its return address as one more argument.
pub(super) unsafe extern "C" fn find_in_dylib(
    handle: *mut c_void,
    name: *const c_char,
    caller: usize,
) -> *mut c_void {
    // SAFETY: the caller's promise is the same.
    unsafe { find(handle, name, null(), caller, Reach::Dylibs) }
}

/// `dlvsym`, with its return address as one more argument.
pub(super) unsafe extern "C" fn find_version(
    handle: *mut c_void,
    name: *const c_char,
    version: *const c_char,
    caller: usize,
) -> *mut c_void {
    if version.is_null() {
        return fail("dlvsym: a null version".to_owned());
    }
    // SAFETY: the caller's promise is the same.
    unsafe { find(handle, name, version, caller, Reach::Process) }
}

/// Finds a symbol, of a version unless that is null.
///
/// # Safety
/// Name and version are null or strings.
pub(super) unsafe fn find(
    handle: *mut c_void,
    name: *const c_char,
    version: *const c_char,
    caller: usize,
    reach: Reach,
) -> *mut c_void {
    set(Pending::Nothing, None);
    // SAFETY: the caller's promise.
    let (text, wanted) = unsafe { (bytes(name), bytes(version)) };
    let Some(text) = text else { return fail("dlsym: a null name".to_owned()) };
    let scope = match (handle, dylib_of(handle)) {
        (handle, _) if handle == libc::RTLD_NEXT => Some(Scope::Next),
        (handle, _) if handle == libc::RTLD_DEFAULT => Some(Scope::Everything),
        (_, Some(0)) => Some(Scope::Everything),
        (_, dylib) => dylib.map(Scope::Dylib),
    };
    let Some(scope) = scope else {
        // SAFETY: as above, and the handle is checked.
        return unsafe { find_in_library(handle, name, version, reach) };
    };
    let found = match find_for(scope, caller, text, wanted) {
        Ok(found) => found,
        Err(error) => return fail(format!("{}: {error}", shown(text))),
    };
    match (found, scope) {
        (Some(address), _) => std::ptr::with_exposed_provenance_mut(address.0 as usize),
        (None, Scope::Everything | Scope::Next) if reach == Reach::Process => {
            // SAFETY: as above.
            unsafe { find_in_process(name, version, text) }
        }
        _ => fail(format!("undefined symbol: {}", shown(text))),
    }
}

/// What the owner of a dylib, or of the caller, finds.
fn find_for(
    scope: Scope,
    caller: usize,
    name: &[u8],
    version: Option<&[u8]>,
) -> Result<Option<ExecutorAddr>> {
    let of_caller = owners::of_caller(caller);
    let dylib = of_caller.as_ref().and_then(|(_, dylib)| *dylib);
    let owner: Option<Arc<dyn Owner>> = match scope {
        Scope::Dylib(number) => match owners::of_dylib(number) {
            Some(owner) => Some(owner),
            None => return Err(Error::invalid("no open dylib has this handle", None)),
        },
        _ => of_caller.map(|(owner, _)| owner),
    };
    let Some(owner) = owner else { return Ok(None) };
    owner.symbol(scope, dylib, name, version)
}

/// # Safety
/// Name and version are as for [`find`].
unsafe fn find_in_process(name: *const c_char, version: *const c_char, text: &[u8]) -> *mut c_void {
    let own = [lookup, static_libc::lookup, exit_handlers::lookup];
    match own.iter().find_map(|own| own(text)) {
        Some(address) => std::ptr::with_exposed_provenance_mut(address.0 as usize),
        // SAFETY: the caller's promise.
        None => unsafe { ask_loader(libc::RTLD_DEFAULT, name, version) },
    }
}

/// # Safety
/// Name and version are as for [`find`].
unsafe fn find_in_library(
    handle: *mut c_void,
    name: *const c_char,
    version: *const c_char,
    reach: Reach,
) -> *mut c_void {
    if reach == Reach::Dylibs || !loaded::is_handle(handle) {
        return fail(format!("invalid handle {handle:p}"));
    }
    // SAFETY: the caller's promise, and the handle is the loader's.
    unsafe { ask_loader(handle, name, version) }
}

/// # Safety
/// The handle is the loader's or of its constants; name and version are as for [`find`].
unsafe fn ask_loader(handle: *mut c_void, name: *const c_char, version: *const c_char) -> *mut c_void {
    of_loader(|| match version.is_null() {
        // SAFETY: the caller's promise.
        true => unsafe { libc::dlsym(handle, name) },
        // SAFETY: as above.
        false => unsafe { libc::dlvsym(handle, name, version) },
    })
}

/// `dlclose`.
pub(super) unsafe extern "C-unwind" fn dlclose(handle: *mut c_void) -> c_int {
    close(handle, Reach::Process)
}

unsafe extern "C-unwind" fn jit_dlclose(handle: *mut c_void) -> c_int {
    close(handle, Reach::Dylibs)
}

fn close(handle: *mut c_void, reach: Reach) -> c_int {
    set(Pending::Nothing, None);
    let closed = match dylib_of(handle) {
        Some(0) => return 0,
        Some(dylib) => match owners::of_dylib(dylib) {
            Some(owner) => owner.close(dylib),
            None => Err(Error::invalid("no open dylib has this handle", None)),
        },
        None if reach == Reach::Process && loaded::is_handle(handle) => {
            // SAFETY: the handle is the loader's. Finalisers run as linked code asks.
            return of_loader(|| unsafe { host_close(handle) });
        }
        None => Err(Error::invalid(format!("invalid handle {handle:p}"), None)),
    };
    match closed {
        Ok(()) => 0,
        Err(error) => {
            fail(error.to_string());
            -1
        }
    }
}

/// `dlerror`.
pub(super) extern "C" fn dlerror() -> *mut c_char {
    let state = ERROR.try_with(|error| {
        let mut error = error.borrow_mut();
        let text = error.text.as_ref().map_or(null_mut(), |text| text.as_ptr().cast_mut());
        (std::mem::take(&mut error.state), text)
    });
    match state {
        Ok((Pending::Own, text)) => text,
        // SAFETY: has no preconditions.
        Ok((Pending::Loader, _)) => unsafe { libc::dlerror() },
        _ => null_mut(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error() -> Option<String> {
        let text = dlerror();
        // SAFETY: null, or a string that lasts until the next call.
        (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
    }

    /// The functions, called by nobody's code.
    fn open_it(name: &CStr, reach: Reach) -> *mut c_void {
        // SAFETY: a string; libraries of the system are opened.
        unsafe { open(name.as_ptr(), libc::RTLD_NOW, 0, reach) }
    }

    fn find_it(handle: *mut c_void, name: &CStr) -> *mut c_void {
        // SAFETY: a string.
        unsafe { find(handle, name.as_ptr(), null(), 0, Reach::Process) }
    }

    #[test]
    fn the_loader_is_asked_for_what_no_dylib_is() {
        let handle = open_it(c"libm.so.6", Reach::Process);
        assert!(!handle.is_null());
        // SAFETY: a string.
        let native = unsafe { libc::dlsym(handle, c"cos".as_ptr()) };
        assert_eq!(find_it(handle, c"cos"), native);
        assert_eq!(error(), None);
        assert!(find_it(handle, c"no_such_symbol").is_null());
        assert!(error().unwrap().contains("no_such_symbol"));
        assert_eq!(error(), None, "told once");
        assert_eq!(close(handle, Reach::Process), 0);
        assert!(open_it(c"no_such_library.so", Reach::Process).is_null());
        assert!(error().unwrap().starts_with("no_such_library.so: cannot open"));
        assert!(open_it(c"libm.so.6", Reach::Dylibs).is_null());
        assert!(error().unwrap().contains("no dylib"));
        assert!(!find_it(libc::RTLD_DEFAULT, c"malloc").is_null());
        assert_eq!(find_it(libc::RTLD_DEFAULT, c"dlopen").addr(), arch::dlopen as *const () as usize);
    }

    #[test]
    fn handles_that_nobody_has_given_out_are_errors() {
        let mut word = 0u64;
        let wild = [(&raw mut word).cast(), handle_of(u64::MAX >> 16), std::ptr::without_provenance_mut(8)];
        for handle in wild {
            assert!(find_it(handle, c"malloc").is_null());
            assert!(error().is_some());
            assert_eq!(close(handle, Reach::Process), -1);
            assert!(error().is_some(), "{handle:p}");
        }
        // SAFETY: null is checked for.
        assert!(unsafe { find(libc::RTLD_DEFAULT, null(), null(), 0, Reach::Process) }.is_null());
        assert!(error().is_some());
    }

    #[test]
    fn each_thread_has_an_error_of_its_own() {
        assert!(open_it(c"no_such_library.so", Reach::Dylibs).is_null());
        assert_eq!(std::thread::spawn(error).join().unwrap(), None);
        assert!(error().is_some());
    }

    #[test]
    fn own_names_are_found() {
        for name in OWN_NAMES {
            assert!(lookup(name.as_bytes()).is_some(), "{name}");
        }
    }
}
