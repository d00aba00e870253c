//! The process: guards, assertions, thread-local destructors, and what asks for the environment.

use super::super::arch;
use super::super::builtins::Builtin;
use super::super::exit_handlers::{HandlerFn, register_at_thread_exit};
use super::{Function, datum};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::OnceLock;

pub(super) const FUNCTIONS: &[Function] = &[
    ("_NSGetEnviron", environment as *const ()),
    ("__assert_rtn", assertion_failed as *const ()),
    ("__chkstk_darwin", arch::darwin_chkstk as *const ()),
    ("__darwin_check_fd_set_overflow", descriptor_fits as *const ()),
    ("__longjmp", arch::darwin_longjmp as *const ()),
    ("_longjmp", arch::darwin_longjmp as *const ()),
    ("_setjmp", arch::darwin_setjmp_without_mask as *const ()),
    ("_tlv_atexit", at_thread_exit as *const ()),
    ("_tlv_bootstrap", arch::tlv_address as *const ()),
    ("dyld_stub_binder", bind_stub as *const ()),
    ("getprogname", program_name as *const ()),
    ("longjmp", arch::darwin_longjmp as *const ()),
    ("qsort_r", sort as *const ()),
    ("setjmp", arch::darwin_setjmp as *const ()),
    ("siglongjmp", arch::darwin_longjmp as *const ()),
    ("sigsetjmp", arch::darwin_sigsetjmp as *const ()),
];

/// The value that functions with stack protectors put below their return address.
pub(super) fn guard() -> Builtin {
    static GUARD: OnceLock<u64> = OnceLock::new();
    datum(GUARD.get_or_init(|| {
        // SAFETY: reads a pointer that the kernel has given to the process, to 16 random bytes.
        let random = unsafe { libc::getauxval(libc::AT_RANDOM) as *const [u64; 2] };
        let random = if random.is_null() {
            0x5bd1_e995_9dcb_1fa7
        } else {
            // SAFETY: as above.
            unsafe { random.read_unaligned()[1] }
        };
        // A zero in the string's way stops functions that copy up to one.
        random & !0xff
    }))
}

unsafe extern "C" fn assertion_failed(
    function: *const c_char,
    file: *const c_char,
    line: c_int,
    expression: *const c_char,
) -> ! {
    let text = |text: *const c_char| {
        // SAFETY: the caller gives strings; the function's name may be missing.
        if text.is_null() { "?".into() } else { unsafe { CStr::from_ptr(text) }.to_string_lossy() }
    };
    let [function, file, expression] = [function, file, expression].map(text);
    let message =
        format!("Assertion failed: ({expression}), function {function}, file {file}, line {line}.\n");
    // SAFETY: writes what is there; then ends the process.
    unsafe {
        libc::write(2, message.as_ptr().cast(), message.len());
        libc::abort()
    }
}

extern "C" fn descriptor_fits(file: c_int, _set: *const c_void, _unlimited: c_int) -> c_int {
    c_int::from((0..1024).contains(&file))
}

unsafe extern "C" {
    static mut environ: *mut *mut c_char;
    static program_invocation_short_name: *const c_char;
}

/// Has the destructor of a thread-local object called when the calling thread exits.
unsafe extern "C" fn at_thread_exit(
    destructor: HandlerFn,
    object: *mut c_void,
    dso_handle: *mut c_void,
) -> c_int {
    // SAFETY: the caller's promise is the same.
    unsafe { register_at_thread_exit(destructor, object, dso_handle) }
}

/// Compilers of old made lazy pointers that lead here before they are bound; in a linked image all are bound.
extern "C" fn bind_stub() -> ! {
    std::process::abort()
}

extern "C" fn environment() -> *mut *mut *mut c_char {
    &raw mut environ
}

extern "C" fn program_name() -> *const c_char {
    // SAFETY: a string that the C library keeps.
    unsafe { program_invocation_short_name }
}

/// Compares two elements, given what is to be passed on first.
type Compare = unsafe extern "C-unwind" fn(*mut c_void, *const c_void, *const c_void) -> c_int;

/// `qsort_r` as the BSDs had it before it was a standard: what is passed on comes first.
unsafe extern "C-unwind" fn sort(
    base: *mut c_void,
    count: usize,
    width: usize,
    passed_on: *mut c_void,
    compare: Compare,
) {
    unsafe extern "C-unwind" {
        fn qsort_r(
            base: *mut c_void,
            count: usize,
            width: usize,
            compare: unsafe extern "C-unwind" fn(*const c_void, *const c_void, *mut c_void) -> c_int,
            passed_on: *mut c_void,
        );
    }
    unsafe extern "C-unwind" fn turned(a: *const c_void, b: *const c_void, data: *mut c_void) -> c_int {
        // SAFETY: `data` points to the pair below.
        let (compare, passed_on) = unsafe { *data.cast::<(Compare, *mut c_void)>() };
        // SAFETY: the caller's own function, with two of its elements.
        unsafe { compare(passed_on, a, b) }
    }
    let mut pair = (compare, passed_on);
    // SAFETY: the caller's promise is the same; the pair outlives the call.
    unsafe { qsort_r(base, count, width, turned, (&raw mut pair).cast()) }
}
