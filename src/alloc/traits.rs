//! What a link asks of memory.

use crate::base::{Action, ActionPair, AddrRange, Error, ExecutorAddr, Result};
use crate::graph::{Lifetime, Permissions};

/// Where a segment must lie.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Placement {
    /// Within 2 GiB of every other near segment of the request, as long as these take less than 2 GiB together; near the
    /// host's C library and the near segments of earlier requests where possible.
    #[default]
    Near,
    /// In the low 2 GiB, with a few bytes to spare at the end: the address of the segment's end fits 31 bits too.
    Low,
    /// As near to the other segments of the request as their sizes allow, for code that reaches little: one beside the
    /// other. Nothing else is said to be in reach.
    Close,
    /// Wherever there is room: for large segments that are reached through 64-bit addresses.
    Anywhere,
}

/// One run of memory with the same permissions, lifetime and placement.
#[derive(Clone, Copy, Debug)]
pub struct SegmentRequest<'a> {
    /// What the segment is, for error messages and for managers that are told section names: with
    /// [`Granularity::Sections`] the name of the section, otherwise whatever describes the segment best.
    pub name: &'a str,
    /// Permissions in the end. Writable and executable at once is refused.
    pub permissions: Permissions,
    /// How long the memory is needed. [`Lifetime::NoAlloc`] is refused: such sections get no memory here.
    pub lifetime: Lifetime,
    /// Whether [`FinalizeRequest::relro_actions`] write into the segment. It stays writable at its final address until
    /// they have run. Read-only data into which only the linker writes, by way of working memory, needs no such
    /// respite: asking for it costs a system call, and in dual-mapped memory whole pages.
    pub relro: bool,
    /// Where the segment lies.
    pub placement: Placement,
    /// A power of two, in bytes; at most [`SegmentRequest::MAX_ALIGNMENT`].
    pub alignment: u64,
    /// Bytes that have contents; they begin the segment.
    pub content_size: u64,
    /// Zero bytes that follow the contents. They are never touched, so they cost address space alone.
    pub zero_fill_size: u64,
}

impl SegmentRequest<'_> {
    /// The largest alignment a segment can have: 1 GiB.
    pub const MAX_ALIGNMENT: u64 = 1 << 30;

    /// Contents and zero-fill together; `None` when the sum does not fit 64 bits.
    #[must_use]
    pub const fn size(&self) -> Option<u64> {
        self.content_size.checked_add(self.zero_fill_size)
    }
}

/// Everything one link asks for, at once.
#[derive(Clone, Copy, Debug)]
pub struct LayoutRequest<'a> {
    /// What is being linked, for error messages.
    pub name: &'a str,
    /// The segments; with [`Granularity::Sections`], one for each section.
    pub segments: &'a [SegmentRequest<'a>],
}

impl LayoutRequest<'_> {
    /// The most address space that one request can ask for: 64 GiB.
    pub const MAX_SIZE: u64 = 64 << 30;
}

/// How far signed 32-bit distances reach, and where the low 2 GiB end.
pub(super) const REACH: u64 = 1 << 31;

/// Whether both ends of a range are in reach of an address.
pub(super) fn in_reach(range: &std::ops::Range<u64>, address: ExecutorAddr) -> bool {
    address.0.abs_diff(range.start) < REACH && address.0.abs_diff(range.end) < REACH
}

/// What a memory manager wants to be asked for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Granularity {
    /// One segment for each combination of permissions, lifetime and placement.
    #[default]
    Segments,
    /// One segment for each section, with its name.
    Sections,
}

/// Where a segment has been placed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct SegmentPlacement {
    /// Address of its first byte in the executing process.
    pub address: ExecutorAddr,
    /// Contents and zero-fill, in bytes.
    pub size: u64,
}

impl SegmentPlacement {
    /// The addresses the segment takes.
    #[must_use]
    pub const fn range(self) -> AddrRange {
        AddrRange::from_size(self.address, self.size)
    }
}

/// What is to be called while an allocation is finalized.
///
/// Actions are run without knowing what they do: whoever makes one vouches for its address being that of a function as
/// described at [`Action`] in the executing process, once the linked code is executable there.
#[derive(Clone, Debug, Default)]
pub struct FinalizeRequest {
    /// Run when code is executable and RELRO segments are still writable, at their final addresses.
    pub relro_actions: Vec<Action>,
    /// Run in this order once all permissions are final; deallocate actions run in reverse order.
    pub actions: Vec<ActionPair>,
}

