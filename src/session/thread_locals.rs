//! Thread-local variables of a session: what code of other images is told of them, and where a caller finds its own.
//!
//! # Safety
//! Descriptors that are read lie in linked images, which the caller keeps.
#![allow(unsafe_code)]

use super::flags::{ExecutorSymbol, JitSymbolFlags};
use super::image::Image;
use super::lookup::Found;
use super::names::display;
use super::session::ExecutionSession;
use crate::base::{Error, ExecutorAddr, Result};
use crate::graph::Spelling;
use crate::host::{self, ProcessSymbols};
use crate::link::{LinkedSymbols, Resolver, ThreadHome, ThreadLocalQuery, ThreadLocalSymbol};
use std::sync::Arc;

/// What the symbols of an image's thread-local variables stand for.
#[derive(Clone, Copy, Debug)]
pub(super) enum ThreadLocals {
    /// Places in a template, of which each thread has a copy.
    Template(ThreadHome),
    /// Descriptors, as code for Darwin has them.
    Descriptors,
}

impl ThreadLocals {
    /// Those of a linked image, if it has any.
    pub(super) fn of(symbols: &LinkedSymbols<'_>) -> Option<Self> {
        let home = symbols.thread_home?;
        Some(match symbols.spelling() {
            Spelling::Plain => Self::Template(home),
            Spelling::Underscored => Self::Descriptors,
        })
    }
}

impl ExecutionSession {
    fn image_of_found(&self, found: &Found) -> Option<Arc<Image>> {
        self.lock().units.get(found.unit)?.image.clone()
    }

    /// What code is told of a thread-local variable that was found; `in_all_threads` if it relies on an offset from the
    /// thread pointer.
    pub(super) fn thread_local(
        &self,
        name: &[u8],
        found: &Found,
        in_all_threads: bool,
    ) -> Result<Option<ThreadLocalSymbol>> {
        let flags = found.symbol.flags;
        if !flags.contains(JitSymbolFlags::THREAD_LOCAL) {
            // Of a library that a generator found, nothing is known but an address.
            return if flags.contains(JitSymbolFlags::ABSOLUTE) {
                of_process(name, in_all_threads)
            } else {
                Err(wrong_sort(name, "is no thread-local variable, but code refers to it as if it were one"))
            };
        }
        match self.image_of_found(found).and_then(|image| image.thread_locals) {
            Some(ThreadLocals::Template(home)) => {
                let variable = home.variable(found.symbol.address);
                match variable.thread_offset {
                    None if in_all_threads => Err(in_blocks(name)),
                    _ => Ok(Some(variable)),
                }
            }
            Some(ThreadLocals::Descriptors) => Err(wrong_sort(name, OTHER_FORMAT)),
            None => of_process(name, in_all_threads),
        }
    }

    /// The address that code for Darwin is given for a thread-local variable: that of a descriptor.
    pub(super) fn thread_descriptor(&self, name: &[u8], found: &Found) -> Result<ExecutorAddr> {
        match self.image_of_found(found).and_then(|image| image.thread_locals) {
            Some(ThreadLocals::Descriptors) => Ok(found.symbol.address),
            _ => Err(wrong_sort(name, OTHER_FORMAT)),
        }
    }

    /// A symbol as callers of this library see it: a thread-local variable is the calling thread's.
    pub(super) fn for_caller(&self, name: &[u8], found: Found) -> Result<ExecutorSymbol> {
        let symbol = found.symbol;
        if !symbol.flags.contains(JitSymbolFlags::THREAD_LOCAL) || self.actions().is_none() {
            return Ok(symbol);
        }
        let image = self.image_of_found(&found);
        let [module, offset] = match image.as_ref().and_then(|image| image.thread_locals) {
            Some(ThreadLocals::Template(home)) => pair(&home.variable(symbol.address)),
            // SAFETY: a descriptor of the image, which is held here; its second and third word say where the variable is.
            Some(ThreadLocals::Descriptors) => unsafe {
                let descriptor = std::ptr::with_exposed_provenance::<[u64; 3]>(symbol.address.0 as usize);
                let [_, module, offset] = descriptor.read_unaligned();
                [module, offset]
            },
            None => match of_process(name, false)? {
                Some(variable) => pair(&variable),
                None => {
                    return Err(wrong_sort(name, "is a thread-local variable that no loaded library has"));
                }
            },
        };
        // SAFETY: the module is the image's, which is held here, or a loaded library's.
        let address = unsafe { host::thread_variable(module, offset) };
        Ok(ExecutorSymbol { address, ..symbol })
    }
}

fn pair(variable: &ThreadLocalSymbol) -> [u64; 2] {
    [variable.module, variable.offset]
}

/// The variable of a loaded library.
pub(super) fn of_process(name: &[u8], in_all_threads: bool) -> Result<Option<ThreadLocalSymbol>> {
    let query = ThreadLocalQuery { name, in_all_threads };
    Ok(ProcessSymbols::new().resolve_thread_locals(&[query])?.pop().flatten())
}

const OTHER_FORMAT: &str = "is a thread-local variable that code for Linux and for Darwin cannot share";

fn wrong_sort(name: &[u8], what: &str) -> Error {
    let help = "have both sides declare it alike, or reach it by a function";
    Error::invalid(format!("{} {what}", display(name)), Some(help))
}

/// What is said of an ordinary reference to a thread-local variable.
pub(super) fn not_ordinary(name: &[u8]) -> Error {
    wrong_sort(name, "is a thread-local variable, but code refers to it as if it were none")
}

fn in_blocks(name: &[u8]) -> Error {
    Error::invalid(
        format!(
            "{} is a thread-local variable whose offset from the thread pointer differs from thread to thread, \
             and code relies on that offset (initial exec)",
            display(name)
        ),
        Some(
            "compile what refers to it with -fPIC and without -ftls-model, or what defines it with \
             -ftls-model=initial-exec",
        ),
    )
}
