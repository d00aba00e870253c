//! Functions of the program that linked code calls.

use crate::support::{call, jit, object};
use jitlink::base::Error;
use jitlink::runtime::callbacks::{FAILED, PANICKED, UNKNOWN};
use jitlink::session::Jit;
use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

const BY_NAME: &str = "int PerformCustomCallback(const char *, void *);
    int by_name(int x) { int value = x; int status = PerformCustomCallback(\"add\", &value);
        return status < 0 ? status : status * 1000 + value; }";

const BY_SYMBOL: &str = "int add(void *);
    int by_symbol(int x) { int value = x; int status = add(&value); return status < 0 ? status : status * 1000 + value; }";

/// Adds its context to the caller's integer, unless that is negative, and returns the context.
fn add(context: &Arc<AtomicI32>, argument: *mut c_void) -> i32 {
    // SAFETY: the tests' code gives an integer.
    let argument = unsafe { &mut *argument.cast::<i32>() };
    assert!(*argument >= 0, "a negative number");
    let own = context.load(Ordering::Relaxed);
    *argument += own;
    own
}

#[test]
fn callbacks_get_their_context_and_the_callers_argument() {
    let jit = jit(&[("by_name", BY_NAME), ("by_symbol", BY_SYMBOL)]);
    let context = Arc::new(AtomicI32::new(5));
    assert_eq!(call(jit.main(), "by_name", 1), UNKNOWN);
    jit.session().register_callback("add", add, context.clone()).unwrap();
    for name in ["by_name", "by_symbol"] {
        assert_eq!(call(jit.main(), name, 1), 5006, "{name}");
        assert_eq!(call(jit.main(), name, -1), PANICKED, "{name}");
    }
    let again = jit.session().register_callback("add", add, context.clone()).unwrap_err().to_string();
    assert!(again.contains("already"), "{again}");
    jit.session().unregister_callback("add").unwrap();
    assert_eq!(Arc::strong_count(&context), 1, "the context was dropped");
    for name in ["by_name", "by_symbol"] {
        assert_eq!(call(jit.main(), name, 1), UNKNOWN, "{name}");
    }
    assert!(jit.session().unregister_callback("add").is_err());
    assert!(jit.main().lookup("add").is_err());
    jit.session().register_callback("add", add, Arc::new(AtomicI32::new(7))).unwrap();
    assert_eq!(call(jit.main(), "by_name", 1), 7008);
    assert_eq!(call(jit.main(), "by_symbol", 1), UNKNOWN, "what was linked against the first one");
}

#[test]
fn callbacks_come_before_the_process_and_after_definitions() {
    let jit = jit(&[(
        "calls_labs",
        "int labs(void *); int own(void *); int calls(int x) { return labs(0) * 10 + own(0); }",
    )]);
    jit.main().add_object(object("defines_own", "int own(void *p) { return 4; }")).unwrap();
    for (name, value) in [("labs", 3), ("own", 9)] {
        jit.session().register_callback(name, |value: &i32, _| *value, value).unwrap();
    }
    assert_eq!(call(jit.main(), "calls", 0), 34);
    let order: Vec<_> = jit.main().link_order().iter().map(|(dylib, _)| dylib.name().to_owned()).collect();
    assert_eq!(order, ["main", "<process>"], "where they are found is nobody else's business");
}

#[test]
fn a_callback_links_more_code_and_takes_itself_back() {
    let jit = jit(&[("outer", "int more(void *); int outer(int x) { return more(&x); }")]);
    fn more(jit: &Jit, argument: *mut c_void) -> i32 {
        // SAFETY: the code above gives an integer.
        let argument = unsafe { *argument.cast::<i32>() };
        jit.main().add_object(object("inner", "int inner(int x) { return x * 2; }")).unwrap();
        jit.session().unregister_callback("more").unwrap();
        call(jit.main(), "inner", argument)
    }
    jit.session().register_callback("more", more, jit.clone()).unwrap();
    assert_eq!(call(jit.main(), "outer", 21), 42);
    assert_eq!(call(jit.main(), "outer", 21), UNKNOWN);
}

#[test]
fn threads_call_while_others_register_and_take_back() {
    let jit = jit(&[("by_name", BY_NAME), ("by_symbol", BY_SYMBOL)]);
    let session = jit.session();
    session.register_callback("add", add, Arc::new(AtomicI32::new(1))).unwrap();
    assert_eq!(call(jit.main(), "by_symbol", 1), 1002);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..2000 {
                    for name in ["by_name", "by_symbol"] {
                        let found = call(jit.main(), name, 1);
                        assert!([UNKNOWN, 1002].contains(&found), "{found}");
                    }
                }
            });
        }
        for _ in 0..100 {
            session.unregister_callback("add").unwrap();
            session.register_callback("add", add, Arc::new(AtomicI32::new(1))).unwrap();
        }
    });
}

#[test]
fn bytes_are_dispatched_by_tag() {
    let text = "typedef unsigned long size_t; struct jit_bytes { unsigned char *data; size_t size; };
        int jit_dispatch(size_t tag, const void *, size_t, struct jit_bytes *); void jit_dispatch_free(struct jit_bytes *);
        int dispatch(int tag) { struct jit_bytes result = {0, 0};
            int status = jit_dispatch(tag, \"abc\", 3, &result);
            int sum = 0; for (size_t i = 0; i < result.size; i++) sum += result.data[i];
            jit_dispatch_free(&result);
            return status ? status : sum * 10 + (result.data == 0); }
        int without_result(int tag) { volatile int status = jit_dispatch(tag, 0, 0, 0); return status; }";
    let jit = jit(&[("dispatches", text)]);
    let session = jit.session();
    assert!(!session.set_dispatch_handler(1, |bytes| Ok(bytes.iter().map(|byte| byte - b'a').collect())));
    session.set_dispatch_handler(2, |_| Err(Error::invalid("no", None)));
    session.set_dispatch_handler(3, |_| panic!("on purpose"));
    let results = [1, 2, 3, 4].map(|tag| call(jit.main(), "dispatch", tag));
    assert_eq!(results, [31, FAILED, PANICKED, UNKNOWN]);
    assert_eq!(call(jit.main(), "without_result", 1), 0);
    assert!(session.set_dispatch_handler(1, |_| Ok(Vec::new())));
    assert_eq!(call(jit.main(), "dispatch", 1), 1);
    assert!(session.remove_dispatch_handler(1) && !session.remove_dispatch_handler(1));
    assert_eq!(call(jit.main(), "dispatch", 1), UNKNOWN);
}

#[test]
fn sessions_have_callbacks_of_their_own() {
    let [one, two] = [1, 2].map(|value| {
        let jit = jit(&[("by_name", BY_NAME), ("by_symbol", BY_SYMBOL)]);
        jit.session().register_callback("add", add, Arc::new(AtomicI32::new(value))).unwrap();
        jit
    });
    for name in ["by_name", "by_symbol"] {
        assert_eq!((call(one.main(), name, 0), call(two.main(), name, 0)), (1001, 2002), "{name}");
    }
}
