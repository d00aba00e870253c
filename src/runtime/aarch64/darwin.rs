//! What code for Darwin expects of AArch64 code here.
//!
//! Darwin's arm64 convention differs from AAPCS64 where arguments are variable in number: all of these are on the stack,
//! eight bytes each, and a `va_list` is a pointer to them. An AAPCS64 `va_list` without registers left reads the same.
//!
//! Source: Apple, "Writing ARM64 code for Apple platforms"; "Procedure Call Standard for the Arm 64-bit Architecture",
//! "Variable argument lists".

use super::super::darwin::variadic::{Direction, without_long_double};
use super::super::darwin::{self, SavedMask, files, restore_mask, save_mask};
use std::arch::naked_asm;
use std::ffi::{CStr, c_char, c_int, c_void};

/// Functions of the host that take arguments otherwise than Darwin's, sorted.
pub(in crate::runtime) const DARWIN_REFUSED: &[&str] = &[
    "__fwprintf_chk",
    "__swprintf_chk",
    "__wprintf_chk",
    "execl",
    "execle",
    "execlp",
    "fwprintf",
    "fwscanf",
    "makecontext",
    "mq_open",
    "nexttowardf",
    "qecvt",
    "qfcvt",
    "qgcvt",
    "sem_open",
    "semctl",
    "shm_open",
    "strfmon",
    "strfroml",
    "swprintf",
    "swscanf",
    "vfwprintf",
    "vfwscanf",
    "vswprintf",
    "vswscanf",
    "vwprintf",
    "vwscanf",
    "wprintf",
    "wscanf",
];

/// Functions of a variable number of arguments or of a `va_list`.
pub(in crate::runtime) const DARWIN_FUNCTIONS: &[darwin::Function] = &[
    ("__snprintf_chk", snprintf_chk as *const ()),
    ("__sprintf_chk", sprintf_chk as *const ()),
    ("__vsnprintf_chk", vsnprintf_chk as *const ()),
    ("__vsprintf_chk", vsprintf_chk as *const ()),
    ("asprintf", asprintf as *const ()),
    ("dprintf", dprintf as *const ()),
    ("err", err as *const ()),
    ("errx", errx as *const ()),
    ("fprintf", fprintf as *const ()),
    ("fscanf", fscanf as *const ()),
    ("fstat", files::fstat as *const ()),
    ("fstatat", files::fstatat as *const ()),
    ("ioctl", ioctl as *const ()),
    ("lstat", files::lstat as *const ()),
    ("printf", printf as *const ()),
    ("scanf", scanf as *const ()),
    ("snprintf", snprintf as *const ()),
    ("sprintf", sprintf as *const ()),
    ("sscanf", sscanf as *const ()),
    ("stat", files::stat as *const ()),
    ("syslog", syslog as *const ()),
    ("vasprintf", vasprintf as *const ()),
    ("vdprintf", vdprintf as *const ()),
    ("verr", verr as *const ()),
    ("verrx", verrx as *const ()),
    ("vfprintf", vfprintf as *const ()),
    ("vfscanf", vfscanf as *const ()),
    ("vprintf", vprintf as *const ()),
    ("vscanf", vscanf as *const ()),
    ("vsnprintf", vsnprintf as *const ()),
    ("vsprintf", vsprintf as *const ()),
    ("vsscanf", vsscanf as *const ()),
    ("vsyslog", vsyslog as *const ()),
    ("vwarn", vwarn as *const ()),
    ("vwarnx", vwarnx as *const ()),
    ("warn", warn as *const ()),
    ("warnx", warnx as *const ()),
];

/// Functions that have one of `long double` beside them, which is `double` on Darwin. Sorted.
pub(in crate::runtime) const OF_DOUBLE: &[&str] = &[
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "cabs",
    "cacos",
    "cacosh",
    "carg",
    "casin",
    "casinh",
    "catan",
    "catanh",
    "cbrt",
    "ccos",
    "ccosh",
    "ceil",
    "cexp",
    "cimag",
    "clog",
    "conj",
    "copysign",
    "cos",
    "cosh",
    "cpow",
    "cproj",
    "creal",
    "csin",
    "csinh",
    "csqrt",
    "ctan",
    "ctanh",
    "erf",
    "erfc",
    "exp",
    "exp2",
    "expm1",
    "fabs",
    "fdim",
    "floor",
    "fma",
    "fmax",
    "fmin",
    "fmod",
    "frexp",
    "hypot",
    "ilogb",
    "ldexp",
    "lgamma",
    "llrint",
    "llround",
    "log",
    "log10",
    "log1p",
    "log2",
    "logb",
    "lrint",
    "lround",
    "modf",
    "nan",
    "nearbyint",
    "nextafter",
    "pow",
    "remainder",
    "remquo",
    "rint",
    "round",
    "scalbln",
    "scalbn",
    "sin",
    "sinh",
    "sqrt",
    "tan",
    "tanh",
    "tgamma",
    "trunc",
];

