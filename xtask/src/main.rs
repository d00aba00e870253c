//! The project's chores: building the corpora that speed is measured on, and measuring.
//!
//! # Safety
//!
//! Unsafe are calls of the C library for what the standard library has no function for, and of code that was linked here.

mod blocks;
mod compare;
mod corpora;
mod formats;
mod incremental;
mod llvm_c;
mod place;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about, max_term_width = 100)]
struct CommandLine {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Build the corpora
    Corpora(corpora::Options),
    /// Measure jitlink, other linkers and the floor in turn on the corpora
    Compare(compare::Options),
    /// Link one small object after another, many times
    Incremental(incremental::Options),
    /// Count the instructions of links of the same sources as ELF and as Mach-O
    Formats(formats::Options),
    /// Link LLVM in memory and call it: compare output and time to `main` with the native program's
    LlvmC(llvm_c::Options),
}

/// What went wrong, said in full.
type Outcome<T> = Result<T, String>;

fn main() -> ExitCode {
    let done = match CommandLine::parse().chore {
        Chore::Corpora(options) => corpora::run(&options),
        Chore::Compare(options) => compare::run(&options),
        Chore::Incremental(options) => incremental::run(&options),
        Chore::Formats(options) => formats::run(&options),
        Chore::LlvmC(options) => llvm_c::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
