//! Running a linked program in this process.
//!
//! # Safety
//! Calls linked code; the caller vouches for it.
#![allow(unsafe_code)]

use crate::base::{ExecutorAddr, Result};
use crate::link::{InitFunctions, InitStep, Linked, StepFunctions};
use crate::runtime::{self, InitPlan, Program};
use std::ffi::CString;

pub use crate::runtime::exit;

/// Runs initialisers and then `main` at `entry`, with `args` from `argv[0]` on; returns its status, which the command
/// gives to [`exit`]. The image stays mapped until the process ends, since threads may still run in it.
///
/// # Errors
/// The C library refuses to register the finalisers.
///
/// # Safety
/// The linked code does nothing that would be undefined in a program of its own, and `entry` is a `main`.
pub unsafe fn run_main(linked: Linked<'_>, entry: ExecutorAddr, args: Vec<CString>) -> Result<i32> {
    let plan = plan_of(linked.init_functions());
    let program = Program { plan, main: entry, dso_handle: linked.dso_handle() };
    std::mem::forget(linked.into_allocation());
    // SAFETY: the image is finalized and never freed; the rest is the caller's promise.
    unsafe { program.run(args) }
}

/// Calls the `main` at `entry`, with `args` from `argv[0]` on, of a program that has been initialised; returns its status,
/// which the command gives to [`exit`].
///
/// # Errors
/// The C library refuses to register the end of the program.
///
/// # Safety
/// `entry` is a `main` of code that stays mapped until the process ends and does nothing that would be undefined in a
/// program of its own.
pub unsafe fn call_main(entry: ExecutorAddr, args: Vec<CString>) -> Result<i32> {
    let program = Program { plan: InitPlan::default(), main: entry, dso_handle: ExecutorAddr::NULL };
    // SAFETY: the caller's promise.
    unsafe { program.run(args) }
}

/// The plan of a linked image's initialisers and finalisers.
pub(crate) fn plan_of(functions: &InitFunctions) -> InitPlan {
    let convert = |steps: &[InitStep]| steps.iter().map(|step| step_of(*step)).collect();
    InitPlan {
        preinit: convert(&functions.preinit),
        init: convert(&functions.init),
        fini: convert(&functions.fini),
    }
}

fn step_of(step: InitStep) -> runtime::InitStep {
    let functions = match step.functions {
        StepFunctions::Call(address) => runtime::Functions::Call(address),
        StepFunctions::Array(range) => runtime::Functions::Array(range),
        StepFunctions::ReversedArray(range) => runtime::Functions::ReversedArray(range),
    };
    runtime::InitStep { priority: step.priority, functions }
}
