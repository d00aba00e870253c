//! Telling debuggers about linked objects, by the interface that GDB has for code made at run time ("JIT Compilation
//! Interface" in its manual; LLDB knows it, too).
//!
//! A debugger looks for the two names below, reads the list that one of them leads to when it comes to a process, and
//! stops at the other to learn of each change. Without a debugger that is a call of an empty function.
//!
//! Objects are entered and withdrawn one by one in constant time. A child that is forked while another thread links may
//! find the lock taken for ever; such a child may only `exec`, as POSIX has it.
//!
//! # Safety
//!
//! The list and its entries are written under the lock alone. Entries are allocated here and freed after they have been
//! taken out of the list; debuggers read them while the process stands still.
#![allow(unsafe_code)]

use super::action::{action, status, words};
use crate::base::{ActionPair, ActionStatus, ExecutorAddr};
use std::collections::HashMap;
use std::ptr::null_mut;
use std::sync::{Arc, Mutex, PoisonError};

/// `jit_code_entry`: one object, in a doubly linked list.
#[repr(C)]
#[derive(Debug)]
pub struct Entry {
    next: *mut Entry,
    previous: *mut Entry,
    object: *const u8,
    object_size: u64,
}

/// `jit_descriptor`: the list, and what has just been done to it.
#[repr(C)]
#[derive(Debug)]
pub struct Descriptor {
    version: u32,
    action: u32,
    relevant: *mut Entry,
    first: *mut Entry,
}

/// How far apart parts of an object may be.
const MOST_BETWEEN: usize = 64;

const NO_ACTION: u32 = 0;
const REGISTERED: u32 = 1;
const WITHDRAWN: u32 = 2;

/// The list of objects, by the name that debuggers know it by.
#[cfg_attr(not(test), unsafe(no_mangle))]
#[allow(non_upper_case_globals)]
pub static mut __jit_debug_descriptor: Descriptor =
    Descriptor { version: 1, action: NO_ACTION, relevant: null_mut(), first: null_mut() };

/// Called after each change of the list: debuggers stop here, and look what [`struct@Descriptor`] says.
#[cfg_attr(not(test), unsafe(no_mangle))]
#[inline(never)]
pub extern "C" fn __jit_debug_register_code() {
    // SAFETY: there is no instruction in it. The compiler cannot know that: it keeps the call, and what was written
    // before it.
    unsafe { std::arch::asm!("", options(nostack, preserves_flags)) };
}

/// An entry with what it refers to.
struct Registered {
    entry: Entry,
    name: Arc<str>,
    /// Never touched again, since debuggers read it.
    object: Arc<Vec<u8>>,
}

/// By the address that the object was registered under.
#[derive(Default)]
struct Objects(Option<HashMap<u64, *mut Registered>>);

// SAFETY: the pointers are those of boxes that belong to the map.
unsafe impl Send for Objects {}

static OBJECTS: Mutex<Objects> = Mutex::new(Objects(None));

/// Shows debuggers a copy of the object `source` with some of its words changed, and withdraws it at deallocation.
///
/// `parts` are what is copied of it, each as the offset there, the size, and the offset in the copy, which is as long as
/// they make it.
///
/// `place` is an address that no other object has that is registered at the same time. `name` and `source` have to be there
/// until the first of the actions has run. `changes` are words with their offsets in the copy. The actions
/// return [`status::BAD_ARGUMENTS`] for a part outside of the object or a change outside of the copy, [`status::BAD_DEBUG_OBJECT`] when the place is taken, or
/// nothing is registered there.
#[must_use]
pub fn object_actions(
    place: ExecutorAddr,
    name: &str,
    source: &[u8],
    parts: &[[u64; 3]],
    changes: &[(u64, u64)],
) -> ActionPair {
    let bytes = |bytes: &[u8]| [bytes.as_ptr().expose_provenance() as u64, bytes.len() as u64];
    let fixed = [place.0].into_iter().chain(bytes(name.as_bytes())).chain(bytes(source));
    let parts = std::iter::once(parts.len() as u64).chain(parts.iter().copied().flatten());
    let changes = changes.iter().flat_map(|&(at, word)| [at, word]);
    ActionPair {
        finalize: Some(action(register_object, fixed.chain(parts).chain(changes))),
        deallocate: Some(action(withdraw_object, [place.0])),
    }
}

