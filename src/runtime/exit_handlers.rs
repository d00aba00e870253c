//! What images have called at the end of the process, of a thread, or of their own life.
//!
//! Linked code registers exit handlers with the functions here, by their usual names. Each is noted under its image's
//! `__dso_handle` and number, and given to the C library as well, by which it takes its place in the order of all handlers of the
//! process: whichever of `exit` and [`finalize`] comes first runs it, the other finds it gone. So several images can be
//! finalized as if they were one, and nothing is called that lies in an image that is gone.
//!
//! Finalisers run after all of these at exit, as the dynamic loader runs those of libraries.
//!
//! A destructor of a thread-local object runs when its thread ends. If the image goes before the thread does, it is run for
//! the thread that finalizes, and forgotten for the others: their objects go without it.
//!
//! # Safety
//!
//! Handlers are called as the C library would call them. Whoever registers one vouches for it as long as its image is mapped.
#![allow(unsafe_code)]

use super::images;
use super::init::InitStep;
use crate::base::{Error, ExecutorAddr, Result};
use std::cell::UnsafeCell;
use std::collections::BTreeMap;
use std::ffi::{c_int, c_void};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

/// A handler. Those that take no argument ignore it.
pub(super) type HandlerFn = unsafe extern "C-unwind" fn(*mut c_void);

unsafe extern "C" {
    fn __cxa_atexit(handler: HandlerFn, data: *mut c_void, dso_handle: *mut c_void) -> c_int;
    fn __cxa_finalize(dso_handle: *mut c_void);
    #[cfg(target_env = "gnu")]
    fn __cxa_at_quick_exit(handler: HandlerFn, dso_handle: *mut c_void) -> c_int;
    fn __cxa_thread_atexit_impl(handler: HandlerFn, data: *mut c_void, dso_handle: *mut c_void) -> c_int;
}

/// The address of the function `name`, if it is one of those here.
///
/// To be asked before `dlsym`. Nothing is given where the C library is not glibc, whose function that ties destructors to threads
/// these rely on.
#[must_use]
pub fn lookup(name: &[u8]) -> Option<ExecutorAddr> {
    if !cfg!(target_env = "gnu") {
        return None;
    }
    let function = match name {
        b"__cxa_atexit" => register_at_exit as *const (),
        b"__cxa_finalize" => finalize_handle as *const (),
        #[cfg(target_env = "gnu")]
        b"__cxa_at_quick_exit" => register_at_quick_exit as *const (),
        b"__cxa_thread_atexit" | b"__cxa_thread_atexit_impl" => register_at_thread_exit as *const (),
        _ => return None,
    };
    Some(ExecutorAddr(function.addr() as u64))
}

/// A handler's image, by its `__dso_handle`, and its number. Numbers grow in the order of registration.
type Key = (u64, u64);

/// An exit handler, and what it is called with.
struct Handler(HandlerFn, usize);

/// Finalisers of an image.
struct Finalizers {
    step: InitStep,
    /// Whether they are the program's own, and not those of something that it loads.
    of_program: bool,
}

/// A destructor of a thread-local object.
struct OfThread {
    thread: libc::pthread_t,
    function: HandlerFn,
    object: usize,
}

struct Handlers {
    next: u64,
    at_exit: BTreeMap<Key, Handler>,
    finalizers: BTreeMap<Key, Finalizers>,
    at_quick_exit: BTreeMap<Key, HandlerFn>,
    at_thread_exit: BTreeMap<Key, OfThread>,
}

static HANDLERS: Mutex<Handlers> = Mutex::new(Handlers {
    next: 0,
    at_exit: BTreeMap::new(),
    finalizers: BTreeMap::new(),
    at_quick_exit: BTreeMap::new(),
    at_thread_exit: BTreeMap::new(),
});

fn lock() -> MutexGuard<'static, Handlers> {
    HANDLERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The lock, while a process forks: a child that exits must find it open.
struct Held(UnsafeCell<Option<MutexGuard<'static, Handlers>>>);

// SAFETY: touched by the thread that holds the lock only.
unsafe impl Sync for Held {}

static HELD: Held = Held(UnsafeCell::new(None));

extern "C" fn hold() {
    let guard = lock();
    // SAFETY: this thread holds the lock.
    unsafe { *HELD.0.get() = Some(guard) };
}

extern "C" fn let_go() {
    // SAFETY: this thread, or the one that it was in the parent, has held the lock since `hold`.
    drop(unsafe { (*HELD.0.get()).take() });
}

/// Sees to it that a forked child can go on.
fn prepare() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the handlers lock and unlock. Without memory for them, only a child of several threads is at risk.
        unsafe { libc::pthread_atfork(Some(hold), Some(let_go), Some(let_go)) };
    });
}

