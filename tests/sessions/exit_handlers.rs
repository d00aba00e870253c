//! What dylibs have called at their end, and that of threads.

use crate::support::{alone, call, jit, object, object_with};
use jitlink::base::ExecutorAddr;
use jitlink::session::{ExecutorSymbol, Jit};
use std::sync::Mutex;

static TRACE: Mutex<Vec<i32>> = Mutex::new(Vec::new());

extern "C" fn note_end(value: i32) {
    TRACE.lock().unwrap().push(value);
}

fn trace() -> Vec<i32> {
    std::mem::take(&mut TRACE.lock().unwrap())
}

fn noting(jit: &Jit) {
    let symbol = ExecutorSymbol::function(ExecutorAddr(note_end as *const () as u64));
    jit.process().define_absolute([("note_end", symbol)]).unwrap();
}

/// Initialisers and finalisers of three priorities, and exit handlers.
fn with_priorities(name: &str, number: i32) -> String {
    let pair = |priority: i32| {
        let value = number * 1000 + priority;
        format!(
            "__attribute__((constructor({priority}))) static void up{priority}(void) {{ note_end({value}); }}
             __attribute__((destructor({priority}))) static void down{priority}(void) {{ note_end(-{value}); }}"
        )
    };
    format!(
        "void note_end(int); int atexit(void (*)(void));
         static void handler(void) {{ note_end({number}); }}
         {} {} int {name}(int x) {{ return atexit(handler); }}",
        pair(101),
        pair(200)
    )
}

#[test]
fn objects_linked_apart_are_initialised_and_finalized_by_priority_as_one() {
    let _alone = alone();
    let jit = jit(&[]);
    noting(&jit);
    jit.main().add_object(object("prio_a", &with_priorities("a", 1))).unwrap();
    jit.main().add_object(object("prio_b", &with_priorities("b", 2))).unwrap();
    // Linked by themselves: the other one first.
    assert!(jit.main().lookup("b").is_ok() && jit.main().lookup("a").is_ok());
    // SAFETY: the initialisers are those above.
    unsafe { jit.main().initialize() }.unwrap();
    assert_eq!(trace(), [1101, 2101, 1200, 2200]);
    for name in ["a", "b", "a"] {
        assert_eq!(call(jit.main(), name, 0), 0);
    }
    jit.main().deinitialize();
    assert_eq!(trace(), [1, 2, 1, -2200, -1200, -2101, -1101]);
}

#[test]
fn objects_of_threads_that_outlive_their_code_are_left_alone() {
    let _alone = alone();
    let jit = jit(&[]);
    noting(&jit);
    let text = r#"
        extern "C" void note_end(int);
        struct Noisy { int value = 7; ~Noisy() { note_end(value); } };
        thread_local Noisy noisy;
        extern "C" int touch(int value) { noisy.value = value; return value; }
    "#;
    let tracker = jit.create_tracker();
    tracker.add_object(object_with("of_threads.cpp", text, &["-fno-exceptions"])).unwrap();
    let address = jit.main().lookup("touch").unwrap().address;
    let (to_thread, from_test) = std::sync::mpsc::channel::<()>();
    let (to_test, from_thread) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        to_test.send(crate::support::call_at(address, 1)).unwrap();
        from_test.recv().unwrap();
    });
    assert_eq!(from_thread.recv().unwrap(), 1);
    std::thread::spawn(move || crate::support::call_at(address, 2)).join().unwrap();
    assert_eq!(trace(), [2], "the end of a thread");
    assert_eq!(crate::support::call_at(address, 3), 3);
    assert_eq!(tracker.remove().unwrap().freed, 1);
    assert_eq!(trace(), [3], "those of the thread that removes");
    to_thread.send(()).unwrap();
    thread.join().unwrap();
    assert!(trace().is_empty(), "there is no code to run any more");
}
