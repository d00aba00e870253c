//! Ranges of the pool hold what images' variables start with, in every thread.

use super::super::super::action::tests::run;
use super::*;
use std::sync::mpsc;

fn template(bytes: &'static [u8], zero_fill_size: u64) -> Template {
    let address = ExecutorAddr(bytes.as_ptr().expose_provenance() as u64);
    Template { address, content_size: bytes.len() as u64, zero_fill_size, alignment: 1 }
}

/// The calling thread's bytes at an offset from the thread pointer.
fn bytes(thread_offset: i64, size: usize) -> Vec<u8> {
    let address = address_of(thread_offset as usize);
    // SAFETY: a range of the pool.
    unsafe { std::slice::from_raw_parts(std::ptr::with_exposed_provenance(address as usize), size) }.to_vec()
}

fn done(action: Option<crate::base::Action>) {
    assert_eq!(run(&action.unwrap()), status::OK);
}

#[test]
fn threads_made_before_and_after_have_the_contents() {
    let (sender, receiver) = mpsc::channel::<i64>();
    let before = std::thread::spawn(move || {
        let offset = receiver.recv().unwrap();
        enter_thread();
        bytes(offset, 8)
    });
    let reservation = PoolReservation::new(8, 8).unwrap();
    let offset = reservation.thread_offset();
    assert_eq!(address_of(offset as usize) % 8, 0);
    let pair = reservation.actions(template(b"hello", 3));
    done(pair.finalize);
    reservation.keep();
    assert_eq!(bytes(offset, 8), b"hello\0\0\0");
    sender.send(offset).unwrap();
    assert_eq!(before.join().unwrap(), b"hello\0\0\0");
    let after = std::thread::spawn(move || bytes(offset, 8));
    assert_eq!(after.join().unwrap(), b"hello\0\0\0");
    done(pair.deallocate);
}

#[test]
fn the_loaders_own_function_finds_the_pool() {
    let reservation = PoolReservation::new(16, 16).unwrap();
    let (module, offset) = reservation.in_module();
    let pair = [module, offset];
    // SAFETY: a variable of this library.
    let address = unsafe { arch::tls_get_addr(&raw const pair) };
    assert_eq!(address.addr() as u64, address_of(reservation.thread_offset() as usize));
}

#[test]
fn ranges_are_used_again_with_new_contents() {
    let whole = || Vec::from_iter(std::iter::once(8..100));
    let mut state = State { free: whole(), taken: Vec::new(), next_token: 0 };
    let ranges: Vec<_> = [(10, 1), (16, 16), (1, 1), (0, 1)]
        .map(|(size, alignment)| state.take(size, alignment).unwrap())
        .to_vec();
    assert_eq!(ranges, [8..18, 32..48, 18..19, 19..20]);
    for (token, range) in (0..).zip(ranges) {
        state.taken.push(Taken { token, range, contents: None });
    }
    assert_eq!((state.take(53, 1), state.take(1, 3), state.take(1, 2 * POOL_ALIGNMENT)), (None, None, None));
    for token in [1, 3, 0, 2, 2] {
        state.give_back(token);
    }
    assert_eq!(state.free, whole());
}

#[test]
fn what_does_not_fit_is_refused() {
    for (size, alignment) in [(POOL_SIZE, 1), (u64::MAX, 1), (8, 2 * POOL_ALIGNMENT)] {
        let error = PoolReservation::new(size, alignment).unwrap_err().to_string();
        assert!(error.contains("no room for"), "{error}");
    }
    let reservation = PoolReservation::new(4, 4).unwrap();
    let pair = reservation.actions(template(b"hello", 0));
    assert_eq!(run(&pair.finalize.unwrap()), status::BAD_TEMPLATE);
}
