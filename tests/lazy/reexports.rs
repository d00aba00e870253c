//! First calls: once, by whichever thread, and what happens if there is nothing to call.

use crate::support::{call, call_at, jit, object};
use jitlink::base::ExecutorAddr;
use jitlink::lazy::{LazyReexport, LazyReexports};
use jitlink::session::{JitSymbolFlags, Materialized};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Barrier};

#[test]
fn sixty_four_first_calls_make_one_materialization() {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let jit = jit(&[]);
    let source = jit.create_dylib("source").unwrap();
    let made = object("lazily_made", "int lazily_made(int x) { return x * 3; }");
    source
        .define_with("maker", [("lazily_made", JitSymbolFlags::FUNCTION)], move |_| {
            MADE.fetch_add(1, Relaxed);
            std::thread::sleep(std::time::Duration::from_millis(20));
            Ok(Materialized::object(made))
        })
        .unwrap();
    let names = [LazyReexport { name: b"entry", target: b"lazily_made", flags: JitSymbolFlags::FUNCTION }];
    LazyReexports::default().define(jit.main(), None, &source, &names).unwrap();
    let entry = jit.main().lookup("entry").unwrap().address;
    assert_eq!(MADE.load(Relaxed), 0);
    let barrier = Barrier::new(64);
    std::thread::scope(|scope| {
        for number in 0..64 {
            let barrier = &barrier;
            scope.spawn(move || {
                barrier.wait();
                assert_eq!(call_at(entry, number), number * 3);
            });
        }
    });
    assert_eq!(MADE.load(Relaxed), 1);
}

#[test]
fn a_failed_first_call_goes_where_the_handler_says() {
    extern "C" fn instead(x: i32) -> i32 {
        -x
    }
    let jit = jit(&[]);
    let source = jit.create_dylib("source").unwrap();
    let lazy = LazyReexports::default();
    let heard = Arc::new(std::sync::Mutex::new(Vec::new()));
    let list = heard.clone();
    lazy.on_failure(move |failure| {
        let name = String::from_utf8_lossy(failure.name).into_owned();
        list.lock().unwrap().push(format!("{} {name}: {}", failure.dylib.name(), failure.error));
        Some(ExecutorAddr(instead as *const () as u64))
    });
    lazy.define(jit.main(), None, &source, &[LazyReexport::function(b"absent")]).unwrap();
    assert_eq!(call(jit.main(), "absent", 5), -5);
    source.add_object(object("absent", "int absent(int x) { return x; }")).unwrap();
    assert_eq!(call(jit.main(), "absent", 5), 5, "the next call tries again");
    assert_eq!(*heard.lock().unwrap(), ["source absent: symbol absent not found in source"]);
}

#[test]
fn a_removed_implementation_makes_its_entry_lazy_again() {
    let jit = jit(&[]);
    let source = jit.create_dylib("source").unwrap();
    LazyReexports::default()
        .define(jit.main(), None, &source, &[LazyReexport::function(b"renewed")])
        .unwrap();
    for version in 1..4 {
        let tracker = source.create_tracker();
        let text = format!("int renewed(int x) {{ return {version}; }}");
        tracker.add_object(object(&format!("renewed{version}"), &text)).unwrap();
        assert_eq!(call(jit.main(), "renewed", 0), version);
        assert_eq!(tracker.remove().unwrap().freed, 1);
    }
}

#[test]
fn functions_that_need_each_other_lazily_come_and_go() {
    let jit = jit(&[]);
    let source = jit.create_dylib("source").unwrap();
    source.set_link_order(&[]);
    let front = jit.main();
    let names = [LazyReexport::function(b"ping"), LazyReexport::function(b"pong")];
    let tracker = front.create_tracker();
    LazyReexports::default().define(front, Some(&tracker), &source, &names).unwrap();
    let other = jit.create_dylib("bodies").unwrap();
    other.add_to_link_order(front);
    source
        .reexport(&other, [("ping", "ping_body"), ("pong", "pong_body")], JitSymbolFlags::FUNCTION)
        .unwrap();
    let body = |own: &str, next: &str| {
        format!("int {next}(int); int {own}_body(int x) {{ return x ? {next}(x - 1) : '{}'; }}", &own[1..2])
    };
    other.add_object(object("ping", &body("ping", "pong"))).unwrap();
    other.add_object(object("pong", &body("pong", "ping"))).unwrap();
    assert_eq!(call(front, "ping", 0), i32::from(b'i'));
    assert!(other.lookup_ready(b"pong_body").is_none());
    assert_eq!(call(front, "ping", 3), i32::from(b'o'));
    tracker.remove().unwrap();
    assert!(front.lookup("ping").is_err());
}

#[test]
#[cfg(target_arch = "aarch64")]
fn functions_with_a_convention_of_their_own_are_not_bound_lazily() {
    let jit = jit(&[]);
    let source = jit.create_dylib("source").unwrap();
    let text = "__attribute__((aarch64_vector_pcs)) int variant(int x) { return x + 1; }";
    source.add_object(object("variant", text)).unwrap();
    LazyReexports::default()
        .define(jit.main(), None, &source, &[LazyReexport::function(b"variant")])
        .unwrap();
    let [entry, function] = [jit.main(), &source].map(|dylib| dylib.lookup("variant").unwrap().address);
    assert_eq!(entry, function);
}

#[test]
fn mach_o_functions_are_bound_lazily_too() {
    use crate::support::mach_object;
    let jit = jit(&[]);
    let source = jit.create_dylib("source").unwrap();
    source.add_object(mach_object("mach_lazy", "int mach_lazy(int x, double y) { return x * y; }")).unwrap();
    LazyReexports::default()
        .define(jit.main(), None, &source, &[LazyReexport::function(b"mach_lazy")])
        .unwrap();
    let caller = "int mach_lazy(int, double); int calls_mach(int x) { return mach_lazy(x, 2.5); }";
    jit.main().add_object(mach_object("mach_caller", caller)).unwrap();
    assert_eq!(call(jit.main(), "calls_mach", 4), 10);
    jit.main().add_object(object("elf_caller", &caller.replace("calls_mach", "elf_calls_mach"))).unwrap();
    assert_eq!(call(jit.main(), "elf_calls_mach", 4), 10);
}
