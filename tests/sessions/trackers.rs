//! Removal: names at once, memory when nobody needs it any more.

use crate::support::{alone, call, jit, object};
use jitlink::base::Error;
use jitlink::session::ResourceTracker;

fn mappings() -> usize {
    std::fs::read_to_string("/proc/self/maps").expect("Linux lists mappings").lines().count()
}

fn resident_pages() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux counts pages");
    text.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).expect("a number")
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("Linux lists descriptors").count()
}

#[test]
fn removed_names_are_undefined_and_can_be_defined_anew() {
    let jit = jit(&[]);
    let tracker = jit.create_tracker();
    tracker.add_object(object("version1", "int version(int x) { return 1; }")).unwrap();
    assert_eq!(call(jit.main(), "version", 0), 1);
    let removed = tracker.remove().unwrap();
    assert_eq!((removed.freed, removed.in_use), (1, 0));
    assert!(matches!(jit.main().lookup("version"), Err(Error::NotFound(_))));
    jit.main().add_object(object("version2", "int version(int x) { return 2; }")).unwrap();
    assert_eq!(call(jit.main(), "version", 0), 2);
}

#[test]
fn what_others_were_linked_against_stays_until_they_go() {
    let jit = jit(&[]);
    let [library, user] = [jit.create_tracker(), jit.create_tracker()];
    library.add_object(object("lib_value", "int lib_value(int x) { return 5; }")).unwrap();
    user.add_object(object("lib_user", "int lib_value(int); int lib_user(int x) { return lib_value(x); }"))
        .unwrap();
    let address = jit.main().lookup("lib_user").unwrap().address;
    let removed = library.remove().unwrap();
    assert_eq!((removed.freed, removed.in_use), (0, 1));
    assert!(jit.main().lookup("lib_value").is_err());
    assert_eq!(crate::support::call_at(address, 0), 5, "no dangling call");
    assert_eq!(user.remove().unwrap().freed, 1);
}

#[test]
fn held_symbols_keep_their_memory() {
    let jit = jit(&[]);
    let tracker = jit.create_tracker();
    tracker.add_object(object("held", "int held(int x) { return x + 3; }")).unwrap();
    // SAFETY: this is the function's type.
    let held = unsafe { jit.main().get::<extern "C" fn(i32) -> i32>("held") }.unwrap();
    // SAFETY: as above.
    assert_eq!(unsafe { tracker.get::<extern "C" fn(i32) -> i32>("held") }.unwrap()(1), 4);
    let removed = tracker.remove().unwrap();
    assert_eq!((removed.freed, removed.in_use), (0, 1));
    assert_eq!(held(1), 4);
    drop(jit);
    assert_eq!(held(2), 5, "also past the end of the session");
}

#[test]
fn a_tracker_gives_symbols_of_its_own_only() {
    let jit = jit(&[("not_tracked", "int not_tracked(int x) { return 1; }")]);
    let tracker = jit.create_tracker();
    // SAFETY: this is the function's type.
    let error = unsafe { tracker.get::<extern "C" fn(i32) -> i32>("not_tracked") }.unwrap_err();
    assert!(error.to_string().contains("does not belong to this tracker"), "{error}");
}

#[test]
fn trackers_give_to_each_other_and_to_the_dylib() {
    let jit = jit(&[]);
    let [a, b] = [jit.create_tracker(), jit.create_tracker()];
    a.add_object(object("moved", "int moved(int x) { return 1; }")).unwrap();
    assert_eq!(call(jit.main(), "moved", 0), 1);
    a.transfer_to(&b).unwrap();
    assert!(jit.main().lookup("moved").is_ok());
    assert_eq!(b.remove().unwrap().freed, 1);
    assert!(jit.main().lookup("moved").is_err());
    let dropped = jit.create_tracker();
    dropped.add_object(object("moved", "int moved(int x) { return 1; }")).unwrap();
    drop(dropped);
    assert_eq!(call(jit.main(), "moved", 0), 1);
    let other = jit.create_dylib("other").unwrap();
    let [mine, theirs] = [jit.create_tracker(), other.create_tracker()];
    assert!(mine.transfer_to(&theirs).is_err());
}

fn add_call_remove(
    jit: &jitlink::session::Jit,
    tracker: ResourceTracker,
    object: &jitlink::session::ObjectBuffer,
) {
    tracker.add_object(object.clone()).unwrap();
    assert_eq!(call(jit.main(), "round", 41), 42);
    assert_eq!(tracker.remove().unwrap().freed, 1);
}

#[test]
fn adding_calling_and_removing_leaves_nothing_behind() {
    let _alone = alone();
    let rounds = if jitlink_test_support::full() { 100_000 } else { 2_000 };
    let text = "int abs(int); static int data[100] = {1}; int round(int x) { return abs(x) + data[0]; }";
    let jit = jit(&[]);
    let object = object("round", text);
    (0..500).for_each(|_| add_call_remove(&jit, jit.create_tracker(), &object));
    let before = (mappings(), descriptors(), resident_pages());
    (0..rounds).for_each(|_| add_call_remove(&jit, jit.create_tracker(), &object));
    let after = (mappings(), descriptors(), resident_pages());
    if cfg!(not(target_arch = "x86_64")) {
        // What the emulator needs is counted, too.
        return;
    }
    assert!(after.0 <= before.0 + 4 && after.1 <= before.1, "{before:?} {after:?}");
    assert!(after.2 <= before.2 + 256, "{before:?} {after:?}");
}

/// Each image keeps the one before it alive; they go one by one, not by recursion.
#[test]
fn long_chains_of_images_end() {
    let jit = jit(&[]);
    let count = 3_000;
    let mut trackers = Vec::new();
    for number in 0..count {
        let tracker = jit.create_tracker();
        let template = object("chain", "int before(int); int latter(int x) { return before(x) + 1; }");
        let names = renamed(template.bytes(), number);
        tracker.add_object(jitlink::session::ObjectBuffer::new("chain.o", names)).unwrap();
        trackers.push(tracker);
    }
    extern "C" fn identity(x: i32) -> i32 {
        x
    }
    jit.define("00000z", identity as *const ()).unwrap();
    let last = format!("{:05}z", count);
    assert_eq!(call(jit.main(), &last, 1), count as i32 + 1);
    trackers.into_iter().for_each(|tracker| _ = tracker.remove().unwrap());
}

/// `before` becomes `NUMBERz`, and `latter` the one after it: of the same length, as the string table needs it.
fn renamed(bytes: &[u8], number: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let replace = |bytes: &mut Vec<u8>, from: &[u8], to: &[u8]| {
        let at = bytes.windows(from.len()).position(|window| window == from).expect("the name");
        bytes[at..at + to.len()].copy_from_slice(to);
    };
    replace(&mut bytes, b"\0before\0", format!("\0{number:05}z\0").as_bytes());
    replace(&mut bytes, b"\0latter\0", format!("\0{:05}z\0", number + 1).as_bytes());
    bytes
}
