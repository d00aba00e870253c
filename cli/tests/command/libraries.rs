//! Shared libraries, where they are searched, and whose symbols are seen.

use crate::bench::{Bench, words};

fn bench() -> Bench {
    let bench = Bench::new();
    bench.build("main.c", "int from_library(void); int main(void) { return from_library(); }");
    bench.build(
        "math.c",
        "double cbrt(double); int main(int argc, char **argv) { return (int)cbrt(27.0 * argc); }",
    );
    std::fs::create_dir(bench.path("lib")).unwrap();
    bench.shared("lib/libown.so", "int from_library(void) { return 21; }");
    bench
}

#[test]
fn shared_libraries_come_by_name_by_path_or_first_of_all() {
    let bench = bench();
    for line in [
        "main.o -Llib -lown",
        "main.o lib/libown.so",
        "main.o -preload=lib/libown.so",
        "lib/libown.so main.o",
    ] {
        assert_eq!(bench.jitlink(&words(line)).status, 21, "{line}");
    }
    bench.both(&words("main.o -preload ./lib/libown.so"));
}

#[test]
fn directories_are_searched_in_order_wherever_they_stand() {
    let bench = bench();
    std::fs::create_dir(bench.path("other")).unwrap();
    bench.shared("other/libown.so", "int from_library(void) { return 22; }");
    assert_eq!(bench.jitlink(&words("main.o -lown -Lother -Llib")).status, 22);
    assert_eq!(bench.jitlink(&words("main.o -Llib -lown -Lother")).status, 21);
}

#[test]
fn the_systems_directories_are_searched_when_asked() {
    let bench = bench();
    let message = bench.refused(&words("math.o -lm"));
    assert!(message.contains("-lm not found") && message.contains("-search-sys-lib"), "{message}");
    assert_eq!(bench.jitlink(&words("math.o -search-sys-lib -lm")).status, 3);
}

#[test]
fn a_library_that_cannot_be_loaded_is_an_error() {
    let bench = bench();
    let message = bench.refused(&words("main.o -preload=nowhere.so"));
    assert!(message.starts_with("error: ") && message.contains("nowhere.so"), "{message}");
}

#[test]
fn symbols_of_the_process_can_be_kept_out() {
    let bench = bench();
    bench.build("puts.c", "int puts(const char *); int main(void) { puts(\"x\"); return 0; }");
    assert_eq!(bench.both(&["puts.o"]).stdout_text(), "x\n");
    let message = bench.refused(&words("puts.o -no-process-syms"));
    assert!(message.contains("undefined symbol puts"), "{message}");
    assert_eq!(bench.reference(&words("puts.o -no-process-syms")).status, 1);
    // A library given by name is still seen.
    assert_eq!(bench.jitlink(&words("main.o -no-process-syms -Llib -lown")).status, 21);
}

#[test]
fn symbols_that_nothing_defines_can_be_null() {
    let bench = Bench::new();
    bench.build(
        "ask.c",
        "extern int nowhere; int main(void) { int *p = &nowhere; __asm__(\"\" : \"+r\"(p)); return p != 0; }",
    );
    assert!(bench.refused(&["ask.o"]).contains("undefined symbol nowhere"));
    bench.both(&words("-noexec -phony-externals ask.o"));
    assert_eq!(bench.jitlink(&words("-phony-externals ask.o")).status, 0);
}
