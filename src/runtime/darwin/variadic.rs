//! Functions with a variable number of arguments, on architectures where Darwin passes these its own way: on AArch64,
//! all on the stack, eight bytes each. A `va_list` is a plain pointer to them there.
//!
//! The C library's functions that take a `va_list` are given one that has no registers left, and so reads the stack. What
//! is different in size is `long double`, which is a `double` on Darwin: formats say so before the C library sees them.

use std::borrow::Cow;
use std::ffi::CStr;

/// Whether a format is for output or input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::runtime) enum Direction {
    /// Of `printf` and its kin.
    Output,
    /// Of `scanf` and its kin.
    Input,
}

/// The format in which each conversion of a `long double` is one of a `double`: `%Lf` becomes `%lf`.
///
/// `l` before such a conversion means `double` to `scanf`, and nothing to `printf`.
pub(in crate::runtime) fn without_long_double(format: &CStr, direction: Direction) -> Cow<'_, CStr> {
    let mut changed: Vec<usize> = Vec::new();
    let bytes = format.to_bytes();
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'%', &bytes[at..]) {
        at += found + 1;
        let mut long = None;
        while let Some(byte) = bytes.get(at).filter(|byte| is_modifier(**byte)) {
            if *byte == b'L' {
                long = Some(at);
            }
            at += 1;
        }
        match bytes.get(at) {
            Some(b'[') if direction == Direction::Input => at += set_length(&bytes[at..]),
            Some(conversion) => {
                if b"aAeEfFgG".contains(conversion) {
                    changed.extend(long);
                }
                at += 1;
            }
            None => break,
        }
    }
    if changed.is_empty() {
        return Cow::Borrowed(format);
    }
    let mut bytes = bytes.to_vec();
    changed.into_iter().for_each(|at| bytes[at] = b'l');
    // No byte became zero.
    std::ffi::CString::new(bytes).map_or(Cow::Borrowed(format), Cow::Owned)
}

/// What can stand between `%` and the conversion.
fn is_modifier(byte: u8) -> bool {
    byte.is_ascii_digit() || b"-+ #'.*$hlLqjzt".contains(&byte)
}

/// The length of a set of characters, brackets included: a bracket right at its start belongs to it.
fn set_length(bytes: &[u8]) -> usize {
    let start = if bytes.get(1) == Some(&b'^') { 2 } else { 1 };
    let rest = bytes.get(start + 1..).unwrap_or(&[]);
    memchr::memchr(b']', rest).map_or(bytes.len(), |end| start + 1 + end + 1)
}
