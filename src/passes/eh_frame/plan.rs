//! Which records stay, where they go, and their bytes.

use super::{EhFrame, Record, RecordKind};
use std::ops::Range;

/// What is kept of one `.eh_frame` block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EhFramePlan {
    /// Bytes of all kept records together.
    pub size: u32,
    /// The kept records in their order.
    pub kept: Vec<KeptRecord>,
    /// Whether every kept record stays where it was: they are one copy of the block's first `size` bytes.
    pub unchanged: bool,
}

/// A record that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptRecord {
    /// Index in [`EhFrame::records`].
    pub record: u32,
    /// Offset of its length field in what is written.
    pub new_offset: u32,
}

/// Marks records to drop while planning; no record starts at the last byte of 4 GiB.
const DROPPED: u32 = u32::MAX;

/// Decides which records are kept: live FDEs, and the CIEs that these use.
///
/// `is_live` is asked once for each FDE, by its index in [`EhFrame::records`].
#[must_use]
pub fn plan(eh_frame: &EhFrame, is_live: impl Fn(u32) -> bool) -> EhFramePlan {
    let drop = |record| KeptRecord { record, new_offset: DROPPED };
    // Records take eight bytes at least and fewer than 2^32 in all.
    let mut kept: Vec<KeptRecord> = (0..eh_frame.records.len() as u32).map(drop).collect();
    for (index, record) in (0u32..).zip(&eh_frame.records) {
        if let RecordKind::Fde { cie, .. } = record.kind
            && is_live(index)
        {
            kept[index as usize].new_offset = 0;
            kept[cie as usize].new_offset = 0;
        }
    }
    let mut size = 0;
    let mut unchanged = true;
    kept.retain_mut(|entry| {
        if entry.new_offset == DROPPED {
            return false;
        }
        let record = &eh_frame.records[entry.record as usize];
        entry.new_offset = size;
        size += record.size - record.shortened_by();
        unchanged &= entry.new_offset == record.offset && !record.extended;
        true
    });
    EhFramePlan { size, kept, unchanged }
}

/// Records that stay next to each other, and go as one copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Offset in the block of the first byte: where an [`arch::Site`](crate::arch::Site) over `output` starts.
    pub start: u32,
    /// The bytes' place in what is written.
    pub output: Range<u32>,
    /// Positions of the edges to apply in the block's run.
    pub edges: Range<u32>,
}

impl Run {
    fn of(record: &Record, new_offset: u32) -> Self {
        let start = record.offset + record.shortened_by();
        Self { start, output: new_offset..new_offset + (record.end() - start), edges: record.edges.clone() }
    }

    /// Takes `next` in if it follows directly in the input, as it does in the output.
    fn join(&mut self, next: &Self) -> bool {
        let follows = self.start + (self.output.end - self.output.start) == next.start;
        if follows {
            self.output.end = next.output.end;
            self.edges.end = next.edges.end;
        }
        follows
    }
}

impl EhFramePlan {
    /// The runs of kept records: after [`write()`], apply the edges of each.
    pub fn runs<'a>(&'a self, eh_frame: &'a EhFrame) -> impl Iterator<Item = Run> + 'a {
        let mut records = self
            .kept
            .iter()
            .filter_map(|entry| Some(Run::of(eh_frame.records.get(entry.record as usize)?, entry.new_offset)))
            .peekable();
        std::iter::from_fn(move || {
            let mut run = records.next()?;
            while records.next_if(|next| run.join(next)).is_some() {}
            Some(run)
        })
    }

    /// Where a kept record is written.
    #[must_use]
    pub fn new_offset(&self, record: u32) -> Option<u32> {
        let index = self.kept.binary_search_by_key(&record, |entry| entry.record).ok()?;
        Some(self.kept[index].new_offset)
    }
}

/// Copies the kept records to `out` and corrects the distances that moved; edges are the caller's to apply.
///
/// # Panics
/// If `source` is not the content that was split, or `out` is shorter than the plan's size.
pub fn write(eh_frame: &EhFrame, plan: &EhFramePlan, source: &[u8], out: &mut [u8]) {
    for run in plan.runs(eh_frame) {
        let size = run.output.len();
        let from = &source[run.start as usize..][..size];
        out[run.output.start as usize..][..size].copy_from_slice(from);
    }
    if !plan.unchanged {
        correct_headers(eh_frame, plan, out);
    }
}

fn correct_headers(eh_frame: &EhFrame, plan: &EhFramePlan, out: &mut [u8]) {
    let mut last_cie = (u32::MAX, 0);
    for entry in &plan.kept {
        let record = &eh_frame.records[entry.record as usize];
        if record.extended {
            // The 12 bytes of the long length field do not count themselves, and neither do the 4 of the short.
            put(out, entry.new_offset, record.size - 12);
        }
        let RecordKind::Fde { cie, .. } = record.kind else { continue };
        if last_cie.0 != cie
            && let Some(offset) = plan.new_offset(cie)
        {
            last_cie = (cie, offset);
        }
        put(out, entry.new_offset + 4, entry.new_offset + 4 - last_cie.1);
    }
}

fn put(out: &mut [u8], offset: u32, value: u32) {
    out[offset as usize..][..4].copy_from_slice(&value.to_le_bytes());
}
