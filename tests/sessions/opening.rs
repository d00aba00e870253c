//! Dylibs that are opened and closed, by the program and by linked code.

use crate::support::{alone, call, jit, object, object_with};
use jitlink::base::ExecutorAddr;
use jitlink::session::generators::LibraryGenerator;
use jitlink::session::{ExecutorSymbol, Jit, JitDylib, ObjectBuffer};
use jitlink_test_support::arch::Arch;
use jitlink_test_support::toolchain::libstdcxx;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI32, Ordering};

static TRACE: Mutex<Vec<i32>> = Mutex::new(Vec::new());

extern "C" fn note_open(value: i32) {
    TRACE.lock().unwrap().push(value);
}

fn trace() -> Vec<i32> {
    std::mem::take(&mut TRACE.lock().unwrap())
}

fn noting_jit() -> Jit {
    let jit = jit(&[]);
    let symbol = ExecutorSymbol::function(ExecutorAddr(note_open as *const () as u64));
    jit.process().define_absolute([("note_open", symbol)]).unwrap();
    jit
}

fn dylib(jit: &Jit, name: &str, objects: &[ObjectBuffer]) -> JitDylib {
    let dylib = jit.create_dylib(name).unwrap();
    objects.iter().for_each(|object| dylib.add_object(object.clone()).unwrap());
    dylib
}

fn open(dylib: &JitDylib) -> jitlink::session::DylibHandle {
    // SAFETY: the initialisers are those of the tests.
    unsafe { dylib.open() }.unwrap()
}

/// A pair of initialiser and finaliser that note a number.
fn pair(number: i32) -> String {
    format!(
        "void note_open(int);
         __attribute__((constructor)) static void up(void) {{ note_open({number}); }}
         __attribute__((destructor)) static void down(void) {{ note_open(-{number}); }}
         int f{number}(int x) {{ return {number}; }}"
    )
}

#[test]
fn variables_are_as_at_first_when_a_dylib_is_opened_again() {
    let _alone = alone();
    let text = "
        void note_open(int); int atexit(void (*)(void));
        int data = 5, zeros[3000]; static const int *const pointer = &data;
        __thread int local = 7; __thread int local_zero;
        static void handler(void) { note_open(data); }
        __attribute__((constructor)) static void up(void) {
            note_open(data * 1000 + zeros[2999] * 100 + local * 10 + local_zero);
            data++; zeros[2999]++; local++; local_zero++; atexit(handler); }
        __attribute__((destructor)) static void down(void) { note_open(-data); }
        int change(int by) { data += by; zeros[0] = by; local += by; return *pointer; }
        int sum(int x) { return data + zeros[0] + zeros[2999] + local + local_zero; }";
    for (name, flags) in
        [("reset", &["-fPIC"][..]), ("reset_static", &["-fno-pic", "-ftls-model=local-exec"])]
    {
        let jit = noting_jit();
        let lib = dylib(&jit, "lib", &[object_with(name, text, flags)]);
        let plain = "int other = 1; int change_other(int by) { return other += by; }";
        lib.add_object(object("reset_plain", plain)).unwrap();
        let (first, second) = (open(&lib), open(&lib));
        assert_eq!(trace(), [5070]);
        assert_eq!((call(&lib, "change", 10), call(&lib, "change_other", 10)), (16, 11));
        first.close().unwrap();
        assert!(trace().is_empty() && lib.is_open());
        second.close().unwrap();
        assert_eq!((trace(), lib.is_open()), (vec![-16, 16], false));
        let again = open(&lib);
        assert_eq!(trace(), [5070], "{name}");
        assert_eq!((call(&lib, "sum", 0), call(&lib, "change_other", 1)), (6 + 1 + 8 + 1, 2));
        drop(again);
        assert_eq!(trace(), [-6, 6]);
    }
}

#[test]
fn dependencies_are_opened_first_and_closed_when_nobody_needs_them() {
    let _alone = alone();
    let jit = noting_jit();
    let [a, b, c] = [("open_a", 1), ("open_b", 2), ("open_c", 3)]
        .map(|(name, number)| dylib(&jit, name, &[object(name, &pair(number))]));
    a.add_to_link_order(&c);
    b.add_to_link_order(&c);
    let (of_a, of_b) = (open(&a), open(&b));
    assert_eq!(trace(), [3, 1, 2]);
    of_a.close().unwrap();
    assert_eq!(trace(), [-1]);
    let of_c = open(&c);
    of_b.close().unwrap();
    assert_eq!(trace(), [-2]);
    of_c.close().unwrap();
    assert_eq!(trace(), [-3]);
    let of_a = open(&a);
    assert_eq!(trace(), [3, 1]);
    of_a.close().unwrap();
    assert_eq!(trace(), [-1, -3]);
}

