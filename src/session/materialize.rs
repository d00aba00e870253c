//! Units of the user's: code that makes objects when somebody wants what they define.

use super::buffer::ObjectBuffer;
use super::dylib::JitDylib;
use super::flags::{ExecutorSymbol, JitSymbolFlags};
use crate::base::Result;

/// Definitions that are made when somebody wants one of them: a compiler, for one.
///
/// No lock is held while these functions run, so that they may look names up, also in their own dylib. A lookup of what
/// waits for this very unit is an error.
pub trait MaterializationUnit: Send + Sync {
    /// What messages call it.
    fn name(&self) -> &str;

    /// The names that it defines, with what is known of them. Asked once, when it is added to a dylib.
    fn symbols(&self) -> Vec<(Vec<u8>, JitSymbolFlags)>;

    /// Makes the definitions. Called once, when the first of the names is wanted.
    ///
    /// # Errors
    /// Whatever went wrong: it reaches every lookup that waits for one of the names. So does a panic, whose message
    /// becomes the error.
    fn materialize(self: Box<Self>, request: &MaterializationRequest<'_>) -> Result<Materialized>;
}

/// What is wanted of a [`MaterializationUnit`].
#[derive(Debug)]
pub struct MaterializationRequest<'a> {
    pub(super) dylib: &'a JitDylib,
    pub(super) wanted: &'a [Vec<u8>],
}

impl MaterializationRequest<'_> {
    /// The dylib that the unit was added to.
    #[must_use]
    pub fn dylib(&self) -> &JitDylib {
        self.dylib
    }

    /// The names that are wanted so far: at least one of those that the unit defines.
    #[must_use]
    pub fn wanted(&self) -> &[Vec<u8>] {
        self.wanted
    }
}

/// What a [`MaterializationUnit`] has made.
///
/// Every name that the unit defines must be among these. What the objects define besides is added to the dylib, too.
#[derive(Default)]
pub struct Materialized {
    /// Objects, to be linked together.
    pub objects: Vec<ObjectBuffer>,
    /// Symbols that need no linking.
    pub absolute: Vec<(Vec<u8>, ExecutorSymbol)>,
    /// A unit for names that nobody wanted yet; it defines no other names.
    pub rest: Option<Box<dyn MaterializationUnit>>,
}

impl std::fmt::Debug for Materialized {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Materialized")
            .field("objects", &self.objects)
            .field("absolute", &self.absolute)
            .field("rest", &self.rest.as_ref().map(|rest| rest.name()))
            .finish()
    }
}

impl Materialized {
    /// One object.
    #[must_use]
    pub fn object(buffer: ObjectBuffer) -> Self {
        Self { objects: vec![buffer], ..Self::default() }
    }
}

/// A unit made of a closure.
pub(super) struct ClosureUnit<F> {
    pub(super) name: String,
    pub(super) symbols: Vec<(Vec<u8>, JitSymbolFlags)>,
    pub(super) make: F,
}

impl<F> MaterializationUnit for ClosureUnit<F>
where
    F: FnOnce(&MaterializationRequest<'_>) -> Result<Materialized> + Send + Sync,
{
    fn name(&self) -> &str {
        &self.name
    }

    fn symbols(&self) -> Vec<(Vec<u8>, JitSymbolFlags)> {
        self.symbols.clone()
    }

    fn materialize(self: Box<Self>, request: &MaterializationRequest<'_>) -> Result<Materialized> {
        (self.make)(request)
    }
}
