//! Thread-local variables that one image defines and others, and the host, use.

use crate::support::{call, call_at, jit, mach_object, object_with};
use jitlink::session::{Jit, JitSymbolFlags};
use jitlink_test_support::arch::Arch;
use jitlink_test_support::process::run;
use jitlink_test_support::toolchain::Compiler;

const DEFINES: &str = "__thread int before[3]; __thread int counter = 40;\n\
    int own(int n) { return counter += n; }\n";
const USES: &str = "extern __thread int counter; int add(int n) { return counter += n; }\n";

const PIC: &[&str] = &["-fPIC"];
const INITIAL_EXEC: &[&str] = &["-fPIC", "-ftls-model=initial-exec"];
#[cfg(target_arch = "x86_64")]
const DYNAMIC: [&[&str]; 2] = [PIC, &["-fPIC", "-mtls-dialect=gnu2"]];
#[cfg(target_arch = "aarch64")]
const DYNAMIC: [&[&str]; 1] = [PIC];

/// Each object has an image of its own: it is linked before the next one is added.
fn in_turn(objects: &[(&str, &str, &[&str])]) -> Jit {
    let jit = jit(&[]);
    for (name, text, flags) in objects {
        let object = object_with(name, text, flags);
        jit.main().add_object(object.clone()).unwrap();
        for (name, _) in jitlink::session::object_symbols(&object).unwrap() {
            jit.main().lookup(name).unwrap();
        }
    }
    jit
}

fn on_another_thread(work: impl FnOnce() -> i32 + Send) -> i32 {
    std::thread::scope(|scope| scope.spawn(work).join().unwrap())
}

#[test]
fn a_later_image_uses_the_variable_by_every_model() {
    let all: Vec<&[&str]> = DYNAMIC.into_iter().chain([INITIAL_EXEC, &["-fno-pic"]]).collect();
    for defines in &all {
        for uses in &all {
            let dynamic = |flags: &[&str]| DYNAMIC.contains(&flags);
            if dynamic(defines) && !dynamic(uses) {
                continue;
            }
            let jit = in_turn(&[("defines", DEFINES, defines), ("uses", USES, uses)]);
            let (own, add) = (jit.main().lookup("own").unwrap(), jit.main().lookup("add").unwrap());
            assert_eq!(call_at(add.address, 1), 41, "{defines:?} {uses:?}");
            assert_eq!(call_at(own.address, 1), 42, "{defines:?} {uses:?}");
            assert_eq!(on_another_thread(|| call_at(add.address, 5)), 45, "{defines:?} {uses:?}");
            assert_eq!(call_at(add.address, 0), 42, "{defines:?} {uses:?}");
        }
    }
}

#[test]
fn a_variable_that_its_own_image_does_not_use_serves_every_model() {
    let only = "__thread int counter = 40;\n";
    for flags in [PIC, INITIAL_EXEC, &["-fno-pic"]] {
        let jit = in_turn(&[("only", only, flags), ("uses", USES, flags)]);
        assert_eq!(call(jit.main(), "add", 2), 42, "{flags:?}");
        let add = jit.main().lookup("add").unwrap().address;
        assert_eq!(on_another_thread(|| call_at(add, 5)), 45, "{flags:?}");
    }
}

