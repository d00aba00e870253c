//! Dylibs and what they see of each other.

use crate::support::{call, jit, object};
use jitlink::base::Error;
use jitlink::session::Visibility;

#[test]
fn dylibs_have_names_and_symbols_of_their_own() {
    let jit = jit(&[("here", "int same(int x) { return 1; }")]);
    let other = jit.create_dylib("other").unwrap();
    other.add_object(object("there", "int same(int x) { return 2; }")).unwrap();
    assert_eq!((call(jit.main(), "same", 0), call(&other, "same", 0)), (1, 2));
    assert_eq!(jit.session().dylib("other"), Some(other.clone()));
    let again = jit.session().create_dylib("other").unwrap_err().to_string();
    assert!(again.contains("already"), "{again}");
    let names: Vec<_> = jit.session().dylibs().iter().map(|dylib| dylib.name().to_owned()).collect();
    assert_eq!(names, ["main", "<process>", "other"]);
    assert_eq!(other.symbols().len(), 1);
}

#[test]
fn the_link_order_says_whose_definition_is_meant() {
    let jit = jit(&[]);
    let [a, b] = ["a", "b"].map(|name| jit.create_dylib(name).unwrap());
    a.add_object(object("in_a", "int value(int x) { return 1; }")).unwrap();
    b.add_object(object("in_b", "int value(int x) { return 2; }")).unwrap();
    let user = "int value(int); int user(int x) { return value(x); }";
    for (name, order, expected) in [("ab", [&a, &b], 1), ("ba", [&b, &a], 2)] {
        let dylib = jit.create_dylib(name).unwrap();
        dylib.set_link_order(&order.map(|dylib| (dylib, Visibility::Exported)));
        dylib.add_object(object("value_user", user)).unwrap();
        assert_eq!(call(&dylib, "user", 0), expected);
        assert_eq!(dylib.link_order().len(), 3);
    }
}

#[test]
fn dylibs_that_need_each_other_keep_their_names_apart() {
    let jit = jit(&[]);
    let [a, b] = ["a", "b"].map(|name| jit.create_dylib(name).unwrap());
    a.add_to_link_order(&b);
    b.add_to_link_order(&a);
    let text = |own: &str, other: &str, value: i32| {
        format!(
            "int {other}(int); int helper(int x) {{ return x + {value}; }}
             int {own}(int n) {{ return n == 0 ? helper(0) : {other}(n - 1); }}"
        )
    };
    a.add_object(object("mutual_a", &text("in_a", "in_b", 100))).unwrap();
    b.add_object(object("mutual_b", &text("in_b", "in_a", 200))).unwrap();
    assert_eq!((call(&a, "in_a", 2), call(&a, "in_a", 1), call(&b, "in_b", 0)), (100, 200, 200));
    assert_ne!(a.lookup("helper").unwrap().address, b.lookup("helper").unwrap().address);
}

#[test]
fn a_removed_dylib_is_gone_from_all_link_orders() {
    let jit = jit(&[("uses", "int f(int); int uses(int x) { return f(x); }")]);
    let lib = jit.create_dylib("lib").unwrap();
    lib.add_object(object("lib_f", "int f(int x) { return x + 1; }")).unwrap();
    jit.main().add_to_link_order(&lib);
    assert_eq!(call(&lib, "f", 1), 2);
    let removed = jit.session().remove_dylib(&lib).unwrap();
    assert_eq!((removed.freed, removed.in_use), (1, 0));
    assert!(jit.session().dylib("lib").is_none());
    assert!(jit.session().remove_dylib(&lib).is_err());
    assert!(matches!(jit.main().lookup("f"), Err(Error::NotFound(_))));
    let error = jit.main().lookup("uses").unwrap_err().to_string();
    assert!(error.contains("undefined symbol f"), "{error}");
    let again = jit.create_dylib("lib").unwrap();
    again.add_object(object("lib_f", "int f(int x) { return x + 1; }")).unwrap();
    assert_eq!(call(&again, "f", 1), 2);
}
