//! An archive: its members are added as their names are needed.

use crate::base::{Error, Place, Result};
use crate::inputs::InputFile;
use crate::inputs::archive::{Archive, Member, defined_symbols};
use crate::session::{DefinitionGenerator, JitDylib, LookupKind, ObjectBuffer, WantedName};
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Adds members of an archive as what they define is needed. As for static linkers, weak references need nothing.
#[derive(Debug)]
pub struct ArchiveGenerator {
    file: Arc<InputFile>,
    /// Offsets of members by what they define.
    index: HashMap<Vec<u8>, u64>,
    added: Mutex<HashSet<u64>>,
}

impl ArchiveGenerator {
    /// The archive at `path`.
    ///
    /// # Errors
    /// It cannot be opened, or is malformed.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::from_file(InputFile::open(path)?)
    }

    /// An opened archive.
    ///
    /// # Errors
    /// It is malformed.
    pub fn from_file(file: InputFile) -> Result<Self> {
        let file = Arc::new(file);
        let index = index(&file)?;
        Ok(Self { file, index, added: Mutex::default() })
    }

    /// Adds the member at `offset` unless that has been done.
    fn add_member(&self, dylib: &JitDylib, offset: u64) -> Result<()> {
        let added = || self.added.lock().unwrap_or_else(PoisonError::into_inner);
        if !added().insert(offset) {
            return Ok(());
        }
        let archive = Archive::parse(&self.file)?;
        let outcome = object_of(&self.file, &archive.member(offset)?)
            .and_then(|object| object.map_or(Ok(()), |object| dylib.add_object(object)));
        if outcome.is_err() {
            added().remove(&offset);
        }
        outcome
    }
}

impl DefinitionGenerator for ArchiveGenerator {
    fn generate(&self, dylib: &JitDylib, names: &[WantedName<'_>], kind: LookupKind) -> Result<()> {
        if kind == LookupKind::DlSym {
            return Ok(());
        }
        let needed = names.iter().filter(|wanted| !wanted.weak);
        let mut offsets = needed.filter_map(|wanted| self.index.get(wanted.name).copied());
        offsets.try_for_each(|offset| self.add_member(dylib, offset))
    }

    fn near_misses(&self, name: &[u8]) -> Vec<String> {
        let similar = self.index.keys().filter(|other| crate::link::is_similar(name, other));
        let mut similar: Vec<_> = similar.map(|name| String::from_utf8_lossy(name).into_owned()).collect();
        similar.sort_unstable();
        similar
    }
}

/// All objects of an archive.
///
/// # Errors
/// It is malformed, or a member cannot be opened.
pub fn archive_members(file: &Arc<InputFile>) -> Result<Vec<ObjectBuffer>> {
    let archive = Archive::parse(file)?;
    let members = archive.members().map(|member| object_of(file, &member?));
    members.filter_map(Result::transpose).collect()
}

fn index(file: &InputFile) -> Result<HashMap<Vec<u8>, u64>> {
    let archive = Archive::parse(file)?;
    let mut index = HashMap::new();
    if let Some(symbols) = archive.symbols()? {
        for symbol in symbols {
            let (name, offset) = symbol?;
            index.entry(name.to_vec()).or_insert(offset);
        }
        return Ok(index);
    }
    for member in archive.members() {
        let member = member?;
        let opened = member.open()?;
        let bytes = opened.as_ref().map_or(member.bytes(), |file| Some(file.bytes()));
        let place = Place::file(member.display_name());
        defined_symbols(&place, bytes.unwrap_or(&[]), |name| {
            index.entry(name.to_vec()).or_insert(member.file_offset());
        })?;
    }
    Ok(index)
}

/// The object that a member is; none if it is something to be left out.
fn object_of(file: &Arc<InputFile>, member: &Member<'_>) -> Result<Option<ObjectBuffer>> {
    let object = match member.open()? {
        Some(opened) => ObjectBuffer::from_file(opened),
        None => {
            let bytes = member.bytes().unwrap_or(&[]);
            // The member's bytes are a part of the file's.
            let start = bytes.as_ptr().addr().wrapping_sub(file.bytes().as_ptr().addr());
            let end = start.checked_add(bytes.len()).filter(|end| *end <= file.bytes().len());
            let Some(end) = end else {
                let place = Place::file(member.display_name());
                return Err(Error::malformed(place, "a member lies outside of its archive"));
            };
            ObjectBuffer::part(member.display_name(), Arc::clone(file), start..end)
        }
    };
    Ok(member.is_linkable(object.bytes())?.then_some(object))
}
