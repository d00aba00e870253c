use std::ffi::c_void;
use std::mem::transmute_copy;

use super::*;
use crate::sys::dl;
use jitlink_test_support::arch::Arch;

/// A generator of fixed sequence, which favours values at the edges.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn wide(&mut self) -> u128 {
        let bits = (u128::from(self.next()) << 64 | u128::from(self.next())) >> (self.next() % 128);
        match self.next() % 8 {
            0 => self.next() as u128 % 3,
            1 => u128::MAX - bits % 3,
            2 => (i128::MAX as u128).wrapping_add(bits % 3),
            3 => !bits,
            _ => bits,
        }
    }

    fn float(&mut self) -> f64 {
        match self.next() % 8 {
            0 => [0.0, -0.0, 1.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1e-310, f64::MAX]
                [self.next() as usize % 8],
            1 => self.next() as i32 as f64,
            _ => f64::from_bits(self.next()),
        }
    }

    /// Of a size whose products and quotients are normal numbers.
    fn moderate(&mut self) -> f64 {
        (self.next() as i64 as f64) / 1e15 + 0.5
    }
}

/// The native function of this name and ours.
fn pair(name: &str) -> (*const c_void, *const c_void) {
    static LIBGCC: OnceLock<dl::Library> = OnceLock::new();
    let open = || dl::Library::open_system("libgcc_s.so.1", dl::OpenFlags::empty()).unwrap();
    let native =
        LIBGCC.get_or_init(open).lookup(name.as_bytes()).unwrap_or_else(|| panic!("no {name} in libgcc_s"));
    let own = lookup(name.as_bytes()).unwrap_or_else(|| panic!("no {name}"));
    assert_eq!(own.kind, BuiltinKind::Function);
    assert_ne!(native, own.address, "{name} must be our own");
    (native.0 as *const c_void, own.address.0 as *const c_void)
}

/// Calls both functions of a name with the same arguments and compares what they return.
macro_rules! same {
    ($name:expr, ($($type:ty),*) -> $result:ty, ($($argument:expr),*)) => {{
        type Function = unsafe extern "C" fn($($type),*) -> $result;
        let (native, own) = pair($name);
        for _ in 0..400 {
            let arguments = ($($argument,)*);
            // SAFETY: both functions have this type, by the documentation of libgcc.
            let results = [native, own].map(|f| unsafe {
                let f: Function = transmute_copy(&f);
                call!(f, arguments, ($($type),*))
            });
            assert!(Same::same(&results[0], &results[1]), "{}{arguments:?}: {results:?}", $name);
        }
    }};
}

macro_rules! call {
    ($f:ident, $a:ident, ($t:ty)) => {
        $f($a.0)
    };
    ($f:ident, $a:ident, ($t:ty, $u:ty)) => {
        $f($a.0, $a.1)
    };
    ($f:ident, $a:ident, ($t:ty, $u:ty, $v:ty, $w:ty)) => {
        $f($a.0, $a.1, $a.2, $a.3)
    };
}

trait Same {
    fn same(&self, other: &Self) -> bool;
}

macro_rules! same_integers {
    ($($type:ty)*) => { $(impl Same for $type {
        fn same(&self, other: &Self) -> bool { self == other }
    })* };
}
same_integers!(i32 u32 i64 u64 i128 u128);

macro_rules! same_floats {
    ($($type:ty)*) => { $(impl Same for $type {
        fn same(&self, other: &Self) -> bool {
            self.to_bits() == other.to_bits() || (self.is_nan() && other.is_nan())
        }
    })* };
}
same_floats!(f32 f64);

#[test]
fn every_name_is_found_and_the_table_is_sorted() {
    let names: Vec<_> = names().collect();
    assert!(names.is_sorted_by(|a, b| a < b));
    for name in &names {
        assert!(!lookup(name.as_bytes()).unwrap().address.is_null());
    }
    for missing in ["", "__divti", "__divti3x", "memcpy"] {
        assert_eq!(lookup(missing.as_bytes()), None);
    }
}

#[test]
fn wide_division_agrees_with_libgcc() {
    let mut r = Random(1);
    for name in ["__divti3", "__modti3"] {
        same!(name, (i128, i128) -> i128, (r.wide().max(1 << 64) as i128, (r.wide() as i128).max(1)));
        same!(name, (i128, i128) -> i128, (r.wide() as i128 >> 1, (r.wide() as i128).min(-1)));
    }
    for name in ["__udivti3", "__umodti3"] {
        same!(name, (u128, u128) -> u128, (r.wide(), r.wide().max(1)));
    }
}

