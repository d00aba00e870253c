//! The images in this process: which addresses belong to which `__dso_handle`.
//!
//! The C library ties exit and fork handlers to the image that registers them by that image's `__dso_handle`. A
//! function of the host that registers them on behalf of linked code learns here whose they are.
//!
//! No lock is held when the functions here return, and no linked code runs while one is held. A child that is forked
//! while another thread links may find the lock taken for ever; such a child may only `exec`, as POSIX has it.

use super::action::{action, arguments, status};
use super::exit_handlers;
use crate::base::{ActionPair, ActionStatus, AddrRange, ExecutorAddr};
use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

struct Image {
    end: u64,
    dso_handle: ExecutorAddr,
}

/// By first address; ranges do not overlap.
static IMAGES: RwLock<BTreeMap<u64, Image>> = RwLock::new(BTreeMap::new());

/// Enters `range` as part of the image whose `__dso_handle` is at `dso_handle`, and removes it at deallocation, with what
/// is still registered to be called of the image.
///
/// An image may have any number of ranges; those that hold code are enough. The actions return
/// [`status::BAD_IMAGE`] for a range that is empty or overlaps another, [`status::UNKNOWN_IMAGE`] when there is
/// nothing to remove.
#[must_use]
pub fn image_actions(range: AddrRange, dso_handle: ExecutorAddr) -> ActionPair {
    ActionPair {
        finalize: Some(action(register_image, [range.start.0, range.end.0, dso_handle.0])),
        deallocate: Some(action(withdraw_image, [range.start.0])),
    }
}

/// The `__dso_handle` of the image that holds `address`.
#[must_use]
pub fn dso_handle_of(address: ExecutorAddr) -> Option<ExecutorAddr> {
    let images = IMAGES.read().unwrap_or_else(PoisonError::into_inner);
    let (_, image) = images.range(..=address.0).next_back()?;
    (address.0 < image.end).then_some(image.dso_handle)
}

fn register(start: u64, end: u64, dso_handle: ExecutorAddr) -> ActionStatus {
    let mut images = IMAGES.write().unwrap_or_else(PoisonError::into_inner);
    let overlaps = images.range(..end).next_back().is_some_and(|(_, before)| before.end > start);
    if start >= end || overlaps {
        return status::BAD_IMAGE;
    }
    images.insert(start, Image { end, dso_handle });
    status::OK
}

fn withdraw(start: u64) -> ActionStatus {
    let image = IMAGES.write().unwrap_or_else(PoisonError::into_inner).remove(&start);
    let Some(image) = image else { return status::UNKNOWN_IMAGE };
    exit_handlers::forget(image.dso_handle);
    status::OK
}

#[allow(unsafe_code)]
unsafe extern "C" fn register_image(bytes: *const u8, size: usize) -> ActionStatus {
    // SAFETY: called with the bytes of an action of `image_actions`.
    match unsafe { arguments(bytes, size) } {
        Some([start, end, dso_handle]) => register(start, end, ExecutorAddr(dso_handle)),
        None => status::BAD_ARGUMENTS,
    }
}

#[allow(unsafe_code)]
unsafe extern "C" fn withdraw_image(bytes: *const u8, size: usize) -> ActionStatus {
    // SAFETY: called with the bytes of an action of `image_actions`.
    match unsafe { arguments(bytes, size) } {
        Some([start]) => withdraw(start),
        None => status::BAD_ARGUMENTS,
    }
}

#[cfg(test)]
mod tests {
    use super::super::action::tests::run;
    use super::*;

    // Addresses that no test running at the same time uses: the registry is the process's.
    const BASE: u64 = 0x7000_0000_0000_0000;

    fn pair(start: u64, end: u64, handle: u64) -> ActionPair {
        let range = AddrRange { start: ExecutorAddr(BASE + start), end: ExecutorAddr(BASE + end) };
        image_actions(range, ExecutorAddr(handle))
    }

    fn finalize(pair: &ActionPair) -> ActionStatus {
        run(pair.finalize.as_ref().unwrap())
    }

    fn deallocate(pair: &ActionPair) -> ActionStatus {
        run(pair.deallocate.as_ref().unwrap())
    }

    fn owner(address: u64) -> Option<u64> {
        dso_handle_of(ExecutorAddr(BASE + address)).map(|handle| handle.0)
    }

    #[test]
    fn addresses_belong_to_the_image_that_holds_them() {
        let (low, high) = (pair(0x1000, 0x2000, 1), pair(0x3000, 0x4000, 2));
        assert_eq!((finalize(&high), finalize(&low)), (status::OK, status::OK));
        assert_eq!(
            [0xfff, 0x1000, 0x1fff, 0x2000, 0x3000, 0x4000].map(owner),
            [None, Some(1), Some(1), None, Some(2), None]
        );
        for overlapping in [(0x1fff, 0x2001), (0x800, 0x1001), (0x1000, 0x2000), (0x0, 0x9000), (0x50, 0x50)]
        {
            assert_eq!(
                finalize(&pair(overlapping.0, overlapping.1, 3)),
                status::BAD_IMAGE,
                "{overlapping:x?}"
            );
        }
        let between = pair(0x2000, 0x3000, 4);
        assert_eq!(finalize(&between), status::OK);
        assert_eq!(owner(0x2fff), Some(4));
        for image in [&between, &low, &high] {
            assert_eq!(deallocate(image), status::OK);
            assert_eq!(deallocate(image), status::UNKNOWN_IMAGE);
        }
        assert_eq!(owner(0x1000), None);
    }
}
