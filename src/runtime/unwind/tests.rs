use super::super::action::tests::run;
use super::*;
use crate::base::{Action, ExecutorAddr};
use crate::sys::dl;
use crate::sys::reserve::{Protection, Reservation};
use jitlink_test_support::mutate::Random;
use std::ffi::c_void;
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicBool, Ordering};

/// A function that saves what it must, calls its argument and returns, and how to unwind it.
#[cfg(target_arch = "x86_64")]
mod code {
    /// push rbx; call rdi; pop rbx; ret
    pub(super) const CODE: [u8; 5] = [0x53, 0xff, 0xd7, 0x5b, 0xc3];
    /// Code alignment 1, data alignment -8, return address in column 16.
    pub(super) const FACTORS: [u8; 3] = [1, 0x78, 16];
    /// def_cfa rsp, 8; offset rip at cfa-8
    pub(super) const ENTRY: [u8; 5] = [0x0c, 7, 8, 0x90, 1];
    /// advance_loc 1; def_cfa_offset 16; offset rbx at cfa-16
    pub(super) const BODY: [u8; 5] = [0x41, 0x0e, 16, 0x83, 2];
}
#[cfg(target_arch = "aarch64")]
mod code {
    /// stp x29, x30, [sp, #-16]!; blr x0; ldp x29, x30, [sp], #16; ret
    pub(super) const CODE: [u8; 16] =
        [0xfd, 0x7b, 0xbf, 0xa9, 0x00, 0x00, 0x3f, 0xd6, 0xfd, 0x7b, 0xc1, 0xa8, 0xc0, 0x03, 0x5f, 0xd6];
    /// Code alignment 4, data alignment -8, return address in column 30.
    pub(super) const FACTORS: [u8; 3] = [4, 0x78, 30];
    /// def_cfa sp, 0; nop; nop
    pub(super) const ENTRY: [u8; 5] = [0x0c, 31, 0, 0, 0];
    /// advance_loc 1; def_cfa_offset 16; offset x29 at cfa-16; offset x30 at cfa-8
    pub(super) const BODY: [u8; 7] = [0x41, 0x0e, 16, 0x9d, 2, 0x9e, 1];
}

pub(super) fn record(content: &[u8]) -> Vec<u8> {
    let padding = content.len().next_multiple_of(8) - content.len() + 4;
    let length = (content.len() + padding) as u32;
    let mut record = length.to_ne_bytes().to_vec();
    record.extend_from_slice(content);
    record.resize(4 + length as usize, 0);
    record
}

pub(super) fn cie() -> Vec<u8> {
    let head: &[u8] = b"\0\0\0\0\x01zR\0";
    // Augmentation data: one byte, addresses are absolute.
    record(&[head, &code::FACTORS, &[1, 0], &code::ENTRY].concat())
}

/// An FDE at offset `at` of a section whose CIE is at its start.
pub(super) fn fde(at: usize, function: usize, size: usize) -> Vec<u8> {
    let to_cie = (at as u32 + 4).to_ne_bytes();
    record(&[&to_cie[..], &function.to_ne_bytes(), &size.to_ne_bytes(), &[0], &code::BODY].concat())
}

pub(super) fn section(function: usize, size: usize) -> Vec<u8> {
    let mut section = cie();
    let fde = fde(section.len(), function, size);
    section.extend(fde);
    section.extend([0; TERMINATOR]);
    section
}

fn range(section: &[u8]) -> AddrRange {
    AddrRange::from_size(ExecutorAddr(section.as_ptr() as u64), section.len() as u64)
}

/// A page that holds [`code::CODE`], never unmapped.
fn executable_page() -> usize {
    const SIZE: usize = 1 << 16;
    // SAFETY: a fresh mapping, written before it is made executable.
    unsafe {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let page = libc::mmap(std::ptr::null_mut(), SIZE, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0);
        assert_ne!(page, libc::MAP_FAILED);
        page.cast::<u8>().copy_from_nonoverlapping(code::CODE.as_ptr(), code::CODE.len());
        assert_eq!(libc::mprotect(page, SIZE, libc::PROT_READ | libc::PROT_EXEC), 0);
        crate::sys::icache::flush(page as u64..page as u64 + SIZE as u64);
        page as usize
    }
}

#[repr(C)]
struct Bases([*const c_void; 3]);

unsafe extern "C" {
    fn _Unwind_Find_FDE(address: *const c_void, bases: *mut Bases) -> *const c_void;
}

fn has_fde(address: usize) -> bool {
    let mut bases = Bases([std::ptr::null(); 3]);
    // SAFETY: libgcc's function, which only looks the address up.
    !unsafe { _Unwind_Find_FDE(std::ptr::with_exposed_provenance(address), &raw mut bases) }.is_null()
}

