//! The allocation actions of an image that runs in this process.

use crate::base::{Action, ActionPair, AddrRange, ExecutorAddr};
use crate::link::{DataCopy, ImageActions, IndirectSlot};
use crate::runtime::{copy, ifunc, images, unwind};

/// Makes the allocation actions of images that run in this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostActions;

impl ImageActions for HostActions {
    fn register_eh_frame(&self, records: AddrRange) -> Option<ActionPair> {
        (!records.is_empty()).then(|| unwind::eh_frame_actions(records))
    }

    fn resolve_indirect(&self, slots: &[IndirectSlot]) -> Action {
        let pairs: Vec<_> = slots.iter().map(|slot| (slot.slot, slot.resolver)).collect();
        ifunc::resolve_slots_action(&pairs)
    }

    fn copy_data(&self, copies: &[DataCopy]) -> ActionPair {
        let copies: Vec<_> = copies.iter().map(|copy| (copy.to, copy.from, copy.size)).collect();
        copy::copy_actions(&copies)
    }

    fn register_image(&self, code: AddrRange, dso_handle: ExecutorAddr) -> Option<ActionPair> {
        (!code.is_empty()).then(|| images::image_actions(code, dso_handle))
    }
}
