//! Running a linked program in this process, from its initialisers to its exit.
//!
//! A program is run as a static one would be: its finalisers are given to the C library before its initialisers run,
//! so that every handler that linked code registers runs before them, whether `main` returns or linked code calls
//! `exit`. The C library runs each registered function once, whichever of [`exit`], [`Running::finish`] and linked
//! code's own `exit` comes first.
//!
//! An exception that nothing catches ends the process through `std::terminate`, and `pthread_exit` in `main` ends
//! the thread, as in a static program: linked code runs above a frame that ends the stack for unwinders.
//!
//! Two ways through a program's life:
//! - a command, whose process becomes the program: [`prepare_process`], [`Program::run`], [`exit`]. Threads of the
//!   program may still run while the process ends, so its memory must not be freed: leak the allocation.
//! - a library's user, whose process goes on: [`Program::start`], [`Running::call_main`], [`Running::finish`]; then
//!   the memory may be freed, once no thread of the program runs any more.
//!
//! # Safety
//!
//! Runs linked code. The functions that do so are unsafe, and ask their caller for addresses of finalized memory that
//! stays mapped until the program has finished or the process has ended.
#![allow(unsafe_code)]

use super::arch;
use super::init::InitPlan;
use super::thread_locals::pool::enter_thread;
use crate::base::{Error, ExecutorAddr, Result};
use std::ffi::{CString, c_char, c_int, c_void};
use std::io::Write;
use std::sync::{Arc, OnceLock};

/// A function to be called above a frame that ends the stack.
pub(super) type OutermostFn = unsafe extern "C-unwind" fn(data: *mut c_void);

type MainFn =
    unsafe extern "C-unwind" fn(argc: c_int, argv: *mut *mut c_char, envp: *mut *mut c_char) -> c_int;

unsafe extern "C" {
    static mut environ: *mut *mut c_char;
    fn __cxa_atexit(handler: OutermostFn, data: *mut c_void, dso_handle: *mut c_void) -> c_int;
    fn __cxa_finalize(dso_handle: *mut c_void);
}

/// A linked program that has not started yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// What runs before and after `main`.
    pub plan: InitPlan,
    /// The entry point: `int main(int argc, char **argv, char **envp)`.
    pub main: ExecutorAddr,
    /// The image's `__dso_handle`, which linked code gives to `__cxa_atexit`; null if it has none.
    pub dso_handle: ExecutorAddr,
}

/// A program whose initialisers have run and whose finalisers will run when the process ends, unless
/// [`finish`](Self::finish) does so before.
#[derive(Debug)]
#[must_use = "its memory may be freed only after `finish`"]
pub struct Running {
    main: ExecutorAddr,
    dso_handle: ExecutorAddr,
    arguments: Arguments,
}

impl Program {
    /// Starts the program, calls `main` and returns its status, which the command then gives to [`exit`].
    ///
    /// `args` are the program's arguments from `argv[0]` on; that one also becomes the C library's name of the
    /// program, which its messages begin with. What this process has buffered for standard output is written first.
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    ///
    /// # Safety
    /// As for [`start`](Self::start), and `main` is the address of a function of that type.
    pub unsafe fn run(self, args: Vec<CString>) -> Result<i32> {
        flush_stdout();
        // SAFETY: the caller's promise is the same.
        let running = unsafe { self.start(args) }?;
        // SAFETY: as above.
        Ok(unsafe { running.call_main() })
    }

    /// Registers the finalisers with the C library and runs the initialisers, on the calling thread.
    ///
    /// The arguments are kept to the end of the process, since linked code may keep pointers to them (`putenv`).
    ///
    /// # Errors
    /// There are more than `i32::MAX` arguments, or the C library is out of memory. Nothing has run then.
    ///
    /// # Safety
    /// The addresses in `plan` are as [`InitPlan::run_initializers`] and [`InitPlan::run_finalizers`] ask. The image
    /// stays mapped until [`Running::finish`] has returned, or for ever.
    pub unsafe fn start(self, args: Vec<CString>) -> Result<Running> {
        let arguments = Arguments::leak(args)?;
        let Self { plan, main, dso_handle } = self;
        let plan = Arc::new(plan);
        let dso_handle = register_finalizers(&plan, dso_handle)?;
        enter_thread();
        outermost(|| {
            // SAFETY: the caller vouches for the plan; the arguments are never freed.
            unsafe { plan.run_initializers(arguments.count, arguments.values.0.cast(), environment().cast()) }
        });
        Ok(Running { main, dso_handle, arguments })
    }
}

