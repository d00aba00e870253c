//! Command-line inputs to a batch: objects as they are, archives member by member as names need them, shared libraries
//! and linker scripts by what they stand for.
//!
//! Which definition a reference finds is independent of the order of objects and archives, as in lld and mold: an
//! archive given before the object that needs it is found, and archives that need each other work. A shared library
//! given before an archive keeps the archive's member of the same name from being loaded.

use super::archive::{Member, defined_symbols};
use super::input::{Input, Members, Origin};
use super::linker_script::{self, ScriptInput};
use super::search::Preference;
use super::{
    Archive, InputFile, InputKind, InputStore, LibraryInterface, LibrarySearch, SharedLibrary, classify,
    universal,
};
use crate::base::{Error, Place, Result, Workers};
use crate::graph::Architecture;
use crate::link::{Batch, NameHasher, Prepared};
use std::cell::OnceCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
    /// What Mach-O libraries and text stubs among the inputs export, in order. They cannot be loaded here.
    pub interfaces: Vec<LibraryInterface<'data>>,
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
    file: &'data InputFile,
    exports: LazyExports<'data>,
    position: u32,
}

/// What a library exports, read when it is first asked for.
#[derive(Debug)]
enum LazyExports<'data> {
    /// A library that the dynamic loader can load, and that it reports about if it cannot be read.
    Elf(OnceCell<Option<SharedLibrary<'data>>>),
    /// One that only its interface is known of.
    MachO(OnceCell<Result<LibraryInterface<'data>>>),
}

impl LoadedLibrary<'_> {
    fn exports(&self, name: &[u8], architecture: Architecture) -> bool {
        match &self.exports {
            LazyExports::Elf(library) => library
                .get_or_init(|| SharedLibrary::parse(self.file).ok())
                .as_ref()
                .is_some_and(|library| library.find(name, None).is_some()),
            LazyExports::MachO(interface) => interface
                .get_or_init(|| LibraryInterface::parse(self.file, architecture))
                .as_ref()
                .is_ok_and(|interface| interface.exports(name)),
        }
    }
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

    /// Adds inputs in their order: files are opened and objects parsed by the workers, names are resolved in the order
    /// of the inputs. `each` hears how each input went.
    pub fn add_inputs(
        &mut self,
        inputs: &[Input],
        workers: &Workers,
        mut each: impl FnMut(&Input, Result<()>) + Send,
    ) {
        let (store, hasher) = (self.store, self.batch.name_hasher());
        let open = |input: &Input| match &input.origin {
            Origin::File(path) => Some(Opened::open(store, &hasher, path)),
            Origin::Library(_) => None,
        };
        workers.pipeline(inputs, open, |input, opened| {
            let options = AddOptions { members: input.members, hidden: input.hidden };
            let outcome = match (opened, &input.origin) {
                (Some(opened), _) => opened.and_then(|opened| self.add_opened(opened, options, workers, 0)),
                (None, Origin::File(path)) => self.add_file(path, options),
                (None, Origin::Library(name)) => self.add_library(name, options),
            };
            each(input, outcome);
        });
    }

    /// Adds a file: an object, an archive, a shared library or a linker script.
    ///
    /// # Errors
    /// The file cannot be read, or is none of these, or malformed.
    pub fn add_file(&mut self, path: &Path, options: AddOptions) -> Result<()> {
        let opened = Opened::open(self.store, &self.batch.name_hasher(), path)?;
        self.add_opened(opened, options, &Workers::none(), 0)
    }

    /// Adds the library that `-l name` stands for. What is to be hidden cannot come from a shared library, so that only
    /// archives are searched for then.
    ///
    /// # Errors
    /// It is not found, or as for [`Self::add_file`].
    pub fn add_library(&mut self, name: &str, options: AddOptions) -> Result<()> {
        let preference = if options.hidden { Preference::StaticOnly } else { Preference::SharedFirst };
        let path = self.search.find(name, preference)?;
        self.add_file(&path, options)
    }

    fn add_opened(
        &mut self,
        opened: Opened<'data>,
        options: AddOptions,
        workers: &Workers,
        depth: u32,
    ) -> Result<()> {
        self.position += 1;
        let (file, kind) = match opened {
            Opened::Object(object) => {
                self.batch.set_hidden(options.hidden);
                return self.batch.admit(object);
            }
            Opened::Other(file, kind) => (file, kind),
        };
        match kind {
            InputKind::Archive | InputKind::ThinArchive => {
                self.add_archive(Archive::parse(file)?, options, workers)
            }
            InputKind::ElfShared { .. } => {
                self.add_shared(file, LazyExports::Elf(OnceCell::new()));
                Ok(())
            }
            InputKind::MachDylib { .. } | InputKind::Tbd => {
                self.add_shared(file, LazyExports::MachO(OnceCell::new()));
                Ok(())
            }
            InputKind::MachUniversal => self.add_universal(file, options, workers),
            InputKind::Text => self.add_script(file, options, depth),
            kind => Err(kind.refuse(file.place())),
        }
    }

    fn add_shared(&mut self, file: &'data InputFile, exports: LazyExports<'data>) {
        self.libraries.push(LoadedLibrary { file, exports, position: self.position });
    }

    /// Adds what a universal file has for the architecture of the inputs before it, or for the host's.
    fn add_universal(
        &mut self,
        file: &'data InputFile,
        options: AddOptions,
        workers: &Workers,
    ) -> Result<()> {
        let bytes = universal::slice(file, self.architecture())?;
        match classify(bytes) {
            kind if kind.is_object() => {
                let object = Prepared::parse(&self.batch.name_hasher(), Arc::clone(file.name()), bytes)?;
                self.batch.set_hidden(options.hidden);
                self.batch.admit(object)
            }
            InputKind::Archive => {
                let directory = file.path().parent().unwrap_or(Path::new(""));
                let archive = Archive::from_bytes(Arc::clone(file.name()), directory, bytes)?;
                self.add_archive(archive, options, workers)
            }
            InputKind::MachDylib { .. } => {
                self.add_shared(file, LazyExports::MachO(OnceCell::new()));
                Ok(())
            }
            kind => Err(kind.refuse(file.place())),
        }
    }

    /// That of the inputs so far, or the host's.
    fn architecture(&self) -> Architecture {
        self.batch.architecture().unwrap_or(Architecture::host())
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
            let opened = Opened::open(self.store, &self.batch.name_hasher(), &path)?;
            self.add_opened(opened, options, &Workers::none(), depth + 1)?;
        }
        Ok(())
    }

    fn add_archive(&mut self, archive: Archive<'data>, options: AddOptions, workers: &Workers) -> Result<()> {
        match options.members {
            Members::All => self.add_all_members(&archive, options.hidden, workers),
            Members::Needed => self.add_lazy_members(archive, options.hidden),
        }
    }

    fn add_all_members(&mut self, archive: &Archive<'data>, hidden: bool, workers: &Workers) -> Result<()> {
        let members = archive.members().collect::<Result<Vec<_>>>()?;
        let (store, hasher) = (self.store, self.batch.name_hasher());
        self.batch.set_hidden(hidden);
        let mut outcome = Ok(());
        let prepare = |member: &Member<'data>| prepare_member(store, &hasher, member);
        workers.pipeline(&members, prepare, |_, prepared| {
            if outcome.is_ok() {
                outcome =
                    prepared.and_then(|object| object.map_or(Ok(()), |object| self.batch.admit(object)));
            }
        });
        outcome
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
            let bytes = member_bytes(self.store, &member)?;
            let number = numbers.number(&mut self.members, member.file_offset());
            let (place, batch) = (Place::file(member.display_name()), &mut self.batch);
            defined_symbols(&place, bytes, |name| batch.add_lazy(name, number))?;
        }
        Ok(())
    }

    /// Loads the archive members that are needed, and those that they need.
    ///
    /// # Errors
    /// A member is malformed or cannot be linked, or a Mach-O library cannot be read.
    pub fn finish(mut self) -> Result<Loaded<'data>> {
        while let Some((member, name)) = self.batch.take_wanted_member() {
            self.load_member(member, &name)?;
        }
        let architecture = self.architecture();
        let (mut shared_libraries, mut interfaces) = (Vec::new(), Vec::new());
        for LoadedLibrary { file, exports, .. } in self.libraries {
            match exports {
                LazyExports::Elf(_) => shared_libraries.push(file.path().to_owned()),
                LazyExports::MachO(interface) => interfaces.push(
                    interface.into_inner().unwrap_or_else(|| LibraryInterface::parse(file, architecture))?,
                ),
            }
        }
        Ok(Loaded { batch: self.batch, shared_libraries, interfaces })
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
        let Some(object) = prepare_member(self.store, &self.batch.name_hasher(), &member)? else {
            return Ok(());
        };
        self.batch.set_hidden(hidden);
        self.batch.admit(object)
    }

    fn earlier_library_defines(&self, name: &[u8], position: u32) -> bool {
        let architecture = self.architecture();
        let mut earlier = self.libraries.iter().filter(|library| library.position < position);
        earlier.any(|library| library.exports(name, architecture))
    }
}

/// A file as far as it can be looked at on its own.
enum Opened<'data> {
    Object(Prepared<'data>),
    Other(&'data InputFile, InputKind),
}

impl<'data> Opened<'data> {
    fn open(store: &'data InputStore, hasher: &NameHasher, path: &Path) -> Result<Self> {
        let file = store.add(InputFile::open(path)?);
        let kind = classify(file.bytes());
        if !kind.is_object() {
            return Ok(Self::Other(file, kind));
        }
        Prepared::parse(hasher, Arc::clone(file.name()), file.bytes()).map(Self::Object)
    }
}

/// The object that a member is; none if it is something to be left out.
fn prepare_member<'data>(
    store: &'data InputStore,
    hasher: &NameHasher,
    member: &Member<'data>,
) -> Result<Option<Prepared<'data>>> {
    let bytes = member_bytes(store, member)?;
    if !member.is_linkable(bytes)? {
        return Ok(None);
    }
    Prepared::parse(hasher, member.display_name(), bytes).map(Some)
}

fn member_bytes<'data>(store: &'data InputStore, member: &Member<'data>) -> Result<&'data [u8]> {
    Ok(match member.open()? {
        Some(file) => store.add(file).bytes(),
        None => member.bytes().unwrap_or(&[]),
    })
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
