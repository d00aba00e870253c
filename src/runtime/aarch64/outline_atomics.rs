//! The outline atomics: what `-moutline-atomics`, gcc's and clang's default, compiles an atomic operation to.
//!
//! Each is `__aarch64_` with the operation, the size in bytes and the ordering: `cas(expected, desired, pointer)` and
//! `swp`, `ldadd`, `ldclr`, `ldeor`, `ldset` as `(value, pointer)`, all with the former value as result. 128-bit values
//! take two registers. The instructions of Armv8.1 (LSE) do the work where the processor has them, and a loop of
//! exclusive loads and stores does elsewhere. Other than their result, the functions change x15, x16, x17 and the flags
//! alone; that is less than the calling convention allows, and what libgcc's keep to.
//!
//! The orderings follow the C memory model; `sync` is a full barrier, for the older `__sync` builtins.
//!
//! # Safety
//!
//! A caller passes a pointer to an aligned place that it may write. The functions use no stack.

use super::super::builtins::{Entry, Function, data, function};
use std::arch::naked_asm;
use std::sync::atomic::{AtomicU8, Ordering};

/// Whether the processor has LSE; read by the functions below.
static HAVE_LSE: [AtomicU8; 1] = [AtomicU8::new(0)];

/// All functions, ready to be called.
pub(super) fn entries() -> impl Iterator<Item = Entry> {
    // SAFETY: getauxval only reads.
    let has_lse = unsafe { libc::getauxval(libc::AT_HWCAP) } & libc::HWCAP_ATOMICS != 0;
    HAVE_LSE[0].store(u8::from(has_lse), Ordering::Relaxed);
    let groups = [CAS, SWP, LDADD, LDCLR, LDEOR, LDSET];
    let functions = groups.into_iter().flatten().map(|&(name, address)| function(name, address));
    functions.chain([data("__aarch64_have_lse_atomics", &HAVE_LSE)])
}

/// One function: the LSE instructions if there are any, else the loop that follows.
macro_rules! outline {
    ($name:ident, [$($lse:expr),*], [$($exclusive:expr),*]) => {
        #[unsafe(naked)]
        unsafe extern "C" fn $name() {
            naked_asm!(
                ".cfi_startproc",
                "hint #34", // bti c
                "adrp x16, {lse}",
                "ldrb w16, [x16, :lo12:{lse}]",
                "cbz w16, 2f",
                ".arch_extension lse",
                $($lse,)*
                ".arch_extension nolse",
                "ret",
                "2:",
                $($exclusive,)*
                "ret",
                ".cfi_endproc",
                lse = sym HAVE_LSE,
            )
        }
    };
}

/// Expands `$define` for each ordering: its name, its letters in LSE instructions, in exclusive loads and in exclusive
/// stores, and the barrier after them.
macro_rules! orderings {
    ($define:ident, $relax:ident $acq:ident $rel:ident $acq_rel:ident $sync:ident, $($rest:tt)*) => {
        $define!($relax, "", "", "", "", $($rest)*);
        $define!($acq, "a", "a", "", "", $($rest)*);
        $define!($rel, "l", "", "l", "", $($rest)*);
        $define!($acq_rel, "al", "a", "l", "", $($rest)*);
        $define!($sync, "al", "", "l", "dmb ish", $($rest)*);
    };
}

macro_rules! table {
    ($table:ident: $($name:ident)*) => {
        const $table: &[Function] = &[$((concat!("__aarch64_", stringify!($name)), $name as *const ())),*];
    };
}

/// Compare and swap: `$b` is the size's letter, `$r` that of its registers, `$extend` makes a register of its bits.
macro_rules! cas {
    ($name:ident, $lse:expr, $a:expr, $l:expr, $barrier:expr, $b:expr, $r:expr, $extend:expr) => {
        outline!(
            $name,
            [concat!("cas", $lse, $b, " ", $r, "0, ", $r, "1, [x2]")],
            [
                concat!($extend, " ", $r, "16, ", $r, "0"),
                concat!("3: ld", $a, "xr", $b, " ", $r, "0, [x2]"),
                concat!("cmp ", $r, "0, ", $r, "16"),
                "b.ne 4f",
                concat!("st", $l, "xr", $b, " w17, ", $r, "1, [x2]"),
                "cbnz w17, 3b",
                concat!("4: ", $barrier)
            ]
        );
    };
}

orderings!(cas, cas1_relax cas1_acq cas1_rel cas1_acq_rel cas1_sync, "b", "w", "uxtb");
orderings!(cas, cas2_relax cas2_acq cas2_rel cas2_acq_rel cas2_sync, "h", "w", "uxth");
orderings!(cas, cas4_relax cas4_acq cas4_rel cas4_acq_rel cas4_sync, "", "w", "mov");
orderings!(cas, cas8_relax cas8_acq cas8_rel cas8_acq_rel cas8_sync, "", "x", "mov");

/// Of a pair, an exclusive load is one access only if the exclusive store after it succeeds: what differs is stored
/// back.
macro_rules! cas16 {
    ($name:ident, $lse:expr, $a:expr, $l:expr, $barrier:expr,) => {
        outline!(
            $name,
            [concat!("casp", $lse, " x0, x1, x2, x3, [x4]")],
            [
                "mov x16, x0",
                "mov x17, x1",
                concat!("3: ld", $a, "xp x0, x1, [x4]"),
                "cmp x0, x16",
                "ccmp x1, x17, #0, eq",
                "b.ne 4f",
                concat!("st", $l, "xp w15, x2, x3, [x4]"),
                "cbnz w15, 3b",
                "b 5f",
                concat!("4: st", $l, "xp w15, x0, x1, [x4]"),
                "cbnz w15, 3b",
                concat!("5: ", $barrier)
            ]
        );
    };
}

