//! Inputs as Darwin's tools make them: universal files, archives, libraries and the text stubs of these.

use crate::bench::{Bench, words};
use jitlink_test_support::arch::Arch;

const MAIN: &str = "int f(void); int main(void) { return f(); }";
const F: &str = "int f(void) { return 5; }";

/// What Darwin calls the architecture under test, and the other one.
fn architectures() -> [&'static str; 2] {
    match Arch::under_test() {
        Arch::X86_64 => ["x86_64", "arm64"],
        Arch::Aarch64 => ["arm64", "x86_64"],
    }
}

fn bench() -> Bench {
    let bench = Bench::new();
    let [own, _] = architectures();
    bench.build_for_darwin("main.c", MAIN, own);
    bench.build_for_darwin("f.c", F, own);
    bench.build_for_darwin("unused.c", "int unused(void) { return 1; }", own);
    bench
}

#[test]
fn archives_of_darwin_tools_are_searched_as_others_are() {
    let bench = bench();
    let members = ["f.o", "unused.o"];
    bench.tool("llvm-ar", &[&["rcs", "--format=darwin", "libar.a"], &members[..]].concat());
    bench.tool("llvm-ar", &[&["rcs", "--format=bsd", "libbsd.a"], &members[..]].concat());
    bench.tool("llvm-ar", &[&["rcS", "--format=darwin", "libplain.a"], &members[..]].concat());
    bench.tool("llvm-libtool-darwin", &[&["-static", "-o", "libtool.a"], &members[..]].concat());
    for library in ["libar.a", "libbsd.a", "libplain.a", "libtool.a"] {
        assert_eq!(bench.jitlink(&["main.o", library]).status, 5, "{library}");
        let shown = bench.shown(&["main.o", library, "-noexec", "-show-linked-files"]);
        assert!(shown.contains(&format!("{library}(f.o)")) && !shown.contains("unused"), "{shown}");
    }
}

#[test]
fn the_slice_for_the_architecture_is_taken_of_objects_and_archives() {
    let bench = bench();
    let [own, other] = architectures();
    bench.build_for_darwin("other.c", "int f(void) { return 99; }", other);
    bench.tool("llvm-lipo", &["-create", "f.o", "other.o", "-output", "fat.o"]);
    assert_eq!(bench.jitlink(&words("main.o fat.o")).status, 5);
    assert_eq!(bench.jitlink(&words("fat.o main.o")).status, 5);
    bench.tool("llvm-ar", &["rcs", "--format=darwin", "own.a", "f.o", "unused.o"]);
    bench.tool("llvm-ar", &["rcs", "--format=darwin", "other.a", "other.o"]);
    bench.tool("llvm-lipo", &["-create", "own.a", "other.a", "-output", "libfat.a"]);
    assert_eq!(bench.jitlink(&words("main.o libfat.a")).status, 5);
    let shown = bench.shown(&words("main.o -L. -lfat -noexec -show-linked-files"));
    assert!(shown.contains("libfat.a(f.o)") && !shown.contains("unused"), "{shown}");
    bench.tool("llvm-lipo", &["-create", "other.o", "-output", "foreign.o"]);
    let error = bench.refused(&words("main.o foreign.o"));
    assert!(error.contains(&format!("foreign.o: is a universal file for {}", spelled(other))), "{error}");
    assert_ne!(own, other);
}

fn spelled(architecture: &str) -> &str {
    if architecture == "x86_64" { "x86-64" } else { architecture }
}

#[test]
fn interfaces_of_libraries_say_which_names_exist() {
    let bench = bench();
    let [own, _] = architectures();
    let platform =
        ["-arch", own, "-platform_version", "macos", "13.0", "13.0", "-install_name", "/usr/lib/libf.dylib"];
    bench.tool("ld64.lld", &[&platform[..], &["-dylib", "-o", "libf.dylib", "f.o"]].concat());
    bench.tool("llvm-readtapi", &["--stubify", "--filetype=tbd-v4", "-o", "libstub.tbd", "libf.dylib"]);
    bench.build_for_darwin("more.c", "int f(void), g(void); int main(void) { return f() + g(); }", own);
    for library in ["libf.dylib", "libstub.tbd", "-lf", "-lstub"] {
        bench.shown(&["main.o", library, "-L.", "-noexec"]);
        // Only what the library has is known.
        let error = bench.refused(&["more.o", library, "-L.", "-noexec"]);
        assert!(error.contains("_g") && !error.contains("_f"), "{error}");
        // Code that is run finds its names in this process.
        let error = bench.refused(&["main.o", library, "-L."]);
        assert!(error.contains("_f"), "{error}");
    }
    assert!(bench.refused(&words("main.o -noexec")).contains("_f"));
}

#[test]
fn a_library_before_an_archive_keeps_its_members_out() {
    let bench = bench();
    let [own, _] = architectures();
    bench.write(
        "lib.tbd",
        &format!(
            "--- !tapi-tbd\ntbd-version: 4\ntargets: [ {own}-macos ]\ninstall-name: /lib.dylib\nexports:\n  \
             - targets: [ {own}-macos ]\n    symbols: [ _f ]\n...\n"
        ),
    );
    bench.archive("libf.a", &["f.o"]);
    let linked = |line: &str| bench.shown(&[&words(line)[..], &["-noexec", "-show-linked-files"]].concat());
    assert!(!linked("main.o lib.tbd libf.a").contains("f.o"));
    assert!(linked("main.o libf.a lib.tbd").contains("libf.a(f.o)"));
}
