//! Objects whose functions are linked on their first call, and speculation.

use crate::support::{call, jit, object};
use jitlink::lazy::{LazyObjects, LazyReexports, OrderSpeculator};
use jitlink::session::Jit;
use std::sync::Arc;

const FIRST: &str = "int second(int); int first(int x) { return x ? second(x) : 1; }";
const SECOND: &str = "int table[] = {7, 8}; int second(int x) { return table[1] + x; }";

fn lazy_pair(jit: &Jit, lazy: &LazyObjects) {
    lazy.add(jit.main(), object("lazy_first", FIRST)).unwrap();
    lazy.add(jit.main(), object("lazy_second", SECOND)).unwrap();
}

#[test]
fn an_object_is_linked_when_a_function_of_it_is_called() {
    let jit = jit(&[]);
    let lazy = LazyObjects::default();
    lazy_pair(&jit, &lazy);
    let bodies = lazy.implementation(jit.main()).unwrap();
    assert!(jit.main().lookup("first").is_ok());
    assert!(bodies.lookup_ready(b"first").is_none());
    assert_eq!(call(jit.main(), "first", 0), 1);
    assert!(bodies.lookup_ready(b"first").is_some() && bodies.lookup_ready(b"second").is_none());
    assert_eq!(call(jit.main(), "first", 5), 13);
    assert!(bodies.lookup_ready(b"second").is_some());
}

#[test]
fn references_to_data_link_what_has_it() {
    let jit = jit(&[("reads", "extern int table[]; int reads(int x) { return table[x]; }")]);
    let lazy = LazyObjects::default();
    lazy_pair(&jit, &lazy);
    assert_eq!(call(jit.main(), "reads", 0), 7);
    let bodies = lazy.implementation(jit.main()).unwrap();
    assert!(bodies.lookup_ready(b"second").is_some() && bodies.lookup_ready(b"first").is_none());
}

#[test]
fn first_calls_are_noted_and_done_ahead() {
    let recorder = Arc::new(OrderSpeculator::recorder());
    let noting = jit(&[]);
    let lazy = LazyObjects::new(LazyReexports::default());
    lazy.reexports().set_observer(recorder.clone());
    lazy_pair(&noting, &lazy);
    assert_eq!(call(noting.main(), "first", 5), 13);
    let called = recorder.called();
    let names: Vec<_> = called.iter().map(|(dylib, name)| (dylib.as_str(), &name[..])).collect();
    assert_eq!(names, [("main.impl", &b"first"[..]), ("main.impl", b"second")]);

    let ahead = Arc::new(OrderSpeculator::new(called, 2));
    let jit = jit(&[]);
    let lazy = LazyObjects::default();
    lazy.reexports().set_observer(ahead.clone());
    lazy_pair(&jit, &lazy);
    ahead.begin();
    ahead.finish();
    let bodies = lazy.implementation(jit.main()).unwrap();
    assert!(bodies.lookup_ready(b"first").is_some() && bodies.lookup_ready(b"second").is_some());
    assert_eq!(call(jit.main(), "first", 5), 13);
}