fn run_both(pair: &ActionPair) -> [ActionStatus; 2] {
    [&pair.finalize, &pair.deallocate].map(|action: &Option<Action>| run(action.as_ref().unwrap()))
}

#[test]
fn exceptions_pass_through_registered_code_until_it_is_withdrawn() {
    extern "C-unwind" fn throws() {
        std::panic::resume_unwind(Box::new(42));
    }
    let page = executable_page();
    let section = section(page, code::CODE.len());
    // SAFETY: the page holds a function of this type.
    let function: extern "C-unwind" fn(extern "C-unwind" fn()) = unsafe { std::mem::transmute(page) };
    let pair = eh_frame_actions(range(&section));
    assert!(!has_fde(page + 1));
    assert_eq!(run(pair.finalize.as_ref().unwrap()), status::OK);
    assert!(has_fde(page + 1));
    for _ in 0..2 {
        let thrown = catch_unwind(|| function(throws)).unwrap_err();
        assert_eq!(thrown.downcast_ref(), Some(&42));
    }
    assert_eq!(run(pair.deallocate.as_ref().unwrap()), status::OK);
    assert!(!has_fde(page + 1));
    // Withdrawn before any throw has made libgcc sort the records.
    assert_eq!(run_both(&pair), [status::OK; 2]);
    assert!(!has_fde(page + 1));
}

#[test]
fn a_section_without_records_is_not_registered() {
    assert_eq!(eh_frame_actions(AddrRange::default()), ActionPair::default());
    assert_eq!(eh_frame_actions(range(&[0; 4])), ActionPair::default());
    assert_eq!(run_both(&eh_frame_actions(range(&[0; 8]))), [status::OK; 2]);
}

#[test]
fn a_section_without_terminator_is_refused() {
    let mut section = section(0x1000, 0x10);
    section.truncate(section.len() - TERMINATOR);
    section.push(1);
    assert_eq!(run_both(&eh_frame_actions(range(&section))), [status::BAD_EH_FRAME; 2]);
}

#[test]
fn damaged_arguments_are_refused() {
    let mut action = eh_frame_actions(range(&section(0x1000, 0x10))).finalize.unwrap();
    action.bytes.truncate(8);
    assert_eq!(run(&action), status::BAD_ARGUMENTS);
}

