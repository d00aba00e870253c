//! Multiplication and division of complex numbers, by C's Annex G: infinities are kept where an operand is infinite.

use super::Function;

pub(super) const FUNCTIONS: &[Function] = &[
    ("__divdc3", divdc3 as *const ()),
    ("__divsc3", divsc3 as *const ()),
    ("__muldc3", muldc3 as *const ()),
    ("__mulsc3", mulsc3 as *const ()),
];

/// Returned in the registers in which the ABI returns `_Complex` of the same parts.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Complex<T> {
    pub(super) re: T,
    pub(super) im: T,
}

macro_rules! complex {
    ($float:ty, $mul:ident, $div:ident, $quotient:path) => {
        extern "C" fn $mul(a: $float, b: $float, c: $float, d: $float) -> Complex<$float> {
            let product = Complex { re: a * c - b * d, im: a * d + b * c };
            if !product.re.is_nan() || !product.im.is_nan() {
                return product;
            }
            let unit = |x: $float| <$float>::from(u8::from(x.is_infinite())).copysign(x);
            let number = |x: $float| if x.is_nan() { (0.0 as $float).copysign(x) } else { x };
            let (mut a, mut b, mut c, mut d) = (a, b, c, d);
            let partial_is_infinite = [a * c, b * d, a * d, b * c].iter().any(|part| part.is_infinite());
            let left = a.is_infinite() || b.is_infinite();
            if left {
                (a, b, c, d) = (unit(a), unit(b), number(c), number(d));
            }
            let right = c.is_infinite() || d.is_infinite();
            if right {
                (a, b, c, d) = (number(a), number(b), unit(c), unit(d));
            }
            if !left && !right {
                if !partial_is_infinite {
                    return product;
                }
                (a, b, c, d) = (number(a), number(b), number(c), number(d));
            }
            Complex { re: <$float>::INFINITY * (a * c - b * d), im: <$float>::INFINITY * (a * d + b * c) }
        }

        extern "C" fn $div(a: $float, b: $float, c: $float, d: $float) -> Complex<$float> {
            let quotient: Complex<$float> = $quotient(a, b, c, d);
            if !quotient.re.is_nan() || !quotient.im.is_nan() {
                return quotient;
            }
            let unit = |x: $float| <$float>::from(u8::from(x.is_infinite())).copysign(x);
            if c == 0.0 && d == 0.0 && (!a.is_nan() || !b.is_nan()) {
                let infinity = <$float>::INFINITY.copysign(c);
                return Complex { re: infinity * a, im: infinity * b };
            }
            if (a.is_infinite() || b.is_infinite()) && c.is_finite() && d.is_finite() {
                let (a, b) = (unit(a), unit(b));
                return Complex {
                    re: <$float>::INFINITY * (a * c + b * d),
                    im: <$float>::INFINITY * (b * c - a * d),
                };
            }
            if (c.is_infinite() || d.is_infinite()) && a.is_finite() && b.is_finite() {
                let (c, d) = (unit(c), unit(d));
                return Complex { re: 0.0 * (a * c + b * d), im: 0.0 * (b * c - a * d) };
            }
            quotient
        }
    };
}

complex!(f32, mulsc3, divsc3, quotient_f32);
complex!(f64, muldc3, divdc3, quotient_f64);

/// In double precision no intermediate of single-precision operands overflows or loses all its bits.
fn quotient_f32(a: f32, b: f32, c: f32, d: f32) -> Complex<f32> {
    let [a, b, c, d] = [a, b, c, d].map(f64::from);
    let norm = c * c + d * d;
    Complex { re: ((a * c + b * d) / norm) as f32, im: ((b * c - a * d) / norm) as f32 }
}

/// The divisor is brought near one by a power of two, which changes none of its digits.
fn quotient_f64(a: f64, b: f64, c: f64, d: f64) -> Complex<f64> {
    let down = -exponent(c.abs().max(d.abs()));
    let (c, d) = (scale(c, down), scale(d, down));
    let norm = c * c + d * d;
    Complex { re: scale((a * c + b * d) / norm, down), im: scale((b * c - a * d) / norm, down) }
}

/// The exponent of a number's leading bit; 0 for zero, infinity and NaN.
fn exponent(x: f64) -> i32 {
    let biased = |x: f64| (x.to_bits() >> 52 & 0x7ff) as i32;
    match biased(x) {
        0 if x == 0.0 => 0,
        0 => biased(x * power_of_two(64)) - 1023 - 64,
        0x7ff => 0,
        biased => biased - 1023,
    }
}

/// `x` times two to the `n`, in steps that stay within the range of exponents.
fn scale(x: f64, n: i32) -> f64 {
    let half = n / 2;
    x * power_of_two(half) * power_of_two(n - half)
}

/// For exponents of normal numbers, -1022 to 1023.
fn power_of_two(n: i32) -> f64 {
    f64::from_bits(((n.clamp(-1022, 1023) + 1023) as u64) << 52)
}