/// The host's name of a function that has another on this architecture alone.
pub(in crate::runtime) fn darwin_name(name: &[u8]) -> Option<&[u8]> {
    match name {
        b"strtold" => Some(b"strtod"),
        b"wcstold" => Some(b"wcstod"),
        b"nexttoward" | b"nexttowardl" => Some(b"nextafter"),
        _ => {
            let of_double = name.strip_suffix(b"l")?;
            OF_DOUBLE.binary_search_by(|other| other.as_bytes().cmp(of_double)).ok()?;
            Some(of_double)
        }
    }
}

/// `va_list` of AAPCS64, which is passed by reference.
#[repr(C)]
struct VaList {
    stack: *const c_void,
    general_top: *const c_void,
    vector_top: *const c_void,
    general_offset: c_int,
    vector_offset: c_int,
}

/// `va_list` of Darwin.
type Arguments = *const c_void;

impl VaList {
    /// One that has no registers left.
    fn on_stack(arguments: Arguments) -> Self {
        let none = std::ptr::null();
        Self { stack: arguments, general_top: none, vector_top: none, general_offset: 0, vector_offset: 0 }
    }
}

/// Functions that take a format and a `va_list`, after other arguments: the host's, with both translated. And functions
/// that take the arguments themselves: they find them at the stack pointer, and go on as the former, which take them as
/// the argument after the format, in the register named.
macro_rules! formatting {
    ($($variadic:ident($register:literal), $list:ident($($name:ident: $type:ty),*) -> $result:ty, $direction:ident;)*) => {
        $(
            unsafe extern "C-unwind" fn $list($($name: $type,)* format: *const c_char, arguments: Arguments) -> $result {
                unsafe extern "C-unwind" {
                    #[link_name = host_name!($list)]
                    fn host($($name: $type,)* format: *const c_char, list: *mut VaList) -> $result;
                }
                // SAFETY: the caller gives a format and arguments for it.
                let format = without_long_double(unsafe { CStr::from_ptr(format) }, Direction::$direction);
                let mut list = VaList::on_stack(arguments);
                // SAFETY: as above; what differs between the two is translated.
                unsafe { host($($name,)* format.as_ptr(), &raw mut list) }
            }

            #[unsafe(naked)]
            unsafe extern "C-unwind" fn $variadic() {
                naked_asm!(concat!("mov ", $register, ", sp"), "b {}", sym $list)
            }
        )*
    };
}

macro_rules! host_name {
    (vsprintf_chk) => {
        "__vsprintf_chk"
    };
    (vsnprintf_chk) => {
        "__vsnprintf_chk"
    };
    ($name:ident) => {
        stringify!($name)
    };
}

/// `FILE *`.
type Stream = *mut c_void;
type Text = *mut c_char;

formatting! {
    printf("x1"), vprintf() -> c_int, Output;
    fprintf("x2"), vfprintf(stream: Stream) -> c_int, Output;
    dprintf("x2"), vdprintf(file: c_int) -> c_int, Output;
    sprintf("x2"), vsprintf(out: Text) -> c_int, Output;
    snprintf("x3"), vsnprintf(out: Text, size: usize) -> c_int, Output;
    asprintf("x2"), vasprintf(out: *mut Text) -> c_int, Output;
    sprintf_chk("x4"), vsprintf_chk(out: Text, flag: c_int, room: usize) -> c_int, Output;
    snprintf_chk("x5"), vsnprintf_chk(out: Text, size: usize, flag: c_int, room: usize) -> c_int, Output;
    scanf("x1"), vscanf() -> c_int, Input;
    fscanf("x2"), vfscanf(stream: Stream) -> c_int, Input;
    sscanf("x2"), vsscanf(text: *const c_char) -> c_int, Input;
    syslog("x2"), vsyslog(priority: c_int) -> (), Output;
    err("x2"), verr(status: c_int) -> (), Output;
    errx("x2"), verrx(status: c_int) -> (), Output;
    warn("x1"), vwarn() -> (), Output;
    warnx("x1"), vwarnx() -> (), Output;
}

