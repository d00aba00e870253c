//! Functions that are told what to do by numbers of Darwin's own.

use super::{Function, fail};
use std::ffi::{c_char, c_int, c_long};

pub(super) const FUNCTIONS: &[Function] = &[
    ("clock_getres", clock_getres as *const ()),
    ("clock_gettime", clock_gettime as *const ()),
    ("mach_absolute_time", mach_absolute_time as *const ()),
    ("mach_timebase_info", mach_timebase_info as *const ()),
    ("setlocale", setlocale as *const ()),
    ("sysconf", sysconf as *const ()),
];

fn clock(number: c_int) -> libc::clockid_t {
    match number {
        0 => libc::CLOCK_REALTIME,
        4 | 5 => libc::CLOCK_MONOTONIC_RAW,
        // `CLOCK_MONOTONIC`, and time that does not count sleep.
        6 | 8 | 9 => libc::CLOCK_MONOTONIC,
        12 => libc::CLOCK_PROCESS_CPUTIME_ID,
        16 => libc::CLOCK_THREAD_CPUTIME_ID,
        _ => -1,
    }
}

unsafe extern "C" fn clock_gettime(number: c_int, out: *mut libc::timespec) -> c_int {
    // SAFETY: the caller gives room for the time, whose layout is the same.
    unsafe { libc::clock_gettime(clock(number), out) }
}

unsafe extern "C" fn clock_getres(number: c_int, out: *mut libc::timespec) -> c_int {
    // SAFETY: as above; null is allowed.
    unsafe { libc::clock_getres(clock(number), out) }
}

extern "C" fn mach_absolute_time() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: there is room for the time.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Nanoseconds for each unit of time: numerator and denominator.
unsafe extern "C" fn mach_timebase_info(out: *mut [u32; 2]) -> c_int {
    // SAFETY: the caller gives room for two numbers.
    unsafe { out.write([1, 1]) };
    0
}

unsafe extern "C" fn setlocale(category: c_int, name: *const c_char) -> *mut c_char {
    let host = match category {
        0 => libc::LC_ALL,
        1 => libc::LC_COLLATE,
        2 => libc::LC_CTYPE,
        3 => libc::LC_MONETARY,
        4 => libc::LC_NUMERIC,
        5 => libc::LC_TIME,
        6 => libc::LC_MESSAGES,
        _ => return std::ptr::null_mut(),
    };
    // SAFETY: the caller gives a name or null.
    unsafe { libc::setlocale(host, name) }
}

unsafe extern "C" fn sysconf(name: c_int) -> c_long {
    let host = match name {
        1 => libc::_SC_ARG_MAX,
        2 => libc::_SC_CHILD_MAX,
        3 => libc::_SC_CLK_TCK,
        4 => libc::_SC_NGROUPS_MAX,
        5 => libc::_SC_OPEN_MAX,
        29 => libc::_SC_PAGESIZE,
        57 => libc::_SC_NPROCESSORS_CONF,
        58 => libc::_SC_NPROCESSORS_ONLN,
        200 => libc::_SC_PHYS_PAGES,
        _ => return c_long::from(fail(libc::EINVAL)),
    };
    // SAFETY: takes a number.
    unsafe { libc::sysconf(host) }
}
