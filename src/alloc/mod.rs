//! Memory for linked code: who hands it out, when it becomes executable, and who undoes everything.
//!
//! A link asks a [`MemoryManager`] once for all its segments. What it gets is an [`InFlightAllocation`]: every address is
//! fixed, and the working memory can be filled, by several threads at a time. [`InFlightAllocation::finalize`] turns it
//! into a [`FinalizedAllocation`], in this order:
//!
//! 1. code becomes executable (the instruction cache is flushed) and read-only data read-only;
//! 2. [`FinalizeRequest::relro_actions`] run: ifunc resolvers, whose results go to RELRO segments;
//! 3. RELRO segments become read-only;
//! 4. [`FinalizeRequest::actions`] run: unwind registration and the like;
//! 5. memory of [`Lifetime::Finalize`](crate::graph::Lifetime::Finalize) is freed.
//!
//! Whatever fails on the way, the deallocate actions registered so far run in reverse order and all memory is freed.

mod actions;
mod callbacks;
mod dual_mapped;
mod in_process;
mod layout;
mod lifecycle;
mod ranges;
mod region;
mod slab;
mod space;
mod stripe;
#[cfg(test)]
mod testing;
mod traits;

pub use callbacks::{CallbackManager, SectionAllocator, SectionKind, SectionRequest};
pub use dual_mapped::DualMappedManager;
pub use in_process::InProcessManager;
pub use slab::{SlabManager, SlabOptions};
pub use space::HugePages;
pub use traits::{
    FinalizeRequest, FinalizedAllocation, Granularity, InFlightAllocation, LayoutRequest, MemoryManager,
    Placement, SegmentPlacement, SegmentRequest,
};
