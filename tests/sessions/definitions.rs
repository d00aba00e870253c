//! What a dylib is given, and what becomes of names that are defined more than once.

use crate::support::{call, call_at, compiled, jit, mach_object, object};
use jitlink::base::{Error, ExecutorAddr};
use jitlink::session::generators::{ArchiveGenerator, LibraryGenerator, ReexportGenerator};
use jitlink::session::{ExecutorSymbol, Jit, JitDylib, JitSymbolFlags, LookupKind, Visibility, WantedName};
use jitlink_test_support::arch::Arch;
use jitlink_test_support::toolchain::{Compiler, llvm};

#[test]
fn the_facade_takes_an_object_to_a_called_function() {
    let jit = Jit::new().unwrap();
    jit.main().add_object(object("twice", "int twice(int x) { return 2 * x; }")).unwrap();
    // SAFETY: this is the function's type.
    let twice = unsafe { jit.get::<extern "C" fn(i32) -> i32>("twice") }.unwrap();
    assert_eq!(twice(21), 42);
}

#[test]
fn later_links_refer_to_earlier_ones() {
    let jit = jit(&[("base", "int counter = 5; int base(int x) { return x + counter; }")]);
    assert_eq!(call(jit.main(), "base", 1), 6);
    let text = "extern int counter; int base(int); int above(int x) { counter++; return base(x) * 10; }";
    jit.main().add_object(object("above", text)).unwrap();
    assert_eq!(call(jit.main(), "above", 1), 70);
    assert_eq!(call(jit.main(), "base", 1), 7);
}

#[test]
fn objects_that_refer_to_each_other_are_linked_together() {
    let even = "int odd(int); int even(int n) { return n == 0 ? 1 : odd(n - 1); }";
    let odd = "int even(int); int odd(int n) { return n == 0 ? 0 : even(n - 1); }";
    let jit = jit(&[("even", even), ("odd", odd)]);
    assert_eq!((call(jit.main(), "even", 10), call(jit.main(), "odd", 10)), (1, 0));
}

#[test]
fn nothing_is_linked_before_it_is_wanted() {
    let jit = jit(&[
        ("unusable", "int nowhere(int); int unusable(int x) { return nowhere(x); }"),
        ("usable", "int usable(int x) { return x; }"),
    ]);
    assert_eq!(call(jit.main(), "usable", 3), 3);
    assert!(jit.main().lookup_ready(b"usable").is_some());
    assert!(jit.main().lookup_ready(b"unusable").is_none());
    let error = jit.main().lookup("unusable").unwrap_err().to_string();
    assert!(error.starts_with("undefined symbol nowhere, referenced by unusable.o:(.text"), "{error}");
    assert!(error.ends_with("(materializing unusable.o, for unusable)"), "{error}");
}

#[test]
fn a_second_strong_definition_names_both() {
    let jit = jit(&[("first", "int f(int x) { return 1; } int g(int x) { return 1; }")]);
    let second = object("second", "int f(int x) { return 2; } int h(int x) { return 2; }");
    let error = jit.main().add_object(second).unwrap_err();
    assert!(matches!(error, Error::Duplicate(_)));
    assert_eq!(error.to_string(), "duplicate symbol f: defined in first.o and in second.o");
    assert!(!jit.main().defines("h"), "nothing of it is added");
    assert_eq!(call(jit.main(), "f", 0), 1);
}

#[test]
fn the_first_weak_definition_stands_for_all() {
    const WEAK: &str = "__attribute__((weak)) int shared(int x) { return NUMBER; }
                        int asks_NUMBER(int x) { return shared(x); }";
    let text = |number: &str| WEAK.replace("NUMBER", number);
    let jit = jit(&[("weak1", &text("1")), ("weak2", &text("2"))]);
    assert_eq!((call(jit.main(), "asks_2", 0), call(jit.main(), "asks_1", 0)), (1, 1));
    jit.main().add_object(object("weak3", &text("3"))).unwrap();
    assert_eq!(call(jit.main(), "asks_3", 0), 1, "also of what was linked before");
}

