//! Making written instructions visible to instruction fetch.
//!
//! # Safety
//! The cache maintenance instructions of AArch64 read nothing and write nothing that a program can observe other than
//! through instruction fetch; the addresses they get are mapped readable, as the callers own them.
#![allow(unsafe_code)]

use std::ops::Range;

/// Makes what was written to `range` (executor addresses in this process, readable) the instructions that are fetched
/// there, on all cores. On x86-64 the hardware sees to that.
#[cfg(target_arch = "x86_64")]
pub(crate) fn flush(_range: Range<u64>) {}

/// Makes what was written to `range` (executor addresses in this process, readable) the instructions that are fetched
/// there, on all cores. Caches are physically tagged to the point of unification, so writes through another view of the
/// same memory are covered.
///
/// What has to be done for that the cache type register tells (Arm Architecture Reference Manual, `CTR_EL0`): where it
/// says so, data need not be cleaned (IDC), nor instructions invalidated (DIC).
#[cfg(target_arch = "aarch64")]
pub(crate) fn flush(range: Range<u64>) {
    use std::arch::asm;
    if range.is_empty() {
        return;
    }
    let cache_type: u64;
    // SAFETY: reads the cache type register, which Linux lets user code read.
    unsafe { asm!("mrs {}, ctr_el0", out(reg) cache_type, options(nomem, nostack)) };
    let has = |bit: u32| cache_type >> bit & 1 != 0;
    let (data_is_clean, instructions_follow) = (has(28), has(29));
    let data_line = 4u64 << ((cache_type >> 16) & 15);
    let instruction_line = 4u64 << (cache_type & 15);
    if !data_is_clean {
        for line in lines(&range, data_line) {
            // SAFETY: cleans one line of mapped, readable memory; no value changes.
            unsafe { asm!("dc cvau, {}", in(reg) line, options(nostack)) };
        }
    }
    // SAFETY: a barrier.
    unsafe { asm!("dsb ish", options(nostack)) };
    if !instructions_follow {
        for line in lines(&range, instruction_line) {
            // SAFETY: invalidates one line of the instruction cache; it is fetched again when needed.
            unsafe { asm!("ic ivau, {}", in(reg) line, options(nostack)) };
        }
        // SAFETY: a barrier.
        unsafe { asm!("dsb ish", options(nostack)) };
    }
    // SAFETY: makes this core fetch anew.
    unsafe { asm!("isb", options(nostack)) };
    synchronize_other_cores();
}

#[cfg(target_arch = "aarch64")]
fn lines(range: &Range<u64>, line: u64) -> impl Iterator<Item = u64> + use<> {
    (range.start & !(line - 1)..range.end).step_by(line as usize)
}

/// Other cores may have fetched what used to be at the address: each has to pass a context synchronization event.
/// Kernels that cannot arrange it (before 4.16) interrupt the cores anyway when the page's protection changes.
#[cfg(target_arch = "aarch64")]
fn synchronize_other_cores() {
    use std::sync::OnceLock;
    const SYNC_CORE: libc::c_long = 1 << 5;
    const REGISTER_SYNC_CORE: libc::c_long = 1 << 6;
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    // SAFETY: membarrier takes two integers and touches no memory.
    let membarrier = |command: libc::c_long| unsafe {
        libc::syscall(libc::SYS_membarrier, command, 0 as libc::c_long, 0 as libc::c_long)
    };
    if *REGISTERED.get_or_init(|| membarrier(REGISTER_SYNC_CORE) == 0) {
        membarrier(SYNC_CORE);
    }
}

#[cfg(test)]
mod tests {
    use super::flush;
    use crate::sys::page;
    use crate::sys::reserve::{Protection, Reservation};
    use std::sync::Barrier;

    /// Code that returns `number`.
    fn code(number: u16) -> Vec<u8> {
        let number = u32::from(number);
        if cfg!(target_arch = "aarch64") {
            // mov w0, #number; ret
            [0x5280_0000 | number << 5, 0xd65f_03c0]
                .iter()
                .flat_map(|word: &u32| word.to_le_bytes())
                .collect()
        } else {
            // mov eax, number; ret
            [&[0xb8][..], &number.to_le_bytes(), &[0xc3]].concat()
        }
    }

    /// Several copies of the code, a cache line or more apart, the last of them at the end of the range.
    fn places(range: &std::ops::Range<u64>) -> [u64; 4] {
        [range.start, range.start + 64, range.start + 1000, range.end - 8]
    }

    #[test]
    fn every_thread_runs_what_was_written_last() {
        const ROUNDS: u16 = 100;
        let memory = Reservation::anywhere(page::size()).unwrap();
        let range = memory.range();
        let (written, run) = (Barrier::new(4), Barrier::new(4));
        let call = |place: u64| {
            // SAFETY: the writer below has put a function of this type there and made it executable.
            unsafe { std::mem::transmute::<*const (), extern "C" fn() -> u32>(place as *const ())() }
        };
        std::thread::scope(|scope| {
            for _ in 1..4 {
                scope.spawn(|| {
                    for round in 0..ROUNDS {
                        written.wait();
                        assert_eq!(places(&range).map(call), [u32::from(round); 4]);
                        run.wait();
                    }
                });
            }
            for round in 0..ROUNDS {
                memory.protect(&range, Protection::READ_WRITE).unwrap();
                for place in places(&range) {
                    let bytes = code(round);
                    // SAFETY: the range is writable, and nobody runs it now.
                    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), place as *mut u8, bytes.len()) };
                }
                memory.protect(&range, Protection::READ_EXECUTE).unwrap();
                flush(range.clone());
                written.wait();
                assert_eq!(places(&range).map(call), [u32::from(round); 4]);
                run.wait();
            }
        });
    }

    #[test]
    fn nothing_is_nothing_to_do() {
        flush(0..0);
    }
}