/// Functions whose one argument that may be missing is on the stack.
macro_rules! optional {
    ($($name:ident = $target:path, $register:literal;)*) => {
        $(
            #[unsafe(naked)]
            pub(in crate::runtime) unsafe extern "C-unwind" fn $name() {
                naked_asm!(concat!("ldr ", $register, ", [sp]"), "b {}", sym $target)
            }
        )*
    };
}

optional! {
    darwin_open = files::open, "x2";
    darwin_openat = files::openat, "x3";
    darwin_fcntl = files::fcntl, "x2";
    ioctl = libc::ioctl, "x2";
}

// A `jmp_buf` of 48 words of 32 bits: x19 to x30, sp, d8 to d15; the mask.
const MASK: usize = 168;
const _: () = assert!(MASK + size_of::<SavedMask>() <= 192);

macro_rules! setjmp {
    ($name:ident, $doc:literal, $save:literal) => {
        #[doc = $doc]
        #[unsafe(naked)]
        pub(in crate::runtime) unsafe extern "C" fn $name(buffer: *mut c_void, save: c_int) -> c_int {
            naked_asm!(
                $save,
                "stp x19, x20, [x0]",
                "stp x21, x22, [x0, #16]",
                "stp x23, x24, [x0, #32]",
                "stp x25, x26, [x0, #48]",
                "stp x27, x28, [x0, #64]",
                "stp x29, x30, [x0, #80]",
                "mov x2, sp",
                "str x2, [x0, #96]",
                "stp d8, d9, [x0, #104]",
                "stp d10, d11, [x0, #120]",
                "stp d12, d13, [x0, #136]",
                "stp d14, d15, [x0, #152]",
                "add x0, x0, #{mask}",
                "b {save_mask}",
                mask = const MASK,
                save_mask = sym save_mask,
            )
        }
    };
}

setjmp!(darwin_setjmp, "`setjmp`, which saves the mask of blocked signals.", "mov w1, #1");
setjmp!(darwin_setjmp_without_mask, "`_setjmp`, which does not.", "mov w1, #0");
setjmp!(darwin_sigsetjmp, "`sigsetjmp`, which does if told so.", "");

/// `longjmp`, `_longjmp` and `siglongjmp`.
#[unsafe(naked)]
pub(in crate::runtime) unsafe extern "C" fn darwin_longjmp(buffer: *const c_void, value: c_int) -> ! {
    naked_asm!(
        // No register that the caller would want back is of use any more.
        "mov x19, x0",
        "mov w20, w1",
        "add x0, x0, #{mask}",
        "bl {restore_mask}",
        "mov x1, x19",
        "cmp w20, #0",
        "csinc w0, w20, wzr, ne", // zero becomes one
        "ldp x19, x20, [x1]",
        "ldp x21, x22, [x1, #16]",
        "ldp x23, x24, [x1, #32]",
        "ldp x25, x26, [x1, #48]",
        "ldp x27, x28, [x1, #64]",
        "ldp x29, x30, [x1, #80]",
        "ldr x2, [x1, #96]",
        "mov sp, x2",
        "ldp d8, d9, [x1, #104]",
        "ldp d10, d11, [x1, #120]",
        "ldp d12, d13, [x1, #136]",
        "ldp d14, d15, [x1, #152]",
        "ret",
        mask = const MASK,
        restore_mask = sym restore_mask,
    )
}

/// `__chkstk_darwin`: touches each page of the `x9` bytes below the stack pointer, changing no register but flags.
#[unsafe(naked)]
pub(in crate::runtime) unsafe extern "C" fn darwin_chkstk() {
    naked_asm!(
        ".cfi_startproc",
        "stp x9, x10, [sp, #-16]!",
        ".cfi_adjust_cfa_offset 16",
        "add x10, sp, #16",
        "2:",
        "cmp x9, #4096",
        "b.lo 3f",
        "sub x10, x10, #4096",
        "ldr xzr, [x10]",
        "sub x9, x9, #4096",
        "b 2b",
        "3:",
        "sub x10, x10, x9",
        "ldrb wzr, [x10]",
        "ldp x9, x10, [sp], #16",
        ".cfi_adjust_cfa_offset -16",
        "ret",
        ".cfi_endproc",
    )
}