#[test]
fn objects_that_are_added_are_initialised_by_the_next_opening() {
    let _alone = alone();
    let jit = noting_jit();
    let lib = dylib(&jit, "lib", &[object("added_1", &pair(1))]);
    let first = open(&lib);
    lib.add_object(object("added_2", &pair(2))).unwrap();
    assert_eq!(call(&lib, "f2", 0), 2);
    assert_eq!(trace(), [1]);
    let second = open(&lib);
    assert_eq!(trace(), [2]);
    drop((first, second));
    assert_eq!(trace(), [-2, -1]);
    drop(open(&lib));
    assert_eq!(trace(), [1, 2, -2, -1], "all of them are one update now");
}

#[test]
fn what_was_initialised_for_good_is_not_closed() {
    let _alone = alone();
    let jit = noting_jit();
    let lib = dylib(&jit, "lib", &[object("for_good", &pair(1))]);
    // SAFETY: the initialiser is that above.
    unsafe { lib.initialize() }.unwrap();
    open(&lib).close().unwrap();
    assert_eq!(trace(), [1]);
    lib.deinitialize();
    assert_eq!(trace(), [-1]);
    // SAFETY: as above.
    let error = unsafe { lib.open() }.unwrap_err().to_string();
    assert!(error.contains("was not kept"), "{error}");
    assert!(trace().is_empty() && !lib.is_open());
}

/// What linked code sees of the functions.
const HEADER: &str = "
    typedef unsigned long size_t; int strcmp(const char *, const char *); char *strstr(const char *, const char *);
    void note_open(int);
    void *dlopen(const char *, int); void *dlsym(void *, const char *); int dlclose(void *); char *dlerror(void);
    void *dlvsym(void *, const char *, const char *);
    void *jit_dlopen(const char *, int); void *jit_dlsym(void *, const char *); int jit_dlclose(void *);
    char *jit_dlerror(void);
    #define RTLD_NOW 2
    #define RTLD_NOLOAD 4
    #define RTLD_GLOBAL 0x100
    #define RTLD_NEXT ((void *)-1)
    #define CHECK(what) do { if (!(what)) return __LINE__; } while (0)
";

/// Runs `int run(int)` of a test's main dylib; the line of the check that fails.
fn run(jit: &Jit, name: &str, text: &str) {
    let text = format!("{HEADER}\n#line 1\n{text}");
    jit.main().add_object(object_with(name, &text, &["-fno-builtin"])).unwrap();
    assert_eq!(call(jit.main(), "run", 0), 0, "the line of {name} whose check fails");
}

#[test]
fn linked_code_opens_dylibs_and_libraries() {
    let _alone = alone();
    let jit = noting_jit();
    dylib(&jit, "plugin", &[object("plugin", &pair(1))]);
    let text = r#"int run(int x) {
        CHECK(!dlopen("plugin", RTLD_NOW | RTLD_NOLOAD)); CHECK(!dlerror());
        void *plugin = dlopen("plugin", RTLD_NOW); CHECK(plugin); CHECK(!dlerror());
        CHECK(dlopen("plugin", RTLD_NOW | RTLD_NOLOAD) == plugin);
        CHECK(jit_dlopen("plugin", RTLD_NOW) == plugin);
        int (*f)(int) = dlsym(plugin, "f1"); CHECK(f && f(0) == 1); CHECK(jit_dlsym(plugin, "f1") == (void *)f);
        CHECK(!dlsym(plugin, "nothing")); CHECK(strstr(dlerror(), "undefined symbol: nothing")); CHECK(!dlerror());
        CHECK(dlsym(plugin, "malloc")); CHECK(!dlsym(0, "f1")); CHECK(dlerror());
        CHECK(!dlclose(plugin)); CHECK(!dlclose(plugin)); CHECK(!jit_dlclose(plugin));
        CHECK(dlclose(plugin) == -1); CHECK(strstr(dlerror(), "plugin is not open"));
        CHECK(!dlsym(plugin, "f1")); CHECK(strstr(dlerror(), "not open"));
        void *math = dlopen("libm.so.6", RTLD_NOW); CHECK(math && dlsym(math, "cos"));
        CHECK(!jit_dlopen("libm.so.6", RTLD_NOW)); CHECK(strstr(jit_dlerror(), "no dylib"));
        CHECK(!jit_dlsym(math, "cos")); CHECK(jit_dlerror());
        CHECK(!dlclose(math));
        CHECK(!dlopen("/no/such/library.so", RTLD_NOW)); CHECK(strstr(dlerror(), "/no/such/library.so"));
        CHECK(dlclose((void *)16) == -1); CHECK(strstr(dlerror(), "invalid handle")); CHECK(dlclose(0) == -1);
        void *all = dlopen(0, RTLD_NOW); CHECK(all && dlsym(all, "run") == (void *)run && dlsym(all, "strcmp"));
        CHECK(!dlclose(all)); CHECK(dlsym(0, "run") == (void *)run); CHECK(!dlsym(0, 0)); CHECK(dlerror());
        CHECK(dlsym(0, "dlopen") == (void *)dlopen);
        return 0; }"#;
    run(&jit, "opens", text);
    assert_eq!(trace(), [1, -1]);
    let dylib = jit.session().dylib("plugin").unwrap();
    drop(open(&dylib));
    assert_eq!(trace(), [1, -1]);
}

