//! Initialising images as `dlopen` does, and undoing that.
//!
//! What is initialised together is initialised as one: functions run by priority, whichever image they are in, and at equal
//! priorities in the order of the images.
//!
//! # Safety
//!
//! Runs linked code. The functions that do so are unsafe, and ask their caller for addresses of finalized memory that stays
//! mapped until the images have been finalized or the process has ended.
#![allow(unsafe_code)]

use super::catch::{Thrown, catch};
use super::exit_handlers::{self, Manner, add_finalizers};
use super::init::{InitPlan, InitStep};
use super::program::{Arguments, environment, outermost};
use super::thread_locals::pool::enter_thread;
use crate::base::{Error, ExecutorAddr, Result};
use std::ffi::CString;
use std::sync::OnceLock;

/// One of the images that are initialised together.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// What runs of it.
    pub plan: &'a InitPlan,
    /// Its `__dso_handle`.
    pub dso_handle: ExecutorAddr,
    /// Whether it is part of the program itself: at exit, its finalisers run before those of all else.
    pub of_program: bool,
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

fn arguments() -> &'static Arguments {
    ARGUMENTS.get_or_init(|| {
        let strings = std::env::args_os().filter_map(|word| CString::new(word.into_encoded_bytes()).ok());
        Arguments::leak(strings.collect()).unwrap_or(Arguments::NONE)
    })
}

/// Runs initialisers on the calling thread, with the arguments of this process. Finalisers run by [`finalize`], or when the
/// process ends. An exception that leaves an initialiser ends the process, as it does at the start of a program.
///
/// # Errors
/// The C library refuses to register the finalisers; nothing has run then.
///
/// # Safety
/// The plans' addresses are those of initialisers and finalisers of finalized images with these handles, none of which is null.
/// They have not run yet, or have been finalized since, and the images stay mapped until they are.
pub unsafe fn initialize(members: &[Member<'_>]) -> Result<()> {
    // SAFETY: the caller's promise.
    unsafe { register(members) }?;
    enter_thread();
    // SAFETY: as above.
    outermost(|| unsafe { run(members) });
    Ok(())
}

/// As [`initialize`]; but when an exception leaves an initialiser, what the images have registered so far is run, their finalisers
/// are not, and they are as if they had not been initialised, but for what is in their memory. So it is when a panic passes, or
/// the initialiser ends its thread.
///
/// # Errors
/// As for [`initialize`], or what was thrown.
///
/// # Safety
/// As for [`initialize`].
pub unsafe fn try_initialize(members: &[Member<'_>]) -> Result<()> {
    let first = exit_handlers::latest();
    // SAFETY: the caller's promise.
    unsafe { register(members) }?;
    enter_thread();
    let mut failed = Failed { handles: handles(members), first, armed: true };
    // SAFETY: as above.
    let outcome = catch(|| unsafe { run(members) });
    failed.armed = outcome.is_err();
    drop(failed);
    outcome.map_err(|Thrown { what }| Error::invalid(format!("an initialiser ended by {what}"), None))
}

/// Undoes what initialisers have done that did not come to their end.
struct Failed {
    handles: Vec<ExecutorAddr>,
    first: u64,
    armed: bool,
}

impl Drop for Failed {
    fn drop(&mut self) {
        if self.armed {
            exit_handlers::forget_finalizers(&self.handles, self.first);
            // SAFETY: made by `try_initialize`, whose caller vouches for the images.
            unsafe { finalize(&self.handles) };
        }
    }
}

fn handles(members: &[Member<'_>]) -> Vec<ExecutorAddr> {
    members.iter().map(|member| member.dso_handle).collect()
}

/// Runs the exit handlers that the code of images has registered, and the finalisers of those that were initialised, as if they
/// were one shared library that is closed.
///
/// # Safety
/// The images with these handles, none of which is null, are still mapped.
pub unsafe fn finalize(dso_handles: &[ExecutorAddr]) {
    enter_thread();
    // SAFETY: the caller's promise.
    outermost(|| unsafe { exit_handlers::finalize(dso_handles, Manner::Close) });
}

/// Registers the finalisers of all members.
///
/// # Safety
/// As for [`initialize`].
unsafe fn register(members: &[Member<'_>]) -> Result<()> {
    exit_handlers::prepare_finalizers()?;
    let first = exit_handlers::latest();
    for (step, member) in by_priority(members, |plan| &plan.fini) {
        // SAFETY: the caller's promise.
        if let Err(error) = unsafe { add_finalizers(*step, member.dso_handle, member.of_program) } {
            exit_handlers::forget_finalizers(&handles(members), first);
            return Err(error);
        }
    }
    Ok(())
}

/// # Safety
/// As for [`initialize`].
unsafe fn run(members: &[Member<'_>]) {
    let (arguments, environment) = (arguments(), environment().cast_const().cast());
    let preinit = members.iter().flat_map(|member| &member.plan.preinit);
    let init = by_priority(members, |plan| &plan.init);
    for step in preinit.chain(init.into_iter().map(|(step, _)| step)) {
        // SAFETY: the caller vouches for the plan; the arguments are never freed.
        unsafe { step.run_initializers(arguments.count, arguments.values(), environment) };
    }
}

/// The steps of all members by priority, and of whom they are.
fn by_priority<'a>(
    members: &[Member<'a>],
    steps: impl Fn(&'a InitPlan) -> &'a Vec<InitStep>,
) -> Vec<(&'a InitStep, Member<'a>)> {
    let of_member = |member: &Member<'a>| {
        let member = *member;
        steps(member.plan).iter().map(move |step| (step, member))
    };
    let mut all: Vec<_> = members.iter().flat_map(of_member).collect();
    all.sort_by_key(|(step, _)| step.priority);
    all
}
