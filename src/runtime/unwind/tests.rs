use super::super::action::tests::run;
use super::*;
use crate::base::Action;
use std::panic::catch_unwind;

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

fn record(content: &[u8]) -> Vec<u8> {
    let padding = content.len().next_multiple_of(8) - content.len() + 4;
    let length = (content.len() + padding) as u32;
    let mut record = length.to_ne_bytes().to_vec();
    record.extend_from_slice(content);
    record.resize(4 + length as usize, 0);
    record
}

fn cie() -> Vec<u8> {
    let head: &[u8] = b"\0\0\0\0\x01zR\0";
    // Augmentation data: one byte, addresses are absolute.
    record(&[head, &code::FACTORS, &[1, 0], &code::ENTRY].concat())
}

/// An FDE at offset `at` of a section whose CIE is at its start.
fn fde(at: usize, function: usize, size: usize) -> Vec<u8> {
    let to_cie = (at as u32 + 4).to_ne_bytes();
    record(&[&to_cie[..], &function.to_ne_bytes(), &size.to_ne_bytes(), &[0], &code::BODY].concat())
}

fn section(function: usize, size: usize) -> Vec<u8> {
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
fn this_process_has_the_unwinder_of_libgcc() {
    assert_eq!(Unwinder::of_this_process().unwrap().unit, Unit::Section);
}

#[test]
fn the_unwinder_of_llvm_is_told_from_that_of_libgcc() {
    // Functions of two libraries stand in for those of the unwinders.
    let [libgcc, libc] = [b"_Unwind_Resume".as_slice(), b"malloc"].map(|name| dl::lookup(name).unwrap());
    let by_record = |name: &[u8]| {
        let section_functions = name.ends_with(b"eh_frame_section");
        (!section_functions).then_some(libc)
    };
    let both = |name: &[u8]| Some(if name.starts_with(b"__unw") { libc } else { libgcc });
    let found = |unwinder: Option<Unwinder>| {
        let Unwinder { register, unit, .. } = unwinder.unwrap();
        (ExecutorAddr(register as usize as u64), unit)
    };
    assert_eq!(found(Unwinder::find_by(|_| Some(libc))), (libc, Unit::Section));
    assert_eq!(found(Unwinder::find_by(by_record)), (libc, Unit::Record));
    assert_eq!(found(Unwinder::find_by(both)), (libgcc, Unit::Section));
    assert!(Unwinder::find_by(|_| None).is_none());
}

fn lengths(section: &[u8]) -> Vec<Result<usize, CutShort>> {
    fdes(section).map(|fde| fde.map(<[u8]>::len)).collect()
}

#[test]
fn fdes_are_found_between_cies() {
    let (first, second) = (fde(cie().len(), 0x1000, 8), fde(cie().len() * 2, 0x2000, 8));
    let extended = [&u32::MAX.to_ne_bytes()[..], &8_u64.to_ne_bytes(), &[1; 8]].concat();
    let section = [&cie(), &first, &cie(), &second, &extended, &[0; TERMINATOR][..], &first].concat();
    assert_eq!(lengths(&section), [Ok(first.len()), Ok(second.len()), Ok(20)]);
}

#[test]
fn records_that_run_past_the_section_are_faults() {
    let whole = section(0x1000, 0x10);
    for size in 0..whole.len() {
        let cut = lengths(&whole[..size]);
        assert_eq!(cut.last(), Some(&Err(CutShort)), "{size} bytes");
    }
    let huge = [&u32::MAX.to_ne_bytes()[..], &u64::MAX.to_ne_bytes(), &[1; 8]].concat();
    assert_eq!(lengths(&huge), [Err(CutShort)]);
    let no_id = [&3_u32.to_ne_bytes()[..], &[1; 3]].concat();
    assert_eq!(lengths(&no_id), [Err(CutShort)]);
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
    let unwinder = Unwinder { register: count, deregister: count, unit: Unit::Record };
    let mut two = [section(0x1000, 8), section(0x2000, 8)].concat();
    let first_terminator = section(0x1000, 8).len() - TERMINATOR;
    two.drain(first_terminator..first_terminator + TERMINATOR);
    assert_eq!(unwinder.apply(count, &two), status::OK);
    assert_eq!(CALLS.take(), 2);
    two.truncate(two.len() - TERMINATOR - 1);
    assert_eq!(unwinder.apply(count, &two), status::BAD_EH_FRAME);
    assert_eq!(CALLS.take(), 0);
}