#[test]
fn offsets_from_the_thread_pointer_are_refused_where_threads_differ() {
    let jit = in_turn(&[("defines", DEFINES, PIC)]);
    jit.main().add_object(object_with("uses", USES, INITIAL_EXEC)).unwrap();
    let error = jit.main().lookup("add").unwrap_err().to_string();
    for part in [
        "counter is a thread-local variable whose offset from the thread pointer differs",
        "compile what refers to it with -fPIC",
    ] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_lookup_gives_the_calling_threads_variable() {
    for flags in [PIC, INITIAL_EXEC] {
        let jit = in_turn(&[("defines", DEFINES, flags)]);
        let own = jit.main().lookup("own").unwrap().address;
        let read = || {
            let symbol = jit.main().lookup("counter").unwrap();
            assert!(symbol.flags.contains(JitSymbolFlags::THREAD_LOCAL));
            assert_eq!(symbol.size, 4);
            // SAFETY: a variable of this type, and this thread's.
            let counter = unsafe { jit.main().get::<*mut i32>("counter").unwrap() };
            assert_eq!(counter.address(), symbol.address);
            // SAFETY: as above.
            unsafe { **counter }
        };
        assert_eq!((read(), call_at(own, 2), read()), (40, 42, 42), "{flags:?}");
        assert_eq!(on_another_thread(|| call_at(own, 5) * 1000 + read()), 45_045, "{flags:?}");
        assert_eq!(read(), 42, "{flags:?}");
    }
}

#[test]
fn an_image_stays_while_others_use_its_variables() {
    let jit = jit(&[]);
    let (first, second) = (jit.create_tracker(), jit.create_tracker());
    first.add_object(object_with("defines", DEFINES, PIC)).unwrap();
    jit.main().lookup("own").unwrap();
    second.add_object(object_with("uses", USES, PIC)).unwrap();
    let add = jit.main().lookup("add").unwrap().address;
    assert_eq!(call_at(add, 1), 41);
    let removed = first.remove().unwrap();
    assert_eq!((removed.freed, removed.in_use), (0, 1));
    assert!(!jit.main().defines("counter"));
    assert_eq!(call_at(add, 1), 42);
    assert_eq!(on_another_thread(|| call_at(add, 1)), 41);
    assert_eq!(second.remove().unwrap().freed, 1);
}

#[test]
fn inline_variables_are_one_for_all_images() {
    let header = "struct S { int n = 7; S(); ~S(); }; inline thread_local int plain = 3;\n\
        template<class T> struct Holder { static inline thread_local int value = 5; };\n";
    let first =
        format!("{header} extern \"C\" int one(int n) {{ return plain += n, Holder<int>::value += n; }}");
    let second =
        format!("{header} extern \"C\" int two(int n) {{ return plain * 1000 + Holder<int>::value + n; }}");
    for flags in [PIC, INITIAL_EXEC] {
        let jit = in_turn(&[("one.cpp", &first, flags), ("two.cpp", &second, flags)]);
        assert_eq!(call(jit.main(), "one", 2), 7, "{flags:?}");
        assert_eq!(call(jit.main(), "two", 0), 5007, "{flags:?}");
    }
}

#[test]
fn an_alias_of_a_variable_is_the_variable() {
    let jit = in_turn(&[("defines", DEFINES, PIC)]);
    jit.main().define_alias("other", "counter", JitSymbolFlags::EXPORTED).unwrap();
    let text = "extern __thread int other; int read(int n) { return other + n; }\n";
    jit.main().add_object(object_with("reads", text, PIC)).unwrap();
    call(jit.main(), "own", 2);
    assert_eq!(call(jit.main(), "read", 0), 42);
}

#[test]
fn references_of_the_wrong_sort_are_refused() {
    let jit = in_turn(&[("defines", DEFINES, PIC)]);
    let text = "extern int counter; int read(int n) { return counter + n; }\n";
    jit.main().add_object(object_with("ordinary", text, PIC)).unwrap();
    let error = jit.main().lookup("read").unwrap_err().to_string();
    assert!(error.contains("counter is a thread-local variable, but code refers to it as if"), "{error}");

    let jit = in_turn(&[("plain", "int counter = 1;\n", PIC)]);
    jit.main().add_object(object_with("uses", USES, PIC)).unwrap();
    let error = jit.main().lookup("add").unwrap_err().to_string();
    assert!(error.contains("counter is no thread-local variable"), "{error}");
}

#[test]
fn variables_of_a_library_that_only_one_dylib_sees() {
    let dir = tempfile::tempdir().unwrap();
    let (source, library) = (dir.path().join("l.c"), dir.path().join("libthread_local_of_a_dylib.so"));
    let text =
        "__thread int of_a_dylibs_library = 40; int bump(int n) { return of_a_dylibs_library += n; }\n";
    std::fs::write(&source, text).unwrap();
    let mut clang = Compiler::Clang.c(Arch::host());
    clang.args(["-shared", "-fPIC", "-o"]).args([&library, &source]);
    run(&mut clang, b"").unwrap().success().unwrap();
    let jit = jit(&[]);
    jit.add_library(&library).unwrap();
    let text = "extern __thread int of_a_dylibs_library; int bump(int);\n\
        int use(int n) { bump(n); return of_a_dylibs_library; }\n";
    jit.main().add_object(object_with("uses_library", text, PIC)).unwrap();
    assert_eq!(call(jit.main(), "use", 2), 42);
    // SAFETY: a variable of this type, and this thread's.
    let read = || unsafe { **jit.main().get::<*mut i32>("of_a_dylibs_library").unwrap() };
    assert_eq!((read(), on_another_thread(read)), (42, 40));
}

#[test]
fn darwins_variables_across_images() {
    let jit = jit(&[]);
    let defines = "_Thread_local int counter = 40; int own(int n) { return counter += n; }\n";
    let uses = "extern _Thread_local int counter; int add(int n) { return counter += n; }\n";
    jit.main().add_object(mach_object("darwin_defines", defines)).unwrap();
    assert_eq!(call(jit.main(), "own", 1), 41);
    jit.main().add_object(mach_object("darwin_uses", uses)).unwrap();
    assert_eq!(call(jit.main(), "add", 1), 42);
    let add = jit.main().lookup("add").unwrap().address;
    // SAFETY: a variable of this type, and this thread's.
    let read = || unsafe { **jit.main().get::<*mut i32>("counter").unwrap() };
    assert_eq!(read(), 42);
    assert_eq!(on_another_thread(|| call_at(add, 5) * 1000 + read()), 45_045);

    jit.main().add_object(object_with("uses", USES.replace("add", "add_elf").as_str(), PIC)).unwrap();
    let error = jit.main().lookup("add_elf").unwrap_err().to_string();
    assert!(
        error.contains("counter is a thread-local variable that code for Linux and for Darwin"),
        "{error}"
    );
}

/// Images that use a variable of one that stays are linked, called and removed by each thread.
#[test]
fn sixty_four_threads_share_a_variable_with_images_that_come_and_go() {
    for flags in [PIC, INITIAL_EXEC] {
        let jit = in_turn(&[("defines", DEFINES, flags)]);
        let own = jit.main().lookup("own").unwrap().address;
        let uses = object_with("uses", USES, flags);
        std::thread::scope(|scope| {
            for number in 1..=64 {
                let (jit, uses) = (&jit, &uses);
                scope.spawn(move || {
                    for round in 1..=10 {
                        let dylib = jit.create_dylib(format!("{number} {round}")).unwrap();
                        dylib.add_to_link_order(jit.main());
                        dylib.add_object(uses.clone()).unwrap();
                        let add = dylib.lookup("add").unwrap().address;
                        assert_eq!(call_at(add, number), 40 + number * round, "{flags:?}");
                        assert_eq!(call_at(own, 0), 40 + number * round, "{flags:?}");
                        assert_eq!(jit.session().remove_dylib(&dylib).unwrap().freed, 1);
                    }
                });
            }
        });
    }
}
