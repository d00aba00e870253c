//! Command-line inputs to a batch: objects as they are, archives member by member as names need them, shared libraries
//! and linker scripts by what they stand for.
//!
//! Which definition a reference finds is independent of the order of objects and archives, as in lld and mold: an
//! archive given before the object that needs it is found, and archives that need each other work. A shared library
//! given before an archive keeps the archive's member of the same name from being loaded.

use super::archive::defined_symbols;
use super::linker_script::{self, ScriptInput};
use super::search::Preference;
use super::{Archive, InputFile, InputKind, InputStore, LibrarySearch, SharedLibrary, classify};
use crate::base::{Error, Place, Result};
use crate::link::Batch;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Which members of an archive are linked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Members {
    /// Those that define a name which is referred to and not defined otherwise.
    #[default]
    Needed,
    /// All of them.
    All,
}

/// How an input is added.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AddOptions {
    /// Which members of an archive are linked.
    pub members: Members,
    /// Whether what the input defines is hidden: not exported, and kept only if referred to.
    pub hidden: bool,
}

/// What the inputs came to.
#[derive(Debug)]
pub struct Loaded<'data> {
    /// The objects to be linked.
    pub batch: Batch<'data>,
    /// Shared libraries that the inputs name, in order.
    pub shared_libraries: Vec<PathBuf>,
}

/// Linker scripts may name linker scripts, up to this depth.
const MAX_SCRIPT_DEPTH: u32 = 16;

/// Turns inputs into a batch.
#[derive(Debug)]
pub struct Loader<'data> {
    store: &'data InputStore,
    search: LibrarySearch,
    batch: Batch<'data>,
    archives: Vec<LoadedArchive<'data>>,
    members: Vec<LazyMember>,
    libraries: Vec<LoadedLibrary<'data>>,
    position: u32,
}

#[derive(Debug)]
struct LoadedArchive<'data> {
    archive: Archive<'data>,
    hidden: bool,
    position: u32,
}

#[derive(Clone, Copy, Debug)]
struct LazyMember {
    archive: u32,
    offset: u64,
    loaded: bool,
}

#[derive(Debug)]
struct LoadedLibrary<'data> {
    path: PathBuf,
    file: &'data InputFile,
    exports: OnceCell<Option<SharedLibrary<'data>>>,
    position: u32,
}

impl<'data> Loader<'data> {
    /// A loader whose files `store` keeps.
    #[must_use]
    pub fn new(store: &'data InputStore) -> Self {
        Self {
            store,
            search: LibrarySearch::new(),
            batch: Batch::new(),
            archives: Vec::new(),
            members: Vec::new(),
            libraries: Vec::new(),
            position: 0,
        }
    }

    /// Where `-l` looks.
    pub fn search_mut(&mut self) -> &mut LibrarySearch {
        &mut self.search
    }