impl Handlers {
    fn key(&mut self, dso_handle: u64) -> Key {
        self.next += 1;
        (dso_handle, self.next)
    }
}

/// A key as the C library keeps it.
fn leak(key: Key) -> *mut c_void {
    Box::into_raw(Box::new(key)).cast()
}

/// # Safety
/// Made by [`leak`], and not taken back yet.
unsafe fn take(data: *mut c_void) -> Key {
    // SAFETY: the caller's promise.
    *unsafe { Box::from_raw(data.cast::<Key>()) }
}

fn pointer(address: u64) -> *mut c_void {
    std::ptr::with_exposed_provenance_mut(address as usize)
}

impl Handler {
    /// # Safety
    /// Its image is mapped, and it has not run.
    unsafe fn run(&self) {
        // SAFETY: whoever registered it vouches for it.
        unsafe { (self.0)(pointer(self.1 as u64)) };
    }
}

impl Finalizers {
    /// # Safety
    /// The image is mapped, its initialisers have run, and these have not.
    unsafe fn run(&self) {
        // SAFETY: whoever registered them vouches for them.
        unsafe { self.step.run_finalizers() };
    }

    /// Whether they run before the exit handlers when the image is closed: so do those without a priority in a shared library,
    /// whose start files have the call that runs handlers among them, as the first.
    fn come_first(&self) -> bool {
        self.step.priority == u16::MAX
    }
}

unsafe extern "C-unwind" fn run_at_exit(data: *mut c_void) {
    // SAFETY: `register_at_exit` registered this function with what it leaked.
    let key = unsafe { take(data) };
    let handler = lock().at_exit.remove(&key);
    if let Some(handler) = handler {
        // SAFETY: it belongs to an image that is mapped; it was taken out and does not run again.
        unsafe { handler.run() };
    }
}

/// Has the C library run finalisers after all handlers that are registered later. To be called before linked code runs, even if
/// there are none yet: it may load what has some.
///
/// # Errors
/// The C library has no memory.
pub(super) fn prepare_finalizers() -> Result<()> {
    static HERE: u8 = 0;
    static DONE: Mutex<bool> = Mutex::new(false);
    let mut done = DONE.lock().unwrap_or_else(PoisonError::into_inner);
    let here = (&raw const HERE).cast_mut().cast();
    // SAFETY: the function takes nothing, and stays.
    *done = *done || unsafe { __cxa_atexit(run_finalizers, std::ptr::null_mut(), here) } == 0;
    let error = || Error::Memory { what: "register the finalisers".to_owned(), source: None };
    done.then_some(()).ok_or_else(error)
}

/// At exit: the program's own, then those of what it loaded, what was initialised last first.
unsafe extern "C-unwind" fn run_finalizers(_: *mut c_void) {
    loop {
        let mut rest: Vec<(bool, u64, Key)> = {
            let handlers = lock();
            handlers.finalizers.iter().map(|(key, one)| (one.of_program, key.1, *key)).collect()
        };
        if rest.is_empty() {
            return;
        }
        rest.sort_unstable();
        for (_, _, key) in rest.into_iter().rev() {
            let next = lock().finalizers.remove(&key);
            if let Some(next) = next {
                // SAFETY: they belong to an image that is mapped and initialised; they were taken out and do not run again.
                unsafe { next.run() };
            }
        }
    }
}

/// `__cxa_atexit`. What is registered for the whole process, or fails, is the C library's business alone.
pub(super) unsafe extern "C" fn register_at_exit(
    handler: HandlerFn,
    data: *mut c_void,
    dso_handle: *mut c_void,
) -> c_int {
    if dso_handle.is_null() {
        // SAFETY: the caller's promise is the same.
        return unsafe { __cxa_atexit(handler, data, dso_handle) };
    }
    prepare();
    let key = {
        let mut handlers = lock();
        let key = handlers.key(dso_handle.addr() as u64);
        handlers.at_exit.insert(key, Handler(handler, data.expose_provenance()));
        key
    };
    let data = leak(key);
    // SAFETY: `run_at_exit` takes what was leaked, once.
    let status = unsafe { __cxa_atexit(run_at_exit, data, dso_handle) };
    if status != 0 {
        lock().at_exit.remove(&key);
        // SAFETY: nothing was registered.
        unsafe { take(data) };
    }
    status
}

