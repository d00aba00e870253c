//! The allocation actions of an image that runs in this process.

use crate::arch::ThreadTable;
use crate::base::{Action, ActionPair, AddrRange, ExecutorAddr, Result};
use crate::debug::{self, DebugObject};
use crate::link::{
    DataCopy, ImageActions, IndirectSlot, LinkView, ThreadLocalPlace, ThreadLocalRequest, ThreadLocalSymbol,
    ThreadLocalTemplate,
};
use crate::runtime::thread_locals::pool::PoolReservation;
use crate::runtime::thread_locals::{self, Reservation, Template};
use crate::runtime::{copy, debugger, ifunc, images, perf, unwind};

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

    fn register_debug_info(&self, image: &LinkView<'_, '_>, graph: usize) -> Option<ActionPair> {
        let DebugObject { source, parts, changes, place } = DebugObject::of(image, graph)?;
        Some(debugger::object_actions(place, image.graphs()[graph].name(), source, &parts, &changes))
    }

    fn register_code(&self, image: &LinkView<'_, '_>) -> Option<ActionPair> {
        perf::is_started().then(|| perf::report_action(debug::jitdump_records(image)))
    }

    fn place_thread_locals(&self, request: ThreadLocalRequest) -> Result<Box<dyn ThreadLocalPlace>> {
        let ThreadLocalRequest { size, alignment, in_all_threads } = request;
        Ok(if in_all_threads {
            Box::new(InPool(PoolReservation::new(size, alignment)?))
        } else {
            Box::new(InBlocks(Reservation::new()?))
        })
    }

    fn thread_table(&self) -> Option<ThreadTable> {
        Some(ThreadTable {
            thread_offset: thread_locals::table_offset(),
            resolver: thread_locals::descriptor_function().0,
            get_addr: thread_locals::get_addr_function().0,
        })
    }

    fn absent_thread_local(&self) -> ThreadLocalSymbol {
        ThreadLocalSymbol {
            module: thread_locals::absent_module_word(),
            offset: 0,
            thread_offset: None,
            descriptor: [thread_locals::absent_descriptor_function().0, 0],
        }
    }
}

/// A block for each thread that asks for it.
struct InBlocks(Reservation);

/// The same offset from the thread pointer in every thread.
struct InPool(PoolReservation);

impl ThreadLocalPlace for InBlocks {
    fn start(&self) -> ThreadLocalSymbol {
        let number = self.0.module().number();
        let argument = thread_locals::descriptor_argument(number, 0);
        ThreadLocalSymbol {
            module: thread_locals::module_word(number),
            offset: 0,
            thread_offset: None,
            descriptor: [thread_locals::descriptor_function().0, argument],
        }
    }

    fn fill(&self, template: ThreadLocalTemplate) -> ActionPair {
        thread_locals::template_actions(self.0.module(), template_of(template))
    }

    fn keep(self: Box<Self>) {
        self.0.keep();
    }
}

impl ThreadLocalPlace for InPool {
    fn start(&self) -> ThreadLocalSymbol {
        let ((module, offset), thread_offset) = (self.0.in_module(), self.0.thread_offset());
        let function = thread_locals::static_descriptor_function().0;
        ThreadLocalSymbol {
            module,
            offset,
            thread_offset: Some(thread_offset),
            descriptor: [function, thread_offset.cast_unsigned()],
        }
    }

    fn fill(&self, template: ThreadLocalTemplate) -> ActionPair {
        self.0.actions(template_of(template))
    }

    fn keep(self: Box<Self>) {
        self.0.keep();
    }
}

fn template_of(template: ThreadLocalTemplate) -> Template {
    let ThreadLocalTemplate { content, size, alignment } = template;
    let content_size = content.size();
    let zero_fill_size = size.saturating_sub(content_size);
    Template { address: content.start, content_size, zero_fill_size, alignment }
}
