//! Sessions used by many threads at once.

use crate::support::{call, call_at, jit, object};
use jitlink::base::Result;
use jitlink::session::generators::{ArchiveGenerator, LibraryGenerator, ProcessGenerator, ReexportGenerator};
use jitlink::session::{
    ExecutionSession, ExecutorSymbol, HeldSymbol, Jit, JitDylib, JitSymbolFlags, MaterializationRequest,
    MaterializationUnit, Materialized, ObjectBuffer, ResourceTracker, SessionOptions,
};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Barrier};

#[test]
fn everything_can_be_used_from_any_thread() {
    fn check<T: Send + Sync>() {}
    check::<(ExecutionSession, JitDylib, ResourceTracker, Jit, ObjectBuffer, ExecutorSymbol)>();
    check::<(ArchiveGenerator, LibraryGenerator, ProcessGenerator, ReexportGenerator)>();
    check::<(HeldSymbol<extern "C" fn()>, SessionOptions)>();
}

#[test]
fn sixty_four_lookups_make_one_materialization() {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let jit = jit(&[]);
    let made = object("once", "int once(int x) { return x + 1; }");
    jit.main()
        .define_with("once", [("once", JitSymbolFlags::FUNCTION)], move |_| {
            MADE.fetch_add(1, Relaxed);
            std::thread::sleep(std::time::Duration::from_millis(20));
            Ok(Materialized::object(made))
        })
        .unwrap();
    let barrier = Barrier::new(64);
    std::thread::scope(|scope| {
        for number in 0..64 {
            let (barrier, dylib) = (&barrier, jit.main());
            scope.spawn(move || {
                barrier.wait();
                assert_eq!(call(dylib, "once", number), number + 1);
            });
        }
    });
    assert_eq!(MADE.load(Relaxed), 1);
}

/// Each thread adds, looks up and removes its own, and looks up what all share.
#[test]
fn thirty_two_threads_add_look_up_and_remove() {
    const THREADS: usize = 32;
    let rounds: usize = if cfg!(target_arch = "x86_64") { 40 } else { 4 };
    let shared = "static int data = 7; int shared_value(int x) { return data + x; }";
    let jit = jit(&[("shared_value", shared)]);
    let template = object("own", "int shared_value(int); int own_00(int x) { return shared_value(x) * 2; }");
    std::thread::scope(|scope| {
        for number in 0..THREADS {
            let (jit, template) = (&jit, &template);
            scope.spawn(move || {
                let name = format!("own_{number:02}");
                let mut bytes = template.bytes().to_vec();
                let at = bytes.windows(6).position(|window| window == b"own_00").unwrap();
                bytes[at..at + 6].copy_from_slice(name.as_bytes());
                for round in 0..rounds {
                    let tracker = jit.create_tracker();
                    tracker.add_object(ObjectBuffer::new(format!("{name}.o"), bytes.clone())).unwrap();
                    let address = jit.main().lookup(&name).unwrap().address;
                    assert_eq!(call_at(address, round as i32), 2 * (7 + round as i32));
                    assert_eq!(call(jit.main(), "shared_value", 1), 8);
                    assert_eq!(tracker.remove().unwrap().freed, 1);
                    assert!(jit.main().lookup(&name).is_err());
                }
            });
        }
    });
}

#[test]
fn what_is_removed_while_others_wait_for_it_is_not_found() {
    let jit = jit(&[]);
    let barriers = Arc::new((Barrier::new(2), Barrier::new(2)));
    let made = object("late", "int late(int x) { return 1; }");
    let tracker = jit.create_tracker();
    tracker.define(Late(barriers.clone(), made)).unwrap();
    std::thread::scope(|scope| {
        let lookup = scope.spawn(|| jit.main().lookup("late").map(drop).map_err(|error| error.to_string()));
        barriers.0.wait();
        assert_eq!(tracker.remove().unwrap().freed, 0);
        barriers.1.wait();
        let error = lookup.join().unwrap().unwrap_err();
        assert!(error.starts_with("symbol late not found"), "{error}");
    });
}

/// A unit that takes its time.
struct Late(Arc<(Barrier, Barrier)>, ObjectBuffer);

impl MaterializationUnit for Late {
    fn name(&self) -> &str {
        "late"
    }

    fn symbols(&self) -> Vec<(Vec<u8>, JitSymbolFlags)> {
        vec![(b"late".to_vec(), JitSymbolFlags::FUNCTION)]
    }

    fn materialize(self: Box<Self>, _: &MaterializationRequest<'_>) -> Result<Materialized> {
        self.0.0.wait();
        self.0.1.wait();
        Ok(Materialized::object(self.1))
    }
}
