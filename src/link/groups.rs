//! Which part of which segment a block goes to.

use crate::base::{Error, Place, Result};
use crate::graph::{InitPhase, Lifetime, LinkGraph, Permissions, Section, SectionFlags, SectionRole};

/// The segments of an image, in the order in which they are asked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub(crate) enum SegmentClass {
    Text,
    ReadOnly,
    /// Slots that indirect functions' resolvers fill.
    Slots,
    Data,
    LargeText,
    LargeReadOnly,
    LargeData,
    FinalizeText,
    FinalizeReadOnly,
    FinalizeData,
}

impl SegmentClass {
    pub(crate) const ALL: [Self; 10] = [
        Self::Text,
        Self::ReadOnly,
        Self::Slots,
        Self::Data,
        Self::LargeText,
        Self::LargeReadOnly,
        Self::LargeData,
        Self::FinalizeText,
        Self::FinalizeReadOnly,
        Self::FinalizeData,
    ];

    /// Code that stays.
    pub(crate) const CODE: [Self; 2] = [Self::Text, Self::LargeText];

    /// Data that stays.
    pub(crate) const DATA: [Self; 2] = [Self::Data, Self::LargeData];

    pub(crate) fn permissions(self) -> Permissions {
        match self {
            Self::Text | Self::LargeText | Self::FinalizeText => Permissions::READ | Permissions::EXECUTE,
            Self::ReadOnly | Self::Slots | Self::LargeReadOnly | Self::FinalizeReadOnly => Permissions::READ,
            Self::Data | Self::LargeData | Self::FinalizeData => Permissions::READ | Permissions::WRITE,
        }
    }

    pub(crate) fn lifetime(self) -> Lifetime {
        match self {
            Self::FinalizeText | Self::FinalizeReadOnly | Self::FinalizeData => Lifetime::Finalize,
            _ => Lifetime::Standard,
        }
    }

    pub(crate) fn is_large(self) -> bool {
        matches!(self, Self::LargeText | Self::LargeReadOnly | Self::LargeData)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Text => "code",
            Self::ReadOnly => "read-only data",
            Self::Slots => "indirect function slots",
            Self::Data => "data",
            Self::LargeText => "large code",
            Self::LargeReadOnly => "large read-only data",
            Self::LargeData => "large data",
            Self::FinalizeText => "finalization code",
            Self::FinalizeReadOnly => "finalization read-only data",
            Self::FinalizeData => "finalization data",
        }
    }
}

/// Where in its segment a block goes; the order here is the order there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum GroupKind {
    /// The ELF header; PLT entries.
    Front,
    /// Code fragments that make one function, `.init`.
    InitFragments,
    /// Code fragments that make one function, `.fini`.
    FiniFragments,
    /// In the order of the objects.
    Regular,
    PreinitArray,
    InitArray,
    FiniArray,
    /// Descriptors of Mach-O's thread-local variables.
    ThreadDescriptors,
    /// Initial bytes of thread-local variables.
    ThreadData,
    /// Call frame records, without gaps.
    EhFrame,
    /// A section whose bounds can be asked for: position of its name in the batch's list.
    Named(u32),
    /// The GOT and the PLT's slots.
    Got,
    /// Zero-fill, after all content.
    ZeroFill,
    /// Zero-filled thread-local variables, which follow those with initial bytes and take no memory.
    ThreadZeroFill,
}

/// The segment of a section's blocks; none for sections that get no memory.
pub(crate) fn class_of(graph: &LinkGraph<'_>, section: &Section<'_>) -> Result<Option<SegmentClass>> {
    let large = section.flags.contains(SectionFlags::LARGE);
    let write = section.permissions.contains(Permissions::WRITE);
    let execute = section.permissions.contains(Permissions::EXECUTE);
    let relro = section.flags.contains(SectionFlags::RELRO);
    if write && execute {
        return Err(writable_and_executable(graph, section));
    }
    Ok(Some(match section.lifetime {
        Lifetime::NoAlloc => return Ok(None),
        Lifetime::Finalize if execute => SegmentClass::FinalizeText,
        Lifetime::Finalize if write => SegmentClass::FinalizeData,
        Lifetime::Finalize => SegmentClass::FinalizeReadOnly,
        Lifetime::Standard if execute && large => SegmentClass::LargeText,
        Lifetime::Standard if execute => SegmentClass::Text,
        Lifetime::Standard if relro && *section.name == *b".igot.plt" => SegmentClass::Slots,
        Lifetime::Standard if write && !relro && large => SegmentClass::LargeData,
        Lifetime::Standard if write && !relro => SegmentClass::Data,
        Lifetime::Standard if large => SegmentClass::LargeReadOnly,
        Lifetime::Standard => SegmentClass::ReadOnly,
    }))
}

#[cold]
fn writable_and_executable(graph: &LinkGraph<'_>, section: &Section<'_>) -> Error {
    Error::unsupported(
        Place::file(graph.name.clone()).in_section(section.display_name()),
        "a section that is writable and executable",
        "memory is never both here: put code and data in sections of their own",
    )
}

/// The group of a section's blocks with content, and the key that orders them in it; none for regular ones.
pub(crate) fn special_group(section: &Section<'_>) -> Option<(GroupKind, u32)> {
    match section.role {
        SectionRole::Regular | SectionRole::MergeStrings { .. } | SectionRole::MergeConstants { .. } => None,
        SectionRole::ThreadDescriptors => Some((GroupKind::ThreadDescriptors, 0)),
        SectionRole::CompactUnwind => None,
        SectionRole::ThreadData => Some((GroupKind::ThreadData, 0)),
        SectionRole::ThreadZeroFill => Some((GroupKind::ThreadZeroFill, 0)),
        SectionRole::EhFrame => Some((GroupKind::EhFrame, 0)),
        SectionRole::Initializers(InitPhase::Preinit, priority) => {
            Some((GroupKind::PreinitArray, u32::from(priority)))
        }
        SectionRole::Initializers(InitPhase::Fragment, priority) => {
            Some((GroupKind::InitFragments, u32::from(priority)))
        }
        SectionRole::Finalizers(InitPhase::Fragment, priority) => {
            Some((GroupKind::FiniFragments, u32::from(priority)))
        }
        SectionRole::Initializers(InitPhase::Array, priority) => {
            Some((GroupKind::InitArray, u32::from(priority)))
        }
        SectionRole::Finalizers(_, priority) => Some((GroupKind::FiniArray, u32::from(priority))),
    }
}
