//! Conversions between floating point and wide integers, and integer powers.

use super::Function;

pub(super) const FUNCTIONS: &[Function] = &[
    ("__extendsfdf2", extendsfdf2 as *const ()),
    ("__fixdfdi", fixdfdi as *const ()),
    ("__fixdfti", fixdfti as *const ()),
    ("__fixsfdi", fixsfdi as *const ()),
    ("__fixsfti", fixsfti as *const ()),
    ("__fixunsdfdi", fixunsdfdi as *const ()),
    ("__fixunsdfti", fixunsdfti as *const ()),
    ("__fixunssfdi", fixunssfdi as *const ()),
    ("__fixunssfti", fixunssfti as *const ()),
    ("__floatdidf", floatdidf as *const ()),
    ("__floatdisf", floatdisf as *const ()),
    ("__floattidf", floattidf as *const ()),
    ("__floattisf", floattisf as *const ()),
    ("__floatundidf", floatundidf as *const ()),
    ("__floatundisf", floatundisf as *const ()),
    ("__floatuntidf", floatuntidf as *const ()),
    ("__floatuntisf", floatuntisf as *const ()),
    ("__powidf2", powidf2 as *const ()),
    ("__powisf2", powisf2 as *const ()),
    ("__truncdfsf2", truncdfsf2 as *const ()),
];

/// Conversions as Rust's `as` does them: to nearest for floating point, towards zero for integers.
macro_rules! conversions {
    ($($name:ident: $from:ty => $to:ty;)*) => {
        $(extern "C" fn $name(a: $from) -> $to {
            a as $to
        })*
    };
}

conversions! {
    extendsfdf2: f32 => f64;
    truncdfsf2: f64 => f32;
    fixdfdi: f64 => i64;
    fixdfti: f64 => i128;
    fixsfdi: f32 => i64;
    fixsfti: f32 => i128;
    fixunsdfdi: f64 => u64;
    fixunsdfti: f64 => u128;
    fixunssfdi: f32 => u64;
    fixunssfti: f32 => u128;
    floatdidf: i64 => f64;
    floatdisf: i64 => f32;
    floattidf: i128 => f64;
    floattisf: i128 => f32;
    floatundidf: u64 => f64;
    floatundisf: u64 => f32;
    floatuntidf: u128 => f64;
    floatuntisf: u128 => f32;
}

macro_rules! power {
    ($name:ident, $float:ty) => {
        /// By squaring; one reciprocal at the end for negative powers, so that roundings are those of native code.
        extern "C" fn $name(base: $float, exponent: i32) -> $float {
            let (mut square, mut result) = (base, 1.0);
            let mut rest = exponent.unsigned_abs();
            while rest != 0 {
                if rest & 1 != 0 {
                    result *= square;
                }
                rest >>= 1;
                if rest != 0 {
                    square *= square;
                }
            }
            if exponent < 0 { 1.0 / result } else { result }
        }
    };
}

power!(powisf2, f32);
power!(powidf2, f64);
