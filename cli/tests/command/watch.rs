//! `-watch`: a program changes while it runs.

use crate::bench::Bench;
use jitlink_test_support::arch::{Arch, jitlink};
use std::io::{BufRead, BufReader};
use std::process::Stdio;

/// The program ends by itself should nothing change it.
const MAIN: &str = "#include <stdio.h>\n#include <unistd.h>\nint step(int);\n\
    int main(void) { static int count; for (int i = 0; i < 2000; i++) {\n\
    int v = step(++count); printf(\"%d\\n\", v); fflush(stdout); if (v < 0) return count > 2 ? 7 : 8; usleep(10000); }\n\
    return 9; }";

#[test]
fn a_running_program_changes_with_its_object_files() {
    if Arch::under_test().is_emulated() {
        return;
    }
    let bench = Bench::new();
    bench.build("m.c", MAIN);
    bench.build("step.c", "int step(int x) { return 100; }");
    let mut command = jitlink(env!("CARGO_BIN_EXE_jitlink"));
    command.current_dir(bench.path("")).args(["-watch", "m.o", "step.o"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command runs");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut wait_for = |text: &str| lines.by_ref().any(|line| line.is_ok_and(|line| line == text));
    assert!(wait_for("100"));
    let put = |text: &str| {
        bench.build_with("new.c", text, &[]);
        std::fs::rename(bench.path("new.o"), bench.path("step.o")).expect("a file can be renamed");
    };
    put("int step(int x) { return 200; }");
    assert!(wait_for("200"));
    put("int step(int x) { return -1; }");
    assert!(wait_for("-1"));
    let outcome = child.wait_with_output().expect("the command ends");
    let text = String::from_utf8_lossy(&outcome.stderr);
    assert_eq!(outcome.status.code(), Some(7), "{text}");
    assert!(text.contains("replaced step.o: 1 functions"), "{text}");
}
