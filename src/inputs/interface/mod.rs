//! What a Mach-O library exports, read from the library or from the text stub (`.tbd`) that stands for it.
//!
//! Such a library cannot be loaded where there is no Darwin. Its interface tells which names exist: for a link whose code
//! is not run, and for which archive members are not needed.

mod dylib;
mod tbd;
#[cfg(test)]
mod tests;
mod yaml;

use super::{InputFile, InputKind, classify, universal};
use crate::base::Result;
use crate::graph::Architecture;
use std::borrow::Cow;
use std::collections::HashSet;

/// The names that a Mach-O library exports for one architecture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LibraryInterface<'data> {
    /// The path by which a program that is linked against the library asks for it.
    pub install_name: String,
    /// Install names of libraries whose exports this one passes on, and whose interface is not part of the file.
    pub reexported_libraries: Vec<String>,
    names: HashSet<Cow<'data, [u8]>>,
}

impl<'data> LibraryInterface<'data> {
    /// Reads the interface of a dynamic library, of the slice of a universal one, or of a text stub of any version.
    ///
    /// # Errors
    /// The file is neither, or malformed, or has nothing for the architecture.
    pub fn parse(file: &'data InputFile, architecture: Architecture) -> Result<Self> {
        match classify(file.bytes()) {
            InputKind::Tbd => tbd::parse(file, architecture),
            InputKind::MachUniversal => {
                dylib::parse(file, universal::slice(file, architecture)?, architecture)
            }
            _ => dylib::parse(file, file.bytes(), architecture),
        }
    }

    /// Whether the library exports `name`, spelled as objects do, with the underscore that C names begin with.
    #[must_use]
    pub fn exports(&self, name: &[u8]) -> bool {
        self.names.contains(name)
    }

    /// All names that it exports, in no order.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.names.iter().map(|name| &**name)
    }

    /// Takes a name in, unless it is an instruction to static linkers (`$ld$hide$os10.5$_name` and the like), which
    /// hold for systems older than those that are linked for here.
    fn add(&mut self, name: impl Into<Cow<'data, [u8]>>) {
        let name = name.into();
        if !name.starts_with(b"$ld$") {
            self.names.insert(name);
        }
    }
}
