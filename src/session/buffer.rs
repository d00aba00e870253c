//! The bytes of an object, for as long as somebody may want to link it.

use crate::base::Result;
use crate::inputs::InputFile;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// The bytes of an object file, and what messages call it. Cloning shares the bytes.
#[derive(Clone, Debug)]
pub struct ObjectBuffer {
    name: Arc<str>,
    file: Arc<InputFile>,
    range: Range<usize>,
}

impl ObjectBuffer {
    /// An object in memory.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, bytes: impl Into<Box<[u8]>>) -> Self {
        Self::from_file(InputFile::from_bytes(name, bytes))
    }

    /// The object file at `path`: mapped, not read.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        InputFile::open(path).map(Self::from_file)
    }

    /// An opened file.
    #[must_use]
    pub fn from_file(file: InputFile) -> Self {
        Self { name: Arc::clone(file.name()), range: 0..file.bytes().len(), file: Arc::new(file) }
    }

    /// A part of a file: a member of an archive. A range that is not within the file stands for no bytes.
    #[must_use]
    pub fn part(name: impl Into<Arc<str>>, file: Arc<InputFile>, range: Range<usize>) -> Self {
        let range = if file.bytes().get(range.clone()).is_some() { range } else { 0..0 };
        Self { name: name.into(), file, range }
    }

    /// The same bytes by another name.
    #[must_use]
    pub fn renamed(&self, name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), ..self.clone() }
    }

    /// What messages call it.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.file.bytes().get(self.range.clone()).unwrap_or(&[])
    }
}