/// `__cxa_finalize`: of an image, or of the whole process.
unsafe extern "C-unwind" fn finalize_handle(dso_handle: *mut c_void) {
    if dso_handle.is_null() {
        // SAFETY: the caller asks for what is registered with the C library.
        return unsafe { __cxa_finalize(dso_handle) };
    }
    // SAFETY: the caller is code of the image, which is therefore mapped.
    unsafe {
        run_all(
            &[ExecutorAddr(dso_handle.addr() as u64)],
            |handlers| &mut handlers.at_exit,
            |_| true,
            Handler::run,
        )
    };
}

/// `at_quick_exit`, for an image. The C library has no argument for such handlers, and never forgets one.
#[cfg(target_env = "gnu")]
pub(super) unsafe extern "C" fn register_at_quick_exit(handler: HandlerFn, dso_handle: *mut c_void) -> c_int {
    if dso_handle.is_null() {
        // SAFETY: the caller's promise is the same.
        return unsafe { __cxa_at_quick_exit(handler, dso_handle) };
    }
    prepare();
    let key = {
        let mut handlers = lock();
        let key = handlers.key(dso_handle.addr() as u64);
        handlers.at_quick_exit.insert(key, handler);
        key
    };
    // SAFETY: `run_at_quick_exit` runs the last handler that is noted; as many are noted as it is registered times.
    let status = unsafe { __cxa_at_quick_exit(run_at_quick_exit, dso_handle) };
    if status != 0 {
        lock().at_quick_exit.remove(&key);
    }
    status
}

/// Runs the handler that was registered last of those that are left.
#[cfg(target_env = "gnu")]
unsafe extern "C-unwind" fn run_at_quick_exit(_: *mut c_void) {
    let handler = {
        let mut handlers = lock();
        let last = handlers.at_quick_exit.keys().copied().max_by_key(|(_, number)| *number);
        last.and_then(|key| handlers.at_quick_exit.remove(&key))
    };
    if let Some(handler) = handler {
        // SAFETY: whoever registered it vouches for it, and its image is mapped.
        unsafe { handler(std::ptr::null_mut()) };
    }
}

/// `__cxa_thread_atexit_impl`, and what C++ calls for it.
pub(super) unsafe extern "C" fn register_at_thread_exit(
    function: HandlerFn,
    object: *mut c_void,
    dso_handle: *mut c_void,
) -> c_int {
    /// Keeps the library that this is part of loaded until the thread has ended.
    static HERE: u8 = 0;
    prepare();
    let key = {
        let mut handlers = lock();
        let key = handlers.key(dso_handle.addr() as u64);
        // SAFETY: has no preconditions.
        let thread = unsafe { libc::pthread_self() };
        handlers
            .at_thread_exit
            .insert(key, OfThread { thread, function, object: object.expose_provenance() });
        key
    };
    let data = leak(key);
    let here = (&raw const HERE).cast_mut().cast();
    // SAFETY: `run_at_thread_exit` takes what was leaked, once.
    let status = unsafe { __cxa_thread_atexit_impl(run_at_thread_exit, data, here) };
    if status != 0 {
        lock().at_thread_exit.remove(&key);
        // SAFETY: nothing was registered.
        unsafe { take(data) };
    }
    status
}

unsafe extern "C-unwind" fn run_at_thread_exit(data: *mut c_void) {
    // SAFETY: `register_at_thread_exit` registered this function with what it leaked.
    let key = unsafe { take(data) };
    let handler = lock().at_thread_exit.remove(&key);
    if let Some(OfThread { function, object, .. }) = handler {
        // SAFETY: whoever registered it vouches for it, its image is mapped, and this is the thread.
        unsafe { function(pointer(object as u64)) };
    }
}

/// Has finalisers of an image run at exit, or when it is finalized.
///
/// # Errors
/// The C library has no memory; then they are not registered.
///
/// # Safety
/// They belong to a mapped image with this handle, which is not null. As long as the image is mapped they may run, after its
/// initialisers have.
pub unsafe fn add_finalizers(step: InitStep, dso_handle: ExecutorAddr, of_program: bool) -> Result<()> {
    prepare();
    prepare_finalizers()?;
    let mut handlers = lock();
    let key = handlers.key(dso_handle.0);
    handlers.finalizers.insert(key, Finalizers { step, of_program });
    Ok(())
}

/// The number of what was registered last.
#[must_use]
pub(super) fn latest() -> u64 {
    lock().next
}

/// Images whose initialisers did not get to their end are not finalized: what was registered after `first` for that is gone.
pub(super) fn forget_finalizers(dso_handles: &[ExecutorAddr], first: u64) {
    let mut handlers = lock();
    for handle in dso_handles {
        let keys: Vec<Key> = keys(&handlers.finalizers, handle.0, first).collect();
        keys.iter().for_each(|key| _ = handlers.finalizers.remove(key));
    }
}