#[test]
fn a_child_throws_though_another_thread_registers_while_it_is_forked() {
    const COUNT: usize = 100;
    // Enough for one in most runs to find a lock taken, if it could.
    const FORKS: usize = if cfg!(target_arch = "x86_64") { 1000 } else { 50 };
    let functions = Functions::new(COUNT);
    functions.register(0);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                (1..COUNT).for_each(|index| functions.register(index));
                (1..COUNT).for_each(|index| functions.withdraw(index));
            }
        });
        for _ in 0..FORKS {
            // SAFETY: the child throws and catches, and ends; a signal ends it if it waits for a lock.
            let child = unsafe { libc::fork() };
            if child == 0 {
                // SAFETY: as above.
                unsafe { libc::alarm(20) };
                let caught = functions.throws_through(0);
                // SAFETY: as above.
                unsafe { libc::_exit(i32::from(caught)) };
            }
            let mut status = 0;
            // SAFETY: waits for the child made above.
            unsafe { libc::waitpid(child, &raw mut status, 0) };
            if !libc::WIFEXITED(status) || libc::WEXITSTATUS(status) != 1 {
                done.store(true, Ordering::Relaxed);
                panic!("the child ended with {status:#x}");
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    functions.withdraw(0);
}

#[test]
fn this_process_has_the_unwinder_of_libgcc() {
    assert!(matches!(Unwinder::of_this_process(), Some(Unwinder::List(_) | Unwinder::Sections(_))));
}

#[test]
fn the_unwinder_of_llvm_is_told_from_that_of_libgcc() {
    // Functions of two libraries stand in for those of the unwinders.
    let [libgcc, libc] = [b"_Unwind_Resume".as_slice(), b"malloc"].map(|name| dl::lookup(name).unwrap());
    let both = |name: &[u8]| match name {
        b"__register_frame" | b"__deregister_frame" => Some(libgcc),
        _ => name.starts_with(b"__unw").then_some(libc),
    };
    let shown = |unwinder: Option<Unwinder>| match unwinder.unwrap() {
        Unwinder::Sections(functions) => ("sections", functions.register as usize as u64),
        Unwinder::Records(functions) => ("records", functions.register as usize as u64),
        Unwinder::List(_) => ("list", 0),
    };
    assert_eq!(shown(Unwinder::find_by(|_| Some(libc))), ("records", libc.0));
    assert_eq!(shown(Unwinder::find_by(both)), ("sections", libgcc.0));
    assert!(Unwinder::find_by(|_| None).is_none());
}

/// Memory that the unwinder's tables take for one area, with copies of [`code::CODE`], and a section for each.
struct Functions {
    reservation: Reservation,
    sections: Vec<Vec<u8>>,
}

impl Functions {
    const STRIDE: usize = 64;

    fn new(count: usize) -> Self {
        let size = (count * Self::STRIDE).next_multiple_of(1 << 16);
        let reservation = Reservation::anywhere(size as u64).unwrap();
        let all = reservation.range();
        reservation.protect(&all, Protection::READ_WRITE).unwrap();
        for index in 0..count {
            // SAFETY: the bytes were just made writable, and nothing else knows them.
            unsafe {
                let place = (all.start as usize + index * Self::STRIDE) as *mut u8;
                place.copy_from_nonoverlapping(code::CODE.as_ptr(), code::CODE.len());
            }
        }
        reservation.protect(&all, Protection::READ_EXECUTE).unwrap();
        crate::sys::icache::flush(all.clone());
        let start = |index| all.start as usize + index * Self::STRIDE;
        let sections = (0..count).map(|index| section(start(index), code::CODE.len())).collect();
        Self { reservation, sections }
    }

    fn register(&self, index: usize) {
        let pair = eh_frame_actions(range(&self.sections[index]));
        assert_eq!(run(pair.finalize.as_ref().unwrap()), status::OK);
    }

    fn withdraw(&self, index: usize) {
        let pair = eh_frame_actions(range(&self.sections[index]));
        assert_eq!(run(pair.deallocate.as_ref().unwrap()), status::OK);
    }

    fn address(&self, index: usize) -> usize {
        self.reservation.range().start as usize + index * Self::STRIDE
    }

    fn has_fde(&self, index: usize) -> bool {
        has_fde(self.address(index) + 1)
    }

    fn throws_through(&self, index: usize) -> bool {
        extern "C-unwind" fn throws() {
            std::panic::resume_unwind(Box::new(42));
        }
        // SAFETY: the address is that of a function of this type.
        let function: extern "C-unwind" fn(extern "C-unwind" fn()) =
            unsafe { std::mem::transmute(self.address(index)) };
        catch_unwind(|| function(throws)).unwrap_err().downcast_ref() == Some(&42)
    }
}

#[test]
fn each_of_many_images_is_unwound_until_it_is_withdrawn() {
    const COUNT: usize = 1200;
    let functions = Functions::new(COUNT);
    let mut random = Random::new(7);
    let mut present = vec![false; COUNT];
    for step in 0..4 * COUNT {
        let index = random.below(COUNT);
        if present[index] {
            functions.withdraw(index)
        } else {
            functions.register(index)
        }
        present[index] ^= true;
        assert_eq!(functions.has_fde(index), present[index], "step {step}");
        let other = random.below(COUNT);
        assert_eq!(functions.has_fde(other), present[other], "step {step}");
        if step % 16 == 0 && present[other] {
            assert!(functions.throws_through(other), "step {step}");
        }
    }
    (0..COUNT).filter(|&index| present[index]).for_each(|index| functions.withdraw(index));
    assert!((0..COUNT).all(|index| !functions.has_fde(index)));
}

#[test]
fn a_thread_throws_through_an_image_while_its_neighbours_come_and_go() {
    const COUNT: usize = 200;
    const STAYS: usize = COUNT / 2;
    let functions = Functions::new(COUNT);
    functions.register(STAYS);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let thrower = scope.spawn(|| {
            let mut count = 0;
            while !done.load(Ordering::Relaxed) || count == 0 {
                assert!(functions.throws_through(STAYS));
                count += 1;
            }
        });
        let mut random = Random::new(11);
        let mut present = [false; COUNT];
        for _ in 0..4000 {
            let index = random.below(COUNT);
            if index != STAYS {
                if present[index] {
                    functions.withdraw(index)
                } else {
                    functions.register(index)
                }
                present[index] ^= true;
            }
        }
        done.store(true, Ordering::Relaxed);
        thrower.join().unwrap();
        (0..COUNT).filter(|&index| present[index]).for_each(|index| functions.withdraw(index));
    });
    functions.withdraw(STAYS);
}

#[test]
fn single_records_are_registered_all_or_none() {
    use std::cell::Cell;
    thread_local! {
        static CALLS: Cell<usize> = const { Cell::new(0) };
    }
    unsafe extern "C" fn count(_: *const c_void) {
        CALLS.set(CALLS.get() + 1);
    }
    let mut two = [section(0x1000, 8), section(0x2000, 8)].concat();
    let first_terminator = section(0x1000, 8).len() - TERMINATOR;
    two.drain(first_terminator..first_terminator + TERMINATOR);
    assert_eq!(host::call_for_each(count, &two), status::OK);
    assert_eq!(CALLS.take(), 2);
    two.truncate(two.len() - TERMINATOR - 1);
    assert_eq!(host::call_for_each(count, &two), status::BAD_EH_FRAME);
    assert_eq!(CALLS.take(), 0);
}
