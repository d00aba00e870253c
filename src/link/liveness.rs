//! Side arrays over all blocks of the batch: which are live.

use crate::graph::{BlockId, LinkGraph};
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// Which blocks of which graph are live: one byte each, apart from the blocks, so that marking stays in cache.
#[derive(Debug, Default)]
pub(crate) struct Liveness {
    starts: Vec<u32>,
    flags: Vec<AtomicU8>,
}

impl Liveness {
    pub(crate) fn new(graphs: &[LinkGraph<'_>]) -> Self {
        let mut starts = Vec::with_capacity(graphs.len() + 1);
        let mut total = 0u32;
        for graph in graphs {
            starts.push(total);
            total += graph.blocks.len() as u32;
        }
        Self { starts, flags: (0..total).map(|_| AtomicU8::new(0)).collect() }
    }

    /// Makes a block live; true if it was not before.
    #[inline]
    pub(crate) fn mark(&self, graph: u32, block: BlockId) -> bool {
        let flag = &self.flags[(self.starts[graph as usize] + block.0) as usize];
        flag.load(Relaxed) == 0 && flag.swap(1, Relaxed) == 0
    }

    /// Whether a block is live. What the linker adds after the walk, the image graph, is.
    #[inline]
    pub(crate) fn is_live(&self, graph: u32, block: BlockId) -> bool {
        match self.starts.get(graph as usize) {
            Some(start) => self.flags[(start + block.0) as usize].load(Relaxed) != 0,
            None => true,
        }
    }
}
