//! A new version of an object takes the place of the old one while the program runs.

use crate::support::{call, call_at, object_with};
use jitlink::lazy::{DataRule, ReplaceableObjects, Replaced};
use jitlink::session::{Jit, ObjectBuffer};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

fn version(file: &str, number: u32, text: &str) -> ObjectBuffer {
    object_with(&format!("{file}{number}.c"), text, &["-O1"]).renamed(format!("{file}.o"))
}

fn with(objects: &[ObjectBuffer]) -> (Jit, ReplaceableObjects) {
    let jit = Jit::new().unwrap();
    let replaceable = ReplaceableObjects::new(jit.main());
    objects.iter().for_each(|object| replaceable.add(object).unwrap());
    (jit, replaceable)
}

#[test]
fn functions_change_and_variables_stay() {
    let text = |result: &str| {
        format!(
            "static int count = 10; int total;
             int step(int x) {{ total += x; return {result}; }}
             int next(int x) {{ return step(++count + x); }}"
        )
    };
    let (jit, replaceable) = with(&[version("counter", 1, &text("x"))]);
    let next = jit.main().lookup("next").unwrap().address;
    assert_eq!((call_at(next, 0), call_at(next, 0)), (11, 12));
    let replaced = replaceable.replace(&version("counter", 2, &text("x * 100")), DataRule::Keep).unwrap();
    assert_eq!((replaced.functions, replaced.copied), (2, 0));
    assert!(replaced.shared >= 1);
    assert_eq!(call_at(next, 0), 1300, "the entry leads to the new version, the count goes on");
    assert_eq!(jit.main().lookup("next").unwrap().address, next);
    // SAFETY: this is the variable's type.
    let total = unsafe { jit.main().get::<*const i32>("total") }.unwrap();
    // SAFETY: the variable exists as long as the symbol.
    assert_eq!(unsafe { **total }, 11 + 12 + 13);
    replaceable.replace(&version("counter", 3, &text("x * 1000")), DataRule::Fresh).unwrap();
    assert_eq!(call_at(next, 0), 11_000, "without its state, if so asked");
    // SAFETY: nobody is in the old versions; only the first has variables that were shared.
    let freed = unsafe { replaceable.free_old_versions("counter.o") }.unwrap();
    assert_eq!(freed.freed + freed.in_use, 2);
    assert_eq!(call_at(next, 0), 12_000);
}

#[test]
fn values_are_taken_over_where_sections_have_changed() {
    let first = "static int kept = 1; static int lost = 2; int get(int x) { kept += x; lost += x; return kept * 100 + lost; }";
    let second = "static long lost = 5; static int added = 7; static int kept = 1;
                  int get(int x) { kept += x; added += x; return kept * 100 + (int)lost + added; }";
    let (jit, replaceable) = with(&[version("layout", 1, first)]);
    assert_eq!(call(jit.main(), "get", 3), 405);
    let replaced = replaceable.replace(&version("layout", 2, second), DataRule::Keep).unwrap();
    assert_eq!((replaced.functions, replaced.copied), (1, 1));
    assert_eq!(call(jit.main(), "get", 0), 412, "kept is 4, lost 5 again, added 7");
    let chosen = DataRule::Choose(Arc::new(|name| name != b"kept"));
    let third = second.replace("added += x", "added += 10 + x");
    replaceable.replace(&version("layout", 3, &third), chosen).unwrap();
    assert_eq!(call(jit.main(), "get", 0), 122, "kept is 1 again");
}

#[test]
fn functions_and_objects_that_call_each_other_see_the_new_version() {
    let (jit, replaceable) = with(&[
        version("user", 1, "int used(int); int user(int x) { return used(x) + 1; }"),
        version("used", 1, "int used(int x) { return 10; } int gone(int x) { return 5; }"),
    ]);
    assert_eq!((call(jit.main(), "user", 0), call(jit.main(), "gone", 0)), (11, 5));
    let second = "int extra(int x) { return 7; } int used(int x) { return extra(x) * 10; }";
    replaceable.replace(&version("used", 2, second), DataRule::Keep).unwrap();
    assert_eq!((call(jit.main(), "user", 0), call(jit.main(), "extra", 0)), (71, 7));
    assert_eq!(call(jit.main(), "gone", 0), 5, "what the new version has not stays with the old one");
}

#[test]
fn a_version_that_cannot_be_linked_changes_nothing() {
    let (jit, replaceable) = with(&[version("sound", 1, "int f(int x) { return 1; }")]);
    assert_eq!(call(jit.main(), "f", 0), 1);
    let broken = version("sound", 2, "int nowhere(int); int f(int x) { return nowhere(x); }");
    let error = replaceable.replace(&broken, DataRule::Keep).unwrap_err().to_string();
    assert!(error.contains("undefined symbol nowhere"), "{error}");
    assert_eq!(call(jit.main(), "f", 0), 1);
    let again = version("sound", 3, "int f(int x) { return 3; }");
    let replaced = replaceable.replace(&again, DataRule::Keep).unwrap();
    assert_eq!(replaced, Replaced { functions: 1, shared: 0, copied: 0 });
    assert_eq!(call(jit.main(), "f", 0), 3);
    assert!(replaceable.replace(&again.renamed("other.o"), DataRule::Keep).is_err());
    assert!(replaceable.add(&again).is_err());
}

/// Compilers that optimise see through calls within a file, even if they leave them there.
fn unoptimized(number: u32, text: &str) -> ObjectBuffer {
    object_with(&format!("loop{number}.c"), text, &["-O0"]).renamed("loop.o")
}

#[test]
fn a_loop_changes_while_it_runs() {
    let text = |value: i32| {
        format!(
            "int step(void) {{ return {value}; }}
             int loop(volatile int *seen) {{ int v; do *seen = v = step(); while (v >= 0); return v; }}"
        )
    };
    let (jit, replaceable) = with(&[unoptimized(1, &text(1))]);
    let entry = jit.main().lookup("loop").unwrap().address;
    // SAFETY: this is the function's type, and its entry is never removed.
    let run: extern "C" fn(*mut i32) -> i32 = unsafe { std::mem::transmute(entry.0 as usize) };
    let seen = std::sync::atomic::AtomicI32::new(0);
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            assert_eq!(run(seen.as_ptr()), -1);
            ended.store(true, Relaxed);
        });
        for (number, value) in [(2, 2), (3, 3), (4, -1)] {
            while seen.load(Relaxed) != number - 1 {
                std::thread::yield_now();
            }
            replaceable.replace(&unoptimized(number as u32, &text(value)), DataRule::Keep).unwrap();
        }
    });
    assert!(ended.load(Relaxed));
}
