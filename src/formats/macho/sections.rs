//! What a Mach-O section header says about the section: memory, role, flags.

use super::names::trimmed;
use crate::graph::{InitPhase, Permissions, SectionFlags, SectionRole};
use object::LittleEndian as LE;
use object::macho::{self, Section64};

/// What becomes of a section of the object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Disposition {
    /// It gets a section and blocks.
    Load(Traits),
    /// The same, but never in the executing process.
    Debug,
    /// The same: compact unwind information, which is read and rewritten.
    Unwind,
    /// Of no use for linking.
    Skip,
    /// Its type is not known.
    Unknown,
}

/// How a loaded section is treated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Traits {
    pub(crate) permissions: Permissions,
    pub(crate) role: SectionRole,
    pub(crate) flags: SectionFlags,
    pub(crate) zero_fill: bool,
    pub(crate) contents: Contents,
}

/// What a section's contents are to the builder.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Contents {
    /// Anything: symbols divide it.
    Plain,
    /// One block, whatever symbols there are.
    Whole,
    /// The same, with references that have no relocations.
    CallFrames,
    /// Pointers to symbols that the indirect symbol table names.
    SymbolPointers,
    /// Offsets of functions from the image's start, four bytes each.
    FunctionOffsets,
}

/// Decides what becomes of a section.
pub(crate) fn disposition(section: &Section64<LE>) -> Disposition {
    let (segment, name) = (trimmed(&section.segname), trimmed(&section.sectname));
    let flags = section.flags.get(LE);
    if segment == b"__LD" && name == b"__compact_unwind" {
        return Disposition::Unwind;
    }
    if flags.contains(macho::S_ATTR_DEBUG) || segment == b"__DWARF" {
        return Disposition::Debug;
    }
    // Bitcode and the compiler's command line.
    if segment == b"__LLVM" || flags.typ() == macho::S_DTRACE_DOF {
        return Disposition::Skip;
    }
    match kind(flags.typ(), name) {
        Some((role, contents)) => Disposition::Load(traits(segment, name, flags, role, contents)),
        None => Disposition::Unknown,
    }
}

fn kind(typ: macho::SectionType, name: &[u8]) -> Option<(SectionRole, Contents)> {
    use Contents::{CallFrames, FunctionOffsets, Plain, SymbolPointers, Whole};
    use SectionRole::{MergeConstants, MergeStrings, Regular};
    Some(match typ {
        macho::S_REGULAR | macho::S_COALESCED if name == b"__eh_frame" => (SectionRole::EhFrame, CallFrames),
        macho::S_REGULAR
        | macho::S_COALESCED
        | macho::S_ZEROFILL
        | macho::S_GB_ZEROFILL
        | macho::S_INTERPOSING
        | macho::S_LITERAL_POINTERS => (Regular, Plain),
        macho::S_CSTRING_LITERALS => (MergeStrings { unit: 1 }, Whole),
        macho::S_4BYTE_LITERALS => (MergeConstants { unit: 4 }, Whole),
        macho::S_8BYTE_LITERALS => (MergeConstants { unit: 8 }, Whole),
        macho::S_16BYTE_LITERALS => (MergeConstants { unit: 16 }, Whole),
        macho::S_NON_LAZY_SYMBOL_POINTERS
        | macho::S_LAZY_SYMBOL_POINTERS
        | macho::S_THREAD_LOCAL_VARIABLE_POINTERS => (Regular, SymbolPointers),
        macho::S_MOD_INIT_FUNC_POINTERS => (INITIALIZERS, Whole),
        macho::S_MOD_TERM_FUNC_POINTERS => (FINALIZERS, Whole),
        macho::S_INIT_FUNC_OFFSETS => (INITIALIZERS, FunctionOffsets),
        macho::S_THREAD_LOCAL_REGULAR => (SectionRole::ThreadData, Plain),
        macho::S_THREAD_LOCAL_ZEROFILL => (SectionRole::ThreadZeroFill, Plain),
        macho::S_THREAD_LOCAL_VARIABLES => (SectionRole::ThreadDescriptors, Plain),
        _ => return None,
    })
}

const INITIALIZERS: SectionRole = SectionRole::Initializers(InitPhase::Array, u16::MAX);
const FINALIZERS: SectionRole = SectionRole::Finalizers(InitPhase::Array, u16::MAX);

fn traits(
    segment: &[u8],
    name: &[u8],
    flags: macho::SectionFlags,
    role: SectionRole,
    contents: Contents,
) -> Traits {
    let instructions = macho::S_ATTR_PURE_INSTRUCTIONS | macho::S_ATTR_SOME_INSTRUCTIONS;
    let execute = flags.intersects(instructions) && role == SectionRole::Regular;
    let functions = matches!(role, SectionRole::Initializers(..) | SectionRole::Finalizers(..));
    let constant = segment == b"__DATA_CONST" || segment == b"__DATA" && name == b"__const";
    let mut permissions = Permissions::READ;
    permissions.set(Permissions::EXECUTE, execute);
    permissions.set(Permissions::WRITE, segment != b"__TEXT" && !execute && role != SectionRole::EhFrame);
    let writable = permissions.contains(Permissions::WRITE);
    let mut section_flags = SectionFlags::empty();
    let kept = functions || flags.contains(macho::S_ATTR_NO_DEAD_STRIP);
    section_flags.set(SectionFlags::KEEP, kept && role != SectionRole::EhFrame);
    section_flags.set(
        SectionFlags::RELRO,
        writable && (functions || constant || contents == Contents::SymbolPointers),
    );
    section_flags.set(SectionFlags::LIVE_SUPPORT, flags.contains(macho::S_ATTR_LIVE_SUPPORT));
    let zero_fill =
        matches!(flags.typ(), macho::S_ZEROFILL | macho::S_GB_ZEROFILL | macho::S_THREAD_LOCAL_ZEROFILL);
    Traits { permissions, role, flags: section_flags, zero_fill, contents }
}
