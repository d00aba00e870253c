//! Blocks are made, kept apart, and freed; the functions that linked code calls keep what they must.

use super::super::action::tests::run;
use super::super::exit_handlers::register_at_thread_exit;
use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, mpsc};

fn template(bytes: &'static [u8], zero_fill_size: u64, alignment: u64) -> Template {
    let address = ExecutorAddr(bytes.as_ptr().expose_provenance() as u64);
    Template { address, content_size: bytes.len() as u64, zero_fill_size, alignment }
}

fn registered(template: Template) -> Module {
    // SAFETY: the bytes are static.
    unsafe { register(template) }.unwrap()
}

fn block<'a>(module: Module, size: usize) -> &'a mut [u8] {
    // SAFETY: the calling thread's block is that large; each test has modules of its own.
    unsafe { std::slice::from_raw_parts_mut(address_of(module.number()), size) }
}

#[test]
fn each_thread_has_a_copy_of_its_own() {
    let module = registered(template(b"initial", 9, 16));
    block(module, 16)[0] = b'I';
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                assert_eq!(block(module, 16), b"initial\0\0\0\0\0\0\0\0\0");
                block(module, 16)[15] = 1;
                assert_eq!(block(module, 16)[15], 1);
            });
        }
    });
    assert_eq!(block(module, 16), b"Initial\0\0\0\0\0\0\0\0\0");
    unregister(module);
}

#[test]
fn blocks_are_aligned_and_large() {
    for (size, alignment) in [(1, 1), (1 << 20, 64), (3 << 20, 1 << 12), (100, 1 << 16), (8, 1 << 21)] {
        let module = registered(template(b"x", size, alignment));
        let bytes = block(module, size as usize + 1);
        assert_eq!(bytes.as_ptr().addr() as u64 % alignment, 0);
        assert!(bytes[0] == b'x' && bytes[1..].iter().all(|&byte| byte == 0));
        unregister(module);
    }
}

#[test]
fn numbers_are_used_again_and_old_ones_are_known() {
    let first = registered(template(b"1", 0, 1));
    assert_eq!(block(first, 1), b"1");
    unregister(first);
    let mut seen = Vec::new();
    let second = loop {
        let module = registered(template(b"2", 0, 1));
        seen.push(module);
        if module.number() == first.number() || seen.len() > 1000 {
            break module;
        }
    };
    assert_eq!(block(second, 1), b"2");
    unregister(first);
    assert_eq!(block(second, 1), b"2");
    seen.into_iter().for_each(unregister);
    assert!(address_of(u32::MAX - 1).is_null());
}

#[test]
fn templates_that_make_no_sense_are_refused() {
    for wrong in
        [template(b"", 8, 3), template(b"", 8, 0), template(b"", 3 << 30, 1), template(b"ab", u64::MAX, 1)]
    {
        // SAFETY: nothing is read.
        let error = unsafe { register(wrong) }.unwrap_err().to_string();
        assert!(error.contains("cannot be laid out"), "{error}");
    }
}

#[test]
fn actions_register_once_and_withdraw() {
    let reservation = Reservation::new().unwrap();
    let module = reservation.module();
    let pair = template_actions(module, template(b"ab", 0, 2));
    assert!(address_of(module.number()).is_null());
    assert_eq!(run(pair.finalize.as_ref().unwrap()), status::OK);
    assert_eq!(block(module, 2), b"ab");
    assert_eq!(run(pair.finalize.as_ref().unwrap()), status::BAD_TEMPLATE);
    assert_eq!(run(pair.deallocate.as_ref().unwrap()), status::OK);
    // What was withdrawn is nobody's to give back.
    drop(reservation);
    assert_eq!(run(pair.finalize.as_ref().unwrap()), status::BAD_TEMPLATE);
    let mut damaged = pair;
    for action in [damaged.finalize.as_mut().unwrap(), damaged.deallocate.as_mut().unwrap()] {
        action.bytes.truncate(8);
        assert_eq!(run(action), status::BAD_ARGUMENTS);
    }
}

static SEEN_AT_EXIT: AtomicUsize = AtomicUsize::new(0);

unsafe extern "C" fn note(data: *mut std::ffi::c_void) {
    let number = data.addr() as u32 - 1;
    // SAFETY: the block is one byte.
    let value = unsafe { *address_of(number) };
    SEEN_AT_EXIT.fetch_add(usize::from(value), Ordering::Relaxed);
}

unsafe extern "C-unwind" fn note_at_exit(data: *mut std::ffi::c_void) {
    // SAFETY: it takes the same.
    unsafe { note(data) };
}

#[test]
fn blocks_outlive_destructors_at_thread_exit() {
    let module = registered(template(b"\x07", 0, 1));
    let mut key = 0;
    // SAFETY: writes one key.
    assert_eq!(unsafe { libc::pthread_key_create(&raw mut key, Some(note)) }, 0);
    std::thread::spawn(move || {
        block(module, 1)[0] = 50;
        let data = std::ptr::without_provenance_mut(module.number() as usize + 1);
        // SAFETY: the destructors get what they take for a module number.
        unsafe {
            libc::pthread_setspecific(key, data);
            register_at_thread_exit(note_at_exit, data, std::ptr::null_mut());
        }
    })
    .join()
    .unwrap();
    assert_eq!(SEEN_AT_EXIT.load(Ordering::Relaxed), 100);
    unregister(module);
}

/// The words that a descriptor consists of.
fn descriptor(module: Module, offset: u32) -> [u64; 2] {
    [descriptor_function().0, descriptor_argument(module.number(), offset)]
}