unsafe extern "C" fn register_object(bytes: *const u8, size: usize) -> ActionStatus {
    // SAFETY: called with the bytes of an action of `object_actions`.
    let Some(mut words) = (unsafe { words(bytes, size) }) else { return status::BAD_ARGUMENTS };
    let mut next = || words.next().unwrap_or_default();
    let [place, name, name_size, source, source_size, count] = std::array::from_fn(|_| next());
    let bytes = |start: u64, size: u64| {
        let start = std::ptr::with_exposed_provenance::<u8>(start as usize);
        // SAFETY: name and object are there until this action has run.
        (!start.is_null()).then(|| unsafe { std::slice::from_raw_parts(start, size as usize) })
    };
    let (Some(name), Some(source)) = (bytes(name, name_size), bytes(source, source_size)) else {
        return status::BAD_ARGUMENTS;
    };
    let name: Arc<str> = String::from_utf8_lossy(name).into();
    let mut object = Vec::new();
    for _ in 0..count {
        let [from, size, to] = std::array::from_fn(|_| words.next().unwrap_or(u64::MAX) as usize);
        let part = source.get(from..).and_then(|rest| rest.get(..size));
        // Parts are in order, with less than what aligns them between.
        let Some(part) = part.filter(|_| (object.len()..object.len() + MOST_BETWEEN).contains(&to)) else {
            return status::BAD_ARGUMENTS;
        };
        object.resize(to, 0);
        object.extend_from_slice(part);
    }
    while let (Some(at), Some(word)) = (words.next(), words.next()) {
        match object.get_mut(at as usize..).and_then(|rest| rest.first_chunk_mut()) {
            Some(place) => *place = word.to_le_bytes(),
            None => return status::BAD_ARGUMENTS,
        }
    }
    register(place, name, object.into())
}

unsafe extern "C" fn withdraw_object(bytes: *const u8, size: usize) -> ActionStatus {
    // SAFETY: called with the bytes of an action of `object_actions`.
    match unsafe { super::action::arguments(bytes, size) } {
        Some([place]) => withdraw(place),
        None => status::BAD_ARGUMENTS,
    }
}

fn register(place: u64, name: Arc<str>, object: Arc<Vec<u8>>) -> ActionStatus {
    let mut objects = OBJECTS.lock().unwrap_or_else(PoisonError::into_inner);
    let objects = objects.0.get_or_insert_default();
    if objects.contains_key(&place) {
        return status::BAD_DEBUG_OBJECT;
    }
    let entry = Entry {
        next: null_mut(),
        previous: null_mut(),
        object: object.as_ptr(),
        object_size: object.len() as u64,
    };
    let registered = Box::into_raw(Box::new(Registered { entry, name, object }));
    objects.insert(place, registered);
    // SAFETY: the lock is held, and all entries of the list are in the map.
    unsafe {
        let entry = &raw mut (*registered).entry;
        let list = &raw mut __jit_debug_descriptor;
        let first = (*list).first;
        (*entry).next = first;
        if !first.is_null() {
            (*first).previous = entry;
        }
        (*list).first = entry;
        announce(REGISTERED, entry);
    }
    status::OK
}

fn withdraw(place: u64) -> ActionStatus {
    let mut objects = OBJECTS.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(registered) = objects.0.get_or_insert_default().remove(&place) else {
        return status::BAD_DEBUG_OBJECT;
    };
    // SAFETY: the lock is held, and all entries of the list are in the map, or this one, which came from a box.
    unsafe {
        let entry = &raw mut (*registered).entry;
        let Entry { next, previous, .. } = *entry;
        if !next.is_null() {
            (*next).previous = previous;
        }
        if previous.is_null() {
            __jit_debug_descriptor.first = next;
        } else {
            (*previous).next = next;
        }
        announce(WITHDRAWN, entry);
        drop(Box::from_raw(registered));
    }
    status::OK
}

