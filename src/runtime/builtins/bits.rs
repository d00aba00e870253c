//! Counting and reordering bits.

use super::Function;

pub(super) const FUNCTIONS: &[Function] = &[
    ("__bswapdi2", bswapdi2 as *const ()),
    ("__bswapsi2", bswapsi2 as *const ()),
    ("__clrsbdi2", clrsbdi2 as *const ()),
    ("__clrsbsi2", clrsbsi2 as *const ()),
    ("__clrsbti2", clrsbti2 as *const ()),
    ("__clzdi2", clzdi2 as *const ()),
    ("__clzsi2", clzsi2 as *const ()),
    ("__clzti2", clzti2 as *const ()),
    ("__ctzdi2", ctzdi2 as *const ()),
    ("__ctzsi2", ctzsi2 as *const ()),
    ("__ctzti2", ctzti2 as *const ()),
    ("__ffsdi2", ffsdi2 as *const ()),
    ("__ffssi2", ffssi2 as *const ()),
    ("__ffsti2", ffsti2 as *const ()),
    ("__paritydi2", paritydi2 as *const ()),
    ("__paritysi2", paritysi2 as *const ()),
    ("__parityti2", parityti2 as *const ()),
    ("__popcountdi2", popcountdi2 as *const ()),
    ("__popcountsi2", popcountsi2 as *const ()),
    ("__popcountti2", popcountti2 as *const ()),
];

extern "C" fn bswapsi2(a: u32) -> u32 {
    a.swap_bytes()
}

extern "C" fn bswapdi2(a: u64) -> u64 {
    a.swap_bytes()
}

macro_rules! counts {
    ($int:ty, $uint:ty, $clrsb:ident, $clz:ident, $ctz:ident, $ffs:ident, $parity:ident, $popcount:ident) => {
        /// How many bits after the sign bit are like it.
        extern "C" fn $clrsb(a: $int) -> u32 {
            (a ^ (a >> (<$int>::BITS - 1))).leading_zeros() - 1
        }

        extern "C" fn $clz(a: $uint) -> u32 {
            a.leading_zeros()
        }

        extern "C" fn $ctz(a: $uint) -> u32 {
            a.trailing_zeros()
        }

        /// Number of the lowest set bit, from 1; 0 if none is set.
        extern "C" fn $ffs(a: $uint) -> u32 {
            if a == 0 { 0 } else { a.trailing_zeros() + 1 }
        }

        extern "C" fn $parity(a: $uint) -> u32 {
            a.count_ones() & 1
        }

        extern "C" fn $popcount(a: $uint) -> u32 {
            a.count_ones()
        }
    };
}

counts!(i32, u32, clrsbsi2, clzsi2, ctzsi2, ffssi2, paritysi2, popcountsi2);
counts!(i64, u64, clrsbdi2, clzdi2, ctzdi2, ffsdi2, paritydi2, popcountdi2);
counts!(i128, u128, clrsbti2, clzti2, ctzti2, ffsti2, parityti2, popcountti2);
