//! Which memory manager a link uses.

use crate::args::Options;
use crate::report;
use jitlink::alloc::{DualMappedManager, InProcessManager, MemoryManager, SlabManager, SlabOptions};
use jitlink::base::{ExecutorAddr, Result};

/// The manager that the options ask for.
pub(crate) fn choose(options: &Options) -> Result<Box<dyn MemoryManager>> {
    if let Some(size) = options.slab_allocate {
        if options.slab_address.is_some() && options.slab_page_size.is_none() {
            report::warning(
                &"-slab-address without -slab-page-size: the layout depends on this machine's pages",
            );
        }
        return Ok(Box::new(SlabManager::new(SlabOptions {
            size,
            address: options.slab_address.map(ExecutorAddr),
            page_size: options.slab_page_size,
        })?));
    }
    if options.dual_map {
        return Ok(Box::new(DualMappedManager::new()?));
    }
    Ok(Box::new(InProcessManager::new()?))
}