/// Calls the resolver with every register that it must keep set to something, and says whether it kept them.
#[cfg(target_arch = "x86_64")]
fn resolve_and_compare(descriptor: &[u64; 2]) -> (usize, bool) {
    let mut result = descriptor.as_ptr().expose_provenance();
    let (mut general, mut vector) = ([1u64, 2, 3, 4, 5, 6, 7, 8], [0f64; 16]);
    let given: [f64; 16] = std::array::from_fn(|index| index as f64 + 0.5);
    vector.copy_from_slice(&given);
    // SAFETY: calls the resolver as compilers do, and names everything that may change.
    unsafe {
        std::arch::asm!(
            "call qword ptr [rax]",
            inout("rax") result,
            inout("rcx") general[0], inout("rdx") general[1], inout("rsi") general[2], inout("rdi") general[3],
            inout("r8") general[4], inout("r9") general[5], inout("r10") general[6], inout("r11") general[7],
            inout("xmm0") vector[0], inout("xmm1") vector[1], inout("xmm2") vector[2], inout("xmm3") vector[3],
            inout("xmm4") vector[4], inout("xmm5") vector[5], inout("xmm6") vector[6], inout("xmm7") vector[7],
            inout("xmm8") vector[8], inout("xmm9") vector[9], inout("xmm10") vector[10],
            inout("xmm11") vector[11], inout("xmm12") vector[12], inout("xmm13") vector[13],
            inout("xmm14") vector[14], inout("xmm15") vector[15],
        );
    }
    (result, general == [1, 2, 3, 4, 5, 6, 7, 8] && vector == given)
}

#[cfg(target_arch = "aarch64")]
fn resolve_and_compare(descriptor: &[u64; 2]) -> (usize, bool) {
    let mut result = descriptor.as_ptr().expose_provenance();
    let mut general: [u64; 17] = std::array::from_fn(|index| index as u64 + 1);
    let given: [f64; 16] = std::array::from_fn(|index| index as f64 + 0.5);
    let mut vector = given;
    let before = general;
    general[0] = descriptor[0];
    // SAFETY: calls the resolver as compilers do, and names everything that may change.
    unsafe {
        std::arch::asm!(
            "blr x1",
            inout("x0") result,
            inout("x1") general[0], inout("x2") general[1], inout("x3") general[2], inout("x4") general[3],
            inout("x5") general[4], inout("x6") general[5], inout("x7") general[6], inout("x8") general[7],
            inout("x9") general[8], inout("x10") general[9], inout("x11") general[10], inout("x12") general[11],
            inout("x13") general[12], inout("x14") general[13], inout("x15") general[14], inout("x16") general[15],
            inout("x17") general[16], out("x30") _,
            inout("v0") vector[0], inout("v1") vector[1], inout("v2") vector[2], inout("v3") vector[3],
            inout("v4") vector[4], inout("v5") vector[5], inout("v6") vector[6], inout("v7") vector[7],
            inout("v16") vector[8], inout("v17") vector[9], inout("v18") vector[10], inout("v19") vector[11],
            inout("v20") vector[12], inout("v21") vector[13], inout("v30") vector[14], inout("v31") vector[15],
        );
    }
    let kept = general[0] == descriptor[0] && general[1..] == before[1..];
    (result, kept && vector == given)
}

#[test]
fn descriptors_lead_to_the_variable_and_keep_registers() {
    let module = registered(template(b"abcd", 1 << 16, 64));
    let descriptor = descriptor(module, 3);
    for _ in 0..2 {
        std::thread::spawn(move || {
            // Makes the block, and then finds it.
            for _ in 0..2 {
                let (offset, kept) = resolve_and_compare(&descriptor);
                let expected = address_of(module.number()).addr() + 3;
                assert_eq!(arch::thread_pointer().wrapping_add(offset), expected);
                assert!(kept);
            }
        })
        .join()
        .unwrap();
    }
    unregister(module);
    let absent = [absent_descriptor_function().0, 5];
    let (offset, kept) = resolve_and_compare(&absent);
    assert_eq!((arch::thread_pointer().wrapping_add(offset), kept), (5, true));
}

#[test]
fn tls_get_addr_knows_own_modules_and_the_loaders() {
    let module = registered(template(b"abcd", 0, 4));
    let pair = [module_word(module.number()), 2];
    for _ in 0..2 {
        // SAFETY: a module of this test.
        let address = unsafe { arch::tls_get_addr(&raw const pair) };
        assert_eq!(address.addr(), address_of(module.number()).addr() + 2);
    }
    unregister(module);
    // The first module of the dynamic loader's is the program, or the first library with thread-locals.
    let pair = [1, 0];
    // SAFETY: it exists, since this library has some.
    let address = unsafe { arch::tls_get_addr(&raw const pair) };
    assert!(!address.is_null());
}

#[test]
fn threads_come_and_go_while_modules_do() {
    const THREADS: usize = 16;
    let (barrier, stay) = (Barrier::new(THREADS + 1), registered(template(b"stay", 60, 64)));
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let barrier = &barrier;
            scope.spawn(move || {
                barrier.wait();
                for round in 0..200u8 {
                    let own = registered(template(b"own", 0, 8));
                    assert_eq!(block(own, 3), b"own");
                    block(own, 3)[0] = round;
                    let kept = &mut block(stay, 64)[4..];
                    assert_eq!(kept[0], round);
                    kept[0] = round + 1;
                    kept[1] = thread as u8;
                    let (sender, receiver) = mpsc::channel();
                    std::thread::spawn(move || {
                        sender.send((block(own, 3)[0], block(stay, 64)[5])).unwrap();
                    })
                    .join()
                    .unwrap();
                    assert_eq!(receiver.recv().unwrap(), (b'o', 0));
                    assert_eq!((block(own, 3)[0], block(stay, 64)[5]), (round, thread as u8));
                    unregister(own);
                }
            });
        }
        barrier.wait();
    });
    unregister(stay);
}
