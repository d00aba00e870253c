use super::*;
use crate::runtime::builtins::{BuiltinKind, lookup};
use std::arch::is_aarch64_feature_detected;

/// The standard library finds out by itself.
#[test]
fn features_are_those_that_the_standard_library_detects() {
    let expected = [
        (0, is_aarch64_feature_detected!("rand")),
        (1, is_aarch64_feature_detected!("flagm")),
        (3, is_aarch64_feature_detected!("fhm")),
        (4, is_aarch64_feature_detected!("dotprod")),
        (5, is_aarch64_feature_detected!("sm4")),
        (6, is_aarch64_feature_detected!("rdm")),
        (7, is_aarch64_feature_detected!("lse")),
        (8, is_aarch64_feature_detected!("fp")),
        (9, is_aarch64_feature_detected!("asimd")),
        (10, is_aarch64_feature_detected!("crc")),
        (12, is_aarch64_feature_detected!("sha2")),
        (13, is_aarch64_feature_detected!("sha3")),
        (15, is_aarch64_feature_detected!("aes")),
        (16, is_aarch64_feature_detected!("fp16")),
        (17, is_aarch64_feature_detected!("dit")),
        (18, is_aarch64_feature_detected!("dpb")),
        (19, is_aarch64_feature_detected!("dpb2")),
        (20, is_aarch64_feature_detected!("jsconv")),
        (21, is_aarch64_feature_detected!("fcma")),
        (22, is_aarch64_feature_detected!("rcpc")),
        (23, is_aarch64_feature_detected!("rcpc2")),
        (24, is_aarch64_feature_detected!("frintts")),
        (26, is_aarch64_feature_detected!("i8mm")),
        (27, is_aarch64_feature_detected!("bf16")),
        (30, is_aarch64_feature_detected!("sve")),
        (34, is_aarch64_feature_detected!("f32mm")),
        (35, is_aarch64_feature_detected!("f64mm")),
        (36, is_aarch64_feature_detected!("sve2")),
        (38, is_aarch64_feature_detected!("sve2-aes")),
        (39, is_aarch64_feature_detected!("sve2-bitperm")),
        (40, is_aarch64_feature_detected!("sve2-sha3")),
        (41, is_aarch64_feature_detected!("sve2-sm4")),
        (46, is_aarch64_feature_detected!("sb")),
        (49, is_aarch64_feature_detected!("ssbs")),
        (50, is_aarch64_feature_detected!("bti")),
    ];
    let builtin = lookup(b"__aarch64_cpu_features").unwrap();
    assert_eq!(builtin.kind, BuiltinKind::Data { size: 8, align: 8 });
    // SAFETY: data of this size, which does not change any more.
    let set = unsafe { (builtin.address.0 as *const u64).read() };
    for (number, there) in expected {
        assert_eq!(set >> number & 1 != 0, there, "feature {number}");
    }
    assert!(set != 0);
}

#[test]
fn a_feature_that_is_in_two_halves_needs_both() {
    assert_eq!(features([1 << 3, 0]), 0);
    assert_eq!(features([1 << 3 | 1 << 4, 0]), 1 << 15);
    assert_eq!(features([u64::MAX, u64::MAX]).count_ones() as usize, FEATURES.len());
}

#[test]
fn the_initialisers_can_be_called() {
    for name in ["__init_cpu_features", "__init_cpu_features_resolver"] {
        let address = lookup(name.as_bytes()).unwrap().address.0 as *const ();
        // SAFETY: the function has this type, or takes two arguments of integer class.
        unsafe {
            std::mem::transmute::<*const (), extern "C" fn(u64, *const u64)>(address)(0, std::ptr::null())
        };
    }
}
