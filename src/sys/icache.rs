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
#[cfg(target_arch = "aarch64")]
pub(crate) fn flush(range: Range<u64>) {
    use std::arch::asm;
    if range.is_empty() {
        return;
    }
    let cache_type: u64;
    // SAFETY: reads the cache type register, which Linux lets user code read.
    unsafe { asm!("mrs {}, ctr_el0", out(reg) cache_type, options(nomem, nostack)) };
    let data_line = 4u64 << ((cache_type >> 16) & 15);
    let instruction_line = 4u64 << (cache_type & 15);
    for line in lines(&range, data_line) {
        // SAFETY: cleans one line of mapped, readable memory; no value changes.
        unsafe { asm!("dc cvau, {}", in(reg) line, options(nostack)) };
    }
    // SAFETY: a barrier.
    unsafe { asm!("dsb ish", options(nostack)) };
    for line in lines(&range, instruction_line) {
        // SAFETY: invalidates one line of the instruction cache; it is fetched again when needed.
        unsafe { asm!("ic ivau, {}", in(reg) line, options(nostack)) };
    }
    // SAFETY: barriers.
    unsafe { asm!("dsb ish", "isb", options(nostack)) };
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