/// `environ` is weak in glibc, and so exported by the process.
#[test]
fn weak_definitions_give_way_to_the_process_if_asked() {
    let text = "__attribute__((weak)) char **environ; int has_environment(int x) { return environ != 0; }";
    for prefer in [false, true] {
        let jit = jit(&[]);
        jit.main().prefer_process_to_weak(prefer);
        jit.main().add_object(object("own_environ", text)).unwrap();
        assert_eq!(call(jit.main(), "has_environment", 0), i32::from(prefer));
    }
}

#[test]
fn a_strong_definition_takes_the_place_of_an_unused_weak_one() {
    let weak =
        "__attribute__((weak)) int choice(int x) { return 1; } int by_weak(int x) { return choice(x); }";
    let strong = "int choice(int x) { return 2; }";
    let fresh = jit(&[("weak_choice", weak), ("strong_choice", strong)]);
    assert_eq!(call(fresh.main(), "by_weak", 0), 2);
    let used = jit(&[("weak_choice", weak)]);
    assert_eq!(call(used.main(), "by_weak", 0), 1);
    let error = used.main().add_object(object("strong_choice", strong)).unwrap_err().to_string();
    assert!(error.contains("choice: defined in weak_choice.o (weakly, and in use already)"), "{error}");
}

#[test]
fn common_symbols_are_one_variable() {
    let text =
        |name: &str| format!("__attribute__((common)) int box; int {name}(int x) {{ return box += x; }}");
    let jit = jit(&[("common1", &text("add1")), ("common2", &text("add2"))]);
    assert_eq!((call(jit.main(), "add1", 3), call(jit.main(), "add2", 4)), (3, 7));
    jit.main().add_object(object("common3", &text("add3"))).unwrap();
    assert_eq!(call(jit.main(), "add3", 5), 12);
}