    /// The batch so far.
    pub fn batch_mut(&mut self) -> &mut Batch<'data> {
        &mut self.batch
    }

    /// Adds a file: an object, an archive, a shared library or a linker script.
    ///
    /// # Errors
    /// The file cannot be read, or is none of these, or malformed.
    pub fn add_file(&mut self, path: &Path, options: AddOptions) -> Result<()> {
        let file = self.store.add(InputFile::open(path)?);
        self.add_opened(file, options, 0)
    }

    /// Adds the library that `-l name` stands for.
    ///
    /// # Errors
    /// It is not found, or as for [`Self::add_file`].
    pub fn add_library(&mut self, name: &str, options: AddOptions) -> Result<()> {
        let path = self.search.find(name, Preference::SharedFirst)?;
        self.add_file(&path, options)
    }

    fn add_opened(&mut self, file: &'data InputFile, options: AddOptions, depth: u32) -> Result<()> {
        self.position += 1;
        match classify(file.bytes()) {
            kind if kind.is_object() => {
                self.batch.set_hidden(options.hidden);
                self.batch.add_object(Arc::clone(file.name()), file.bytes())
            }
            InputKind::Archive | InputKind::ThinArchive => self.add_archive(file, options),
            InputKind::ElfShared { .. } => {
                self.add_shared(file);
                Ok(())
            }
            InputKind::Text => self.add_script(file, options, depth),
            kind => Err(kind.refuse(file.place())),
        }
    }

    fn add_shared(&mut self, file: &'data InputFile) {
        self.libraries.push(LoadedLibrary {
            path: file.path().to_owned(),
            file,
            exports: OnceCell::new(),
            position: self.position,
        });
    }

    fn add_script(&mut self, file: &'data InputFile, options: AddOptions, depth: u32) -> Result<()> {
        if depth >= MAX_SCRIPT_DEPTH {
            return Err(Error::malformed(file.place(), "linker scripts that name each other too deeply"));
        }
        let script = linker_script::parse(file)?;
        for dir in &script.search_dirs {
            self.search.add_dir(dir);
        }
        let directory = file.path().parent().unwrap_or(Path::new(""));
        for entry in script.entries {
            let found = self.search.find_script_input(&entry.input, directory, Preference::SharedFirst);
            let path = match (found, &entry.input) {
                (Ok(path), _) => path,
                // A library that is wanted only if needed, and that is not there, is not needed.
                (Err(_), ScriptInput::Path(_) | ScriptInput::Library(_)) if entry.as_needed => continue,
                (Err(error), _) => return Err(error),
            };
            let file = self.store.add(InputFile::open(&path)?);
            self.add_opened(file, options, depth + 1)?;
        }
        Ok(())
    }

    fn add_archive(&mut self, file: &'data InputFile, options: AddOptions) -> Result<()> {
        let archive = Archive::parse(file)?;
        match options.members {
            Members::All => self.add_all_members(&archive, options.hidden),
            Members::Needed => self.add_lazy_members(archive, options.hidden),
        }
    }

    fn add_all_members(&mut self, archive: &Archive<'data>, hidden: bool) -> Result<()> {
        for member in archive.members() {
            let member = member?;
            let bytes = match member.open()? {
                Some(file) => self.store.add(file).bytes(),
                None => member.bytes().unwrap_or(&[]),
            };
            if member.is_linkable(bytes)? {
                self.batch.set_hidden(hidden);
                self.batch.add_object(member.display_name(), bytes)?;
            }
        }
        Ok(())
    }

    fn add_lazy_members(&mut self, archive: Archive<'data>, hidden: bool) -> Result<()> {
        let number = self.archives.len() as u32;
        let mut numbers = MemberNumbers { archive: number, last: None, by_offset: HashMap::new() };
        match archive.symbols()? {
            Some(symbols) => {
                for symbol in symbols {
                    let (name, offset) = symbol?;
                    let member = numbers.number(&mut self.members, offset);
                    self.batch.add_lazy(name, member);
                }
            }
            None => self.scan_members(&archive, &mut numbers)?,
        }
        self.archives.push(LoadedArchive { archive, hidden, position: self.position });
        Ok(())
    }

    /// An archive without a symbol table: every member is asked what it defines.
    fn scan_members(&mut self, archive: &Archive<'data>, numbers: &mut MemberNumbers) -> Result<()> {
        for member in archive.members() {
            let member = member?;
            let bytes = match member.open()? {
                Some(file) => self.store.add(file).bytes(),
                None => member.bytes().unwrap_or(&[]),
            };
            let number = numbers.number(&mut self.members, member.file_offset());
            let (place, batch) = (Place::file(member.display_name()), &mut self.batch);
            defined_symbols(&place, bytes, |name| batch.add_lazy(name, number))?;
        }
        Ok(())
    }

    /// Loads the archive members that are needed, and those that they need.
    ///
    /// # Errors
    /// A member is malformed or cannot be linked.
    pub fn finish(mut self) -> Result<Loaded<'data>> {
        while let Some((member, name)) = self.batch.take_wanted_member() {
            self.load_member(member, &name)?;
        }
        let shared_libraries = self.libraries.into_iter().map(|library| library.path).collect();
        Ok(Loaded { batch: self.batch, shared_libraries })
    }

    fn load_member(&mut self, number: u32, name: &[u8]) -> Result<()> {
        let Some(&LazyMember { archive, offset, loaded }) = self.members.get(number as usize) else {
            return Ok(());
        };
        let home = &self.archives[archive as usize];
        if loaded || self.earlier_library_defines(name, home.position) {
            return Ok(());
        }
        let member = home.archive.member(offset)?;
        let hidden = home.hidden;
        self.members[number as usize].loaded = true;
        let bytes = match member.open()? {
            Some(file) => self.store.add(file).bytes(),
            None => member.bytes().unwrap_or(&[]),
        };
        if !member.is_linkable(bytes)? {
            return Ok(());
        }
        self.batch.set_hidden(hidden);
        self.batch.add_object(member.display_name(), bytes)
    }

    fn earlier_library_defines(&self, name: &[u8], position: u32) -> bool {
        let earlier = self.libraries.iter().filter(|library| library.position < position);
        let mut exports = earlier.filter_map(|library| {
            // A library that cannot be read is reported by the dynamic loader, which knows more about it.
            library.exports.get_or_init(|| SharedLibrary::parse(library.file).ok()).as_ref()
        });
        exports.any(|library| library.find(name, None).is_some())
    }
}

/// Numbers the members of one archive. Symbol tables list a member's names next to each other.
struct MemberNumbers {
    archive: u32,
    last: Option<(u64, u32)>,
    by_offset: HashMap<u64, u32>,
}

impl MemberNumbers {
    fn number(&mut self, members: &mut Vec<LazyMember>, offset: u64) -> u32 {
        if let Some((_, number)) = self.last.filter(|(last, _)| *last == offset) {
            return number;
        }
        let archive = self.archive;
        let number = *self.by_offset.entry(offset).or_insert_with(|| {
            members.push(LazyMember { archive, offset, loaded: false });
            (members.len() - 1) as u32
        });
        self.last = Some((offset, number));
        number
    }
}
