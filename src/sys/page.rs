//! Pages.

use std::ops::Range;

/// Size of a page of this process, in bytes.
pub(crate) fn size() -> u64 {
    region::page::size() as u64
}

/// `value` rounded up to a multiple of `alignment`, a power of two; `None` on overflow.
pub(crate) const fn align_up(value: u64, alignment: u64) -> Option<u64> {
    match value.checked_add(alignment - 1) {
        Some(sum) => Some(sum & !(alignment - 1)),
        None => None,
    }
}

/// The pages that a range touches.
pub(crate) fn enclosing(range: &Range<u64>) -> Range<u64> {
    let mask = size() - 1;
    range.start & !mask..range.end.saturating_add(mask) & !mask
}

/// The pages that lie entirely in a range.
pub(crate) fn enclosed(range: &Range<u64>) -> Range<u64> {
    let mask = size() - 1;
    let start = range.start.saturating_add(mask) & !mask;
    start..(range.end & !mask).max(start)
}

/// What of a range lies before, and what after, the pages that lie entirely in it.
pub(crate) fn edges(range: &Range<u64>) -> [Range<u64>; 2] {
    let pages = enclosed(range);
    [range.start..pages.start.min(range.end), pages.end.min(range.end)..range.end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_and_edges_make_up_the_range() {
        let page = size();
        for range in [10..20, 10..page + 5, 0..page, 10..3 * page + 7, page - 1..page, 0..0] {
            let [before, after] = edges(&range);
            let inner = enclosed(&range);
            let sum: u64 = [&before, &inner, &after].map(|part| part.end - part.start).iter().sum();
            assert_eq!(sum, range.end - range.start, "{range:?}");
            assert!(inner.start.is_multiple_of(page) && inner.end.is_multiple_of(page));
        }
        assert_eq!(enclosing(&(10..20)), 0..page);
        assert_eq!(align_up(u64::MAX, 2), None);
    }
}
