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
use super::exit_handlers::{Manner, add_finalizers, finalize, prepare_finalizers};
use super::init::InitPlan;
use super::thread_locals::pool::enter_thread;
use crate::base::{Error, ExecutorAddr, Result};
use std::ffi::{CString, c_char, c_int, c_void};
use std::io::Write;

/// A function to be called above a frame that ends the stack.
pub(super) type OutermostFn = unsafe extern "C-unwind" fn(data: *mut c_void);

type MainFn =
    unsafe extern "C-unwind" fn(argc: c_int, argv: *mut *mut c_char, envp: *mut *mut c_char) -> c_int;

unsafe extern "C" {
    static mut environ: *mut *mut c_char;
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
    /// The addresses in `plan` are as [`InitPlan::run_initializers`] asks, and those of finalisers that have not run. The image
    /// stays mapped until [`Running::finish`] has returned, or for ever.
    pub unsafe fn start(self, args: Vec<CString>) -> Result<Running> {
        let arguments = Arguments::leak(args)?;
        let Self { plan, main, dso_handle } = self;
        let dso_handle = if dso_handle.is_null() { handle_of_none() } else { dso_handle };
        prepare_finalizers()?;
        // SAFETY: the caller vouches for the plan, and for the image's being mapped.
        plan.fini.iter().try_for_each(|step| unsafe { add_finalizers(*step, dso_handle, true) })?;
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
        outermost(|| unsafe { finalize(&[handle], Manner::Exit) });
    }
}

/// What stands for the `__dso_handle` of an image without one: an address that is nobody else's.
fn handle_of_none() -> ExecutorAddr {
    ExecutorAddr((Box::leak(Box::new(0u8)) as *mut u8).expose_provenance() as u64)
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

pub(super) fn environment() -> *mut *mut c_char {
    // SAFETY: a plain read of the pointer, as any C program does it; setting it meanwhile is a race there as well.
    unsafe { environ }
}

/// Writes what Rust's standard output has buffered, so that it stands before what the program prints.
fn flush_stdout() {
    // A closed or full standard output is for the program to find out.
    let _ = std::io::stdout().flush();
}

/// Calls `work` above a frame that ends the stack for unwinders.
pub(super) fn outermost<F: FnOnce()>(work: F) {
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
pub(super) struct Arguments {
    pub(super) count: c_int,
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
    pub(super) const NONE: Self = Self { count: 0, values: Values(std::ptr::null_mut()) };

    pub(super) fn leak(args: Vec<CString>) -> Result<Self> {
        let count = c_int::try_from(args.len())
            .map_err(|_| Error::invalid("too many arguments for the program", Some("pass them in a file")))?;
        let strings = args.into_iter().map(CString::into_raw);
        let values: Vec<_> = strings.chain([std::ptr::null_mut()]).collect();
        Ok(Self { count, values: Values(values.leak().as_mut_ptr()) })
    }

    pub(super) fn values(&self) -> *const *const c_char {
        self.values.0.cast_const().cast()
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
