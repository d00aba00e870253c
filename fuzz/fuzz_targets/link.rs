//! Parses and links one object without running anything.
#![no_main]

use jitlink_test_support::pretended::link_only;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = link_only(&[("input.o", data)]);
});
