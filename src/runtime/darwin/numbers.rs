//! Functions that are told what to do by numbers of Darwin's own.

use super::super::dlfcn;
use super::{Function, fail};
use std::ffi::{c_char, c_int, c_long, c_void};

pub(super) const FUNCTIONS: &[Function] = &[
    ("clock_getres", clock_getres as *const ()),
    ("clock_gettime", clock_gettime as *const ()),
    ("dlopen", dlopen as *const ()),
    ("dlsym", dlsym as *const ()),
    ("mach_absolute_time", mach_absolute_time as *const ()),
    ("mach_timebase_info", mach_timebase_info as *const ()),
    ("setlocale", setlocale as *const ()),
    ("select", select as *const ()),
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

unsafe extern "C-unwind" fn dlopen(path: *const c_char, flags: c_int) -> *mut c_void {
    let translate = |all, (darwin, host): (c_int, c_int)| if flags & darwin != 0 { all | host } else { all };
    let flags = [
        (0x1, libc::RTLD_LAZY),
        (0x2, libc::RTLD_NOW),
        (0x8, libc::RTLD_GLOBAL),
        (0x10, libc::RTLD_NOLOAD),
        (0x80, libc::RTLD_NODELETE),
    ]
    .into_iter()
    .fold(0, translate);
    let flags = if flags & libc::RTLD_NOW == 0 { flags | libc::RTLD_LAZY } else { flags };
    // SAFETY: the caller gives a path or null; initialisers of what is opened run.
    unsafe { dlfcn::open(path, flags, 0, dlfcn::Reach::Process) }
}

unsafe extern "C" fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void {
    /// `RTLD_DEFAULT` and `RTLD_MAIN_ONLY`.
    const DEFAULT: [isize; 2] = [-2, -5];
    let library = if DEFAULT.contains(&library.addr().cast_signed()) { libc::RTLD_DEFAULT } else { library };
    // SAFETY: the caller gives a library and a name.
    unsafe { dlfcn::find(library, name, std::ptr::null(), 0, dlfcn::Reach::Process) }
}

/// Darwin has microseconds in 32 bits, with nothing said about the 32 that follow.
unsafe extern "C-unwind" fn select(
    count: c_int,
    read: *mut c_void,
    write: *mut c_void,
    except: *mut c_void,
    timeout: *const (i64, i32),
) -> c_int {
    unsafe extern "C-unwind" {
        #[link_name = "select"]
        fn host(
            count: c_int,
            read: *mut c_void,
            write: *mut c_void,
            except: *mut c_void,
            timeout: *mut libc::timeval,
        ) -> c_int;
    }
    // SAFETY: null, or a time of that layout.
    let mut time = unsafe { timeout.as_ref() }
        .map(|&(seconds, micros)| libc::timeval { tv_sec: seconds, tv_usec: micros.into() });
    let time = time.as_mut().map_or(std::ptr::null_mut(), std::ptr::from_mut);
    // SAFETY: sets have the same layout.
    unsafe { host(count, read, write, except, time) }
}