#[test]
fn searches_of_everything_and_of_the_next_go_by_the_callers_dylib() {
    let _alone = alone();
    let jit = noting_jit();
    let value = |name: &str, value: i32| object(name, &format!("int which(int x) {{ return {value}; }}"));
    let next = jit.create_dylib("next").unwrap();
    next.add_object(value("which_2", 2)).unwrap();
    dylib(&jit, "global", &[object("only_global", "int only_global(int x) { return 3; }")]);
    jit.main().add_to_link_order(&next);
    let text = r#"int which(int x) { return 1; }
        int run(int x) {
        int (*f)(int) = dlsym(0, "which"); CHECK(f == which);
        f = dlsym(RTLD_NEXT, "which"); CHECK(f && f(0) == 2); CHECK(!jit_dlsym(RTLD_NEXT, "run")); CHECK(dlerror());
        CHECK(dlsym(RTLD_NEXT, "getenv")); CHECK(dlvsym(0, "getenv", VERSION));
        CHECK(!dlvsym(0, "getenv", "GLIBC_9.9")); CHECK(dlerror());
        void *global = dlopen("global", RTLD_NOW); CHECK(!dlsym(0, "only_global")); CHECK(dlerror());
        CHECK(dlopen("global", RTLD_NOW | RTLD_GLOBAL) == global);
        f = dlsym(0, "only_global"); CHECK(f && f(0) == 3);
        CHECK(!dlclose(global) && !dlclose(global)); CHECK(!dlsym(0, "only_global"));
        return 0; }"#;
    let version = if cfg!(target_arch = "aarch64") { "\"GLIBC_2.17\"" } else { "\"GLIBC_2.2.5\"" };
    run(&jit, "searches", &text.replace("VERSION", version));
}

