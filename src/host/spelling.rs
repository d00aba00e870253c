//! Names one slip of the keyboard away from another, for messages about names that nothing defines.

/// What C identifiers consist of.
const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

/// Shorter names resemble too many others; longer ones, mangled as a rule, are not typed by hand.
const LENGTHS: std::ops::RangeInclusive<usize> = 4..=40;

/// All names that differ from `name` by two neighbours swapped, or by one byte more, less or other.
pub(super) fn one_slip_away(name: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let name = if LENGTHS.contains(&name.len()) { name } else { &[] };
    let positions = 0..name.len();
    let swapped = (1..name.len()).map(move |at| spliced(name, at - 1, 2, &[name[at], name[at - 1]]));
    let shorter = positions.clone().map(move |at| spliced(name, at, 1, &[]));
    let changed =
        positions.flat_map(move |at| LETTERS.iter().map(move |letter| spliced(name, at, 1, &[*letter])));
    let ends = if name.is_empty() { 0..0 } else { 0..name.len() + 1 };
    let longer = ends.flat_map(move |at| LETTERS.iter().map(move |letter| spliced(name, at, 0, &[*letter])));
    swapped.chain(shorter).chain(longer).chain(changed).filter(move |other| other != name)
}

/// `name` with the `count` bytes at `at` replaced.
fn spliced(name: &[u8], at: usize, count: usize, by: &[u8]) -> Vec<u8> {
    [&name[..at], by, &name[at + count..]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found() {
        let reaches = |from: &str, to: &str| one_slip_away(from.as_bytes()).any(|name| name == to.as_bytes());
        for slip in ["prinft", "print", "printff", "prentf", "rintf", "xprintf"] {
            assert!(reaches(slip, "printf"), "{slip}");
        }
        assert!(!reaches("printf", "printf"));
        assert!(!reaches("prinfx", "printf_"));
    }

    #[test]
    fn names_too_short_or_too_long_resemble_none() {
        for name in ["", "abs", &"a".repeat(41)] {
            assert_eq!(one_slip_away(name.as_bytes()).count(), 0, "{name}");
        }
    }
}