/// The first object that is `wanted`, with its name, of those that debuggers see.
#[must_use]
pub fn find_object(wanted: impl Fn(&[u8]) -> bool) -> Option<(Arc<str>, Arc<Vec<u8>>)> {
    let objects = OBJECTS.lock().unwrap_or_else(PoisonError::into_inner);
    let mut objects = objects.0.iter().flat_map(HashMap::values);
    objects.find_map(|registered| {
        // SAFETY: the lock is held, and what is in the map was not freed.
        let Registered { name, object, .. } = unsafe { &**registered };
        wanted(object).then(|| (Arc::clone(name), Arc::clone(object)))
    })
}

/// Has a debugger look at what was done to `entry`.
///
/// # Safety
/// The lock is held.
unsafe fn announce(action: u32, entry: *mut Entry) {
    let list = &raw mut __jit_debug_descriptor;
    // SAFETY: the caller holds the lock.
    unsafe {
        (*list).action = action;
        (*list).relevant = entry;
        __jit_debug_register_code();
        (*list).action = NO_ACTION;
        (*list).relevant = null_mut();
    }
}

#[cfg(test)]
mod tests {
    use super::super::action::tests::run;
    use super::*;

    /// The objects in the list, as a debugger finds them, that begin with `mark`.
    fn listed(mark: u8) -> Vec<Vec<u8>> {
        let _lock = OBJECTS.lock().unwrap();
        let mut found = Vec::new();
        // SAFETY: the lock is held; entries are those of registered objects.
        unsafe {
            let mut entry = __jit_debug_descriptor.first;
            let mut before = null_mut();
            while !entry.is_null() {
                assert_eq!((*entry).previous, before);
                let Entry { object, object_size, .. } = *entry;
                let bytes = std::slice::from_raw_parts(object, object_size as usize);
                found.extend((bytes.first() == Some(&mark)).then(|| bytes.to_vec()));
                before = entry;
                entry = (*entry).next;
            }
        }
        found
    }

    #[test]
    fn objects_are_listed_with_their_changes_until_they_are_withdrawn() {
        const PLACE: u64 = 0x7100_0000_0000_0000;
        let source: Vec<u8> = (0..20).map(|byte| 200 + byte).collect();
        let pair = |place, changes: &[(u64, u64)]| {
            object_actions(ExecutorAddr(PLACE + place), "test.o", &source, &[[0, 4, 0], [6, 14, 8]], changes)
        };
        let [first, second] = [pair(1, &[(2, 0x0807_0605_0403_0201)]), pair(2, &[])];
        let finalize = |pair: &ActionPair| run(pair.finalize.as_ref().unwrap());
        let deallocate = |pair: &ActionPair| run(pair.deallocate.as_ref().unwrap());
        assert_eq!([&first, &second].map(finalize), [status::OK; 2]);
        assert_eq!(finalize(&first), status::BAD_DEBUG_OBJECT);
        assert_eq!(finalize(&pair(3, &[(15, 0)])), status::BAD_ARGUMENTS);
        assert_eq!(finalize(&pair(3, &[(u64::MAX, 0)])), status::BAD_ARGUMENTS);
        let copy = [&source[..4], &[0; 4], &source[6..]].concat();
        let changed = [&copy[..2], &[1, 2, 3, 4, 5, 6, 7, 8], &copy[10..]].concat();
        assert_eq!(listed(200), [copy.clone(), changed]);
        assert_eq!(deallocate(&first), status::OK);
        assert_eq!(listed(200), std::slice::from_ref(&copy));
        assert_eq!(deallocate(&first), status::BAD_DEBUG_OBJECT);
        assert_eq!(deallocate(&second), status::OK);
        assert_eq!(listed(200), [b""; 0]);
    }

    #[test]
    fn many_objects_are_entered_and_withdrawn_in_any_order() {
        const PLACE: u64 = 0x7200_0000_0000_0000;
        let start = std::time::Instant::now();
        let (name, object): (Arc<str>, Arc<Vec<u8>>) = ("many.o".into(), vec![201].into());
        let places = || (0..100_000u64).map(|number| PLACE + number);
        assert!(places().all(|place| register(place, name.clone(), object.clone()) == status::OK));
        let (even, odd): (Vec<u64>, Vec<u64>) = places().partition(|place| place % 2 == 0);
        assert!(even.into_iter().chain(odd).all(|place| withdraw(place) == status::OK));
        assert_eq!(listed(201), [b""; 0]);
        // A walk through the list for each of them would take minutes.
        assert!(start.elapsed().as_secs() < 10);
    }
}