impl Running {
    /// Calls `main` on the calling thread and returns its status.
    ///
    /// # Safety
    /// The program's `main` is the address of a function of that type, and the image is still mapped.
    pub unsafe fn call_main(&self) -> i32 {
        let Self { main, arguments, .. } = self;
        arguments.name_process();
        enter_thread();
        let main = std::ptr::with_exposed_provenance::<()>(main.0 as usize);
        // SAFETY: the caller gives the address of a `main`.
        let main: MainFn = unsafe { std::mem::transmute(main) };
        let mut status = 0;
        outermost(|| {
            // SAFETY: as above; the arguments are never freed.
            status = unsafe { main(arguments.count, arguments.values.0, environment()) };
        });
        status
    }

    /// Runs the handlers that linked code has registered, last first, then the finalisers; not those of other images.
    ///
    /// # Safety
    /// The image is still mapped.
    pub unsafe fn finish(self) {
        let handle = self.dso_handle;
        enter_thread();
        // SAFETY: the handle is not null; what is registered under it belongs to this image, which is still mapped.
        outermost(|| unsafe { __cxa_finalize(pointer(handle)) });
    }
}

/// Ends the process with `status` as the C library does: exit handlers run, the finalisers of running programs among
/// them, and its streams are flushed. What this process has buffered for standard output is written first.
pub fn exit(status: i32) -> ! {
    flush_stdout();
    outermost(|| {
        // SAFETY: handlers of linked code stay valid, since its memory is not freed before the process ends.
        unsafe { libc::exit(status) }
    });
    std::process::abort()
}

