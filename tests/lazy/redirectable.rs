//! Entries whose targets change while they are called.

use crate::support::{call, call_at, jit, object};
use jitlink::base::ExecutorAddr;
use jitlink::lazy::{RedirectStrategy, RedirectableSymbols};
use jitlink::session::ExecutorSymbol;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

extern "C" fn one(_: i32) -> i32 {
    1
}
extern "C" fn two(_: i32) -> i32 {
    2
}

fn address(function: extern "C" fn(i32) -> i32) -> ExecutorAddr {
    ExecutorAddr(function as *const () as u64)
}

#[test]
fn an_entry_keeps_its_address_and_changes_its_target() {
    let jit = jit(&[("calls_entry", "int entry(int); int calls_entry(int x) { return entry(x) * 10; }")]);
    let symbols = RedirectableSymbols::new(jit.session(), RedirectStrategy::Stub);
    let entry = symbols.create(jit.main(), None, [("entry", address(one))]).unwrap().remove(0);
    assert_eq!(call(jit.main(), "calls_entry", 0), 10);
    assert_eq!(jit.main().lookup("entry").unwrap().address, entry.address());
    entry.redirect(address(two)).unwrap();
    assert_eq!(call(jit.main(), "calls_entry", 0), 20);
    jit.main().add_object(object("third", "int third(int x) { return 3; }")).unwrap();
    symbols.redirect(jit.main(), "entry", jit.main(), "third").unwrap();
    assert_eq!(call(jit.main(), "calls_entry", 0), 30);
    assert!(symbols.redirect(jit.main(), "other", jit.main(), "third").is_err());
    assert!(symbols.create(jit.main(), None, [("entry", address(one))]).is_err(), "defined twice");
}

#[test]
fn entries_are_redirected_while_threads_call_them() {
    let jit = jit(&[]);
    let symbols = RedirectableSymbols::new(jit.session(), RedirectStrategy::Stub);
    let entry = symbols.create(jit.main(), None, [("entry", address(one))]).unwrap().remove(0);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !stop.load(Relaxed) {
                    assert!(matches!(call_at(entry.address(), 0), 1 | 2));
                }
            });
        }
        let rounds = if cfg!(target_arch = "x86_64") { 100_000 } else { 2_000 };
        for round in 0..rounds {
            entry.redirect(address(if round % 2 == 0 { two } else { one })).unwrap();
        }
        stop.store(true, Relaxed);
    });
    assert_eq!(call_at(entry.address(), 0), 1);
}

#[test]
fn entries_are_made_in_bulk_and_go_with_their_tracker() {
    let jit = jit(&[]);
    let symbols = RedirectableSymbols::new(jit.session(), RedirectStrategy::Stub);
    let tracker = jit.create_tracker();
    let names: Vec<String> = (0..25_000).map(|number| format!("entry{number}")).collect();
    let pairs = names.iter().map(|name| (name, address(one)));
    let entries = symbols.create(jit.main(), Some(&tracker), pairs).unwrap();
    assert_eq!(entries.len(), 25_000);
    entries[24_999].redirect(address(two)).unwrap();
    let values = [0, 9_999, 10_000, 24_998, 24_999].map(|at| call_at(entries[at].address(), 0));
    assert_eq!(values, [1, 1, 1, 1, 2]);
    drop(entries);
    tracker.remove().unwrap();
    assert!(symbols.get(jit.main(), "entry7").is_none());
    assert!(jit.main().lookup("entry7").is_err());
}

#[test]
fn code_that_is_final_cannot_be_patched() {
    let jit = jit(&[]);
    let symbols = RedirectableSymbols::new(jit.session(), RedirectStrategy::Patch);
    let target = jit.main();
    target.add_object(object("near", "int near(int x) { return 4; }")).unwrap();
    let near = target.lookup("near").unwrap().address;
    let error = symbols.create(jit.main(), None, [("entry", near)]).unwrap_err().to_string();
    assert!(error.contains("never written once it is executable"), "{error}");
    assert!(error.contains("DualMappedManager"), "{error}");
}

/// The emulator of Debian 12 knows no code that is rewritten through a second mapping.
#[test]
#[cfg(target_arch = "x86_64")]
fn dual_mapped_entries_are_patched_directly() {
    use jitlink::alloc::DualMappedManager;
    use jitlink::session::{Jit, SessionOptions};
    let options = SessionOptions {
        manager: Box::new(DualMappedManager::new().unwrap()),
        ..SessionOptions::new().unwrap()
    };
    let jit = Jit::with_options(options).unwrap();
    for (name, text) in
        [("near1", "int near1(int x) { return 1; }"), ("near2", "int near2(int x) { return 2; }")]
    {
        jit.main().add_object(object(name, text)).unwrap();
    }
    let [first, second] = ["near1", "near2"].map(|name| jit.main().lookup(name).unwrap().address);
    let symbols = RedirectableSymbols::new(jit.session(), RedirectStrategy::Patch);
    let entries = symbols.create(jit.main(), None, [("a", first), ("b", first)]).unwrap();
    assert_eq!(call(jit.main(), "a", 0), 1);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Relaxed) {
                assert!(matches!(call_at(entries[1].address(), 0), 1 | 2));
            }
        });
        (0..20_000)
            .for_each(|round| entries[1].redirect(if round % 2 == 0 { second } else { first }).unwrap());
        stop.store(true, Relaxed);
    });
    entries[0].redirect(second).unwrap();
    assert_eq!((call(jit.main(), "a", 0), call(jit.main(), "b", 0)), (2, 1));
    let far = ExecutorAddr(0x1000);
    assert!(entries[0].redirect(far).unwrap_err().to_string().contains("does not reach"));
}

/// What an entry leads to is not kept alive by it, nor is it called after it has gone.
#[test]
fn an_entry_does_not_lead_into_freed_memory() {
    let jit = jit(&[]);
    let symbols = RedirectableSymbols::new(jit.session(), RedirectStrategy::Stub);
    let entry = symbols.create(jit.main(), None, [("entry", address(one))]).unwrap().remove(0);
    let tracker = jit.create_tracker();
    tracker.add_object(object("going", "int going(int x) { return 5; }")).unwrap();
    entry.redirect_to(jit.main(), "going").unwrap();
    assert_eq!(call_at(entry.address(), 0), 5);
    assert_eq!(tracker.remove().unwrap().freed, 1);
    // SAFETY: the child only calls the entry, which ends it.
    let child = unsafe { libc_fork() };
    if child == 0 {
        call_at(entry.address(), 0);
        std::process::exit(0);
    }
    assert_eq!(signal_of(child), 6, "the call ends the process");
    entry.redirect(address(two)).unwrap();
    assert_eq!(call_at(entry.address(), 0), 2);
    let symbol = jit.main().lookup("entry").unwrap();
    assert_eq!(symbol, ExecutorSymbol { address: entry.address(), ..symbol });
}

unsafe extern "C" {
    #[link_name = "fork"]
    fn libc_fork() -> i32;
    fn waitpid(child: i32, status: *mut i32, options: i32) -> i32;
}

fn signal_of(child: i32) -> i32 {
    let mut status = 0;
    // SAFETY: waits for a child of this process and writes its status.
    unsafe { waitpid(child, &raw mut status, 0) };
    status & 0x7f
}