/// The keys of an image with numbers above `first`.
fn keys<T>(map: &BTreeMap<Key, T>, dso_handle: u64, first: u64) -> impl Iterator<Item = Key> {
    map.range((dso_handle, first.saturating_add(1))..=(dso_handle, u64::MAX)).map(|(key, _)| *key)
}

/// Whether threads have destructors of this image to run when they end.
#[must_use]
pub fn has_thread_handlers(dso_handle: ExecutorAddr) -> bool {
    keys(&lock().at_thread_exit, dso_handle.0, 0).next().is_some()
}

/// In what order images are finalized.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Manner {
    /// As a program at its exit: exit handlers, then finalisers.
    Exit,
    /// As a shared library that is closed: finalisers without a priority, exit handlers, and then the other finalisers.
    Close,
}

/// Finalizes images as if they were one: runs what the calling thread would run of theirs at its end, then their exit handlers
/// and finalisers, each in the reverse order of registration. What is registered meanwhile runs next. Nothing of this runs again.
///
/// # Safety
/// The images with these handles, none of which is null, are mapped.
pub unsafe fn finalize(dso_handles: &[ExecutorAddr], manner: Manner) {
    let is_first = |one: &Finalizers| manner == Manner::Close && one.come_first();
    // SAFETY: the caller's promise.
    unsafe {
        run_all(dso_handles, |handlers| &mut handlers.at_thread_exit, OfThread::is_own, OfThread::run);
        run_all(dso_handles, |handlers| &mut handlers.finalizers, is_first, Finalizers::run);
        run_all(dso_handles, |handlers| &mut handlers.at_exit, |_| true, Handler::run);
        run_all(dso_handles, |handlers| &mut handlers.finalizers, |_| true, Finalizers::run);
        run_all(dso_handles, |handlers| &mut handlers.at_exit, |_| true, Handler::run);
    }
    for handle in dso_handles {
        // SAFETY: what is left of the image in the C library's lists finds nothing to do, and handlers for forks are
        // withdrawn.
        unsafe { __cxa_finalize(pointer(handle.0)) };
    }
}

impl OfThread {
    fn is_own(&self) -> bool {
        // SAFETY: has no preconditions.
        unsafe { libc::pthread_self() == self.thread }
    }

    /// # Safety
    /// Its image is mapped, and this is its thread.
    unsafe fn run(&self) {
        // SAFETY: whoever registered it vouches for it.
        unsafe { (self.function)(pointer(self.object as u64)) };
    }
}

/// Takes out and runs what is noted for images and chosen, the latest first.
///
/// # Safety
/// The images are mapped.
unsafe fn run_all<T>(
    dso_handles: &[ExecutorAddr],
    map: impl Fn(&mut Handlers) -> &mut BTreeMap<Key, T>,
    chosen: impl Fn(&T) -> bool,
    run: unsafe fn(&T),
) {
    let mut known = 0;
    let mut rest: Vec<Key> = Vec::new();
    loop {
        let next = {
            let mut handlers = lock();
            if handlers.next > known {
                let latest = handlers.next;
                let map = map(&mut handlers);
                let new = dso_handles.iter().flat_map(|handle| keys(map, handle.0, known));
                rest.extend(new.filter(|key| map.get(key).is_some_and(&chosen)));
                known = latest;
                rest.sort_unstable_by_key(|(_, number)| *number);
            }
            let Some(key) = rest.pop() else { return };
            map(&mut handlers).remove(&key)
        };
        if let Some(next) = next {
            // SAFETY: the caller's promise; it was taken out and does not run again.
            unsafe { run(&next) };
        }
    }
}

/// Nothing of an image is called from now on: its memory goes.
pub(super) fn forget(dso_handle: ExecutorAddr) {
    fn clear<T>(map: &mut BTreeMap<Key, T>, dso_handle: u64) {
        let keys: Vec<Key> = keys(map, dso_handle, 0).collect();
        keys.iter().for_each(|key| _ = map.remove(key));
    }
    let mut handlers = lock();
    clear(&mut handlers.at_exit, dso_handle.0);
    clear(&mut handlers.finalizers, dso_handle.0);
    clear(&mut handlers.at_quick_exit, dso_handle.0);
    clear(&mut handlers.at_thread_exit, dso_handle.0);
}

/// The `__dso_handle` of the first of `addresses` that lies in an image; null, which means the whole process, if none does.
pub(super) fn dso_handle(addresses: &[usize]) -> *mut c_void {
    let handle = addresses.iter().find_map(|address| images::dso_handle_of(ExecutorAddr(*address as u64)));
    pointer(handle.unwrap_or_default().0)
}

#[cfg(all(test, target_env = "gnu"))]
mod tests;