#[test]
fn hidden_symbols_are_seen_in_their_dylib_alone() {
    let hidden = "__attribute__((visibility(\"hidden\"))) int secret(int x) { return 7; }
                  __attribute__((visibility(\"hidden\"))) int data = 9;
                  int known(int x) { return secret(x); }";
    let jit = jit(&[("hidden", hidden)]);
    assert_eq!(call(jit.main(), "known", 0), 7);
    let user = "extern __attribute__((visibility(\"hidden\"))) int data;
                __attribute__((visibility(\"hidden\"))) int secret(int);
                int user(int x) { return secret(x) + data; }";
    jit.main().add_object(object("hidden_user", user)).unwrap();
    assert_eq!(call(jit.main(), "user", 0), 16);
    let other = jit.create_dylib("other").unwrap();
    other.add_to_link_order(jit.main());
    assert!(other.lookup("known").is_ok());
    assert!(matches!(other.lookup("secret"), Err(Error::NotFound(_))));
    let seen = jit.session().lookup(&[(jit.main(), Visibility::All)], &["secret".into()], LookupKind::Static);
    assert!(seen.unwrap()[0].is_some());
}

#[test]
fn absolute_symbols_are_what_they_are_said_to_be() {
    extern "C" fn add_one(x: i32) -> i32 {
        x + 1
    }
    let jit = jit(&[("calls_host", "int add_one(int); int calls_host(int x) { return add_one(x) * 2; }")]);
    jit.define("add_one", add_one as *const ()).unwrap();
    assert_eq!(call(jit.main(), "calls_host", 20), 42);
    let symbol = jit.main().lookup("add_one").unwrap();
    assert_eq!(symbol.address, ExecutorAddr(add_one as *const () as u64));
    assert!(symbol.flags.contains(JitSymbolFlags::ABSOLUTE | JitSymbolFlags::CALLABLE));
    let again = jit.main().define_absolute([("add_one", ExecutorSymbol::function(ExecutorAddr(1)))]);
    assert!(matches!(again, Err(Error::Duplicate(_))));
}

#[test]
fn aliases_are_other_names_also_within_a_cycle() {
    let uses = "int by_alias(int); int real(int x) { return x <= 0 ? 100 : by_alias(x - 1) + 1; }";
    let jit = jit(&[("uses_alias", uses)]);
    jit.main().define_alias("by_alias", "second", JitSymbolFlags::FUNCTION).unwrap();
    jit.main().define_alias("second", "real", JitSymbolFlags::FUNCTION).unwrap();
    assert_eq!(call(jit.main(), "by_alias", 3), 103);
    assert_eq!(jit.main().lookup("second").unwrap().address, jit.main().lookup("real").unwrap().address);
    jit.main().define_alias("x", "y", JitSymbolFlags::FUNCTION).unwrap();
    jit.main().define_alias("y", "x", JitSymbolFlags::FUNCTION).unwrap();
    let error = jit.main().lookup("x").unwrap_err().to_string();
    assert!(error.contains("aliases that stand for nothing: <alias x>, <alias y>"), "{error}");
    jit.main().define_alias("z", "nowhere", JitSymbolFlags::FUNCTION).unwrap();
    assert!(
        jit.main().lookup("z").unwrap_err().to_string().contains("aliases that stand for nothing: <alias z>")
    );
}

#[test]
fn names_of_another_dylib_come_in_renamed_or_filtered() {
    let jit = jit(&[]);
    let source = jit.create_dylib("source").unwrap();
    source.add_object(object("source", "int one(int x) { return 1; } int two(int x) { return 2; }")).unwrap();
    jit.main().reexport(&source, [("uno", "one")], JitSymbolFlags::FUNCTION).unwrap();
    assert_eq!(call(jit.main(), "uno", 0), 1);
    assert!(jit.main().lookup("one").is_err());
    let filtered = jit.create_dylib("filtered").unwrap();
    filtered.add_generator(ReexportGenerator::new(&source, |name| name.starts_with(b"t")));
    assert_eq!(call(&filtered, "two", 0), 2);
    assert!(filtered.lookup("one").is_err());
}

#[test]
fn this_process_and_closures_define_on_demand() {
    let jit = jit(&[(
        "calls_libc",
        "int getpid(void); int made(int); int calls_libc(int x) { return (getpid() > 0) + made(x); }",
    )]);
    let asked = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let list = asked.clone();
    jit.main().add_generator(move |dylib: &JitDylib, names: &[WantedName<'_>]| {
        list.lock()
            .unwrap()
            .extend(names.iter().map(|wanted| String::from_utf8_lossy(wanted.name).into_owned()));
        if names.iter().any(|wanted| wanted.name == b"made") {
            dylib.add_object(object("made", "int made(int x) { return 1000; }"))?;
        }
        Ok(())
    });
    assert_eq!(call(jit.main(), "calls_libc", 0), 1001);
    let asked = asked.lock().unwrap().join(" ");
    assert!(asked.contains("getpid") && asked.contains("made") && !asked.contains("calls_libc"), "{asked}");
    assert!(jit.main().lookup("malloc").is_ok());
}

#[test]
fn archives_give_members_as_they_are_needed() {
    let a = compiled("member_a", "int b(int); int a(int x) { return b(x) + 1; }");
    let b = compiled("member_b", "int b(int x) { return x * 10; }");
    let unusable = compiled("member_c", "int nowhere(int); int c(int x) { return nowhere(x); }");
    let dir = tempfile::tempdir().unwrap();
    let archive = dir.path().join("libm.a");
    for (dir_of, name) in [(&a, "a.o"), (&b, "b.o"), (&unusable, "c.o")] {
        std::fs::copy(dir_of.join("object.o"), dir.path().join(name)).unwrap();
    }
    let mut ar = std::process::Command::new(llvm("llvm-ar"));
    ar.current_dir(dir.path()).args(["rcs", "libm.a", "a.o", "b.o", "c.o"]);
    assert!(ar.status().unwrap().success());
    let jit = jit(&[]);
    jit.main().add_generator(ArchiveGenerator::open(&archive).unwrap());
    let dlsym = jit.session().lookup(&[(jit.main(), Visibility::All)], &["a".into()], LookupKind::DlSym);
    assert!(matches!(dlsym, Err(Error::NotFound(_))), "dlsym adds nothing");
    assert_eq!(call(jit.main(), "a", 4), 41);
    assert!(jit.main().defines("b") && !jit.main().defines("c"));
    let error = jit.main().lookup("c").unwrap_err().to_string();
    assert!(error.contains("nowhere, referenced by") && error.contains("libm.a(c.o)"), "{error}");
}

#[test]
fn shared_libraries_give_what_they_export() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("lib.c");
    std::fs::write(&source, "int only_in_this_library(int x) { return x + 5; }").unwrap();
    let library = dir.path().join("libonly.so");
    let mut clang = Compiler::Clang.c(Arch::host());
    clang.args(["-shared", "-fPIC", "-o"]).args([&library, &source]);
    clang.arg("--ld-path=/usr/lib/llvm-22/bin/ld.lld");
    assert!(clang.status().unwrap().success());
    let jit = jit(&[(
        "uses_library",
        "int only_in_this_library(int); int uses_library(int x) { return only_in_this_library(x); }",
    )]);
    jit.main().add_generator(LibraryGenerator::open(&library).unwrap());
    assert_eq!(call(jit.main(), "uses_library", 1), 6);
    assert!(LibraryGenerator::open(dir.path().join("none.so")).is_err());
    assert!(!LibraryGenerator::open_weak(dir.path().join("none.so")).is_loaded());
    let weak =
        "extern int absent(int) __attribute__((weak)); int has_absent(int x) { return absent ? 1 : 0; }";
    let other = jit.create_dylib("weakly").unwrap();
    other.add_generator(LibraryGenerator::open_weak(dir.path().join("none.so")));
    other.add_object(object("has_absent", weak)).unwrap();
    assert_eq!(call(&other, "has_absent", 0), 0);
}

#[test]
fn many_names_are_looked_up_at_once() {
    let jit = jit(&[("many", "int p(int x) { return 1; } int q(int x) { return 2; }")]);
    let names = ["q".into(), "p".into(), jitlink::session::LookupName { name: b"none", weak: true }];
    let found =
        jit.session().lookup(&[(jit.main(), Visibility::Exported)], &names, LookupKind::Static).unwrap();
    let values: Vec<_> = found.iter().map(|symbol| symbol.map(|symbol| call_at(symbol.address, 0))).collect();
    assert_eq!(values, [Some(2), Some(1), None]);
    let (sender, receiver) = std::sync::mpsc::channel();
    let order = [(jit.main(), Visibility::Exported)];
    jit.session().lookup_then(&order, &["p".into()], LookupKind::Static, move |found| {
        sender.send(found.unwrap()[0].unwrap().address).unwrap();
    });
    assert_eq!(call_at(receiver.recv().unwrap(), 0), 1);
}

/// Objects of another format, as clang makes them for Darwin: names are those of C in a session, whatever the format.
#[test]
fn formats_find_each_other() {
    let darwin = "int plain(int); int getpid(void); int mach(int x) { return plain(x) + (getpid() > 0); }
                  __attribute__((weak)) int twice(int x) { return 2 * x; }";
    let jit = jit(&[
        ("plain", "int plain(int x) { return x * 10; }"),
        ("uses_mach", "int twice(int); int uses_mach(int x) { return twice(x); }"),
    ]);
    jit.main().add_object(mach_object("mach", darwin)).unwrap();
    assert_eq!(call(jit.main(), "uses_mach", 4), 8);
    assert_eq!(call(jit.main(), "mach", 4), 41);
    jit.main().define_alias("other", "mach", JitSymbolFlags::FUNCTION).unwrap();
    assert_eq!(call(jit.main(), "other", 1), 11);
}
