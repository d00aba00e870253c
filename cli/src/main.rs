//! The `jitlink` command: links objects into memory and runs them.
//!
//! # Safety
//!
//! Runs the program that the user gave; see [`at_once`] and [`dylibs`]. The entry point is the C library's: Rust's own would read the
//! list of mappings and replace signal handlers, which takes time and is not how a program expects to find its process.
#![deny(unsafe_op_in_unsafe_fn)]
#![cfg_attr(not(test), no_main)]

mod args;
mod at_once;
mod check;
mod crash;
mod definitions;
mod dylibs;
mod heap;
mod inspect;
mod loading;
mod manager;
mod perf;
mod progress;
mod report;
mod self_relocations;
mod show;
mod symbolicate;
mod threads;
mod watch;

use args::CommandLine;
use std::ffi::{CStr, OsStr, OsString, c_char, c_int};
use std::os::unix::ffi::OsStrExt;

/// The status of a command that failed before the program ran, or whose link was all that was asked.
const FAILURE: i32 = 1;

// SAFETY: the C library calls this, and nothing else has that name; tests have an entry point of their own.
#[allow(unsafe_code)]
#[cfg_attr(not(test), unsafe(no_mangle))]
extern "C" fn main(count: c_int, words: *const *const c_char) -> c_int {
    let words = (0..usize::try_from(count).unwrap_or(0)).map(|index| {
        // SAFETY: the C library gives that many pointers to strings that stay.
        let word = unsafe { CStr::from_ptr(*words.add(index)) };
        OsStr::from_bytes(word.to_bytes()).to_owned()
    });
    // Threads of the program may still run: nothing is freed, the process just ends.
    jitlink::host::exit(run(words))
}

fn run(words: impl Iterator<Item = OsString>) -> i32 {
    match CommandLine::parse(words) {
        Ok(command_line) => {
            let command_line: &'static CommandLine = Box::leak(Box::new(command_line));
            if let Some(table) = &command_line.options.symbolicate_with {
                let inputs = command_line.inputs.iter().map(|input| input.name());
                return symbolicate::run(table, inputs).unwrap_or(FAILURE);
            }
            crash::install(&command_line.options);
            if let Err(failed) = perf::start(&command_line.options) {
                return failed;
            }
            let run = if command_line.wants_dylibs() { dylibs::run } else { at_once::run };
            run(command_line).unwrap_or(FAILURE)
        }
        Err(error) => {
            // A closed output is no reason to say more.
            let _ = error.print();
            if error.use_stderr() { FAILURE } else { 0 }
        }
    }
}
