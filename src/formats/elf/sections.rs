//! What an ELF section header says about the section: memory, role, flags.

use super::machine::Machine;
use super::priority::init_priority;
use crate::graph::{InitPhase, Lifetime, Permissions, SectionFlags, SectionRole, is_c_identifier};
use object::LittleEndian as LE;
use object::elf::{self, SectionHeader64};

/// What becomes of a section of the object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Disposition {
    /// It gets a section and a block.
    Load(Traits),
    /// The same, but never in the executing process.
    Debug,
    /// Relocations for another section.
    Relocations,
    /// Read by the builder.
    Note,
    /// Read by the tables' own readers, or of no use for linking.
    Skip,
}

/// How a loaded section is treated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Traits {
    pub(crate) permissions: Permissions,
    pub(crate) role: SectionRole,
    pub(crate) flags: SectionFlags,
    pub(crate) zero_fill: bool,
}

/// Decides what becomes of a section.
pub(crate) fn disposition(header: &SectionHeader64<LE>, name: &[u8], machine: &Machine) -> Disposition {
    let kind = header.sh_type.get(LE);
    let flags = header.sh_flags.get(LE).0;
    match kind {
        elf::SHT_NULL | elf::SHT_SYMTAB | elf::SHT_STRTAB | elf::SHT_GROUP | elf::SHT_SYMTAB_SHNDX => {
            Disposition::Skip
        }
        elf::SHT_RELA | elf::SHT_REL | elf::SHT_CREL => Disposition::Relocations,
        elf::SHT_NOTE => Disposition::Note,
        _ if flags & elf::SHF_ALLOC.0 != 0 => Disposition::Load(traits(header, name, machine)),
        _ if name == b".note.GNU-stack" => Disposition::Note,
        elf::SHT_PROGBITS if is_debug_name(name) => Disposition::Debug,
        _ => Disposition::Skip,
    }
}

fn is_debug_name(name: &[u8]) -> bool {
    name.starts_with(b".debug_")
        || name.starts_with(b".zdebug_")
        || name == b".gdb_index"
        || name == b".stab"
        || name == b".stabstr"
}

fn traits(header: &SectionHeader64<LE>, name: &[u8], machine: &Machine) -> Traits {
    let kind = header.sh_type.get(LE);
    let elf_flags = header.sh_flags.get(LE).0;
    let has = |flag: u64| elf_flags & flag != 0;
    let mut permissions = Permissions::READ;
    permissions.set(Permissions::WRITE, has(elf::SHF_WRITE.0));
    permissions.set(Permissions::EXECUTE, has(elf::SHF_EXECINSTR.0));
    let zero_fill = kind == elf::SHT_NOBITS;
    let role = role(header, name, machine);
    if role == SectionRole::EhFrame {
        // Some assembly marks it writable, as some systems want it. All records stand together and are only read.
        permissions.remove(Permissions::WRITE);
    }
    let is_thread_local = matches!(role, SectionRole::ThreadData | SectionRole::ThreadZeroFill);
    if is_thread_local {
        // It is a template, and only read: threads write to their copies.
        permissions.remove(Permissions::WRITE);
    }
    let mut flags = SectionFlags::empty();
    let kept = is_kept_role(role) || name == b".llvm_stackmaps";
    flags.set(SectionFlags::KEEP, kept || has(elf::SHF_GNU_RETAIN.0));
    flags.set(SectionFlags::LARGE, has(machine.large_section));
    flags.set(SectionFlags::RELRO, permissions.contains(Permissions::WRITE) && is_relro(role, name));
    flags.set(SectionFlags::C_IDENTIFIER, is_c_identifier(name) && !is_thread_local);
    flags.set(SectionFlags::REVERSED, name.starts_with(b".ctors") || name.starts_with(b".dtors"));
    Traits { permissions, role, flags, zero_fill }
}

fn is_kept_role(role: SectionRole) -> bool {
    matches!(role, SectionRole::Initializers(..) | SectionRole::Finalizers(..))
}

fn role(header: &SectionHeader64<LE>, name: &[u8], machine: &Machine) -> SectionRole {
    let elf_flags = header.sh_flags.get(LE).0;
    let unit = u32::try_from(header.sh_entsize.get(LE)).unwrap_or(0);
    let has = |flag: u64| elf_flags & flag != 0;
    if has(elf::SHF_TLS.0) {
        return if header.sh_type.get(LE) == elf::SHT_NOBITS {
            SectionRole::ThreadZeroFill
        } else {
            SectionRole::ThreadData
        };
    }
    if has(elf::SHF_MERGE.0) && unit > 0 && !has(elf::SHF_WRITE.0) {
        return if has(elf::SHF_STRINGS.0) {
            SectionRole::MergeStrings { unit }
        } else {
            SectionRole::MergeConstants { unit }
        };
    }
    match header.sh_type.get(LE) {
        elf::SHT_PREINIT_ARRAY => SectionRole::Initializers(InitPhase::Preinit, u16::MAX),
        elf::SHT_INIT_ARRAY => SectionRole::Initializers(InitPhase::Array, priority(name)),
        elf::SHT_FINI_ARRAY => SectionRole::Finalizers(InitPhase::Array, priority(name)),
        kind if machine.unwind_section == Some(kind.0) => SectionRole::EhFrame,
        elf::SHT_PROGBITS if name == b".eh_frame" => SectionRole::EhFrame,
        elf::SHT_PROGBITS => init_priority(name).map_or(SectionRole::Regular, |(role, _)| role),
        _ => SectionRole::Regular,
    }
}

fn priority(name: &[u8]) -> u16 {
    match init_priority(name) {
        Some((SectionRole::Initializers(_, priority) | SectionRole::Finalizers(_, priority), _)) => priority,
        _ => u16::MAX,
    }
}

/// Sections that only initial relocation writes, by the names and types that static linkers give `PT_GNU_RELRO`.
fn is_relro(role: SectionRole, name: &[u8]) -> bool {
    const PREFIXES: [&[u8]; 3] = [b".data.rel.ro", b".bss.rel.ro", b".ldata.rel.ro"];
    is_kept_role(role) || name == b".got" || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// The lifetime of a section with this disposition.
pub(crate) fn lifetime(disposition: Disposition) -> Lifetime {
    match disposition {
        Disposition::Debug => Lifetime::NoAlloc,
        _ => Lifetime::Standard,
    }
}
