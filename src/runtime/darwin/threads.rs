//! Mutexes and the like that are initialised statically.
//!
//! Darwin's begin with a signature that says "initialised by a constant"; the host's are all zeros then. What is found
//! with a signature gets the host's initial value when it is first used. All are larger on Darwin than on the host.

use super::Function;
use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicU32, Ordering};

pub(super) const FUNCTIONS: &[Function] = &[
    ("pthread_cond_broadcast", cond_broadcast as *const ()),
    ("pthread_cond_signal", cond_signal as *const ()),
    ("pthread_cond_timedwait", cond_timedwait as *const ()),
    ("pthread_cond_wait", cond_wait as *const ()),
    ("pthread_mutex_destroy", mutex_destroy as *const ()),
    ("pthread_mutex_lock", mutex_lock as *const ()),
    ("pthread_mutex_trylock", mutex_trylock as *const ()),
    ("pthread_mutex_unlock", mutex_unlock as *const ()),
    ("pthread_mutexattr_settype", mutexattr_settype as *const ()),
    ("pthread_once", once as *const ()),
    ("pthread_rwlock_rdlock", rwlock_rdlock as *const ()),
    ("pthread_rwlock_tryrdlock", rwlock_tryrdlock as *const ()),
    ("pthread_rwlock_trywrlock", rwlock_trywrlock as *const ()),
    ("pthread_rwlock_unlock", rwlock_unlock as *const ()),
    ("pthread_rwlock_wrlock", rwlock_wrlock as *const ()),
    ("pthread_setname_np", set_own_name as *const ()),
];

const MUTEX: u32 = 0x32aa_aba7;
const ERROR_CHECKING_MUTEX: u32 = 0x32aa_aba1;
const RECURSIVE_MUTEX: u32 = 0x32aa_aba2;
const FIRST_FIT_MUTEX: u32 = 0x32aa_aba3;
const CONDITION: u32 = 0x3cb0_b1bb;
const ONCE: u32 = 0x30b1_bcba;
const RWLOCK: u32 = 0x2da8_b3b4;

/// Where glibc's mutexes have their kind.
const KIND: usize = 16;

/// Gives what has a signature its initial value, whichever thread comes first.
///
/// # Safety
/// `object` points to an object that begins with a signature or is the host's.
unsafe fn settle<T>(object: *mut T, signatures: &[u32]) -> *mut T {
    // SAFETY: the first word of such an object, which all threads change atomically.
    let word = unsafe { AtomicU32::from_ptr(object.cast()) };
    let found = word.load(Ordering::Acquire);
    if signatures.contains(&found) {
        let kind = match found {
            ERROR_CHECKING_MUTEX => libc::PTHREAD_MUTEX_ERRORCHECK,
            RECURSIVE_MUTEX => libc::PTHREAD_MUTEX_RECURSIVE,
            _ => 0,
        };
        if kind != 0 {
            // SAFETY: in the mutex; all threads that find the signature write the same.
            unsafe { AtomicU32::from_ptr(object.cast::<u8>().add(KIND).cast()) }
                .store(kind as u32, Ordering::Release);
        }
        // Whoever loses finds the value of the host's that the winner has left.
        let _ = word.compare_exchange(found, 0, Ordering::AcqRel, Ordering::Acquire);
    }
    object
}

const MUTEXES: &[u32] = &[MUTEX, ERROR_CHECKING_MUTEX, RECURSIVE_MUTEX, FIRST_FIT_MUTEX];

macro_rules! settling {
    ($($name:ident($($argument:ident: $type:ty => $signatures:expr),+ $(; $rest:ident: $rest_type:ty)?) = $host:ident;)*) => {
        $(
            unsafe extern "C-unwind" fn $name($($argument: *mut $type,)+ $($rest: $rest_type)?) -> c_int {
                // Threads that wait may be cancelled, which unwinds.
                unsafe extern "C-unwind" {
                    fn $host($($argument: *mut $type,)+ $($rest: $rest_type)?) -> c_int;
                }
                // SAFETY: the caller's promise is the same, but for initial values.
                unsafe { $host($(settle($argument, $signatures),)+ $($rest)?) }
            }
        )*
    };
}

settling! {
    mutex_lock(mutex: libc::pthread_mutex_t => MUTEXES) = pthread_mutex_lock;
    mutex_trylock(mutex: libc::pthread_mutex_t => MUTEXES) = pthread_mutex_trylock;
    mutex_unlock(mutex: libc::pthread_mutex_t => MUTEXES) = pthread_mutex_unlock;
    mutex_destroy(mutex: libc::pthread_mutex_t => MUTEXES) = pthread_mutex_destroy;
    cond_signal(condition: libc::pthread_cond_t => &[CONDITION]) = pthread_cond_signal;
    cond_broadcast(condition: libc::pthread_cond_t => &[CONDITION]) = pthread_cond_broadcast;
    cond_wait(condition: libc::pthread_cond_t => &[CONDITION], mutex: libc::pthread_mutex_t => MUTEXES)
        = pthread_cond_wait;
    cond_timedwait(
        condition: libc::pthread_cond_t => &[CONDITION],
        mutex: libc::pthread_mutex_t => MUTEXES;
        until: *const libc::timespec
    ) = pthread_cond_timedwait;
    rwlock_rdlock(lock: libc::pthread_rwlock_t => &[RWLOCK]) = pthread_rwlock_rdlock;
    rwlock_tryrdlock(lock: libc::pthread_rwlock_t => &[RWLOCK]) = pthread_rwlock_tryrdlock;
    rwlock_wrlock(lock: libc::pthread_rwlock_t => &[RWLOCK]) = pthread_rwlock_wrlock;
    rwlock_trywrlock(lock: libc::pthread_rwlock_t => &[RWLOCK]) = pthread_rwlock_trywrlock;
    rwlock_unlock(lock: libc::pthread_rwlock_t => &[RWLOCK]) = pthread_rwlock_unlock;
}

unsafe extern "C-unwind" fn once(control: *mut c_void, routine: unsafe extern "C-unwind" fn()) -> c_int {
    unsafe extern "C-unwind" {
        fn pthread_once(control: *mut c_void, routine: unsafe extern "C-unwind" fn()) -> c_int;
    }
    // SAFETY: the caller's promise is the same, but for the initial value.
    unsafe { pthread_once(settle(control, &[ONCE]), routine) }
}

/// The kinds of mutexes, by Darwin's numbers.
unsafe extern "C" fn mutexattr_settype(attributes: *mut libc::pthread_mutexattr_t, kind: c_int) -> c_int {
    let kind = match kind {
        0 => libc::PTHREAD_MUTEX_NORMAL,
        1 => libc::PTHREAD_MUTEX_ERRORCHECK,
        2 => libc::PTHREAD_MUTEX_RECURSIVE,
        _ => return libc::EINVAL,
    };
    // SAFETY: the caller's promise is the same.
    unsafe { libc::pthread_mutexattr_settype(attributes, kind) }
}

/// Names the calling thread.
unsafe extern "C" fn set_own_name(name: *const std::ffi::c_char) -> c_int {
    // SAFETY: the caller gives a name.
    unsafe { libc::pthread_setname_np(libc::pthread_self(), name) }
}
