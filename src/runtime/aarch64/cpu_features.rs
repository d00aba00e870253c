//! The processor's features as compiled code reads them.
//!
//! `__aarch64_cpu_features` is a 64-bit set that `__builtin_cpu_supports` and the resolvers of function multiversioning
//! read; the latter call `__init_cpu_features_resolver` before. Feature numbers are those that gcc and clang compile the
//! names of the Arm C Language Extensions ("Function multi versioning") to; what says that a feature is there is in the
//! kernel's documentation of the hardware capabilities (`arm64/elf_hwcaps`).

use super::super::builtins::{Entry, data, function};
use std::sync::atomic::{AtomicU64, Ordering};

static CPU_FEATURES: [AtomicU64; 1] = [AtomicU64::new(0)];

/// The set, filled in, and what would fill it in.
pub(super) fn entries() -> [Entry; 3] {
    // SAFETY: getauxval only reads.
    let capabilities = [libc::AT_HWCAP, libc::AT_HWCAP2].map(|tag| unsafe { libc::getauxval(tag) });
    CPU_FEATURES[0].store(features(capabilities), Ordering::Relaxed);
    [
        data("__aarch64_cpu_features", &CPU_FEATURES),
        function("__init_cpu_features", init_cpu_features as *const ()),
        function("__init_cpu_features_resolver", init_cpu_features as *const ()),
    ]
}

/// Whoever found this function found the set filled in. The resolvers' arguments are of no use, so they are not taken.
extern "C" fn init_cpu_features() {}

/// Feature number, and the bits of the first and of the second word of capabilities that it needs.
type Feature = (u8, u64, u64);

#[rustfmt::skip]
const FEATURES: &[Feature] = &[
    (0, 0, 1 << 16),               // rng
    (1, 1 << 27, 0),               // flagm
    (2, 0, 1 << 7),                // flagm2
    (3, 1 << 23, 0),               // fp16fml
    (4, 1 << 20, 0),               // dotprod
    (5, 1 << 18 | 1 << 19, 0),     // sm4: SM3 and SM4
    (6, 1 << 12, 0),               // rdm
    (7, 1 << 8, 0),                // lse
    (8, 1 << 0, 0),                // fp
    (9, 1 << 1, 0),                // simd
    (10, 1 << 7, 0),               // crc
    (11, 0, 1 << 34),              // cssc
    (12, 1 << 6, 0),               // sha2
    (13, 1 << 17, 0),              // sha3
    (15, 1 << 3 | 1 << 4, 0),      // aes: AES and PMULL
    (16, 1 << 9 | 1 << 10, 0),     // fp16, scalar and vector
    (17, 1 << 24, 0),              // dit
    (18, 1 << 16, 0),              // dpb
    (19, 0, 1 << 0),               // dpb2
    (20, 1 << 13, 0),              // jscvt
    (21, 1 << 14, 0),              // fcma
    (22, 1 << 15, 0),              // rcpc
    (23, 1 << 26, 0),              // rcpc2
    (24, 0, 1 << 8),               // frintts
    (26, 0, 1 << 13),              // i8mm
    (27, 0, 1 << 14),              // bf16
    (30, 1 << 22, 0),              // sve
    (34, 0, 1 << 10),              // f32mm
    (35, 0, 1 << 11),              // f64mm
    (36, 0, 1 << 1),               // sve2
    (38, 0, 1 << 2 | 1 << 3),      // sve2-aes: AES and PMULL
    (39, 0, 1 << 4),               // sve2-bitperm
    (40, 0, 1 << 5),               // sve2-sha3
    (41, 0, 1 << 6),               // sve2-sm4
    (42, 0, 1 << 23),              // sme
    (44, 0, 1 << 18),              // memtag
    (46, 1 << 29, 0),              // sb
    (49, 1 << 28, 0),              // ssbs
    (50, 0, 1 << 17),              // bti
    (54, 0, 1 << 31),              // wfxt
    (55, 0, 1 << 25),              // sme-f64f64
    (56, 0, 1 << 24),              // sme-i16i64
    (57, 0, 1 << 37),              // sme2
    (58, 0, 1 << 46),              // rcpc3
    (59, 0, 1 << 43),              // mops
];

fn features([first, second]: [u64; 2]) -> u64 {
    let there = |&&(_, in_first, in_second): &&Feature| {
        first & in_first == in_first && second & in_second == in_second
    };
    FEATURES.iter().filter(there).fold(0, |set, (number, ..)| set | 1 << number)
}

#[cfg(test)]
mod tests;
