//! The examples run and say what they are to say. They check their results themselves.

use std::io::Write;
use std::process::{Command, Stdio};

/// Standard output of an example that must end well, given `input`.
fn output(program: &str, input: &str) -> String {
    let mut command = Command::new(program);
    command.env("CC", "/usr/lib/llvm-22/bin/clang").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("the example runs");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("the example reads");
    let outcome = child.wait_with_output().expect("the example ends");
    assert!(outcome.status.success(), "{program}: {}", outcome.status);
    String::from_utf8(outcome.stdout).expect("text")
}

#[test]
fn tiny_jit_compiles_once_and_swaps() {
    let text = output(env!("CARGO_BIN_EXE_tiny_jit"), "");
    assert_eq!(text.matches("compiling lazy").count(), 1, "{text}");
    assert!(text.contains("hot(7) = 42 in its second version"), "{text}");
}

#[test]
fn repl_remembers_definitions() {
    let lines = "int twice(int x) { return 2 * x; }\nint count = 40;\ncount += 1\nthis is no C at all\n\
                 struct pair { int a, b; };\nprintf(\"%d %d\\n\", twice(21), count)\n";
    assert_eq!(output(env!("CARGO_BIN_EXE_repl"), lines), "42 41\n");
}

#[test]
fn plugins_come_and_go() {
    let text = output(env!("CARGO_BIN_EXE_plugins"), "");
    assert!(text.contains("loaded 1000 times, unloaded 1000 times"), "{text}");
}

#[test]
fn the_loop_changes() {
    let text = output(env!("CARGO_BIN_EXE_changing_loop"), "");
    for version in 1..=3 {
        assert!(text.contains(&format!("version {version}: step")), "{text}");
    }
}
