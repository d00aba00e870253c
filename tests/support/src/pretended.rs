//! Linking without executing anything: memory at pretended addresses, and a resolver that knows every name.

use jitlink::alloc::{
    FinalizeRequest, FinalizedAllocation, InFlightAllocation, LayoutRequest, MemoryManager, Placement,
    SegmentPlacement,
};
use jitlink::base::{Error, ExecutorAddr, Result};
use jitlink::debug::symbolize;
use jitlink::link::{Batch, LinkContext, LinkOptions, ResolvedSymbol, Resolver, SymbolQuery, link};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Where segments are pretended to lie, and how much one link may ask for.
#[derive(Clone, Debug)]
pub struct PretendedMemory {
    /// First address for segments that may lie anywhere.
    pub base: u64,
    /// First address for segments that must lie low.
    pub low_base: u64,
    /// Content bytes above which a request is refused.
    pub limit: u64,
    /// Where finalized contents go, with their addresses.
    pub contents: Contents,
}

/// Contents of segments by address.
pub type Contents = Arc<Mutex<BTreeMap<u64, Vec<u8>>>>;

impl Default for PretendedMemory {
    fn default() -> Self {
        Self { base: 0x7fff_0000_0000, low_base: 0x1000_0000, limit: 64 << 20, contents: Contents::default() }
    }
}

struct Allocation {
    placements: Vec<SegmentPlacement>,
    contents: Vec<Vec<u8>>,
    finalized: Contents,
}

impl MemoryManager for PretendedMemory {
    fn page_size(&self) -> u64 {
        4096
    }

    fn runs_actions(&self) -> bool {
        false
    }

    fn allocate(&self, request: &LayoutRequest<'_>) -> Result<Box<dyn InFlightAllocation>> {
        let refuse = || Error::Memory { what: "take so much pretended memory".to_owned(), source: None };
        let content =
            request.segments.iter().try_fold(0u64, |sum, segment| sum.checked_add(segment.content_size));
        if content.is_none_or(|size| size > self.limit) {
            return Err(refuse());
        }
        let mut next = [self.base, self.low_base];
        let mut allocation = Allocation {
            placements: Vec::new(),
            contents: Vec::new(),
            finalized: Arc::clone(&self.contents),
        };
        for segment in request.segments {
            let next = &mut next[usize::from(segment.placement == Placement::Low)];
            let size = segment.size().ok_or_else(refuse)?;
            let alignment = segment.alignment.max(self.page_size());
            let start = next.checked_next_multiple_of(alignment).ok_or_else(refuse)?;
            *next = start.checked_add(size).ok_or_else(refuse)?;
            allocation.placements.push(SegmentPlacement { address: ExecutorAddr(start), size });
            allocation.contents.push(vec![0; segment.content_size as usize]);
        }
        Ok(Box::new(allocation))
    }
}

impl InFlightAllocation for Allocation {
    fn segments(&self) -> &[SegmentPlacement] {
        &self.placements
    }

    fn working_memory(&mut self) -> Vec<&mut [u8]> {
        self.contents.iter_mut().map(Vec::as_mut_slice).collect()
    }

    fn finalize(mut self: Box<Self>, _: FinalizeRequest) -> Result<Box<dyn FinalizedAllocation>> {
        let contents = std::mem::take(&mut self.contents);
        if let Ok(mut finalized) = self.finalized.lock() {
            finalized.extend(self.placements.iter().map(|place| place.address.0).zip(contents));
        }
        Ok(self)
    }
}

impl FinalizedAllocation for Allocation {
    fn segments(&self) -> &[SegmentPlacement] {
        &self.placements
    }

    fn deallocate(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

/// Knows every name, at an address that its bytes decide: code out of reach of the pretended memory, data within.
#[derive(Clone, Copy, Debug, Default)]
pub struct EveryName;

impl Resolver for EveryName {
    fn resolve(&self, queries: &[SymbolQuery<'_>]) -> Result<Vec<Option<ResolvedSymbol>>> {
        Ok(queries.iter().map(|query| Some(pretended_symbol(query.name))).collect())
    }
}

/// What [`EveryName`] says of `name`.
#[must_use]
pub fn pretended_symbol(name: &[u8]) -> ResolvedSymbol {
    let sum = name.iter().fold(7u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
    let callable = sum & 1 == 0;
    let base = if callable { 0x7000_0000_0000 } else { 0x7fff_4000_0000 };
    ResolvedSymbol { address: ExecutorAddr(base + (sum % 0xffff) * 16), size: 8, callable }
}

/// Parses and links `objects` together, asks what is in the image, and lets go of the result.
///
/// # Errors
/// What the link says.
pub fn link_only(objects: &[(&str, &[u8])]) -> Result<()> {
    let mut batch = Batch::new();
    for (name, data) in objects {
        batch.add_object(*name, data)?;
    }
    let mut context = LinkContext {
        manager: &PretendedMemory::default(),
        resolver: &EveryName,
        actions: None,
        plugins: &mut [],
    };
    let options = LinkOptions { unwind_info: true, ..LinkOptions::default() };
    let linked = link(batch, &mut context, &options)?;
    linked.segments().iter().for_each(|segment| drop(symbolize(&linked, segment.start)));
    Ok(())
}
