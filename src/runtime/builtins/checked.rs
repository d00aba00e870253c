//! Arithmetic that notices overflow: `-ftrapv` (which aborts) and `__builtin_mul_overflow` (which tells).

use super::Function;

pub(super) const FUNCTIONS: &[Function] = &[
    ("__absvdi2", absvdi2 as *const ()),
    ("__absvsi2", absvsi2 as *const ()),
    ("__absvti2", absvti2 as *const ()),
    ("__addvdi3", addvdi3 as *const ()),
    ("__addvsi3", addvsi3 as *const ()),
    ("__addvti3", addvti3 as *const ()),
    ("__mulodi4", mulodi4 as *const ()),
    ("__mulosi4", mulosi4 as *const ()),
    ("__muloti4", muloti4 as *const ()),
    ("__mulvdi3", mulvdi3 as *const ()),
    ("__mulvsi3", mulvsi3 as *const ()),
    ("__mulvti3", mulvti3 as *const ()),
    ("__negvdi2", negvdi2 as *const ()),
    ("__negvsi2", negvsi2 as *const ()),
    ("__negvti2", negvti2 as *const ()),
    ("__subvdi3", subvdi3 as *const ()),
    ("__subvsi3", subvsi3 as *const ()),
    ("__subvti3", subvti3 as *const ()),
];

/// The program asked to be ended at an overflow.
fn or_abort<T>(result: Option<T>) -> T {
    result.unwrap_or_else(|| std::process::abort())
}

macro_rules! checked {
    ($int:ty, $abs:ident, $neg:ident, $add:ident, $sub:ident, $mul:ident, $mulo:ident) => {
        extern "C" fn $abs(a: $int) -> $int {
            or_abort(a.checked_abs())
        }

        extern "C" fn $neg(a: $int) -> $int {
            or_abort(a.checked_neg())
        }

        extern "C" fn $add(a: $int, b: $int) -> $int {
            or_abort(a.checked_add(b))
        }

        extern "C" fn $sub(a: $int, b: $int) -> $int {
            or_abort(a.checked_sub(b))
        }

        extern "C" fn $mul(a: $int, b: $int) -> $int {
            or_abort(a.checked_mul(b))
        }

        extern "C" fn $mulo(a: $int, b: $int, overflow: *mut i32) -> $int {
            let (product, overflowed) = a.overflowing_mul(b);
            // SAFETY: the function's contract makes it a place for the result.
            unsafe { overflow.write(i32::from(overflowed)) };
            product
        }
    };
}

checked!(i32, absvsi2, negvsi2, addvsi3, subvsi3, mulvsi3, mulosi4);
checked!(i64, absvdi2, negvdi2, addvdi3, subvdi3, mulvdi3, mulodi4);
checked!(i128, absvti2, negvti2, addvti3, subvti3, mulvti3, muloti4);
