//! GDB on a session of a library's user: what is linked is known, what is removed is not.
//!
//! # Safety
//! Calls functions of objects that the tests compile; they are what their casts say.
#![allow(unsafe_code)]
#![cfg(target_arch = "x86_64")]

use jitlink::session::{Jit, ObjectBuffer};
use jitlink_test_support::arch::Arch;
use jitlink_test_support::process::run;
use jitlink_test_support::toolchain::Compiler;
use std::path::{Path, PathBuf};
use std::process::Command;

/// In the environment of the process that is debugged: where its object is.
const OBJECT: &str = "JITLINK_TEST_DEBUGGEE";

const SOURCE: &str = "int linked_function(int x) {\n    int y = x * 2;\n    return y;\n}\n";

/// Where the debugger stops to look around.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn debugger_looks(step: u32) -> u32 {
    std::hint::black_box(step)
}

fn compile(dir: &Path) -> PathBuf {
    std::fs::write(dir.join("f.c"), SOURCE).unwrap();
    let mut command = Compiler::Clang.c(Arch::host());
    command.current_dir(dir).args(["-g", "-O0", "-fPIC", "-c", "f.c", "-o", "f.o"]);
    run(&mut command, b"").and_then(|outcome| outcome.success()).unwrap();
    dir.join("f.o")
}

/// What is debugged; does nothing when it is a test like others.
#[test]
fn debuggee() {
    let Some(object) = std::env::var_os(OBJECT) else { return };
    let jit = Jit::new().unwrap();
    let tracker = jit.create_tracker();
    debugger_looks(0);
    tracker.add_object(ObjectBuffer::open(object).unwrap()).unwrap();
    // SAFETY: the function's type.
    let function = unsafe { jit.get::<extern "C" fn(i32) -> i32>("linked_function").unwrap() };
    debugger_looks(1);
    assert_eq!(function(21), 42);
    drop(function);
    tracker.remove().unwrap();
    debugger_looks(2);
}

#[test]
fn removed_functions_are_not_known_any_more() {
    let dir = tempfile::tempdir().unwrap();
    let object = compile(dir.path());
    let mut command = Command::new("gdb");
    command.args(["-q", "-nx", "-batch", "-iex", "set auto-load no", "-ex", "set breakpoint pending on"]);
    let look = ["info line linked_function", "continue"];
    let lines =
        [&["break debugger_looks", "run"], &look, &["break linked_function", "continue"], &["up", "down"]];
    let lines = lines.iter().copied().flatten().chain(&["continue", "info line linked_function"]);
    for line in lines {
        command.args(["-ex", line]);
    }
    command.arg("--args").arg(std::env::current_exe().unwrap()).args([
        "debuggee",
        "--exact",
        "--test-threads=1",
    ]);
    let outcome = run(command.env(OBJECT, object).current_dir(dir.path()), b"").unwrap();
    let text = outcome.stdout_text() + &outcome.stderr_text();
    assert_eq!(text.matches("hit Breakpoint 1, ").count(), 3, "{text}");
    assert!(text.contains("linked_function (x=21) at f.c:2\n"), "{text}");
    assert_eq!(text.matches("Function \"linked_function\" not defined.").count(), 2, "{text}");
}