#[test]
fn quotient_and_remainder_come_together() {
    type Signed = unsafe extern "C" fn(i128, i128, *mut i128) -> i128;
    let (native, own) = pair("__divmodti4");
    let mut r = Random(2);
    for _ in 0..1000 {
        let (a, b) = (r.wide() as i128 >> 1, (r.wide() as i128).max(1));
        let results = [native, own].map(|f| {
            let mut remainder = 0;
            // SAFETY: both functions have this type.
            let quotient = unsafe { transmute_copy::<_, Signed>(&f)(a, b, &raw mut remainder) };
            (quotient, remainder)
        });
        assert_eq!(results[0], results[1], "{a} by {b}");
    }
    type Unsigned = unsafe extern "C" fn(u128, u128, *mut u128) -> u128;
    let own = lookup(b"__udivmodti4").unwrap().address.0 as *const c_void;
    // SAFETY: the function has this type, and takes null for no remainder.
    assert_eq!(unsafe { transmute_copy::<_, Unsigned>(&own)(100, 7, std::ptr::null_mut()) }, 14);
}

#[test]
fn wide_arithmetic_and_bit_counts_agree_with_libgcc() {
    let mut r = Random(3);
    same!("__multi3", (i128, i128) -> i128, (r.wide() as i128, r.wide() as i128));
    same!("__negti2", (i128) -> i128, (r.wide() as i128));
    for name in ["__ashlti3", "__ashrti3", "__lshrti3"] {
        same!(name, (u128, i32) -> u128, (r.wide(), (r.next() % 128) as i32));
    }
    for name in ["__cmpti2", "__ucmpti2"] {
        same!(name, (u128, u128) -> i32, (r.wide(), r.wide()));
    }
    for name in ["__clzti2", "__ctzti2"] {
        same!(name, (u128) -> i32, (r.wide().max(1)));
    }
    for name in ["__ffsti2", "__parityti2", "__popcountti2", "__clrsbti2"] {
        same!(name, (u128) -> i32, (r.wide()));
    }
    for name in ["__ffsdi2", "__paritydi2", "__popcountdi2", "__clrsbdi2"] {
        same!(name, (u64) -> i32, (r.wide() as u64));
    }
    for name in ["__clzdi2", "__ctzdi2"] {
        same!(name, (u64) -> i32, ((r.wide() as u64).max(1)));
    }
    same!("__bswapdi2", (u64) -> u64, (r.next()));
    same!("__bswapsi2", (u32) -> u32, (r.next() as u32));
}

#[test]
fn conversions_agree_with_libgcc() {
    let mut r = Random(4);
    for name in ["__floattidf", "__floatuntidf"] {
        same!(name, (u128) -> f64, (r.wide()));
    }
    for name in ["__floattisf", "__floatuntisf"] {
        same!(name, (u128) -> f32, (r.wide()));
    }
    same!("__fixdfti", (f64) -> i128, ((r.wide() as i128 >> 1) as f64));
    same!("__fixsfti", (f32) -> i128, ((r.wide() as i128 >> 1) as f32));
    same!("__fixunsdfti", (f64) -> u128, ((r.wide() >> 1) as f64));
    same!("__fixunssfti", (f32) -> u128, ((r.wide() >> 1) as f32));
    same!("__fixunsdfdi", (f64) -> u64, ((r.next() >> 1) as f64));
    same!("__fixunssfdi", (f32) -> u64, ((r.next() >> 1) as f32));
    // AArch64 has instructions for these, and so no functions.
    if cfg!(target_arch = "x86_64") {
        same!("__extendsfdf2", (f32) -> f64, (r.float() as f32));
        same!("__truncdfsf2", (f64) -> f32, (r.float()));
    }
}

#[test]
fn powers_agree_with_libgcc() {
    let mut r = Random(5);
    same!("__powidf2", (f64, i32) -> f64, (r.moderate(), (r.next() % 64) as i32 - 32));
    same!("__powidf2", (f64, i32) -> f64, (r.float(), r.next() as i32));
    same!("__powisf2", (f32, i32) -> f32, (r.moderate() as f32, (r.next() % 20) as i32 - 10));
}

impl<T: Same> Same for complex::Complex<T> {
    fn same(&self, other: &Self) -> bool {
        self.re.same(&other.re) && self.im.same(&other.im)
    }
}

impl<T: std::fmt::Debug> std::fmt::Debug for complex::Complex<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} + {:?} i", self.re, self.im)
    }
}

#[test]
fn complex_products_agree_with_libgcc() {
    use complex::Complex;
    let mut r = Random(6);
    let mut special = || [r.float(), r.moderate()][r.next() as usize % 2];
    same!("__muldc3", (f64, f64, f64, f64) -> Complex<f64>, (special(), special(), special(), special()));
    same!("__mulsc3", (f32, f32, f32, f32) -> Complex<f32>,
        (special() as f32, special() as f32, special() as f32, special() as f32));
}

