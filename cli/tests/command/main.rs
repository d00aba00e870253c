//! The command, flag by flag: small objects are built, linked and run, and compared with LLVM's tool where that has
//! the flag.

mod addresses;
mod archives;
mod arguments;
mod bench;
mod checks;
mod contents;
mod crashes;
mod darwin;
mod debugger;
mod definitions;
mod dylibs;
mod entry;
mod failures;
mod graphs;
mod harness;
mod libraries;
mod memory;
mod profiler;
mod reports;
mod sections;
mod self_relocations;
mod symbol_table;
mod watch;
