//! What goes wrong, who hears of it, and what is not harmed.

use crate::support::{call, jit, object};
use jitlink::base::Error;
use jitlink::session::{JitSymbolFlags, LookupKind, Materialized, ObjectBuffer, Visibility};

#[test]
fn all_unknown_names_are_listed_with_what_resembles_them() {
    let jit = jit(&[("known", "int frobnicate(int x) { return 1; }")]);
    let names = ["frobnicat".into(), "frobnicate".into(), "entirely_else".into()];
    let order = [(jit.main(), Visibility::Exported), (jit.process(), Visibility::Exported)];
    let error = jit.session().lookup(&order, &names, LookupKind::Static).unwrap_err();
    let Error::NotFound(not_found) = &error else { panic!("{error}") };
    assert_eq!(not_found.symbols.len(), 2);
    assert_eq!(
        error.to_string(),
        "symbol frobnicat not found in main, <process>; did you mean frobnicate?\n\
         symbol entirely_else not found in main, <process>"
    );
}

#[test]
fn what_does_not_depend_on_the_fault_is_not_harmed() {
    let jit = jit(&[
        ("sound", "int sound(int x) { return 1; }"),
        ("faulty", "int nowhere(int); int sound(int); int faulty(int x) { return nowhere(x) + sound(x); }"),
        ("on_faulty", "int faulty(int); int on_faulty(int x) { return faulty(x); }"),
    ]);
    let names = ["sound".into(), "on_faulty".into()];
    let order = [(jit.main(), Visibility::Exported)];
    let error = jit.session().lookup(&order, &names, LookupKind::Static).unwrap_err().to_string();
    assert!(error.starts_with("undefined symbol nowhere, referenced by faulty.o"), "{error}");
    assert!(error.ends_with("(materializing faulty.o, for sound, on_faulty)"), "{error}");
    assert_eq!(call(jit.main(), "sound", 0), 1);
    let again = jit.main().lookup("on_faulty").unwrap_err().to_string();
    assert!(again.contains("nowhere") && again.contains("faulty.o"), "{again}");
}

#[test]
fn malformed_objects_are_refused_when_added() {
    let jit = jit(&[]);
    let error = jit.main().add_object(ObjectBuffer::new("text.o", b"not an object".to_vec())).unwrap_err();
    assert!(error.to_string().starts_with("text.o:"), "{error}");
    assert!(jit.main().add_object_file("/nonexistent/x.o").is_err());
}

#[test]
fn a_panic_fails_its_unit_and_nothing_else() {
    let jit = jit(&[("calm", "int calm(int x) { return 1; }")]);
    let flags = JitSymbolFlags::FUNCTION;
    jit.main().define_with("nervous unit", [("nervous", flags)], |_| panic!("too {}", "much")).unwrap();
    let error = jit.main().lookup("nervous").unwrap_err().to_string();
    assert_eq!(error, "panicked: too much (materializing nervous unit, for nervous)");
    assert_eq!(call(jit.main(), "calm", 0), 1);
}

#[test]
fn a_unit_must_make_what_it_promised() {
    let jit = jit(&[]);
    let made = object("only_p", "int p(int x) { return 1; }");
    let names = [("p", JitSymbolFlags::FUNCTION), ("q", JitSymbolFlags::FUNCTION)];
    jit.main().define_with("unit", names, move |_| Ok(Materialized::object(made))).unwrap();
    let error = jit.main().lookup("p").unwrap_err().to_string();
    assert!(error.starts_with("unit was to define q and has not done so"), "{error}");
}

#[test]
fn waiting_for_oneself_is_an_error() {
    let jit = jit(&[("needs_made", "int made(int); int needs_made(int x) { return made(x); }")]);
    let names = [("made", JitSymbolFlags::FUNCTION)];
    let unit = |request: &jitlink::session::MaterializationRequest<'_>| {
        request.dylib().lookup("needs_made")?;
        Ok(Materialized::default())
    };
    jit.main().define_with("ouroboros", names, unit).unwrap();
    let error = jit.main().lookup("made").unwrap_err().to_string();
    assert!(error.contains("a lookup waits for itself: it needs ouroboros"), "{error}");
}

#[test]
fn waiting_for_each_other_is_an_error_and_no_deadlock() {
    let jit = jit(&[]);
    let barrier = std::sync::Arc::new(std::sync::Barrier::new(2));
    for (own, other) in [("left", "right"), ("right", "left")] {
        let barrier = barrier.clone();
        jit.main()
            .define_with(own, [(own, JitSymbolFlags::FUNCTION)], move |request| {
                barrier.wait();
                request.dylib().lookup(other)?;
                Ok(Materialized::default())
            })
            .unwrap();
    }
    let errors: Vec<String> = std::thread::scope(|scope| {
        let threads = ["left", "right"].map(|name| {
            let dylib = jit.main();
            scope.spawn(move || dylib.lookup(name).unwrap_err().to_string())
        });
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(errors.iter().all(|error| error.contains("waits for itself")), "{errors:?}");
}