/// Quotients may differ in the last digits, by the method; not in what is infinite, zero or no number.
#[test]
fn complex_quotients_are_near_those_of_libgcc() {
    use complex::Complex;
    type Divide = unsafe extern "C" fn(f64, f64, f64, f64) -> Complex<f64>;
    let (native, own) = pair("__divdc3");
    let mut r = Random(7);
    let specials = [0.0, -0.0, 1.0, -2.5, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
    for round in 0..20_000 {
        let mut operand = || {
            if round % 2 == 0 {
                r.moderate() * 2f64.powi((r.next() % 1200) as i32 - 600)
            } else {
                specials[r.next() as usize % 7]
            }
        };
        let (a, b, c, d) = (operand(), operand(), operand(), operand());
        // SAFETY: both functions have this type.
        let [x, y] = [native, own].map(|f| unsafe { transmute_copy::<_, Divide>(&f)(a, b, c, d) });
        let size = x.re.abs().max(x.im.abs());
        let near = |x: f64, y: f64| {
            x.same(&y) || x == y || (x - y).abs() <= size * 1e-14 || (size < 1e-300 && y.abs() < 1e-299)
        };
        assert!(near(x.re, y.re) && near(x.im, y.im), "({a:?} + {b:?} i) / ({c:?} + {d:?} i): {x:?}, {y:?}");
    }
    type DivideSingle = unsafe extern "C" fn(f32, f32, f32, f32) -> Complex<f32>;
    let own = lookup(b"__divsc3").unwrap().address.0 as *const c_void;
    // SAFETY: the function has this type.
    let quotient = unsafe { transmute_copy::<_, DivideSingle>(&own)(1.0, 2.0, 3.0, -4.0) };
    assert_eq!((quotient.re, quotient.im), (-0.2, 0.4));
}

#[test]
fn overflow_is_told() {
    type Multiply = unsafe extern "C" fn(i64, i64, *mut i32) -> i64;
    let own = lookup(b"__mulodi4").unwrap().address.0 as *const c_void;
    for (a, b, expected) in [(3, 4, (12, 0)), (i64::MAX, 2, (-2, 1)), (i64::MIN, -1, (i64::MIN, 1))] {
        let mut overflow = -1;
        // SAFETY: the function has this type.
        let product = unsafe { transmute_copy::<_, Multiply>(&own)(a, b, &raw mut overflow) };
        assert_eq!((product, overflow), expected);
    }
    let mut r = Random(8);
    same!("__addvti3", (i128, i128) -> i128, (r.wide() as i128 >> 2, r.wide() as i128 >> 2));
    same!("__mulvdi3", (i64, i64) -> i64, (r.next() as i64 >> 32, r.next() as i64 >> 33));
}

/// How a process of its own ends that runs this test again and there calls `run`.
fn signal_of_child(test: &str, run: impl Fn()) -> Option<i32> {
    use std::os::unix::process::ExitStatusExt;
    use std::process::Stdio;
    const IN_CHILD: &str = "JITLINK_BUILTINS_CHILD";
    if std::env::var_os(IN_CHILD).is_some_and(|name| name == test) {
        run();
        std::process::exit(0);
    }
    let mut child = Arch::host().command(std::env::current_exe().unwrap());
    child.args([&format!("runtime::builtins::tests::{test}"), "--exact"]).env(IN_CHILD, test);
    child.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().signal()
}

#[test]
fn division_by_zero_does_what_native_code_does() {
    type Divide = unsafe extern "C" fn(i128, i128) -> i128;
    let own = lookup(b"__divti3").unwrap().address.0 as *const c_void;
    // SAFETY: the function has this type.
    let divide = || _ = unsafe { transmute_copy::<_, Divide>(&own)(1, 0) };
    let signal = signal_of_child("division_by_zero_does_what_native_code_does", divide);
    assert_eq!(signal, cfg!(target_arch = "x86_64").then_some(libc::SIGFPE));
}

#[test]
fn overflow_under_ftrapv_aborts() {
    type Add = unsafe extern "C" fn(i32, i32) -> i32;
    let own = lookup(b"__addvsi3").unwrap().address.0 as *const c_void;
    // SAFETY: the function has this type.
    let add = || _ = unsafe { transmute_copy::<_, Add>(&own)(i32::MAX, 1) };
    assert_eq!(signal_of_child("overflow_under_ftrapv_aborts", add), Some(libc::SIGABRT));
}
