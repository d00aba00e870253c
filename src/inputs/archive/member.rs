//! One member of an archive.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Archive;
use crate::base::{Error, Place, Result};
use crate::inputs::{InputFile, classify};

/// A member: its name, its place and its contents, or where these are.
#[derive(Clone, Debug)]
pub struct Member<'data> {
    archive: Arc<str>,
    name: &'data [u8],
    offset: u64,
    contents: Contents<'data>,
}

#[derive(Clone, Debug)]
enum Contents<'data> {
    Inline(&'data [u8]),
    External { path: PathBuf, inner_offset: Option<u64> },
}

impl<'data> Member<'data> {
    pub(super) fn inline(archive: &Archive<'_>, name: &'data [u8], offset: u64, bytes: &'data [u8]) -> Self {
        Self { archive: Arc::clone(&archive.name), name, offset, contents: Contents::Inline(bytes) }
    }

    /// A relative `name` is relative to the archive's directory, not to the current one.
    pub(super) fn external(
        archive: &Archive<'_>,
        name: &'data [u8],
        offset: u64,
        inner_offset: Option<u64>,
    ) -> Self {
        let path = archive.directory.join(OsStr::from_bytes(name));
        Self {
            archive: Arc::clone(&archive.name),
            name,
            offset,
            contents: Contents::External { path, inner_offset },
        }
    }

    /// The name in the archive; for a thin archive, a path.
    #[must_use]
    pub fn name(&self) -> &'data [u8] {
        self.name
    }

    /// Where the member's header is in the archive: what the symbol table refers to, and unique where names are not.
    #[must_use]
    pub fn file_offset(&self) -> u64 {
        self.offset
    }

    /// How the member is shown: `libx.a(member.o)`.
    #[must_use]
    pub fn display_name(&self) -> Arc<str> {
        format!("{}({})", self.archive, String::from_utf8_lossy(self.name)).into()
    }

    /// The contents. `None` for a thin member: [`Member::open`] it.
    #[must_use]
    pub fn bytes(&self) -> Option<&'data [u8]> {
        match self.contents {
            Contents::Inline(bytes) => Some(bytes),
            Contents::External { .. } => None,
        }
    }

    /// The file that a thin member is, or that holds it.
    #[must_use]
    pub fn external_path(&self) -> Option<&Path> {
        match &self.contents {
            Contents::Inline(_) => None,
            Contents::External { path, .. } => Some(path),
        }
    }

    /// Opens the file of a thin member, under the member's display name. `None` for a member whose bytes are in the
    /// archive.
    ///
    /// # Errors
    /// The file cannot be opened; or it should be an archive with the member at a given offset, and is not.
    pub fn open(&self) -> Result<Option<InputFile>> {
        let Contents::External { path, inner_offset } = &self.contents else { return Ok(None) };
        let Some(inner_offset) = *inner_offset else {
            return InputFile::open_as(path, self.display_name())
                .map(Some)
                .map_err(|error| self.stale(error));
        };
        let outer = InputFile::open(path).map_err(|error| self.stale(error))?;
        let archive = Archive::parse(&outer)?;
        let member = archive.member(inner_offset)?;
        let Some(bytes) = member.bytes() else {
            let help = "make the thin archive from the objects themselves";
            return Err(Error::unsupported(
                self.place(),
                "is a member of a thin archive in a thin archive",
                help,
            ));
        };
        let name = format!("{}({})", self.display_name(), String::from_utf8_lossy(member.name()));
        Ok(Some(InputFile::from_bytes(name, bytes)))
    }

    /// Whether a member with these contents is to be linked; if not, it can be left out unseen: metadata, text, nothing.
    ///
    /// # Errors
    /// The member is code that cannot be linked (bitcode, 32-bit, another format), which would be missed.
    pub fn is_linkable(&self, contents: &[u8]) -> Result<bool> {
        let kind = classify(contents);
        let metadata = matches!(self.name, b"lib.rmeta" | b"rust.metadata.bin");
        match kind {
            _ if metadata => Ok(false),
            _ if kind.is_refused_code() => Err(kind.refuse(self.place())),
            _ => Ok(kind.is_object()),
        }
    }

    fn place(&self) -> Place {
        Place::file(self.display_name())
    }

    fn stale(&self, error: Error) -> Error {
        match error {
            Error::Io { source, .. } => {
                let path = self.external_path().map(|path| path.to_string_lossy().into_owned());
                Error::Io { path: format!("{}: {}", self.display_name(), path.unwrap_or_default()), source }
            }
            other => other,
        }
    }
}
