//! Counts and times of one link.

use std::time::{Duration, Instant};

/// Counts and times of one link.
#[derive(Clone, Debug, Default)]
pub struct LinkStats {
    /// Wall time of each phase, in order.
    pub phases: Vec<(&'static str, Duration)>,
    /// Objects and graphs linked.
    pub objects: usize,
    /// Names in the batch's table.
    pub names: usize,
    /// Edges of live blocks.
    pub edges: u64,
    /// GOT entries made.
    pub got_entries: usize,
    /// PLT entries made.
    pub plt_entries: usize,
    /// Veneers and hops made, for branches out of their reach.
    pub detours: usize,
    /// GOT loads and calls rewritten to do without.
    pub relaxed: u64,
    /// Bytes of content and of zero-fill in the image.
    pub content_bytes: u64,
    /// Bytes of zero-fill in the image.
    pub zero_fill_bytes: u64,
}

/// Measures phases as they end.
#[derive(Debug)]
pub(crate) struct Stopwatch {
    last: Instant,
    phases: Vec<(&'static str, Duration)>,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self { last: Instant::now(), phases: Vec::with_capacity(12) }
    }

    /// Ends the phase that began with the last call.
    pub(crate) fn lap(&mut self, phase: &'static str) {
        let now = Instant::now();
        self.phases.push((phase, now - self.last));
        self.last = now;
    }

    pub(crate) fn finish(self) -> Vec<(&'static str, Duration)> {
        self.phases
    }
}
