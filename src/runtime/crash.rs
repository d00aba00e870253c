//! Reports of crashes: what is called when a signal is about to end the process, which then dies by that signal.
//!
//! The report is made by a child process, a copy of this one with the crashed thread alone in it. So it may allocate,
//! take locks and read files as usual: should it crash itself, or wait for a lock that the crashed thread held, it is
//! given up after a while, and nothing is lost but the report. All that the crashed process itself does is safe in a
//! signal handler. Its other threads go on running meanwhile, and may see the signal that tells of the child's end.
//!
//! Linked code does not see that there is a handler: the functions that [`lookup`] gives say that the signal's default
//! action is set. Handlers that it sets itself take the place of this one.
//!
//! # Safety
//!
//! The handler calls functions that POSIX calls safe in signal handlers, and system calls.
#![allow(unsafe_code)]

use super::arch;
use crate::base::ExecutorAddr;
use std::ffi::{c_char, c_int, c_long, c_void};
use std::mem::{MaybeUninit, zeroed};
use std::ptr::{null, null_mut};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

/// The signals that a program's own fault causes, with their names.
pub const SIGNALS: [(c_int, &str); 7] = [
    (libc::SIGSEGV, "SIGSEGV"),
    (libc::SIGBUS, "SIGBUS"),
    (libc::SIGILL, "SIGILL"),
    (libc::SIGFPE, "SIGFPE"),
    (libc::SIGABRT, "SIGABRT"),
    (libc::SIGTRAP, "SIGTRAP"),
    (libc::SIGSYS, "SIGSYS"),
];

/// What is known of a crash.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Crash {
    /// The signal.
    pub signal: c_int,
    /// Where the signal interrupted the thread, and then the return addresses of its frames.
    pub frames: Vec<ExecutorAddr>,
}

impl Crash {
    /// The signal's name.
    #[must_use]
    pub fn signal_name(&self) -> &'static str {
        name_of(self.signal)
    }

    /// The frames with the address of an instruction in each: a return address is that of the instruction after the call,
    /// which may be in another function already.
    pub fn instructions(&self) -> impl Iterator<Item = (ExecutorAddr, ExecutorAddr)> {
        let frames = self.frames.iter().enumerate();
        frames.map(|(depth, frame)| (*frame, ExecutorAddr(frame.0.saturating_sub(u64::from(depth > 0)))))
    }
}

fn name_of(signal: c_int) -> &'static str {
    SIGNALS.iter().find(|(number, _)| *number == signal).map_or("a signal", |(_, name)| name)
}

/// How many frames are reported.
const MOST_FRAMES: usize = 128;

/// How long the report may take.
static PATIENCE: libc::timespec = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 };
const ROUNDS: usize = 4000;

/// The stack for the handler on the thread that installs it, so that running out of stack is reported, too.
const STACK_SIZE: usize = 1 << 20;

static REPORT: OnceLock<fn(&Crash)> = OnceLock::new();

/// Has `report` called in a copy of this process when one of [`SIGNALS`] is about to end it. Signals that are ignored or
/// have a handler are left as they are.
///
/// For the thread that calls this, the report is made on a stack of its own.
pub fn install(report: fn(&Crash)) {
    if REPORT.set(report).is_err() {
        return;
    }
    // SAFETY: the memory is mapped for this alone and stays; a handler of ours is installed where there was none.
    unsafe {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let stack = libc::mmap(null_mut(), STACK_SIZE, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0);
        if stack != libc::MAP_FAILED {
            let stack = libc::stack_t { ss_sp: stack, ss_flags: 0, ss_size: STACK_SIZE };
            libc::sigaltstack(&raw const stack, null_mut());
        }
        let mut own: libc::sigaction = zeroed();
        own.sa_sigaction = handler as *const () as usize;
        own.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        libc::sigfillset(&raw mut own.sa_mask);
        for (signal, _) in SIGNALS {
            let mut old: libc::sigaction = zeroed();
            let done = libc::sigaction(signal, &raw const own, &raw mut old);
            if done == 0 && old.sa_sigaction != libc::SIG_DFL {
                libc::sigaction(signal, &raw const old, null_mut());
            }
        }
    }
}

unsafe extern "C" fn handler(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    static REPORTING: AtomicBool = AtomicBool::new(false);
    // SAFETY: what is called is safe in a signal handler; the kernel gives the information and the context.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        if REPORTING.swap(true, SeqCst) {
            // Another thread reports; the process ends when it has done so.
            for _ in 0..ROUNDS {
                libc::nanosleep(&raw const PATIENCE, null_mut());
            }
        } else {
            report_in_child(signal, arch::interrupted_at(context));
        }
        // A fault happens again when the handler returns; what was sent has to be sent again.
        if (*info).si_code <= 0 {
            libc::syscall(libc::SYS_tgkill, libc::getpid(), libc::syscall(libc::SYS_gettid), signal);
        }
    }
}

/// # Safety
/// Called by the handler, with all signals blocked.
unsafe fn report_in_child(signal: c_int, place: u64) {
    // SAFETY: the C library's `fork` runs handlers and takes locks; the system call itself does neither.
    let child = unsafe { libc::syscall(libc::SYS_clone, c_long::from(libc::SIGCHLD), 0, 0, 0, 0) };
    match child {
        0 => {
            let frames = frames_from(place);
            if let Some(report) = REPORT.get() {
                report(&Crash { signal, frames });
            }
            // SAFETY: ends the child alone.
            unsafe { libc::_exit(0) }
        }
        child => {
            // SAFETY: it is this process's child, if it is one.
            let reported = child > 0 && unsafe { ends_well(child as libc::pid_t) };
            if !reported {
                write_briefly(signal, place);
            }
        }
    }
}

