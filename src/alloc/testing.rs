//! What the tests of this module share.
#![allow(unsafe_code)]

use super::{FinalizeRequest, LayoutRequest, MemoryManager, Placement, SegmentPlacement, SegmentRequest};
use crate::base::{Action, ActionPair, ActionStatus, ExecutorAddr};
use crate::graph::{Lifetime, Permissions};
use smallvec::SmallVec;
use std::sync::Mutex;

/// Code that returns 42.
#[cfg(target_arch = "x86_64")]
pub(super) const RETURN_42: &[u8] = &[
    0xb8, 42, 0, 0, 0,    // mov eax, 42
    0xc3, // ret
];

/// Code that returns 42.
#[cfg(target_arch = "aarch64")]
pub(super) const RETURN_42: &[u8] = &[
    0x40, 0x05, 0x80, 0x52, // mov w0, #42
    0xc0, 0x03, 0x5f, 0xd6, // ret
];

pub(super) const CODE: Permissions = Permissions::READ.union(Permissions::EXECUTE);
pub(super) const DATA: Permissions = Permissions::READ.union(Permissions::WRITE);

/// A near segment of standard lifetime, aligned to 16 bytes, that is all contents.
pub(super) fn segment(permissions: Permissions, content_size: u64) -> SegmentRequest<'static> {
    SegmentRequest {
        name: "segment",
        permissions,
        lifetime: Lifetime::Standard,
        relro: false,
        placement: Placement::Near,
        alignment: 16,
        content_size,
        zero_fill_size: 0,
    }
}

pub(super) fn request<'a>(segments: &'a [SegmentRequest<'a>]) -> LayoutRequest<'a> {
    LayoutRequest { name: "test", segments }
}

/// Calls code like [`RETURN_42`] at `address`, finalized as code.
pub(super) fn call(address: ExecutorAddr) -> u32 {
    // SAFETY: the tests put `RETURN_42` there and finalized it.
    let function =
        unsafe { std::mem::transmute::<*const (), extern "C" fn() -> u32>(address.0 as *const ()) };
    function()
}

/// The byte at `address`, in readable memory.
pub(super) fn read(address: u64) -> u8 {
    // SAFETY: the tests ask for bytes of segments that they hold.
    unsafe { (address as *const u8).read_volatile() }
}

/// Writes the byte at `address`, in writable memory.
pub(super) fn write(address: u64, value: u8) {
    // SAFETY: the tests write to data segments that they hold.
    unsafe { (address as *mut u8).write_volatile(value) }
}

/// Allocates, finalizes, calls and frees one small object: code, read-only data and data.
pub(super) fn link_small(manager: &dyn MemoryManager) {
    let segments = [segment(CODE, 64), segment(Permissions::READ, 40), segment(DATA, 24)];
    let mut allocation = manager.allocate(&request(&segments)).unwrap();
    {
        let mut memory = allocation.working_memory();
        assert!(memory.iter().all(|bytes| bytes.iter().all(|&byte| byte == 0)), "not zero at first");
        memory[0][..RETURN_42.len()].copy_from_slice(RETURN_42);
        memory[1].fill(1);
        memory[2].fill(2);
    }
    let finalized = allocation.finalize(FinalizeRequest::default()).unwrap();
    let at = |index: usize| finalized.segments()[index].address;
    assert_eq!(call(at(0)), 42);
    assert_eq!((read(at(1).0 + 39), read(at(2).0 + 23)), (1, 2));
    write(at(2).0, 9);
    finalized.deallocate().unwrap();
}

/// The protection bits of the mapping at `address`, such as `r-xp`; empty where nothing is mapped.
pub(super) fn protection_at(address: u64) -> String {
    maps().into_iter().find(|(range, _)| range.contains(&address)).map(|(_, bits)| bits).unwrap_or_default()
}

/// Ranges and protection bits of all mappings.
pub(super) fn maps() -> Vec<(std::ops::Range<u64>, String)> {
    let text = std::fs::read_to_string("/proc/self/maps").unwrap();
    let parse = |line: &str| {
        let mut fields = line.split(' ');
        let (start, end) = fields.next()?.split_once('-')?;
        let range = u64::from_str_radix(start, 16).ok()?..u64::from_str_radix(end, 16).ok()?;
        Some((range, fields.next()?.to_owned()))
    };
    text.lines().filter_map(parse).collect()
}

/// The number of mappings that lie (partly) in one of `ranges`.
pub(super) fn mappings_in(ranges: &[std::ops::Range<u64>]) -> usize {
    let inside =
        |range: &std::ops::Range<u64>| ranges.iter().any(|r| range.start < r.end && r.start < range.end);
    maps().iter().filter(|(range, _)| inside(range)).count()
}

/// Resident memory in `range`, in bytes.
pub(super) fn resident_in(range: std::ops::Range<u64>) -> u64 {
    let text = std::fs::read_to_string("/proc/self/smaps").unwrap();
    let (mut inside, mut total) = (false, 0);
    for line in text.lines() {
        if let Some((bounds, _)) = line.split_once(' ')
            && let Some((start, _)) = bounds.split_once('-')
            && let Ok(start) = u64::from_str_radix(start, 16)
        {
            inside = range.contains(&start);
        } else if inside && let Some(size) = line.strip_prefix("Rss:") {
            total += size.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024;
        }
    }
    total
}

/// Fails if a mapping is writable and executable at once.
pub(super) fn assert_no_writable_code() {
    for (range, bits) in maps() {
        assert!(!(bits.contains('w') && bits.contains('x')), "{range:#x?} is {bits}");
    }
}

pub(super) fn range_of(placed: &SegmentPlacement) -> std::ops::Range<u64> {
    placed.address.0..placed.address.0 + placed.size
}

/// An action that appends `byte` to `log`, and fails if `byte` is 0.
pub(super) fn logging(log: &'static Mutex<Vec<u8>>, byte: u8) -> Action {
    let mut bytes = SmallVec::new();
    bytes.extend_from_slice(&(std::ptr::from_ref(log) as u64).to_ne_bytes());
    bytes.push(byte);
    Action { call: ExecutorAddr(log_byte as *const () as u64), bytes }
}

pub(super) fn pair(log: &'static Mutex<Vec<u8>>, finalize: u8, deallocate: u8) -> ActionPair {
    ActionPair { finalize: Some(logging(log, finalize)), deallocate: Some(logging(log, deallocate)) }
}

unsafe extern "C" fn log_byte(bytes: *const u8, size: usize) -> ActionStatus {
    // SAFETY: the bytes that `logging` made: an address of a static, and the byte to log.
    let bytes = unsafe { std::slice::from_raw_parts(bytes, size) };
    let address = u64::from_ne_bytes(bytes[..8].try_into().unwrap());
    // SAFETY: as above.
    let log = unsafe { &*(address as *const Mutex<Vec<u8>>) };
    log.lock().unwrap().push(bytes[8]);
    if bytes[8] == 0 { 77 } else { 0 }
}
