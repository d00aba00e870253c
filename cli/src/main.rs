//! The `jitlink` command: links objects into memory and runs them.
//!
//! # Safety
//!
//! Runs the program that the user gave; see [`session`].
#![deny(unsafe_op_in_unsafe_fn)]

mod args;
mod check;
mod definitions;
mod image;
mod inspect;
mod loading;
mod manager;
mod progress;
mod report;
mod self_relocations;
mod session;
mod show;
mod threads;

use args::CommandLine;

/// The status of a command that failed before the program ran, or whose link was all that was asked.
const FAILURE: i32 = 1;

fn main() {
    jitlink::runtime::program::prepare_process();
    let status = match CommandLine::parse(std::env::args_os()) {
        Ok(command_line) => session::run(&command_line).unwrap_or(FAILURE),
        Err(error) => {
            // A closed output is no reason to say more.
            let _ = error.print();
            if error.use_stderr() { FAILURE } else { 0 }
        }
    };
    // Threads of the program may still run: nothing is freed, the process just ends.
    jitlink::host::exit(status)
}
