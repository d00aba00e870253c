//! Numbers on the command line.

/// A number in decimal, or with a prefix: `0x`, `0o`, `0b`, and `0` for octal.
pub(super) fn integer(text: &str) -> Result<u64, String> {
    let lower = text.to_ascii_lowercase();
    let (digits, radix) = match lower.as_bytes() {
        [b'0', b'x', ..] => (&lower[2..], 16),
        [b'0', b'o', ..] => (&lower[2..], 8),
        [b'0', b'b', ..] => (&lower[2..], 2),
        [b'0', _, ..] => (&lower[1..], 8),
        _ => (lower.as_str(), 10),
    };
    if digits.starts_with('+') {
        return Err("not a number".to_owned());
    }
    u64::from_str_radix(digits, radix).map_err(|error| match error.kind() {
        std::num::IntErrorKind::PosOverflow => "does not fit 64 bits".to_owned(),
        _ => "not a number; hexadecimal ones begin with 0x".to_owned(),
    })
}

const SUFFIXES: [(&str, u64); 3] = [("kb", 1 << 10), ("mb", 1 << 20), ("gb", 1 << 30)];

/// A size in bytes: a decimal number and `Kb`, `Mb` or `Gb`; without a suffix, kilobytes.
pub(super) fn slab_size(text: &str) -> Result<u64, String> {
    let lower = text.trim().to_ascii_lowercase();
    let suffix = SUFFIXES.iter().find_map(|(suffix, unit)| Some((lower.strip_suffix(suffix)?, *unit)));
    let (digits, unit) = suffix.unwrap_or((&lower, 1 << 10));
    let digits = digits.trim_end();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("not a size; write a decimal number and Kb, Mb or Gb".to_owned());
    }
    let number = digits.parse::<u64>().ok();
    number.and_then(|number| number.checked_mul(unit)).ok_or_else(|| "does not fit 64 bits".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_have_the_usual_prefixes() {
        for (text, value) in
            [("0", 0), ("12", 12), ("0x1F", 31), ("0X1f", 31), ("010", 8), ("0o17", 15), ("0b101", 5)]
        {
            assert_eq!(integer(text), Ok(value), "{text}");
        }
        assert_eq!(integer("0xffffffffffffffff"), Ok(u64::MAX));
        for text in ["", "0x", "-1", "+1", "0x+1", "1f", "09", "0x10000000000000000", "é"] {
            assert!(integer(text).is_err(), "{text}");
        }
    }

    #[test]
    fn slab_sizes_have_suffixes() {
        for (text, value) in [
            ("64Kb", 64 << 10),
            ("64kb", 64 << 10),
            ("10Mb", 10 << 20),
            ("2 GB", 2 << 30),
            ("3", 3 << 10),
            (" 7 ", 7 << 10),
        ] {
            assert_eq!(slab_size(text), Ok(value), "{text}");
        }
        for text in
            ["", "Kb", "64Xb", "0x10", "-1", "1.5Mb", "99999999999999999999", "18446744073709551615Gb"]
        {
            assert!(slab_size(text).is_err(), "{text}");
        }
    }
}
