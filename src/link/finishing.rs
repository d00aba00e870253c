//! The end of a link: what to run before `main`, and what is done in the executing process at finalization.

use super::actions::{DataCopy, ImageActions, IndirectSlot, ThreadLocalPlace};
use super::addresses::Addresses;
use super::apply::Applying;
use super::driver::{LinkContext, run_plugins};
use super::entries::EntryOwner;
use super::groups::{GroupKind, SegmentClass};
use super::initializers::InitFunctions;
use super::layout::Layout;
use super::thread_locals;
use super::view::LinkView;
use crate::alloc::{FinalizeRequest, InFlightAllocation};
use crate::base::{ExecutorAddr, Result};
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

/// What tells this image from others: the address of its first segment, which no other image has.
pub(super) fn dso_handle(layout: &Layout) -> ExecutorAddr {
    layout.segments.first().map_or(ExecutorAddr::NULL, |segment| segment.address)
}
