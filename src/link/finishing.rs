//! The end of a link: what to run before `main`, and what is done in the executing process at finalization.

use super::actions::{DataCopy, ImageActions, IndirectSlot, ThreadLocalPlace};
use super::addresses::Addresses;
use super::apply::Applying;
use super::driver::{LinkContext, run_plugins};
use super::entries::EntryOwner;
use super::groups::{GroupKind, SegmentClass};
use super::initializers::InitFunctions;
use super::layout::Layout;
use super::linked::WritableMemory;
use super::thread_locals;
use super::view::LinkView;
use crate::alloc::{FinalizeRequest, InFlightAllocation};
use crate::base::{AddrRange, ExecutorAddr, Result};
use crate::graph::BlockId;

/// Post-fixup plugins, initialisers and the actions of the image.
pub(super) fn finish(
    applying: &Applying<'_, '_>,
    context: &mut LinkContext<'_>,
    allocation: &mut dyn InFlightAllocation,
    place: Option<&dyn ThreadLocalPlace>,
    with_debug_info: &[u32],
) -> Result<(InitFunctions, FinalizeRequest)> {
    let Applying { addresses, layout, live, .. } = *applying;
    let memory = allocation.working_memory();
    let memory: Vec<&[u8]> = memory.iter().map(|bytes| &**bytes).collect();
    let view = LinkView { addresses, layout, live, memory: &memory };
    run_plugins(context, |plugin| plugin.post_fixup(&view))?;
    let init = InitFunctions::find(layout, addresses.graphs);
    let mut request = FinalizeRequest::default();
    if let Some(actions) = context.actions {
        request = actions_of(actions, addresses, layout, place);
        let debug =
            with_debug_info.iter().filter_map(|graph| actions.register_debug_info(&view, *graph as usize));
        request.actions.extend(debug);
        request.actions.extend(actions.register_code(&view));
    }
    Ok((init, request))
}

fn actions_of(
    actions: &dyn ImageActions,
    addresses: &Addresses<'_, '_>,
    layout: &Layout,
    place: Option<&dyn ThreadLocalPlace>,
) -> FinalizeRequest {
    let mut request = FinalizeRequest::default();
    let slots = indirect_slots(addresses);
    if !slots.is_empty() {
        request.relro_actions.push(actions.resolve_indirect(&slots));
    }
    let copies = data_copies(addresses);
    if !copies.is_empty() {
        request.actions.push(actions.copy_data(&copies));
    }
    if let Some(place) = place {
        request.actions.push(place.fill(thread_locals::template(layout)));
    }
    for segment in layout.segments_of(&SegmentClass::CODE) {
        request.actions.extend(actions.register_image(segment.range(), dso_handle(layout)));
    }
    if let Some(records) = layout.group_range(addresses.graphs, GroupKind::EhFrame) {
        request.actions.extend(actions.register_eh_frame(records));
    }
    request
}

fn indirect_slots(addresses: &Addresses<'_, '_>) -> Vec<IndirectSlot> {
    let plt = (0u32..).zip(&addresses.entries.plt);
    let indirect = plt.filter(|(position, _)| addresses.image.slot_of_plt[*position as usize].0);
    let slot = |(position, owner): (u32, &EntryOwner)| IndirectSlot {
        slot: ExecutorAddr(addresses.slot_address(position).unwrap_or(0)),
        resolver: ExecutorAddr(addresses.definition_address(*owner)),
    };
    indirect.map(slot).collect()
}

fn data_copies(addresses: &Addresses<'_, '_>) -> Vec<DataCopy> {
    let graph = &addresses.graphs[addresses.image.index as usize];
    let copy = |&(from, block): &(u64, BlockId)| {
        let block = &graph.blocks[block.index()];
        DataCopy { to: block.address, from: ExecutorAddr(from), size: block.size }
    };
    addresses.image.copies.iter().map(copy).collect()
}

/// What the image's code can write to, but for what belongs to libraries.
pub(super) fn writable_memory(addresses: &Addresses<'_, '_>, layout: &Layout) -> WritableMemory {
    let mut copies: Vec<AddrRange> =
        data_copies(addresses).iter().map(|copy| AddrRange::from_size(copy.to, copy.size)).collect();
    copies.sort_unstable_by_key(|range| range.start);
    let segments = || layout.segments_of(&SegmentClass::DATA);
    let content = segments().map(|segment| AddrRange { start: segment.address, end: segment.content_end() });
    let zero_fill =
        segments().map(|segment| AddrRange { start: segment.content_end(), end: segment.range().end });
    WritableMemory { content: without(content, &copies), zero_fill: without(zero_fill, &copies) }
}

/// What is left of ranges; the others are sorted and do not overlap.
fn without(ranges: impl Iterator<Item = AddrRange>, others: &[AddrRange]) -> Vec<AddrRange> {
    let mut left = Vec::new();
    for AddrRange { mut start, end } in ranges {
        let first = others.partition_point(|other| other.end <= start);
        for other in others[first..].iter().take_while(|other| other.start < end) {
            left.push(AddrRange { start, end: other.start.max(start) });
            start = other.end.min(end);
        }
        left.push(AddrRange { start, end });
    }
    left.retain(|range| !range.is_empty());
    left
}

/// What tells this image from others: the address of its first segment, which no other image has.
pub(super) fn dso_handle(layout: &Layout) -> ExecutorAddr {
    layout.segments.first().map_or(ExecutorAddr::NULL, |segment| segment.address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_have_is_cut_out() {
        let range = |start: u64, end: u64| AddrRange { start: ExecutorAddr(start), end: ExecutorAddr(end) };
        let others = [range(0, 4), range(10, 12), range(18, 30), range(40, 50)];
        let ranges = [range(0, 20), range(25, 26), range(30, 35), range(41, 60)];
        let left = [range(4, 10), range(12, 18), range(30, 35), range(50, 60)];
        assert_eq!(without(ranges.into_iter(), &others), left);
    }
}
