//! The mappings of this process.

use crate::base::{Error, Result};
use std::ops::Range;

/// One line of `/proc/self/maps`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Mapping {
    /// Its addresses.
    pub(crate) range: Range<u64>,
    /// Whether it is the `brk` heap, which grows upwards.
    pub(crate) heap: bool,
    /// Whether it is the main thread's stack, which grows downwards.
    pub(crate) stack: bool,
}

/// All mappings of this process, in the order of their addresses.
pub(crate) fn mappings() -> Result<Vec<Mapping>> {
    const PATH: &str = "/proc/self/maps";
    let text = std::fs::read(PATH).map_err(|error| Error::io(PATH, error))?;
    Ok(text.split(|&byte| byte == b'\n').filter_map(parse_line).collect())
}

fn parse_line(line: &[u8]) -> Option<Mapping> {
    let mut fields = line.splitn(2, |&byte| byte == b' ');
    let (start, end) = std::str::from_utf8(fields.next()?).ok()?.split_once('-')?;
    let range = u64::from_str_radix(start, 16).ok()?..u64::from_str_radix(end, 16).ok()?;
    Some(Mapping { range, heap: line.ends_with(b"[heap]"), stack: line.ends_with(b"[stack]") })
}

/// The unmapped ranges inside `window`, leaving the heap and the stack `margin` bytes to grow into.
pub(crate) fn gaps(mappings: &[Mapping], window: &Range<u64>, margin: u64) -> Vec<Range<u64>> {
    let mut gaps = Vec::new();
    let mut start = window.start;
    for mapping in mappings {
        let below = if mapping.stack { margin } else { 0 };
        push_gap(&mut gaps, start..mapping.range.start.saturating_sub(below).min(window.end));
        let above = if mapping.heap { margin } else { 0 };
        start = start.max(mapping.range.end.saturating_add(above));
    }
    push_gap(&mut gaps, start..window.end);
    gaps
}

fn push_gap(gaps: &mut Vec<Range<u64>>, gap: Range<u64>) {
    if gap.start < gap.end {
        gaps.push(gap);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_parsed() {
        let heap = parse_line(b"00601000-00700000 rw-p 00000000 00:00 0      [heap]").unwrap();
        assert_eq!((heap.range, heap.heap, heap.stack), (0x60_1000..0x70_0000, true, false));
        assert_eq!(parse_line(b""), None);
        assert_eq!(parse_line(b"junk"), None);
        assert_eq!(parse_line(b"12-zz rw-p"), None);
    }

    #[test]
    fn gaps_leave_room_to_grow() {
        let mapping = |range, heap, stack| Mapping { range, heap, stack };
        let list = [
            mapping(10..20, false, false),
            mapping(30..40, true, false),
            mapping(60..70, false, false),
            mapping(90..95, false, true),
        ];
        assert_eq!(gaps(&list, &(15..100), 5), [20..30, 45..60, 70..85, 95..100]);
        assert_eq!(gaps(&list, &(0..5), 0).first(), Some(&(0..5)));
        assert_eq!(gaps(&[], &(0..5), 0).first(), Some(&(0..5)));
        assert!(gaps(&list, &(12..18), 0).is_empty());
    }

    #[test]
    fn own_code_is_mapped() {
        let address = own_code_is_mapped as *const () as u64;
        assert!(mappings().unwrap().iter().any(|mapping| mapping.range.contains(&address)));
    }
}
