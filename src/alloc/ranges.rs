//! Sets of address ranges: what is free, what is ready to be written.

use crate::sys::page::align_up;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Candidates that are looked at before room is asked for that is certain to hold an aligned range.
const ALIGNED_TRIES: usize = 8;

/// Disjoint ranges, no two of which touch. Every operation takes logarithmic time, but for those that remove many ranges.
#[derive(Clone, Debug, Default)]
pub(super) struct RangeSet {
    by_start: BTreeMap<u64, u64>,
    by_size: BTreeSet<(u64, u64)>,
}

impl RangeSet {
    /// The set of all of `range`.
    pub(super) fn full(range: Range<u64>) -> Self {
        let mut set = Self::default();
        set.insert(range);
        set
    }

    /// Adds `range`, joining it with what it touches.
    pub(super) fn insert(&mut self, range: Range<u64>) {
        let Range { mut start, mut end } = range;
        if start >= end {
            return;
        }
        while let Some((first, last)) = self.last_starting_by(end).filter(|&(_, last)| last >= start) {
            self.forget(first, last);
            start = start.min(first);
            end = end.max(last);
        }
        self.remember(start, end);
    }

    /// Takes `range` out, as far as it is in the set.
    pub(super) fn remove(&mut self, range: &Range<u64>) {
        if range.is_empty() {
            return;
        }
        while let Some((first, last)) =
            self.last_starting_by(range.end - 1).filter(|&(_, last)| last > range.start)
        {
            self.forget(first, last);
            self.remember(first, range.start);
            self.remember(range.end, last);
        }
    }

    /// Takes out `size` bytes that start at a multiple of `alignment`, from the smallest range that has them.
    pub(super) fn take(&mut self, size: u64, alignment: u64) -> Option<Range<u64>> {
        let aligned = |start| align_up(start, alignment);
        let fits = |&(length, start): &(u64, u64)| {
            aligned(start).and_then(|begin| begin.checked_add(size)).is_some_and(|end| end <= start + length)
        };
        let any = self.by_size.range((size, 0)..).take(ALIGNED_TRIES).copied().find(fits);
        let certain = || self.by_size.range((size.checked_add(alignment - 1)?, 0)..).next().copied();
        let (_, start) = any.or_else(certain)?;
        let start = aligned(start)?;
        let taken = start..start + size;
        self.remove(&taken);
        Some(taken)
    }

    /// The number of ranges.
    pub(super) fn count(&self) -> usize {
        self.by_start.len()
    }

    /// Whether all of `range` is in the set.
    pub(super) fn covers(&self, range: &Range<u64>) -> bool {
        range.is_empty() || self.end_of(range.start).is_some_and(|end| end >= range.end)
    }

    /// Whether any byte of `range` is in the set.
    pub(super) fn meets(&self, range: &Range<u64>) -> bool {
        !range.is_empty() && self.last_starting_by(range.end - 1).is_some_and(|(_, last)| last > range.start)
    }

    /// Where the range that holds `address` ends.
    pub(super) fn end_of(&self, address: u64) -> Option<u64> {
        self.last_starting_by(address).map(|(_, end)| end).filter(|&end| end > address)
    }

    fn last_starting_by(&self, address: u64) -> Option<(u64, u64)> {
        self.by_start.range(..=address).next_back().map(|(&start, &end)| (start, end))
    }

    fn remember(&mut self, start: u64, end: u64) {
        if start < end {
            self.by_start.insert(start, end);
            self.by_size.insert((end - start, start));
        }
    }

    fn forget(&mut self, start: u64, end: u64) {
        self.by_start.remove(&start);
        self.by_size.remove(&(end - start, start));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SPACE: usize = 256;

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u64, u64),
        Remove(u64, u64),
        Take(u64, u32),
    }

    fn step() -> impl Strategy<Value = Step> {
        let range =
            (0..SPACE as u64, 0..64u64).prop_map(|(start, size)| (start, (start + size).min(SPACE as u64)));
        prop_oneof![
            range.clone().prop_map(|(start, end)| Step::Insert(start, end)),
            range.prop_map(|(start, end)| Step::Remove(start, end)),
            (1..40u64, 0..5u32).prop_map(|(size, shift)| Step::Take(size, shift)),
        ]
    }

    fn members(set: &RangeSet) -> Vec<bool> {
        (0..SPACE as u64).map(|address| set.covers(&(address..address + 1))).collect()
    }

    fn model_has_room(model: &[bool], size: usize, alignment: usize) -> bool {
        (0..SPACE)
            .step_by(alignment)
            .any(|at| at + size <= SPACE && model[at..at + size].iter().all(|&free| free))
    }

    fn check_invariants(set: &RangeSet) {
        let ranges: Vec<_> = set.by_start.iter().map(|(&start, &end)| (start, end)).collect();
        assert!(ranges.windows(2).all(|pair| pair[0].1 < pair[1].0), "touching ranges {ranges:?}");
        let sizes: BTreeSet<_> = ranges.iter().map(|&(start, end)| (end - start, start)).collect();
        assert_eq!(sizes, set.by_size);
    }

    proptest! {
        #[test]
        fn behaves_as_a_set_of_addresses(steps in proptest::collection::vec(step(), 1..80)) {
            let mut set = RangeSet::default();
            let mut model = vec![false; SPACE];
            for step in steps {
                match step {
                    Step::Insert(start, end) => {
                        set.insert(start..end);
                        model[start as usize..end as usize].fill(true);
                    }
                    Step::Remove(start, end) => {
                        prop_assert_eq!(set.meets(&(start..end)), model[start as usize..end as usize].contains(&true));
                        set.remove(&(start..end));
                        model[start as usize..end as usize].fill(false);
                    }
                    Step::Take(size, shift) => {
                        let taken = set.take(size, 1 << shift);
                        match taken {
                            Some(taken) => {
                                prop_assert_eq!(taken.end - taken.start, size);
                                prop_assert_eq!(taken.start % (1 << shift), 0);
                                let bytes = &mut model[taken.start as usize..taken.end as usize];
                                prop_assert!(bytes.iter().all(|&free| free));
                                bytes.fill(false);
                            }
                            // With few candidates of just the size, none of the tried ones need be aligned.
                            None => prop_assert!(shift > 0 || !model_has_room(&model, size as usize, 1)),
                        }
                    }
                }
                check_invariants(&set);
                prop_assert_eq!(members(&set), model.clone());
            }
        }
    }

    #[test]
    fn best_fit_leaves_large_ranges_whole() {
        let mut set = RangeSet::full(0..100);
        set.insert(200..210);
        assert_eq!(set.take(8, 1), Some(200..208));
        assert_eq!(set.take(101, 1), None);
        assert_eq!(set.take(100, 1), Some(0..100));
    }
}