orderings!(cas16, cas16_relax cas16_acq cas16_rel cas16_acq_rel cas16_sync,);

table!(CAS:
    cas1_relax cas1_acq cas1_rel cas1_acq_rel cas1_sync
    cas2_relax cas2_acq cas2_rel cas2_acq_rel cas2_sync
    cas4_relax cas4_acq cas4_rel cas4_acq_rel cas4_sync
    cas8_relax cas8_acq cas8_rel cas8_acq_rel cas8_sync
    cas16_relax cas16_acq cas16_rel cas16_acq_rel cas16_sync
);

/// Fetch and modify: `$op` is the LSE instruction, `$compute` what makes the new value in register 17 of the old one in
/// 0 and the operand in 16.
macro_rules! fetch {
    ($name:ident, $lse:expr, $a:expr, $l:expr, $barrier:expr, $op:expr, $compute:expr, $b:expr, $r:expr) => {
        outline!(
            $name,
            [concat!($op, $lse, $b, " ", $r, "0, ", $r, "0, [x1]")],
            [
                concat!("mov ", $r, "16, ", $r, "0"),
                concat!("3: ld", $a, "xr", $b, " ", $r, "0, [x1]"),
                concat!($compute, " ", $r, "17, ", $r, "0, ", $r, "16"),
                concat!("st", $l, "xr", $b, " w15, ", $r, "17, [x1]"),
                "cbnz w15, 3b",
                $barrier
            ]
        );
    };
}

/// Swapping computes nothing: the operand itself is stored.
macro_rules! swap {
    ($name:ident, $lse:expr, $a:expr, $l:expr, $barrier:expr, $op:expr, $compute:expr, $b:expr, $r:expr) => {
        outline!(
            $name,
            [concat!($op, $lse, $b, " ", $r, "0, ", $r, "0, [x1]")],
            [
                concat!("mov ", $r, "16, ", $r, "0"),
                concat!("3: ld", $a, "xr", $b, " ", $r, "0, [x1]"),
                concat!("st", $l, "xr", $b, " w15, ", $r, "16, [x1]"),
                "cbnz w15, 3b",
                $barrier
            ]
        );
    };
}

/// An operation in each size and ordering, and its table.
macro_rules! operation {
    ($table:ident, $define:ident, $op:literal, $compute:literal,
        $b1:ident $b2:ident $b3:ident $b4:ident $b5:ident,
        $h1:ident $h2:ident $h3:ident $h4:ident $h5:ident,
        $w1:ident $w2:ident $w3:ident $w4:ident $w5:ident,
        $x1:ident $x2:ident $x3:ident $x4:ident $x5:ident
    ) => {
        orderings!($define, $b1 $b2 $b3 $b4 $b5, $op, $compute, "b", "w");
        orderings!($define, $h1 $h2 $h3 $h4 $h5, $op, $compute, "h", "w");
        orderings!($define, $w1 $w2 $w3 $w4 $w5, $op, $compute, "", "w");
        orderings!($define, $x1 $x2 $x3 $x4 $x5, $op, $compute, "", "x");
        table!($table: $b1 $b2 $b3 $b4 $b5 $h1 $h2 $h3 $h4 $h5 $w1 $w2 $w3 $w4 $w5 $x1 $x2 $x3 $x4 $x5);
    };
}

operation!(SWP, swap, "swp", "",
    swp1_relax swp1_acq swp1_rel swp1_acq_rel swp1_sync,
    swp2_relax swp2_acq swp2_rel swp2_acq_rel swp2_sync,
    swp4_relax swp4_acq swp4_rel swp4_acq_rel swp4_sync,
    swp8_relax swp8_acq swp8_rel swp8_acq_rel swp8_sync
);
operation!(LDADD, fetch, "ldadd", "add",
    ldadd1_relax ldadd1_acq ldadd1_rel ldadd1_acq_rel ldadd1_sync,
    ldadd2_relax ldadd2_acq ldadd2_rel ldadd2_acq_rel ldadd2_sync,
    ldadd4_relax ldadd4_acq ldadd4_rel ldadd4_acq_rel ldadd4_sync,
    ldadd8_relax ldadd8_acq ldadd8_rel ldadd8_acq_rel ldadd8_sync
);
operation!(LDCLR, fetch, "ldclr", "bic",
    ldclr1_relax ldclr1_acq ldclr1_rel ldclr1_acq_rel ldclr1_sync,
    ldclr2_relax ldclr2_acq ldclr2_rel ldclr2_acq_rel ldclr2_sync,
    ldclr4_relax ldclr4_acq ldclr4_rel ldclr4_acq_rel ldclr4_sync,
    ldclr8_relax ldclr8_acq ldclr8_rel ldclr8_acq_rel ldclr8_sync
);
operation!(LDEOR, fetch, "ldeor", "eor",
    ldeor1_relax ldeor1_acq ldeor1_rel ldeor1_acq_rel ldeor1_sync,
    ldeor2_relax ldeor2_acq ldeor2_rel ldeor2_acq_rel ldeor2_sync,
    ldeor4_relax ldeor4_acq ldeor4_rel ldeor4_acq_rel ldeor4_sync,
    ldeor8_relax ldeor8_acq ldeor8_rel ldeor8_acq_rel ldeor8_sync
);
operation!(LDSET, fetch, "ldset", "orr",
    ldset1_relax ldset1_acq ldset1_rel ldset1_acq_rel ldset1_sync,
    ldset2_relax ldset2_acq ldset2_rel ldset2_acq_rel ldset2_sync,
    ldset4_relax ldset4_acq ldset4_rel ldset4_acq_rel ldset4_sync,
    ldset8_relax ldset8_acq ldset8_rel ldset8_acq_rel ldset8_sync
);

#[cfg(test)]
mod tests;
