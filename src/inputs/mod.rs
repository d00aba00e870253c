//! Finding and opening what a link is made of: files, archives, libraries, linker scripts.

pub mod archive;
mod file;
mod input;
pub mod interface;
pub mod linker_script;
mod loader;
pub mod magic;
pub mod search;
pub mod shared_library;
mod store;
pub mod universal;

pub use archive::Archive;
pub use file::InputFile;
pub use input::{Input, Members, Origin};
pub use interface::LibraryInterface;
pub use loader::{AddOptions, Loaded, Loader};
pub use magic::{InputKind, classify};
pub use search::LibrarySearch;
pub use shared_library::SharedLibrary;
pub use store::InputStore;
#[cfg(test)]
mod testing;
