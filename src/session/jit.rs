//! The short way: add objects, get addresses.
//!
//! # Safety
//! Runs initialisers of linked code, for which the caller vouches.
#![allow(unsafe_code)]

use super::buffer::ObjectBuffer;
use super::dylib::JitDylib;
use super::flags::ExecutorSymbol;
use super::generators::{ArchiveGenerator, ProcessGenerator};
use super::session::{ExecutionSession, SessionOptions};
use super::tracker::ResourceTracker;
use super::typed::HeldSymbol;
use crate::base::{ExecutorAddr, Result};
use std::path::Path;
use std::sync::Arc;

/// A session with two dylibs: one for what is added, one for what this process exports.
#[derive(Clone, Debug)]
pub struct Jit {
    main: JitDylib,
    process: JitDylib,
}

impl Jit {
    /// A session that links into this process.
    ///
    /// # Errors
    /// [`Error::Memory`](crate::base::Error::Memory) when the process may not have as much address space.
    pub fn new() -> Result<Self> {
        Self::with_options(SessionOptions::new()?)
    }

    /// A session that links as the options say.
    ///
    /// # Errors
    /// None so far.
    pub fn with_options(options: SessionOptions) -> Result<Self> {
        let session = ExecutionSession::with_options(options);
        let (main, process) = (session.create_dylib("main")?, session.create_dylib("<process>")?);
        process.add_generator(ProcessGenerator::new());
        main.add_to_link_order(&process);
        Ok(Self { main, process })
    }

    /// The session.
    #[must_use]
    pub fn session(&self) -> &ExecutionSession {
        self.main.session()
    }

    /// The dylib that objects are added to.
    #[must_use]
    pub fn main(&self) -> &JitDylib {
        &self.main
    }

    /// The dylib of what this process exports.
    #[must_use]
    pub fn process(&self) -> &JitDylib {
        &self.process
    }

    /// Makes a dylib that refers to itself and then to this process.
    ///
    /// # Errors
    /// There is a dylib of that name.
    pub fn create_dylib(&self, name: impl Into<Arc<str>>) -> Result<JitDylib> {
        let dylib = self.session().create_dylib(name)?;
        dylib.add_to_link_order(&self.process);
        Ok(dylib)
    }

    /// Adds an object in memory; `name` is what messages call it.
    ///
    /// # Errors
    /// As for [`JitDylib::add_object`].
    pub fn add_object(&self, name: impl Into<Arc<str>>, bytes: impl Into<Box<[u8]>>) -> Result<()> {
        self.main.add_object(ObjectBuffer::new(name, bytes))
    }

    /// Adds an object file.
    ///
    /// # Errors
    /// As for [`JitDylib::add_object_file`].
    pub fn add_object_file(&self, path: impl AsRef<Path>) -> Result<()> {
        self.main.add_object_file(path)
    }

    /// Adds an archive, whose members are linked as they are needed.
    ///
    /// # Errors
    /// It cannot be opened, or is malformed.
    pub fn add_archive(&self, path: impl AsRef<Path>) -> Result<()> {
        self.main.add_generator(ArchiveGenerator::open(path)?);
        Ok(())
    }

    /// Loads a shared library into this process; what is added sees its symbols, and it may refer to what was added before:
    /// see [`JitDylib::add_library`].
    ///
    /// # Errors
    /// As there.
    pub fn add_library(&self, path: impl AsRef<Path>) -> Result<()> {
        self.main.add_library(path)
    }

    /// Lets what is added call a function, or use a variable, of the program.
    ///
    /// # Errors
    /// The name has been defined before.
    pub fn define(&self, name: impl AsRef<[u8]>, address: *const ()) -> Result<()> {
        let address = ExecutorAddr(address.expose_provenance() as u64);
        self.main.define_absolute([(name, ExecutorSymbol::function(address))])
    }

    /// Makes a tracker: what is added through it can be removed.
    #[must_use]
    pub fn create_tracker(&self) -> ResourceTracker {
        self.main.create_tracker()
    }

    /// Runs initialisers that have not run yet, and looks up a function or variable as a `T`. Its memory stays as long
    /// as the result.
    ///
    /// # Errors
    /// As for [`JitDylib::lookup`] and [`JitDylib::initialize`].
    ///
    /// # Safety
    /// `T` is the type of the function, or of a pointer to the variable; initialisers do nothing undefined.
    pub unsafe fn get<T: Copy>(&self, name: impl AsRef<[u8]>) -> Result<HeldSymbol<T>> {
        // SAFETY: the caller's promise.
        unsafe {
            self.main.initialize()?;
            self.main.get(name)
        }
    }
}
