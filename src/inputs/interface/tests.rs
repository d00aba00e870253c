//! Libraries made by LLVM's Darwin linker, and stubs made of them by LLVM's tool for stubs.

use super::*;
use crate::inputs::testing::{Random, Tools, llvm};

const SOURCE: &str = "int shown(void) { return 1; } int variable = 2; \
    __attribute__((visibility(\"hidden\"))) int hidden(void) { return 3; } static int local = 4; \
    int *use(void) { return &local; } __attribute__((weak)) int weak(void) { return 5; } _Thread_local int own = 6;";

/// What the source exports.
const EXPORTS: [&str; 5] = ["_shown", "_variable", "_use", "_weak", "_own"];

fn names(interface: &LibraryInterface<'_>) -> Vec<String> {
    let mut names: Vec<_> =
        interface.names().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
    names.sort();
    names
}

fn expected() -> Vec<String> {
    let mut names = EXPORTS.map(str::to_owned).to_vec();
    names.sort();
    names
}

/// Builds `lib<arch>.dylib`, which asks for nothing.
fn library(tools: &Tools, arch: &str) -> String {
    tools.compile(arch, SOURCE, &[&format!("--target={arch}-apple-macos13")]);
    let (object, output) = (format!("{arch}.o"), format!("lib{arch}.dylib"));
    let platform = ["-arch", arch, "-platform_version", "macos", "13.0", "13.0"];
    let names = ["-install_name", "/usr/lib/libshown.dylib", "-undefined", "dynamic_lookup", "-dylib"];
    let args = [&platform[..], &names, &[&object, "-o", &output]].concat();
    tools.run(&llvm("ld64.lld"), &args);
    output
}

fn open(tools: &Tools, name: &str) -> InputFile {
    InputFile::open_as(&tools.path(name), name).unwrap()
}

#[test]
fn a_library_and_its_stubs_of_each_version_say_the_same() {
    for (arch, architecture) in [("x86_64", Architecture::X86_64), ("arm64", Architecture::Aarch64)] {
        let tools = Tools::new();
        let library = library(&tools, arch);
        let file = open(&tools, &library);
        let interface = LibraryInterface::parse(&file, architecture).unwrap();
        assert_eq!(names(&interface), expected());
        assert_eq!(interface.install_name, "/usr/lib/libshown.dylib");
        assert!(
            interface.exports(b"_shown") && !interface.exports(b"_hidden") && !interface.exports(b"shown")
        );
        for version in ["tbd-v4", "tbd-v5"] {
            let output = format!("{version}.tbd");
            let filetype = format!("--filetype={version}");
            tools.run(&llvm("llvm-readtapi"), &["--stubify", &filetype, "-o", &output, &library]);
            let file = open(&tools, &output);
            assert_eq!(classify(file.bytes()), InputKind::Tbd, "{version}");
            let stub = LibraryInterface::parse(&file, architecture).unwrap();
            assert_eq!(stub, interface, "{version}");
        }
    }
}

#[test]
fn the_right_slice_of_a_universal_library_is_read() {
    let tools = Tools::new();
    let inputs = [library(&tools, "x86_64"), library(&tools, "arm64")];
    tools.run(&llvm("llvm-lipo"), &["-create", &inputs[0], &inputs[1], "-output", "fat.dylib"]);
    let file = open(&tools, "fat.dylib");
    for architecture in [Architecture::X86_64, Architecture::Aarch64] {
        assert_eq!(names(&LibraryInterface::parse(&file, architecture).unwrap()), expected());
    }
    let file = open(&tools, &inputs[0]);
    let error = LibraryInterface::parse(&file, Architecture::Aarch64).unwrap_err().to_string();
    assert!(error.starts_with("libx86_64.dylib: is for x86-64, in a link for "), "{error}");
}

const STUB: &str = r#"--- !tapi-tbd
tbd-version:     4
targets:         [ x86_64-macos, arm64-macos, arm64e-macos ]
install-name:    '/usr/lib/libA.dylib'
reexported-libraries:
  - targets:         [ x86_64-macos, arm64-macos ]
    libraries:       [ '/usr/lib/libB.dylib', '/usr/lib/libC.dylib' ]
exports:
  - targets:         [ x86_64-macos ]
    symbols:         [ _only_x86, '$ld$hide$os10.4$_only_x86' ]
  - targets:         [ x86_64-macos, arm64-macos ]
    symbols:         [ _both ]
    weak-symbols:    [ __ZN1A1bEv ]
    objc-classes:    [ _Private ]
    objc-ivars:      [ Thing.size ]
  - targets:         [ arm64e-macos ]
    symbols:         [ _signed ]
