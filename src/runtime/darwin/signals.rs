//! Signals have other numbers on Darwin, from 7 on. Handlers are called with Darwin's.

use super::{Function, fail};
use crate::runtime::crash;
use std::ffi::{c_char, c_int};
use std::sync::atomic::{AtomicUsize, Ordering};

pub(super) const FUNCTIONS: &[Function] = &[
    ("kill", kill as *const ()),
    ("killpg", killpg as *const ()),
    ("pthread_kill", pthread_kill as *const ()),
    ("raise", raise as *const ()),
    ("signal", signal as *const ()),
    ("strsignal", strsignal as *const ()),
];

/// Darwin's numbers with the host's, where these differ. `SIGEMT` (7) and `SIGINFO` (29) are Darwin's alone.
const OTHERS: [(c_int, c_int); 10] = [
    (10, libc::SIGBUS),
    (12, libc::SIGSYS),
    (16, libc::SIGURG),
    (17, libc::SIGSTOP),
    (18, libc::SIGTSTP),
    (19, libc::SIGCONT),
    (20, libc::SIGCHLD),
    (23, libc::SIGIO),
    (30, libc::SIGUSR1),
    (31, libc::SIGUSR2),
];

/// The host's number of a signal; none if it has no such signal.
pub(super) fn to_host(number: c_int) -> Option<c_int> {
    match OTHERS.iter().find(|(darwin, _)| *darwin == number) {
        Some((_, host)) => Some(*host),
        None => matches!(number, 0..=6 | 8 | 9 | 11 | 13..=15 | 21 | 22 | 24..=28).then_some(number),
    }
}

/// Darwin's number of a signal; one that Darwin does not have keeps its own.
pub(super) fn from_host(number: c_int) -> c_int {
    OTHERS.iter().find(|(_, host)| *host == number).map_or(number, |(darwin, _)| *darwin)
}

unsafe extern "C" fn kill(process: libc::pid_t, number: c_int) -> c_int {
    match to_host(number) {
        // SAFETY: takes numbers.
        Some(number) => unsafe { libc::kill(process, number) },
        None => fail(libc::EINVAL),
    }
}

unsafe extern "C" fn killpg(group: libc::pid_t, number: c_int) -> c_int {
    match to_host(number) {
        // SAFETY: takes numbers.
        Some(number) => unsafe { libc::killpg(group, number) },
        None => fail(libc::EINVAL),
    }
}

/// A handler may leave by `longjmp`, or by an exception.
unsafe extern "C-unwind" fn raise(number: c_int) -> c_int {
    unsafe extern "C-unwind" {
        #[link_name = "raise"]
        fn host(number: c_int) -> c_int;
    }
    match to_host(number) {
        // SAFETY: takes a number.
        Some(number) => unsafe { host(number) },
        None => fail(libc::EINVAL),
    }
}

unsafe extern "C-unwind" fn pthread_kill(thread: libc::pthread_t, number: c_int) -> c_int {
    unsafe extern "C-unwind" {
        #[link_name = "pthread_kill"]
        fn host(thread: libc::pthread_t, number: c_int) -> c_int;
    }
    match to_host(number) {
        // SAFETY: the caller gives a thread that exists.
        Some(number) => unsafe { host(thread, number) },
        None => libc::EINVAL,
    }
}

unsafe extern "C" fn strsignal(number: c_int) -> *const c_char {
    unsafe extern "C" {
        #[link_name = "strsignal"]
        fn host(number: c_int) -> *const c_char;
    }
    // SAFETY: takes any number.
    unsafe { host(to_host(number).unwrap_or(0)) }
}

/// The handlers of linked code, by the host's numbers.
static HANDLERS: [AtomicUsize; 65] = [const { AtomicUsize::new(libc::SIG_DFL) }; 65];

/// `SIG_DFL` and `SIG_IGN` are the same, as is `SIG_ERR`.
unsafe extern "C" fn signal(number: c_int, handler: usize) -> usize {
    let slot = to_host(number).and_then(|host| Some((host, HANDLERS.get(usize::try_from(host).ok()?)?)));
    let Some((number, slot)) = slot else {
        fail(libc::EINVAL);
        return libc::SIG_ERR;
    };
    let ours = call_handler as *const () as usize;
    let of_linked_code = handler != libc::SIG_DFL && handler != libc::SIG_IGN;
    let before = slot.load(Ordering::Acquire);
    if of_linked_code {
        slot.store(handler, Ordering::Release);
    }
    // SAFETY: the handler is one, or one of the two numbers.
    match unsafe { crash::signal(number, if of_linked_code { ours } else { handler }) } {
        old if old == ours => before,
        old => old,
    }
}

unsafe extern "C-unwind" fn call_handler(number: c_int) {
    let slot = usize::try_from(number).ok().and_then(|number| HANDLERS.get(number));
    let handler = slot.map_or(libc::SIG_DFL, |slot| slot.load(Ordering::Acquire));
    if handler != libc::SIG_DFL {
        let handler = std::ptr::with_exposed_provenance::<()>(handler);
        // SAFETY: linked code has given the address as that of a handler.
        let handler: unsafe extern "C-unwind" fn(c_int) = unsafe { std::mem::transmute(handler) };
        // SAFETY: as above.
        unsafe { handler(from_host(number)) };
    }
}
