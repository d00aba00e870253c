//! What has to be known of an object before it can be in a corpus.

use object::LittleEndian as LE;
use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader, SectionHeader, Sym};

/// The global names that an object defines, and those that only the corpus can define.
#[derive(Clone, Debug, Default)]
pub(super) struct Definitions {
    /// Strong ones; those that other images see come first.
    pub(super) strong: Vec<String>,
    /// Weak ones.
    pub(super) weak: Vec<String>,
    /// Hidden names that it refers to: static linkers want them defined, even in a shared library.
    pub(super) hidden_references: Vec<String>,
}

/// What an object defines, or why it cannot be in a corpus; `thread_locals` says whether it may use some.
pub(super) fn survey(data: &[u8], thread_locals: bool) -> object::Result<Result<Definitions, &'static str>> {
    let header = FileHeader64::<LE>::parse(data)?;
    let sections = header.sections(LE, data)?;
    if !thread_locals && sections.iter().any(|section| section.sh_flags(LE).contains(elf::SHF_TLS)) {
        return Ok(Err("has thread-locals"));
    }
    for section in sections.iter() {
        let relocations = section.rela(LE, data)?.map_or(&[][..], |(table, _)| table);
        if relocations.iter().any(|one| one.r_type(LE, false) == elf::R_X86_64_TLSLD) {
            return Ok(Err("uses local-dynamic thread-locals, which the reference refuses"));
        }
    }
    let symbols = sections.symbols(LE, data, elf::SHT_SYMTAB)?;
    let (mut found, mut hidden) = (Definitions::default(), Vec::new());
    for symbol in symbols.iter() {
        if !thread_locals && symbol.st_type() == elf::STT_TLS {
            return Ok(Err("refers to thread-locals"));
        }
        if symbol.is_local() || symbol.is_common(LE) {
            continue;
        }
        let name = String::from_utf8_lossy(symbol.name(LE, symbols.strings())?).into_owned();
        let seen = symbol.st_visibility() == elf::STV_DEFAULT;
        let list =
            match (symbol.is_undefined(LE), symbol.is_weak() || symbol.st_bind() == elf::STB_GNU_UNIQUE) {
                (true, _) if seen => continue,
                (true, _) => &mut found.hidden_references,
                (false, true) => &mut found.weak,
                (false, false) if seen => &mut found.strong,
                (false, false) => &mut hidden,
            };
        list.push(name);
    }
    found.strong.append(&mut hidden);
    Ok(Ok(found))
}
