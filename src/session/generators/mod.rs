//! Generators that come with the library: this process, a shared library, an archive, another dylib. A closure
//! `Fn(&JitDylib, &[WantedName]) -> Result<()>` is one, too.

mod archive;
mod library;
mod process;
mod reexports;

pub use archive::{ArchiveGenerator, archive_members};
pub use library::LibraryGenerator;
pub use process::ProcessGenerator;
pub use reexports::ReexportGenerator;
