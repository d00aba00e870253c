//! Indirect functions: calling resolvers and storing what they choose.
//!
//! # Safety
//!
//! Runs linked code, and writes to linked memory: the slots must be writable and the resolvers executable when the
//! action runs. The link driver orders it after permissions of code are set, and before RELRO is protected.
#![allow(unsafe_code)]

use super::action::{action, status, words};
use super::arch;
use crate::base::{Action, ActionStatus, ExecutorAddr};

/// Calls the resolver of each `(slot, resolver)` pair in order, as the C library of the host would, and stores the
/// address it returns to the 8-byte slot.
///
/// On x86-64 a resolver gets no argument; on AArch64 the hardware capabilities and a pointer to more of them. The
/// action returns [`status::BAD_ARGUMENTS`] when its bytes are damaged; resolvers have no way to fail.
#[must_use]
pub fn resolve_slots_action(pairs: &[(ExecutorAddr, ExecutorAddr)]) -> Action {
    action(resolve_slots, pairs.iter().flat_map(|(slot, resolver)| [slot.0, resolver.0]))
}

unsafe extern "C" fn resolve_slots(bytes: *const u8, size: usize) -> ActionStatus {
    // SAFETY: called with the bytes of an action of `resolve_slots_action`.
    let Some(mut words) = (unsafe { words(bytes, size) }) else {
        return status::BAD_ARGUMENTS;
    };
    if words.len() % 2 != 0 {
        return status::BAD_ARGUMENTS;
    }
    while let (Some(slot), Some(resolver)) = (words.next(), words.next()) {
        // SAFETY: the link driver gives addresses of resolvers, in memory that is executable by now.
        let function = unsafe { arch::call_ifunc_resolver(resolver as usize) };
        let slot = std::ptr::with_exposed_provenance_mut::<usize>(slot as usize);
        // SAFETY: the link driver gives slots of eight bytes in memory that is still writable.
        unsafe { slot.write_unaligned(function) };
    }
    status::OK
}

#[cfg(test)]
mod tests {
    use super::super::action::tests::run;
    use super::*;

    extern "C" fn choose_one() -> usize {
        0x1111
    }

    #[cfg(target_arch = "x86_64")]
    extern "C" fn choose_by_arguments() -> usize {
        0x2222
    }

    #[cfg(target_arch = "aarch64")]
    extern "C" fn choose_by_arguments(hwcap: u64, more: *const u64) -> usize {
        // SAFETY: the second argument points to at least three words.
        let more = unsafe { std::slice::from_raw_parts(more, 3) };
        // SAFETY: getauxval only reads.
        let expected = unsafe { libc::getauxval(libc::AT_HWCAP) };
        let right = hwcap == expected | 1 << 62 && more[0] >= 24 && more[1] == expected;
        if right { 0x2222 } else { 0 }
    }

    fn address(function: *const ()) -> ExecutorAddr {
        ExecutorAddr(function as u64)
    }

    #[test]
    fn resolvers_fill_their_slots() {
        let mut slots = [7_usize, 7, 7];
        let slot = |index: usize, slots: &mut [usize; 3]| ExecutorAddr((&raw mut slots[index]) as u64);
        let pairs = [
            (slot(0, &mut slots), address(choose_one as *const ())),
            (slot(2, &mut slots), address(choose_by_arguments as *const ())),
        ];
        assert_eq!(run(&resolve_slots_action(&pairs)), status::OK);
        assert_eq!(slots, [0x1111, 7, 0x2222]);
    }

    #[test]
    fn half_a_pair_is_refused() {
        let mut action = resolve_slots_action(&[(ExecutorAddr(8), ExecutorAddr(16))]);
        action.bytes.truncate(8);
        assert_eq!(run(&action), status::BAD_ARGUMENTS);
    }

    #[test]
    fn nothing_to_resolve_is_no_fault() {
        assert_eq!(run(&resolve_slots_action(&[])), status::OK);
    }
}
