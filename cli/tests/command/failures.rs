//! What is said when a link fails: everything, each as an error of its own.

use crate::bench::{Bench, words};
use jitlink_test_support::{arch, process};

#[test]
fn every_bad_input_is_named() {
    let bench = Bench::new();
    bench.build("main.c", "int main(void) { return 0; }").write("text.o", "\u{7f}ELF, but not really");
    let message = bench.refused(&words("gone.o main.o text.o -lnowhere"));
    let lines: Vec<_> = message.lines().collect();
    assert_eq!(lines.len(), 3, "{message}");
    assert!(lines.iter().all(|line| line.starts_with("error: ")), "{message}");
    for (line, part) in lines.iter().zip(["gone.o: No such file", "text.o", "-lnowhere"]) {
        assert!(line.contains(part), "{message}");
    }
}

#[test]
fn every_undefined_symbol_is_named() {
    let bench = Bench::new();
    bench.build("main.c", "int alpha(void), beta(void); int main(void) { return alpha() + beta(); }");
    let message = bench.refused(&["main.o"]);
    for name in ["alpha", "beta"] {
        let line = format!("error: undefined symbol {name}, referenced by main.o:(.text+0x");
        assert!(message.contains(&line), "{message}");
    }
    assert_eq!(bench.reference(&["main.o"]).status, 1);
}

#[test]
fn every_duplicate_symbol_is_named() {
    let bench = Bench::new();
    bench.build("a.c", "int one, two; int main(void) { return 0; }").build("b.c", "int one, two;");
    bench.build_with("a.c", "int one = 1, two = 2; int main(void) { return 0; }", &["-fPIC"]);
    bench.build_with("b.c", "int one = 1, two = 2;", &["-fPIC"]);
    let message = bench.refused(&words("a.o b.o"));
    for name in ["one", "two"] {
        assert!(
            message.contains(&format!("error: duplicate symbol {name}: defined in a.o and in b.o")),
            "{message}"
        );
    }
}

#[test]
fn a_bad_command_line_is_an_error_of_status_one() {
    let bench = Bench::new();
    for line in ["a.o -bogus", "a.o -entry", "a.o -abs x", "a.o -num-threads=many", "a.o -noexec=perhaps"] {
        let message = bench.refused(&words(line));
        assert!(message.starts_with("error: "), "{line}: {message}");
    }
    assert!(bench.refused(&words("a.o -show-adrs")).contains("--show-addrs"));
}

#[test]
fn help_and_version_go_to_standard_output() {
    let bench = Bench::new();
    for flag in ["-help", "--help", "-h"] {
        assert!(bench.shown(&[flag]).contains("Examples:"), "{flag}");
    }
    assert_eq!(bench.shown(&["-version"]), format!("jitlink {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_closed_output_ends_the_command_quietly() {
    let bench = Bench::new();
    bench.build("main.c", "int main(void) { return 0; }");
    let jitlink = process::show(&arch::jitlink(env!("CARGO_BIN_EXE_jitlink")));
    let script = format!("{jitlink} -noexec main.o -show-graphs=. -show-addrs 2>err | :; cat err");
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &script]).current_dir(bench.path(""));
    let outcome = process::run(&mut command, b"").unwrap();
    assert_eq!(outcome.stdout_text(), "");
}