/// The error for code that would have to be written.
pub(super) fn code_is_final(address: ExecutorAddr) -> Error {
    let what = format!(
        "the code at {address:#x} cannot be changed: its memory is never written once it is executable"
    );
    Error::invalid(what, Some("use dual-mapped memory (DualMappedManager), or stubs with a pointer"))
}

/// Hands out memory for linked code.
pub trait MemoryManager: Send + Sync {
    /// Size of a page in the executing process, in bytes: a power of two.
    fn page_size(&self) -> u64;

    /// What the manager wants to be asked for.
    fn granularity(&self) -> Granularity {
        Granularity::Segments
    }

    /// Whether actions are run. They are not when nothing can execute the linked code: another architecture, or
    /// pretended addresses. Then finalization only fixes the contents.
    fn runs_actions(&self) -> bool {
        true
    }

    /// Whether code in a segment with this placement reaches `address` by a signed 32-bit distance or address. Where it
    /// does not, the link makes PLT entries and copies of variables.
    fn reaches(&self, placement: Placement, address: ExecutorAddr) -> bool {
        match placement {
            Placement::Low => address.0 < REACH,
            Placement::Close => false,
            Placement::Near | Placement::Anywhere => true,
        }
    }

    /// Finds memory for all segments of a request, or fails without having taken any.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::base::Error::Invalid) when the request makes no sense or exceeds a limit,
    /// [`Error::Memory`](crate::base::Error::Memory) when the memory asked for is not to be had.
    fn allocate(&self, request: &LayoutRequest<'_>) -> Result<Box<dyn InFlightAllocation>>;
}

/// A manager that several share.
impl<M: MemoryManager + ?Sized> MemoryManager for &M {
    fn page_size(&self) -> u64 {
        (**self).page_size()
    }

    fn granularity(&self) -> Granularity {
        (**self).granularity()
    }

    fn runs_actions(&self) -> bool {
        (**self).runs_actions()
    }

    fn reaches(&self, placement: Placement, address: ExecutorAddr) -> bool {
        (**self).reaches(placement, address)
    }

    fn allocate(&self, request: &LayoutRequest<'_>) -> Result<Box<dyn InFlightAllocation>> {
        (**self).allocate(request)
    }
}

/// Memory whose addresses are fixed and whose contents are being written. Dropping it frees it.
pub trait InFlightAllocation: Send {
    /// Where the segments lie in the executing process, in the order of the request.
    fn segments(&self) -> &[SegmentPlacement];

    /// The content bytes of each segment (not its zero-fill), in the order of the request. All are zero at first.
    ///
    /// The slices are disjoint, so several threads can fill them at once.
    fn working_memory(&mut self) -> Vec<&mut [u8]>;

    /// Makes the memory what was asked for and runs the actions, in the order given in the [module](super)
    /// documentation.
    ///
    /// # Errors
    /// [`Error::Action`](crate::base::Error::Action) when an action fails, [`Error::Memory`](crate::base::Error::Memory)
    /// when the operating system refuses a protection. Everything done so far has then been undone and freed.
    fn finalize(self: Box<Self>, request: FinalizeRequest) -> Result<Box<dyn FinalizedAllocation>>;

    /// Frees the memory, as dropping does.
    fn abandon(self: Box<Self>) {
        drop(self);
    }
}

/// Memory that can be used by the executing process. Dropping it deallocates it and forgets what fails meanwhile.
pub trait FinalizedAllocation: Send + Sync {
    /// Where the segments lie, in the order of the request. Those of [`Lifetime::Finalize`] are gone.
    fn segments(&self) -> &[SegmentPlacement];

    /// Stores eight bytes of code at once, while other threads may execute them: `address` is that of code of this
    /// allocation, and a multiple of eight. Whoever calls this vouches that the old and the new instructions can be
    /// exchanged so on this architecture.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::base::Error::Invalid) where code is not written once it can be executed, which is
    /// everywhere but in dual-mapped memory.
    fn patch_code(&self, address: ExecutorAddr, bytes: [u8; 8]) -> Result<()> {
        let _ = bytes;
        Err(code_is_final(address))
    }

    /// Runs the deallocate actions in reverse order and frees the memory.
    ///
    /// # Errors
    /// The first failure; what comes after it has been done nevertheless.
    fn deallocate(self: Box<Self>) -> Result<()>;
}
