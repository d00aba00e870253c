//! The owner of opened files: objects are linked from the bytes it keeps.

use super::InputFile;
use typed_arena::Arena;

/// Keeps opened files for as long as graphs borrow their bytes.
#[derive(Default)]
pub struct InputStore {
    files: Arena<InputFile>,
}

impl InputStore {
    /// A store without files.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a file in.
    pub fn add(&self, file: InputFile) -> &InputFile {
        self.files.alloc(file)
    }
}

impl std::fmt::Debug for InputStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InputStore").field("files", &self.files.len()).finish()
    }
}
