//! What a link is made of, as its user names it.

use std::ffi::OsStr;
use std::path::PathBuf;

/// Where an input is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file.
    File(PathBuf),
    /// A library to be searched for: `foo` for `libfoo.so` or `libfoo.a`.
    Library(String),
}

/// Which members of an archive are linked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Members {
    /// Those that define a name which is referred to and not defined otherwise.
    #[default]
    Needed,
    /// All of them.
    All,
}

/// Something to link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Where it is.
    pub origin: Origin,
    /// Which members are linked, should it be an archive.
    pub members: Members,
    /// Whether what it defines is hidden: not exported, and kept only if referred to.
    pub hidden: bool,
}

impl Input {
    /// The name as given.
    #[must_use]
    pub fn name(&self) -> &OsStr {
        match &self.origin {
            Origin::File(path) => path.as_os_str(),
            Origin::Library(name) => name.as_ref(),
        }
    }
}