#[test]
fn initialisers_open_dylibs_and_start_threads_that_do() {
    let _alone = alone();
    let jit = noting_jit();
    for number in [21, 22, 23] {
        dylib(&jit, &format!("inner{number}"), &[object(&format!("inner{number}"), &pair(number))]);
    }
    let text = format!(
        "{HEADER}
         typedef unsigned long pthread_t;
         int pthread_create(pthread_t *, const void *, void *(*)(void *), void *); int pthread_join(pthread_t, void **);
         static void *inner; static int opened;
         static void *work(void *name) {{ void *lib = dlopen(name, RTLD_NOW); opened += lib != 0; return lib; }}
         __attribute__((constructor)) static void up(void) {{
            pthread_t thread; void *of_thread;
            note_open(20); inner = dlopen(\"inner21\", RTLD_NOW);
            pthread_create(&thread, 0, work, \"inner22\"); pthread_join(thread, &of_thread); dlclose(of_thread);
            void *self = dlopen(\"outer\", RTLD_NOW); opened += self != 0; dlclose(self); note_open(opened); }}
         __attribute__((destructor)) static void down(void) {{ dlclose(inner); note_open(-20); }}"
    );
    let outer = dylib(&jit, "outer", &[object("outer", &text)]);
    for _ in 0..2 {
        open(&outer).close().unwrap();
        assert_eq!(trace(), [20, 21, 22, -22, 2, -21, -20]);
    }
}

#[test]
fn an_initialiser_that_throws_leaves_nothing_behind() {
    static THROW: AtomicI32 = AtomicI32::new(1);
    extern "C" fn is_to_throw() -> i32 {
        THROW.swap(0, Ordering::Relaxed)
    }
    let _alone = alone();
    let jit = noting_jit();
    jit.process().add_generator(LibraryGenerator::open(libstdcxx(Arch::host())).unwrap());
    let symbol = ExecutorSymbol::function(ExecutorAddr(is_to_throw as *const () as u64));
    jit.process().define_absolute([("is_to_throw", symbol)]).unwrap();
    let needed = dylib(&jit, "needed", &[object("needed", &pair(5))]);
    let text = r#"
        extern "C" { void note_open(int); int is_to_throw(); }
        namespace app { struct Failure { int value; ~Failure() { note_open(99); } }; }
        struct Noisy { int value; Noisy(int value) : value(value) { note_open(value); } ~Noisy() { note_open(-value); } };
        static Noisy first(1);
        static int fails() { if (is_to_throw()) throw app::Failure{7}; return 0; }
        static int value = fails();
        static Noisy second(2);
        __attribute__((destructor)) static void down() { note_open(-3); }
    "#;
    let thrower = dylib(&jit, "thrower", &[object("thrower.cpp", text)]);
    thrower.set_link_order(&[
        (&needed, jitlink::session::Visibility::Exported),
        (jit.main(), jitlink::session::Visibility::Exported),
        (jit.process(), jitlink::session::Visibility::Exported),
    ]);
    let opens = r#"int run(int x) {
        void *lib = jit_dlopen("thrower", RTLD_NOW); CHECK(!lib);
        CHECK(strstr(jit_dlerror(), "an exception of type app::Failure"));
        lib = jit_dlopen("thrower", RTLD_NOW); CHECK(lib); CHECK(!jit_dlclose(lib)); return 0; }"#;
    run(&jit, "opens_thrower", opens);
    let failed = [5, 1, 99, -1, -5];
    let fine = [5, 1, 2, -3, -2, -1, -5];
    assert_eq!(trace(), [&failed[..], &fine].concat());
    THROW.store(1, Ordering::Relaxed);
    // SAFETY: the initialisers are those above.
    let error = unsafe { thrower.open() }.unwrap_err().to_string();
    assert!(error.contains("app::Failure"), "{error}");
    assert_eq!((trace(), thrower.is_open()), (failed.to_vec(), false));
}

#[test]
fn a_dylib_stays_while_threads_have_objects_of_it() {
    let _alone = alone();
    let jit = noting_jit();
    let text = r#"
        extern "C" void note_open(int);
        struct Noisy { int value = 7; ~Noisy() { note_open(value); } };
        thread_local Noisy noisy;
        __attribute__((constructor)) static void up() { note_open(1); }
        __attribute__((destructor)) static void down() { note_open(-1); }
        extern "C" int touch(int value) { noisy.value = value; return value; }
    "#;
    let lib = dylib(&jit, "lib", &[object_with("of_open_threads.cpp", text, &["-fno-exceptions"])]);
    let handle = open(&lib);
    let other = lib.clone();
    std::thread::spawn(move || {
        assert_eq!(call(&other, "touch", 50), 50);
        handle.close().unwrap();
        assert_eq!(trace(), [1], "as the loader has it");
    })
    .join()
    .unwrap();
    assert_eq!(trace(), [50]);
    open(&lib).close().unwrap();
    assert_eq!(trace(), [-1], "it was initialised all the time");
}

#[test]
fn the_end_of_a_session_finalizes_what_was_initialised_last_first() {
    let _alone = alone();
    let jit = noting_jit();
    let [a, b, gone] = [("end_a", 1), ("end_b", 2), ("end_c", 3)]
        .map(|(name, number)| dylib(&jit, name, &[object(name, &pair(number))]));
    assert_eq!((call(&a, "f1", 0), call(&b, "f2", 0)), (1, 2));
    for dylib in [&gone, &b, &a] {
        // SAFETY: the initialisers are those above.
        unsafe { dylib.initialize() }.unwrap();
    }
    assert_eq!(trace(), [3, 2, 1]);
    jit.session().remove_dylib(&gone).unwrap();
    assert_eq!(trace(), [-3]);
    drop((jit, a, b, gone));
    assert_eq!(trace(), [-1, -2], "whatever was linked first");
}

#[test]
fn threads_open_and_close_at_once() {
    let _alone = alone();
    let jit = noting_jit();
    let shared = dylib(&jit, "shared", &[object("shared_counter", COUNTER)]);
    let dylibs: Vec<JitDylib> = (0..4)
        .map(|number| {
            let own = dylib(&jit, &format!("user{number}"), &[object(&format!("user{number}"), USER)]);
            own.add_to_link_order(&shared);
            own
        })
        .collect();
    std::thread::scope(|scope| {
        for dylib in dylibs.iter().cycle().take(8) {
            scope.spawn(move || {
                for _ in 0..50 {
                    let handle = open(dylib);
                    assert_eq!(call(dylib, "use_it", 0), 1, "initialised once, whoever opens it");
                    handle.close().unwrap();
                }
            });
        }
    });
    assert!(!shared.is_open() && dylibs.iter().all(|dylib| !dylib.is_open()));
}

const COUNTER: &str = "int initialised; __attribute__((constructor)) static void up(void) { initialised++; }
    int value(void) { return initialised; }";

const USER: &str = "int value(void); static int own;
    __attribute__((constructor)) static void up(void) { own += value(); }
    int use_it(int x) { return own == 1 ? value() : -1; }";
