//! The owner of opened files: objects are linked from the bytes it keeps.

use super::InputFile;

/// Keeps opened files for as long as graphs borrow their bytes. Several threads can add files at a time.
#[derive(Default)]
pub struct InputStore {
    files: boxcar::Vec<InputFile>,
}

impl InputStore {
    /// A store without files.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a file in.
    pub fn add(&self, file: InputFile) -> &InputFile {
        let index = self.files.push(file);
        &self.files[index]
    }
}

impl std::fmt::Debug for InputStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InputStore").field("files", &self.files.count()).finish()
    }
}
