//! Arithmetic on integers wider than a register, and the 64-bit forms that 32-bit heritage has left names for.

use super::super::arch::divide_by_zero;
use super::Function;

pub(super) const FUNCTIONS: &[Function] = &[
    ("__ashldi3", ashldi3 as *const ()),
    ("__ashlti3", ashlti3 as *const ()),
    ("__ashrdi3", ashrdi3 as *const ()),
    ("__ashrti3", ashrti3 as *const ()),
    ("__cmpdi2", cmpdi2 as *const ()),
    ("__cmpti2", cmpti2 as *const ()),
    ("__divdi3", divdi3 as *const ()),
    ("__divmoddi4", divmoddi4 as *const ()),
    ("__divmodti4", divmodti4 as *const ()),
    ("__divti3", divti3 as *const ()),
    ("__lshrdi3", lshrdi3 as *const ()),
    ("__lshrti3", lshrti3 as *const ()),
    ("__moddi3", moddi3 as *const ()),
    ("__modti3", modti3 as *const ()),
    ("__muldi3", muldi3 as *const ()),
    ("__multi3", multi3 as *const ()),
    ("__negdi2", negdi2 as *const ()),
    ("__negti2", negti2 as *const ()),
    ("__ucmpdi2", ucmpdi2 as *const ()),
    ("__ucmpti2", ucmpti2 as *const ()),
    ("__udivdi3", udivdi3 as *const ()),
    ("__udivmoddi4", udivmoddi4 as *const ()),
    ("__udivmodti4", udivmodti4 as *const ()),
    ("__udivti3", udivti3 as *const ()),
    ("__umoddi3", umoddi3 as *const ()),
    ("__umodti3", umodti3 as *const ()),
];

/// Division of one type: quotient, remainder, both (the remainder through a pointer that may be null).
macro_rules! division {
    ($type:ty, $quotient:ident, $remainder:ident, $both:ident) => {
        extern "C" fn $quotient(a: $type, b: $type) -> $type {
            if b == 0 {
                divide_by_zero();
                return 0;
            }
            a.wrapping_div(b)
        }

        extern "C" fn $remainder(a: $type, b: $type) -> $type {
            if b == 0 {
                divide_by_zero();
                return a;
            }
            a.wrapping_rem(b)
        }

        extern "C" fn $both(a: $type, b: $type, remainder: *mut $type) -> $type {
            let quotient = $quotient(a, b);
            if !remainder.is_null() {
                // SAFETY: not null, and the function's contract makes it a place for the remainder.
                unsafe { remainder.write(a.wrapping_sub(quotient.wrapping_mul(b))) };
            }
            quotient
        }
    };
}

division!(i64, divdi3, moddi3, divmoddi4);
division!(u64, udivdi3, umoddi3, udivmoddi4);
division!(i128, divti3, modti3, divmodti4);
division!(u128, udivti3, umodti3, udivmodti4);

/// The rest of the arithmetic of one width.
macro_rules! arithmetic {
    ($int:ty, $uint:ty, $mul:ident, $neg:ident, $shl:ident, $shr:ident, $sar:ident, $cmp:ident, $ucmp:ident) => {
        extern "C" fn $mul(a: $int, b: $int) -> $int {
            a.wrapping_mul(b)
        }

        extern "C" fn $neg(a: $int) -> $int {
            a.wrapping_neg()
        }

        extern "C" fn $shl(a: $int, count: i32) -> $int {
            a.wrapping_shl(count.cast_unsigned())
        }

        extern "C" fn $shr(a: $uint, count: i32) -> $uint {
            a.wrapping_shr(count.cast_unsigned())
        }

        extern "C" fn $sar(a: $int, count: i32) -> $int {
            a.wrapping_shr(count.cast_unsigned())
        }

        /// 0, 1 or 2 for less, equal or greater.
        extern "C" fn $cmp(a: $int, b: $int) -> i32 {
            a.cmp(&b) as i32 + 1
        }

        extern "C" fn $ucmp(a: $uint, b: $uint) -> i32 {
            a.cmp(&b) as i32 + 1
        }
    };
}

arithmetic!(i64, u64, muldi3, negdi2, ashldi3, lshrdi3, ashrdi3, cmpdi2, ucmpdi2);
arithmetic!(i128, u128, multi3, negti2, ashlti3, lshrti3, ashrti3, cmpti2, ucmpti2);
