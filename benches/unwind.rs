//! Registering call frame records of many images with the unwinder, and withdrawing them, with throws in between.
//!
//! # Safety
//! Runs allocation actions, whose memory stays until they are undone.
#![allow(unsafe_code)]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use jitlink::alloc::{FinalizeRequest, FinalizedAllocation, InProcessManager, LayoutRequest, MemoryManager};
use jitlink::alloc::{Placement, SegmentRequest};
use jitlink::base::{Action, AddrRange, ExecutorAddr};
use jitlink::graph::{Lifetime, Permissions};
use jitlink::host::HostActions;
use jitlink::link::ImageActions;
use std::ffi::c_void;
use std::time::{Duration, Instant};

/// Each function has as many bytes, and a section of its own.
const STRIDE: u64 = 64;

unsafe extern "C" {
    fn _Unwind_Find_FDE(address: *const c_void, bases: *mut [usize; 3]) -> *const c_void;
}

struct Images {
    _code: Box<dyn FinalizedAllocation>,
    start: u64,
    sections: Vec<Vec<u8>>,
}

impl Images {
    fn new(count: usize) -> Self {
        let manager = InProcessManager::new().expect("address space");
        let segment = SegmentRequest {
            name: "code",
            permissions: Permissions::READ | Permissions::EXECUTE,
            lifetime: Lifetime::Standard,
            relro: false,
            placement: Placement::Near,
            alignment: 64,
            content_size: STRIDE * count as u64,
            zero_fill_size: 0,
        };
        let code =
            manager.allocate(&LayoutRequest { name: "functions", segments: &[segment] }).expect("memory");
        let code = code.finalize(FinalizeRequest::default()).expect("it is finalized");
        let start = code.segments()[0].address.0;
        let sections = (0..count as u64).map(|index| section(start + STRIDE * index)).collect();
        Self { _code: code, start, sections }
    }

    /// What exceptions do first with each frame that they pass.
    fn find(&self, index: usize) {
        let address = self.start + STRIDE * index as u64 + 1;
        let mut bases = [0; 3];
        // SAFETY: looks an address up, no more.
        let found = unsafe { _Unwind_Find_FDE(address as *const c_void, &raw mut bases) };
        assert!(!found.is_null(), "function {index} cannot be unwound");
    }

    fn each(&self, order: &[usize], every: Option<usize>, register: bool) {
        for (step, &index) in order.iter().enumerate() {
            let section = &self.sections[index];
            let range = AddrRange::from_size(ExecutorAddr(section.as_ptr() as u64), section.len() as u64);
            let pair = HostActions.register_eh_frame(range).expect("there are records");
            if !register && every.is_some_and(|every| step % every == 0) {
                self.find(index);
            }
            call(&if register { pair.finalize } else { pair.deallocate }.expect("it is registered"));
            if register && every.is_some_and(|every| step % every == 0) {
                self.find(index);
            }
        }
    }
}

fn call(action: &Action) {
    // SAFETY: what actions of this process are.
    let function: unsafe extern "C" fn(*const u8, usize) -> u32 =
        unsafe { std::mem::transmute(action.call.0 as usize) };
    // SAFETY: the action's own bytes.
    assert_eq!(unsafe { function(action.bytes.as_ptr(), action.bytes.len()) }, 0);
}

/// A CIE (augmentation "zR", absolute addresses), an FDE, a terminator.
fn section(function: u64) -> Vec<u8> {
    let mut bytes = vec![0; 60];
    bytes[..4].copy_from_slice(&20_u32.to_ne_bytes());
    bytes[8..17].copy_from_slice(b"\x01zR\0\x01\x78\x10\x01\0");
    bytes[24..28].copy_from_slice(&28_u32.to_ne_bytes());
    bytes[28..32].copy_from_slice(&28_u32.to_ne_bytes());
    bytes[32..40].copy_from_slice(&function.to_ne_bytes());
    bytes[40..48].copy_from_slice(&STRIDE.to_ne_bytes());
    bytes
}

fn registration(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("unwind");
    group.sample_size(10).warm_up_time(Duration::from_millis(1)).measurement_time(Duration::from_millis(1));
    for count in [1_000, 10_000, 100_000] {
        let images = Images::new(count);
        let in_order: Vec<_> = (0..count).collect();
        let backwards: Vec<_> = (0..count).rev().collect();
        // A factor without a divisor in common with the counts.
        let at_random: Vec<_> = (0..count).map(|step| step * 2_654_435_761 % count).collect();
        let orders = [
            ("in order", &in_order, &in_order, None),
            ("newest goes first", &in_order, &backwards, None),
            ("at random", &at_random, &backwards, None),
            ("in order, a throw after every tenth", &in_order, &in_order, Some(10)),
            ("at random, a throw after every one", &at_random, &in_order, Some(1)),
        ];
        group.throughput(Throughput::Elements(count as u64));
        for (name, arrival, departure, every) in orders {
            for (what, measured) in [("register", true), ("withdraw", false)] {
                group.bench_function(BenchmarkId::new(format!("{what} {name}"), count), |bencher| {
                    bencher.iter_custom(|rounds| {
                        let mut total = Duration::ZERO;
                        for _ in 0..rounds {
                            let start = Instant::now();
                            images.each(arrival, every, true);
                            let between = Instant::now();
                            images.each(departure, every, false);
                            total += if measured { between - start } else { between.elapsed() };
                        }
                        total
                    });
                });
            }
        }
    }
    group.finish();
}

criterion_group!(benches, registration);
criterion_main!(benches);