/// Waits for the child, and ends it if it takes too long.
///
/// # Safety
/// It is a child of this process.
unsafe fn ends_well(child: libc::pid_t) -> bool {
    for _ in 0..ROUNDS {
        let mut status = 0;
        // SAFETY: a child of this process.
        match unsafe { libc::waitpid(child, &raw mut status, libc::WNOHANG | libc::__WALL) } {
            // SAFETY: the time is there.
            0 => _ = unsafe { libc::nanosleep(&raw const PATIENCE, null_mut()) },
            // Some other thread, waiting for any child, has got it.
            -1 => return true,
            _ => return status == 0,
        }
    }
    // SAFETY: as above.
    unsafe {
        libc::kill(child, libc::SIGKILL);
        libc::waitpid(child, null_mut(), libc::__WALL);
    }
    false
}

/// The little that can be said without allocating: the signal and the place.
fn write_briefly(signal: c_int, place: u64) {
    let mut digits = *b"0x0000000000000000\n";
    for (at, digit) in digits[2..18].iter_mut().rev().enumerate() {
        *digit = b"0123456789abcdef"[(place >> (4 * at)) as usize & 0xf];
    }
    for text in [b"error: ", name_of(signal).as_bytes(), b" at ", &digits] {
        // SAFETY: the bytes are there; a closed output is no reason to do anything else.
        unsafe { libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), text.len()) };
    }
}

unsafe extern "C" {
    fn _Unwind_Backtrace(step: extern "C" fn(*mut c_void, *mut c_void) -> c_int, data: *mut c_void) -> c_int;
    fn _Unwind_GetIP(frame: *mut c_void) -> usize;
}

/// The frames of this thread from the one that was interrupted at `place` on.
fn frames_from(place: u64) -> Vec<ExecutorAddr> {
    struct Walk {
        place: u64,
        frames: Vec<ExecutorAddr>,
    }
    extern "C" fn step(frame: *mut c_void, data: *mut c_void) -> c_int {
        const GO_ON: c_int = 0;
        const END: c_int = 5;
        // SAFETY: the unwinder gives its frame, and what was given to it: the walk below.
        let (address, walk) = unsafe { (_Unwind_GetIP(frame) as u64, &mut *data.cast::<Walk>()) };
        if !walk.frames.is_empty() || address == walk.place {
            walk.frames.push(ExecutorAddr(address));
        }
        if walk.frames.len() < MOST_FRAMES { GO_ON } else { END }
    }
    let mut walk = Walk { place, frames: Vec::new() };
    // SAFETY: the walk outlives the call.
    unsafe { _Unwind_Backtrace(step, (&raw mut walk).cast()) };
    if walk.frames.is_empty() {
        walk.frames.push(ExecutorAddr(place));
    }
    walk.frames
}

/// Functions for linked code that would show it the handler here: in their place, ones that do not.
#[must_use]
pub fn lookup(name: &[u8]) -> Option<ExecutorAddr> {
    REPORT.get()?;
    let function = match name {
        b"sigaction" => sigaction as *const (),
        b"signal" => signal as *const (),
        b"__sysv_signal" => sysv_signal as *const (),
        _ => return None,
    };
    Some(ExecutorAddr(function.addr() as u64))
}

fn is_own(action: usize) -> bool {
    action == handler as *const () as usize
}

unsafe extern "C" fn sigaction(
    number: c_int,
    new: *const libc::sigaction,
    old: *mut libc::sigaction,
) -> c_int {
    let mut before = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: the caller's promise is that of the C library's function.
    unsafe {
        let result = libc::sigaction(number, new, before.as_mut_ptr());
        if result == 0 && !old.is_null() {
            *old = match before.assume_init() {
                own if is_own(own.sa_sigaction) => zeroed(),
                other => other,
            };
        }
        result
    }
}

/// `signal`, which does not show the handler here.
pub(super) unsafe extern "C" fn signal(number: c_int, action: libc::sighandler_t) -> libc::sighandler_t {
    // SAFETY: the caller's promise is that of the C library's function.
    let before = unsafe { libc::signal(number, action) };
    if is_own(before) { libc::SIG_DFL } else { before }
}

unsafe extern "C" fn sysv_signal(number: c_int, action: libc::sighandler_t) -> libc::sighandler_t {
    unsafe extern "C" {
        fn __sysv_signal(number: c_int, action: libc::sighandler_t) -> libc::sighandler_t;
    }
    // SAFETY: the caller's promise is that of the C library's function.
    let before = unsafe { __sysv_signal(number, action) };
    if is_own(before) { libc::SIG_DFL } else { before }
}

/// The name of the function of the host's at an address, and the file that it is in.
#[must_use]
pub fn host_function(address: ExecutorAddr) -> Option<(String, String)> {
    let mut info = MaybeUninit::<libc::Dl_info>::uninit();
    let text = |text: *const c_char| {
        // SAFETY: the loader gives strings of files that stay loaded, or null.
        (!text.is_null()).then(|| unsafe { std::ffi::CStr::from_ptr(text) }.to_string_lossy().into_owned())
    };
    // SAFETY: any address may be asked for; what is found is written.
    unsafe {
        let found = libc::dladdr(null::<c_void>().with_addr(address.0 as usize), info.as_mut_ptr()) != 0;
        let info = found.then(|| info.assume_init())?;
        Some((text(info.dli_sname).unwrap_or_default(), text(info.dli_fname)?))
    }
}
