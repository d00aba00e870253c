//! Classes of characters: the table that inline functions of `ctype.h` read, and the functions they call for other
//! characters. It is that of the C locale, whatever `setlocale` says.
//!
//! Layout: `_types.h` and `runetype.h`.

use super::super::builtins::Builtin;
use super::{Function, datum};
use std::ffi::{c_int, c_ulong, c_void};
use std::sync::OnceLock;

pub(super) const FUNCTIONS: &[Function] = &[
    ("___runetype", runetype as *const ()),
    ("___tolower", tolower as *const ()),
    ("___toupper", toupper as *const ()),
    ("__isctype", maskrune as *const ()),
    ("__istype", maskrune as *const ()),
    ("__maskrune", maskrune as *const ()),
    ("__runetype", runetype as *const ()),
    ("__tolower", tolower as *const ()),
    ("__toupper", toupper as *const ()),
];

const ALPHA: u32 = 0x100;
const CONTROL: u32 = 0x200;
const DIGIT: u32 = 0x400;
const GRAPH: u32 = 0x800;
const LOWER: u32 = 0x1000;
const PUNCTUATION: u32 = 0x2000;
const SPACE: u32 = 0x4000;
const UPPER: u32 = 0x8000;
const HEX_DIGIT: u32 = 0x1_0000;
const BLANK: u32 = 0x2_0000;
const PRINT: u32 = 0x4_0000;

#[repr(C)]
struct Range {
    count: c_int,
    entries: *const c_void,
}

impl Range {
    const NONE: Self = Self { count: 0, entries: std::ptr::null() };
}

/// `_RuneLocale`.
#[repr(C)]
struct RuneLocale {
    magic: [u8; 8],
    encoding: [u8; 32],
    get: *const c_void,
    put: *const c_void,
    invalid: c_int,
    class: [u32; 256],
    lower: [c_int; 256],
    upper: [c_int; 256],
    class_beyond: Range,
    lower_beyond: Range,
    upper_beyond: Range,
    variable: *const c_void,
    variable_length: c_int,
    class_count: c_int,
    classes: *const c_void,
}

// SAFETY: it is never written to, and its pointers are null.
unsafe impl Send for RuneLocale {}
// SAFETY: as above.
unsafe impl Sync for RuneLocale {}

const _: () = assert!(std::mem::offset_of!(RuneLocale, class) == 60);

static LOCALE: OnceLock<RuneLocale> = OnceLock::new();

fn locale() -> &'static RuneLocale {
    LOCALE.get_or_init(|| RuneLocale {
        magic: *b"RuneMagA",
        encoding: *b"NONE\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        get: std::ptr::null(),
        put: std::ptr::null(),
        invalid: -1,
        class: std::array::from_fn(|code| class_of(code as u8)),
        lower: std::array::from_fn(|code| c_int::from((code as u8).to_ascii_lowercase())),
        upper: std::array::from_fn(|code| c_int::from((code as u8).to_ascii_uppercase())),
        class_beyond: Range::NONE,
        lower_beyond: Range::NONE,
        upper_beyond: Range::NONE,
        variable: std::ptr::null(),
        variable_length: 0,
        class_count: 0,
        classes: std::ptr::null(),
    })
}

pub(super) fn default_locale() -> Builtin {
    datum(locale())
}

fn class_of(byte: u8) -> u32 {
    let mut class = 0;
    let mut add = |is: bool, bits: u32| class |= if is { bits } else { 0 };
    add(byte.is_ascii_alphabetic(), ALPHA);
    add(byte.is_ascii_control(), CONTROL);
    add(byte.is_ascii_digit(), DIGIT);
    add(byte.is_ascii_graphic(), GRAPH | PRINT);
    add(byte.is_ascii_lowercase(), LOWER);
    add(byte.is_ascii_punctuation(), PUNCTUATION);
    add(byte == b' ' || (9..=13).contains(&byte), SPACE);
    add(byte.is_ascii_uppercase(), UPPER);
    add(byte.is_ascii_hexdigit(), HEX_DIGIT);
    add(byte == b' ' || byte == b'\t', BLANK);
    add(byte == b' ', PRINT);
    // The low bits hold the value of a digit.
    class | char::from(byte).to_digit(16).unwrap_or(0)
}

fn entry<T: Copy>(table: &[T; 256], code: c_int) -> Option<T> {
    usize::try_from(code).ok().and_then(|code| table.get(code)).copied()
}

extern "C" fn runetype(code: c_int) -> c_ulong {
    c_ulong::from(entry(&locale().class, code).unwrap_or(0))
}

extern "C" fn maskrune(code: c_int, mask: c_ulong) -> c_int {
    (runetype(code) & mask) as c_int
}

extern "C" fn tolower(code: c_int) -> c_int {
    entry(&locale().lower, code).unwrap_or(code)
}

extern "C" fn toupper(code: c_int) -> c_int {
    entry(&locale().upper, code).unwrap_or(code)
}
