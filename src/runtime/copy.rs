//! Copies of variables: what a copy relocation makes the dynamic loader do when a program starts, done later.
//!
//! Code that is not position-independent refers to a shared library's variable by an address of 32 bits; so the
//! variable moves to where such an address reaches. The copy is the variable from then on: every pointer to the
//! original that the dynamic loader wrote for a symbol into a loaded object (its GOT, and its data) is made to point
//! to the copy, by value, so that aliases such as `environ` and `__environ` follow together. At deallocation the
//! variable moves back, with its value.
//!
//! # Limits
//!
//! These keep using the original:
//! - code that reaches it without such a pointer: in a library linked with `-Bsymbolic`, through a hidden alias, or in
//!   a program that has a copy of its own (as one that is not position-independent has);
//! - whoever took its address before, `dlsym`, and images linked before or afterwards: two images that copy the same
//!   variable do not share it, and the first one shares it with the library.
//!
//! A thread that writes the variable while it moves may write to what is no longer used, and no other thread may load
//! or unload a library meanwhile. A pointer into the image that the program left in the variable moves back with it:
//! whoever frees the image sees to it that nobody follows it.
//!
//! # Safety
//! The actions copy between addresses that the link driver vouches for.
#![allow(unsafe_code)]

use super::action::{action, status, words};
use crate::base::{ActionPair, ActionStatus, ExecutorAddr};
use crate::sys::loaded;

/// Moves variables, and moves them back at deallocation: new place, library's place and size in bytes of each, none
/// overlapping another.
///
/// What the library cannot write is not written at deallocation. The actions return [`status::BAD_ARGUMENTS`] when
/// their bytes are damaged, [`status::PROTECTED`] when a library's pointers cannot be rewritten.
#[must_use]
pub fn copy_actions(copies: &[(ExecutorAddr, ExecutorAddr, u64)]) -> ActionPair {
    let words = || copies.iter().flat_map(|(to, from, size)| [to.0, from.0, *size]);
    ActionPair { finalize: Some(action(move_in, words())), deallocate: Some(action(move_back, words())) }
}

/// A variable at two places.
#[derive(Clone, Copy)]
struct Move {
    to: u64,
    from: u64,
    size: u64,
}

impl Move {
    fn back(self) -> Self {
        Self { to: self.from, from: self.to, size: self.size }
    }

    fn apply(self, value: u64) -> Option<u64> {
        let offset = value.wrapping_sub(self.from);
        (offset < self.size).then(|| self.to.wrapping_add(offset))
    }

    /// # Safety
    /// Both places are mapped, and the new one is writable.
    unsafe fn copy(self) {
        let to = std::ptr::with_exposed_provenance_mut::<u8>(self.to as usize);
        let from = std::ptr::with_exposed_provenance::<u8>(self.from as usize);
        // SAFETY: the caller's promise; the image's memory and a library's do not overlap.
        unsafe { std::ptr::copy_nonoverlapping(from, to, self.size as usize) };
    }
}

/// # Safety
/// `bytes` points to `size` readable bytes that live as long as `'a`.
unsafe fn moves<'a>(bytes: *const u8, size: usize) -> Option<impl Iterator<Item = Move> + Clone + 'a> {
    // SAFETY: the caller's promise is the same.
    let words = unsafe { words(bytes, size) }?;
    let mut rest = words.clone();
    (words.len() % 3 == 0).then(|| {
        std::iter::from_fn(move || Some(Move { to: rest.next()?, from: rest.next()?, size: rest.next()? }))
    })
}

