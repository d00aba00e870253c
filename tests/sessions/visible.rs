//! What the process sees of a session's images: symbols of addresses, and definitions for libraries that linked code loads.

use crate::support::{alone, call, jit, object};
use jitlink_test_support::arch::Arch;
use jitlink_test_support::process::run;
use jitlink_test_support::toolchain::Compiler;
use std::ffi::{CStr, CString, c_char};

const DLADDR: &str = "
    typedef struct { const char *file; void *base; const char *name; void *start; } Info;
    int dladdr(const void *, Info *);
    static Info info;
    const char *name_of(void *address) { return dladdr(address, &info) && info.name ? info.name : \"-\"; }
    const char *file_of(void *address) { return dladdr(address, &info) ? info.file : \"-\"; }
";

fn text_of(jit: &jitlink::session::Jit, function: &str, address: u64) -> String {
    // SAFETY: functions of this type, whose results are C strings.
    unsafe {
        let function = jit.main().get::<extern "C" fn(u64) -> *const c_char>(function).unwrap();
        CStr::from_ptr(function(address)).to_str().unwrap().to_owned()
    }
}

#[test]
fn addresses_have_names_as_long_as_their_image_is_there() {
    let jit = jit(&[("asks", DLADDR)]);
    let tracker = jit.create_tracker();
    let text =
        "int table[4] = {1}; int first(int x) { return x + table[0]; } int second(int x) { return x + 2; }";
    tracker.add_object(object("named", text)).unwrap();
    let address = |name: &str| jit.main().lookup(name).unwrap().address.0;
    let (first, second, table) = (address("first"), address("second"), address("table"));
    assert_eq!(text_of(&jit, "name_of", first), "first");
    assert_eq!(text_of(&jit, "name_of", second + 1), "second");
    assert_eq!(text_of(&jit, "name_of", table + 15), "table");
    assert_eq!(text_of(&jit, "file_of", first), "named.o");
    tracker.remove().unwrap();
    assert_eq!(text_of(&jit, "file_of", first), "-");
}

#[test]
fn libraries_that_linked_code_opens_are_bound_to_what_is_linked() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let (source, library) = (dir.path().join("plugin.c"), dir.path().join("libsession_plugin.so"));
    let text = "int session_host(int); extern int session_data; int plugin(int n) { return session_host(n) + session_data; }\n";
    std::fs::write(&source, text).unwrap();
    let mut clang = Compiler::Clang.c(Arch::host());
    clang.args(["-shared", "-fPIC", "-o"]).args([&library, &source]);
    run(&mut clang, b"").unwrap().success().unwrap();
    let path = CString::new(library.to_str().unwrap()).unwrap();
    for round in 1..4 {
        let text = format!(
            "void *dlopen(const char *, int), *dlsym(void *, const char *); int dlclose(void *);
            int session_data = {round}00;
            int session_host(int n) {{ return n + {round}; }}
            int opens(const char *path) {{
                void *plugin = dlopen(path, 2);
                if (!plugin) return -1;
                int result = ((int (*)(int))dlsym(plugin, \"plugin\"))(10);
                return dlclose(plugin) ? -2 : result;
            }}"
        );
        let jit = jit(&[]);
        let tracker = jit.create_tracker();
        tracker.add_object(object(&format!("opens{round}"), &text)).unwrap();
        // SAFETY: a function of this type.
        let opens = unsafe { jit.main().get::<extern "C" fn(*const c_char) -> i32>("opens").unwrap() };
        assert_eq!(opens(path.as_ptr()), 10 + round * 101, "round {round}");
        drop(opens);
        assert_eq!(tracker.remove().unwrap().freed, 1);
    }
}

#[test]
fn a_library_of_a_dylib_uses_what_the_dylib_defines() {
    let dir = tempfile::tempdir().unwrap();
    let (source, library) = (dir.path().join("back.c"), dir.path().join("libback_to_a_session.so"));
    let text = "int session_back(int n); extern int session_count;
        int forth(int n) { session_count++; return session_back(n) + session_count; }\n";
    std::fs::write(&source, text).unwrap();
    let mut clang = Compiler::Clang.c(Arch::host());
    clang.args(["-shared", "-fPIC", "-o"]).args([&library, &source]);
    run(&mut clang, b"").unwrap().success().unwrap();
    assert!(jit(&[]).add_library(&library).unwrap_err().to_string().contains("undefined symbol: session_"));
    let text = "int forth(int); int session_count = 40;
        int session_back(int n) { return n * 1000; } int start(int n) { return forth(n); }";
    let jit = jit(&[("back", text)]);
    jit.add_library(&library).unwrap();
    assert_eq!(call(jit.main(), "start", 7), 7041);
}