/// Gives the signals that Rust's runtime has taken for itself their default meaning again, as `exec` would: `SIGPIPE`
/// (ignored), `SIGSEGV` and `SIGBUS` (messages about stack overflow).
///
/// For a command whose process becomes the program; to be called before anything that installs its own handlers.
pub fn prepare_process() {
    for signal in [libc::SIGPIPE, libc::SIGSEGV, libc::SIGBUS] {
        // SAFETY: the default action involves no code of this process.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// What initialisers of images get as arguments.
static ARGUMENTS: OnceLock<Arguments> = OnceLock::new();

/// Gives initialisers of images these arguments from `argv[0]` on instead of those of this process. Without effect once
/// an image has been initialised.
///
/// # Errors
/// There are more than a program can have.
pub fn set_initializer_arguments(args: Vec<CString>) -> Result<()> {
    // Who was faster has set others; the strings are small.
    let _ = ARGUMENTS.set(Arguments::leak(args)?);
    Ok(())
}

/// Runs the initialisers of an image on the calling thread, as `dlopen` would: with the arguments of this process. Its
/// finalisers run by [`finalize_image`], or when the process ends.
///
/// # Errors
/// The C library refuses to register the finalisers; nothing has run then.
///
/// # Safety
/// The plan's addresses are those of initialisers and finalisers of a finalized image with this `__dso_handle`, which is
/// not null. They have not run yet, and the image stays mapped until they have.
pub unsafe fn initialize_image(plan: InitPlan, dso_handle: ExecutorAddr) -> Result<()> {
    let plan = Arc::new(plan);
    register_finalizers(&plan, dso_handle)?;
    let arguments = ARGUMENTS.get_or_init(|| {
        let strings = std::env::args_os().filter_map(|word| CString::new(word.into_encoded_bytes()).ok());
        Arguments::leak(strings.collect()).unwrap_or(Arguments::NONE)
    });
    enter_thread();
    outermost(|| {
        // SAFETY: the caller vouches for the plan; the arguments are never freed.
        unsafe { plan.run_initializers(arguments.count, arguments.values.0.cast(), environment().cast()) }
    });
    Ok(())
}

/// Runs the exit handlers that the code of an image has registered, last first, then its finalisers if it was
/// initialised.
///
/// # Safety
/// The image with this `__dso_handle`, which is not null, is still mapped.
pub unsafe fn finalize_image(dso_handle: ExecutorAddr) {
    enter_thread();
    // SAFETY: the handle is not null; what is registered under it belongs to this image, which is still mapped.
    outermost(|| unsafe { __cxa_finalize(pointer(dso_handle)) });
}

/// Has the C library run a plan's finalisers at exit, or when the image with this handle is finalized. An image without
/// a handle gets an address of its own, since null would mean the whole process.
fn register_finalizers(plan: &Arc<InitPlan>, dso_handle: ExecutorAddr) -> Result<ExecutorAddr> {
    let registered = Arc::into_raw(Arc::clone(plan));
    let dso_handle = if dso_handle.is_null() { ExecutorAddr(registered.addr() as u64) } else { dso_handle };
    // SAFETY: `finalize` takes the registered count over, and is called once at most.
    if unsafe { __cxa_atexit(finalize, registered.cast_mut().cast(), pointer(dso_handle)) } != 0 {
        // SAFETY: nothing was registered, so the count is still this function's own.
        drop(unsafe { Arc::from_raw(registered) });
        return Err(Error::Memory { what: "register the finalisers".to_owned(), source: None });
    }
    Ok(dso_handle)
}

/// Runs the finalisers of the plan that `data` points to.
unsafe extern "C-unwind" fn finalize(data: *mut c_void) {
    // SAFETY: `Program::start` registered this function with a counted plan; it is called once.
    let plan = unsafe { Arc::from_raw(data.cast_const().cast::<InitPlan>()) };
    // SAFETY: the caller of `Program::start` vouches for the plan.
    unsafe { plan.run_finalizers() };
}

fn pointer(address: ExecutorAddr) -> *mut c_void {
    std::ptr::with_exposed_provenance_mut(address.0 as usize)
}

fn environment() -> *mut *mut c_char {
    // SAFETY: a plain read of the pointer, as any C program does it; setting it meanwhile is a race there as well.
    unsafe { environ }
}

/// Writes what Rust's standard output has buffered, so that it stands before what the program prints.
fn flush_stdout() {
    // A closed or full standard output is for the program to find out.
    let _ = std::io::stdout().flush();
}

/// Calls `work` above a frame that ends the stack for unwinders.
fn outermost<F: FnOnce()>(work: F) {
    unsafe extern "C-unwind" fn call<F: FnOnce()>(data: *mut c_void) {
        // SAFETY: `data` points to the `Option` below.
        if let Some(work) = unsafe { (*data.cast::<Option<F>>()).take() } {
            work();
        }
    }
    let mut work = Some(work);
    // SAFETY: `call` is of the same `F`, and `work` outlives the call.
    unsafe { arch::call_outermost(call::<F>, (&raw mut work).cast()) };
}

/// `argc` and `argv`, never freed.
#[derive(Clone, Copy, Debug)]
struct Arguments {
    count: c_int,
    values: Values,
}

/// An `argv` that belongs to linked code from its start on.
#[derive(Clone, Copy, Debug)]
struct Values(*mut *mut c_char);

// SAFETY: nothing here reads or writes the array or the strings once linked code has them; the pointers are passed on.
unsafe impl Send for Values {}
// SAFETY: as above.
unsafe impl Sync for Values {}

impl Arguments {
    const NONE: Self = Self { count: 0, values: Values(std::ptr::null_mut()) };

    fn leak(args: Vec<CString>) -> Result<Self> {
        let count = c_int::try_from(args.len())
            .map_err(|_| Error::invalid("too many arguments for the program", Some("pass them in a file")))?;
        let strings = args.into_iter().map(CString::into_raw);
        let values: Vec<_> = strings.chain([std::ptr::null_mut()]).collect();
        Ok(Self { count, values: Values(values.leak().as_mut_ptr()) })
    }

    /// Makes `argv[0]` the C library's name of the program.
    fn name_process(&self) {
        #[cfg(target_env = "gnu")]
        if self.count > 0 {
            // SAFETY: there is an `argv[0]`, whose string is never freed.
            unsafe { name_process(*self.values.0) };
        }
    }
}

#[cfg(target_env = "gnu")]
unsafe fn name_process(name: *mut c_char) {
    unsafe extern "C" {
        static mut program_invocation_name: *mut c_char;
        static mut program_invocation_short_name: *mut c_char;
    }
    // SAFETY: the caller gives a string that ends with a zero and stays; the C library sets these at its start only.
    unsafe {
        let slash = libc::strrchr(name, c_int::from(b'/'));
        program_invocation_name = name;
        program_invocation_short_name = if slash.is_null() { name } else { slash.add(1) };
    }
}

#[cfg(test)]
mod tests;