unsafe extern "C" fn move_in(bytes: *const u8, size: usize) -> ActionStatus {
    // SAFETY: called with the bytes of an action of `copy_actions`.
    let Some(moves) = (unsafe { moves(bytes, size) }) else { return status::BAD_ARGUMENTS };
    // SAFETY: `to` is the image's own copy, writable by now; `from` is a loaded library's variable of this size.
    moves.clone().for_each(|one| unsafe { one.copy() });
    // SAFETY: the copies hold what the variables held.
    let outcome = unsafe { loaded::redirect(&|value| moves.clone().find_map(|one| one.apply(value))) };
    if outcome.is_ok() {
        return status::OK;
    }
    // SAFETY: the variables are as they were. What could not be rewritten still points to them.
    let _ = unsafe { loaded::redirect(&|value| moves.clone().find_map(|one| one.back().apply(value))) };
    status::PROTECTED
}

unsafe extern "C" fn move_back(bytes: *const u8, size: usize) -> ActionStatus {
    // SAFETY: called with the bytes of an action of `copy_actions`.
    let Some(moves) = (unsafe { moves(bytes, size) }) else { return status::BAD_ARGUMENTS };
    let moves = moves.map(Move::back);
    let is_variable = |one: &Move| loaded::is_variable(&(one.to..one.to.saturating_add(one.size)));
    // SAFETY: the image is still there, and the library's variable is writable.
    moves.clone().filter(is_variable).for_each(|one| unsafe { one.copy() });
    // SAFETY: the variables hold what the copies held, or are constants.
    match unsafe { loaded::redirect(&|value| moves.clone().find_map(|one| one.apply(value))) } {
        Ok(()) => status::OK,
        Err(_) => status::PROTECTED,
    }
}

#[cfg(test)]
mod tests {
    use super::super::action::tests::run;
    use super::*;
    use crate::sys::dl;

    fn addr<T>(pointer: *const T) -> ExecutorAddr {
        ExecutorAddr(pointer.expose_provenance() as u64)
    }

    #[test]
    fn variables_are_copied() {
        let from = [1u64, 2, 3];
        let mut to = [0u64; 3];
        let pair = copy_actions(&[(addr(&raw mut to), addr(&raw const from), 16)]);
        assert_eq!(run(&pair.finalize.unwrap()), status::OK);
        assert_eq!(to, [1, 2, 0]);
        assert_eq!(run(&pair.deallocate.unwrap()), status::OK);
    }

    #[test]
    fn the_c_library_uses_the_copy_until_deallocation() {
        unsafe extern "C" {
            fn getopt(argc: i32, argv: *const *const u8, options: *const u8) -> i32;
        }
        let optind = dl::lookup(b"optind").unwrap();
        let original = std::ptr::with_exposed_provenance_mut::<i32>(optind.0 as usize);
        let mut copy = Box::new(0i32);
        let pair = copy_actions(&[(addr(&raw mut *copy), optind, 4)]);
        // SAFETY: a variable of the C library; no other test uses it.
        unsafe { original.write(1) };
        assert_eq!(run(&pair.finalize.unwrap()), status::OK);
        let argv = [c"x", c"-a", c"rest"].map(|text| text.as_ptr().cast::<u8>());
        // SAFETY: two words of an argument list, and what is none.
        let option = unsafe { getopt(3, argv.as_ptr(), c"a".as_ptr().cast()) };
        assert_eq!(option, i32::from(b'a'));
        // SAFETY: as above. The C library writes to the copy, unseen by the compiler.
        assert_eq!(unsafe { (original.read(), (&raw const *copy).read_volatile()) }, (1, 2));
        assert_eq!(run(&pair.deallocate.unwrap()), status::OK);
        // SAFETY: as above.
        assert_eq!(unsafe { original.read_volatile() }, 2);
    }

    #[test]
    fn damaged_arguments_are_refused() {
        let mut pair = copy_actions(&[(ExecutorAddr(8), ExecutorAddr(16), 0)]);
        for action in [pair.finalize.as_mut().unwrap(), pair.deallocate.as_mut().unwrap()] {
            action.bytes.truncate(16);
            assert_eq!(run(action), status::BAD_ARGUMENTS);
        }
    }
}
