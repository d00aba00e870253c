//! Pairs of functions that compilers make one call of, and classes of numbers.

use super::Function;
use std::f64::consts::PI;
use std::ffi::c_int;

pub(super) const FUNCTIONS: &[Function] = &[
    ("__cospif", cospif as *const ()),
    ("__fpclassify", fpclassifyd as *const ()),
    ("__fpclassifyd", fpclassifyd as *const ()),
    ("__fpclassifyf", fpclassifyf as *const ()),
    ("__sincos_stret", sincos as *const ()),
    ("__sincosf_stret", sincosf as *const ()),
    ("__sincospi_stret", sincospi as *const ()),
    ("__sincospif_stret", sincospif as *const ()),
    ("__sinpi", sinpi as *const ()),
    ("__sinpif", sinpif as *const ()),
    ("__cospi", cospi as *const ()),
    ("__tanpi", tanpi as *const ()),
    ("__tanpif", tanpif as *const ()),
];

/// Two results, in two registers or (`float` on x86-64) one.
#[repr(C)]
pub(super) struct Pair<T> {
    pub(super) sin: T,
    pub(super) cos: T,
}

extern "C" fn sincos(x: f64) -> Pair<f64> {
    Pair { sin: x.sin(), cos: x.cos() }
}

extern "C" fn sincosf(x: f32) -> Pair<f32> {
    Pair { sin: x.sin(), cos: x.cos() }
}

extern "C" fn sincospi(x: f64) -> Pair<f64> {
    Pair { sin: sinpi(x), cos: cospi(x) }
}

extern "C" fn sincospif(x: f32) -> Pair<f32> {
    Pair { sin: sinpif(x), cos: cospif(x) }
}

/// The sine of `x` times pi, exact for multiples of one half.
extern "C" fn sinpi(x: f64) -> f64 {
    // In a period of 2, so that the product with pi is small.
    let r = x % 2.0;
    match r.abs() {
        0.0 | 1.0 => 0.0f64.copysign(x),
        0.5 => 1.0f64.copysign(r),
        1.5 => -1.0f64.copysign(r),
        _ => (r * PI).sin(),
    }
}

/// The cosine of `x` times pi, exact for multiples of one half.
extern "C" fn cospi(x: f64) -> f64 {
    let r = (x % 2.0).abs();
    match r {
        0.5 | 1.5 => 0.0,
        1.0 => -1.0,
        _ => (r * PI).cos(),
    }
}

extern "C" fn tanpi(x: f64) -> f64 {
    sinpi(x) / cospi(x)
}

extern "C" fn sinpif(x: f32) -> f32 {
    sinpi(f64::from(x)) as f32
}

extern "C" fn cospif(x: f32) -> f32 {
    cospi(f64::from(x)) as f32
}

extern "C" fn tanpif(x: f32) -> f32 {
    tanpi(f64::from(x)) as f32
}

/// `FP_NAN` and the others of Darwin's `math.h`.
fn class(category: std::num::FpCategory) -> c_int {
    match category {
        std::num::FpCategory::Nan => 1,
        std::num::FpCategory::Infinite => 2,
        std::num::FpCategory::Zero => 3,
        std::num::FpCategory::Normal => 4,
        std::num::FpCategory::Subnormal => 5,
    }
}

extern "C" fn fpclassifyd(x: f64) -> c_int {
    class(x.classify())
}

extern "C" fn fpclassifyf(x: f32) -> c_int {
    class(x.classify())
}