--- !tapi-tbd
tbd-version:     4
targets:         [ x86_64-macos, arm64-macos ]
install-name:    '/usr/lib/libB.dylib'
exports:
  - targets:         [ arm64-macos ]
    symbols:         [ _inner ]
...
"#;

#[test]
fn groups_count_for_their_targets_and_inner_libraries_for_the_outer() {
    let file = InputFile::from_bytes("libA.tbd", STUB.as_bytes());
    let x86 = LibraryInterface::parse(&file, Architecture::X86_64).unwrap();
    let common =
        ["_OBJC_CLASS_$__Private", "_OBJC_IVAR_$_Thing.size", "_OBJC_METACLASS_$__Private", "__ZN1A1bEv"];
    assert_eq!(names(&x86), [&common[..], &["_both", "_only_x86"]].concat());
    assert_eq!(x86.install_name, "/usr/lib/libA.dylib");
    assert_eq!(x86.reexported_libraries, ["/usr/lib/libC.dylib"], "libB is part of the file");
    let arm = LibraryInterface::parse(&file, Architecture::Aarch64).unwrap();
    assert_eq!(names(&arm), [&common[..], &["_both", "_inner"]].concat());
}

/// LLVM's tool writes these versions no more.
#[test]
fn old_stubs_list_architectures_and_spell_classes_with_their_underscore() {
    let exports = "exports:\n  - archs: [ x86_64 ]\n    symbols: [ _f ]\n    weak-def-symbols: [ _w ]\n    \
                   thread-local-symbols: [ _t ]\n    objc-classes: [ _Thing ]\n    re-exports: [ /usr/lib/libB.dylib ]\n  \
                   - archs: [ i386 ]\n    symbols: [ _old ]\n";
    for tag in ["---", "--- !tapi-tbd-v2", "--- !tapi-tbd-v3"] {
        let text = format!(
            "{tag}\narchs: [ i386, x86_64 ]\nplatform: macosx\ninstall-name: /usr/lib/libA.dylib\n{exports}...\n"
        );
        let file = InputFile::from_bytes("libA.tbd", text.as_bytes());
        let interface = LibraryInterface::parse(&file, Architecture::X86_64).unwrap();
        assert_eq!(
            names(&interface),
            ["_OBJC_CLASS_$_Thing", "_OBJC_METACLASS_$_Thing", "_f", "_t", "_w"],
            "{tag}"
        );
        assert_eq!(interface.reexported_libraries, ["/usr/lib/libB.dylib"], "{tag}");
    }
}

#[test]
fn what_is_no_stub_is_an_error_that_says_where() {
    let refused = |text: &str| {
        let file = InputFile::from_bytes("a.tbd", text.as_bytes());
        LibraryInterface::parse(&file, Architecture::X86_64).unwrap_err().to_string()
    };
    let unended = refused("--- !tapi-tbd\ntbd-version: 4\nexports: [ {\n");
    assert!(unended.starts_with("a.tbd: line "), "{unended}");
    let alias = refused("--- !tapi-tbd\ninstall-name: &a x\nexports: *a\n");
    assert_eq!(alias, "a.tbd: line 3: has an alias, which text stubs never have");
    for (depth, what) in [(100, "nests deeper than any text stub"), (100_000, "recursion limit exceeded")] {
        let deep = format!("--- !tapi-tbd\nexports: {}{}\n", "[".repeat(depth), "]".repeat(depth));
        assert!(refused(&deep).contains(what), "{}", refused(&deep));
    }
    assert!(refused("--- !tapi-tbd\nexports: []\n").contains("names no library"));
    let arm = STUB.replace("x86_64-macos, ", "").replace("x86_64-macos", "armv7-ios");
    assert_eq!(refused(&arm), "a.tbd: has no exports for x86_64; take a stub that has this architecture");
}

#[test]
fn damaged_libraries_and_stubs_never_panic() {
    let tools = Tools::new();
    let library = library(&tools, "x86_64");
    let originals = [tools.read(&library), STUB.as_bytes().to_vec()];
    let mut random = Random(11);
    for original in originals {
        for _ in 0..3000 {
            let file = InputFile::from_bytes("damaged", random.mutate(&original));
            let _ = LibraryInterface::parse(&file, Architecture::X86_64);
        }
    }
}
