//! Initialisers run when asked for, finalisers at the end or at removal.

use crate::support::{call, jit, object};
use jitlink::session::Jit;
use std::sync::Mutex;

static TRACE: Mutex<Vec<i32>> = Mutex::new(Vec::new());

extern "C" fn note(value: i32) {
    TRACE.lock().unwrap().push(value);
}

fn trace() -> Vec<i32> {
    std::mem::take(&mut TRACE.lock().unwrap())
}

fn noting(jit: &Jit) {
    jit.process()
        .define_absolute([(
            "note",
            jitlink::session::ExecutorSymbol::function(jitlink::base::ExecutorAddr(note as *const () as u64)),
        )])
        .unwrap();
}

fn text(name: &str, number: i32) -> String {
    format!(
        "void note(int);
         __attribute__((constructor)) static void start(void) {{ note({number}); }}
         __attribute__((destructor)) static void end(void) {{ note(-{number}); }}
         int {name}(int x) {{ return {number}; }}"
    )
}

/// One test, since what runs is noted in one place.
#[test]
fn initialisers_run_once_in_order_and_finalisers_in_reverse() {
    let jit = jit(&[("init1", &text("one", 1)), ("init2", &text("two", 2))]);
    noting(&jit);
    let lib = jit.create_dylib("lib").unwrap();
    lib.add_object(object("init3", &text("three", 3))).unwrap();
    jit.main().add_to_link_order(&lib);
    assert_eq!(call(jit.main(), "one", 0), 1);
    assert!(trace().is_empty(), "lookups run nothing");
    // SAFETY: the initialisers are those above.
    unsafe { jit.main().initialize() }.unwrap();
    assert_eq!(trace(), [3, 1, 2]);
    // SAFETY: as above.
    unsafe { jit.main().initialize() }.unwrap();
    assert!(trace().is_empty());
    jit.main().add_object(object("init4", &text("four", 4))).unwrap();
    // SAFETY: as above; the type is the function's.
    let four = unsafe { jit.get::<extern "C" fn(i32) -> i32>("four") }.unwrap();
    assert_eq!((four(0), trace()), (4, vec![4]), "the façade initialises first");
    drop(four);
    jit.main().deinitialize();
    assert_eq!(trace(), [-4, -2, -1]);
    jit.session().deinitialize();
    assert_eq!(trace(), [-3]);

    let tracker = jit.create_tracker();
    tracker.add_object(object("init5", &text("five", 5))).unwrap();
    // SAFETY: as above.
    unsafe { jit.main().initialize() }.unwrap();
    assert_eq!(trace(), [5]);
    assert_eq!(tracker.remove().unwrap().freed, 1);
    assert_eq!(trace(), [-5], "removal runs what was registered");

    let handlers = "extern int atexit(void (*)(void)); void note(int);
        static void first(void) { note(61); } static void second(void) { note(62); }
        int handlers(int x) { atexit(first); return atexit(second); }";
    let tracker = jit.create_tracker();
    tracker.add_object(object("handlers", handlers)).unwrap();
    assert_eq!(call(jit.main(), "handlers", 0), 0);
    tracker.remove().unwrap();
    assert_eq!(trace(), [62, 61]);

    jit.main().add_object(object("init7", &text("seven", 7))).unwrap();
    // SAFETY: as above.
    unsafe { jit.main().initialize() }.unwrap();
    drop((jit, lib));
    assert_eq!(trace(), [7, -7], "the end of the session finalises");
}
