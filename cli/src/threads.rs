//! How many threads a link gets.

use crate::args::CommandLine;
use jitlink::base::{Result, Workers};
use std::num::NonZero;
use std::thread::available_parallelism;

/// From this many inputs on, several threads are worth their start when the command line does not ask for them.
const WORTH_THREADS: usize = 64;

/// The threads that the command line asks for; without such a wish, one for each processor where there are many inputs.
pub(crate) fn choose(command_line: &CommandLine) -> Result<Workers> {
    let threads = match command_line.options.num_threads {
        Some(threads) => usize::try_from(threads).unwrap_or(usize::MAX),
        None if linked_at_once(command_line) < WORTH_THREADS => 1,
        None => available_parallelism().map_or(1, NonZero::get),
    };
    Workers::new(threads.min(MAX_THREADS))
}

/// How many inputs may be linked together: lazy ones hardly ever are.
fn linked_at_once(command_line: &CommandLine) -> usize {
    command_line.dylibs.placements.iter().filter(|placement| !placement.lazy).count()
}

/// More threads than any machine has processors only cost memory.
const MAX_THREADS: usize = 1024;
