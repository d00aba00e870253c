//! Parses and links two objects together, so that names, groups, commons and merged sections meet.
//!
//! The input's first two bytes say, in units of 16 bytes, where the second object begins.
#![no_main]

use jitlink_test_support::pretended::link_only;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((head, rest)) = data.split_first_chunk::<2>() else { return };
    let at = usize::from(u16::from_le_bytes(*head)) * 16;
    let (first, second) = rest.split_at(at.min(rest.len()));
    let _ = link_only(&[("first.o", first), ("second.o", second)]);
});
