//! GDB on linked code: the machine's own architecture alone.

use crate::bench::Bench;
use jitlink_test_support::arch::Arch;
use jitlink_test_support::process::run;
use jitlink_test_support::toolchain::libstdcxx;
use std::process::Command;

const PROGRAM: &str = "#include <cstdio>
int doubled_total;
struct Base { virtual ~Base() {} virtual int go(int depth) = 0; };
template <class T> static T twice(T t) {
    T doubled = t + t;
    doubled_total += doubled;
    return doubled;
}
int shared_inline(int v);
struct Derived : Base {
    int field = 5;
    int go(int depth) override {
        int local = depth * 2 + field;
        if (depth > 0) return go(depth - 1) + local;
        return twice(local) + shared_inline(local);
    }
};
int main() {
    Derived d;
    int result = d.go(2);
    std::printf(\"%d\\n\", result);
    return 0;
}
";

/// Two objects with the same inline function, of which one copy is linked, and a function that is not linked at all.
const INLINE: &str = "inline __attribute__((noinline)) int common_inline(int v) {
    int w = v * 3;
    return w;
}
";

fn gdb(bench: &Bench, commands: &[&str], words: &[&str]) -> String {
    let mut command = Command::new("gdb");
    command.args(["-q", "-nx", "-batch", "-iex", "set auto-load no", "-ex", "set breakpoint pending on"]);
    for line in commands {
        command.args(["-ex", line]);
    }
    command.arg("--args").arg(env!("CARGO_BIN_EXE_jitlink")).args(words);
    let outcome = run(command.current_dir(bench.path("")), b"").unwrap();
    outcome.stdout_text() + &outcome.stderr_text()
}

fn bench(flags: &[&str]) -> Bench {
    let bench = Bench::new();
    bench.build_cxx("m.cpp", PROGRAM, flags);
    let other = format!("{INLINE}int shared_inline(int v) {{ return common_inline(v); }}\n");
    bench.build_cxx("s.cpp", &other, flags);
    let unused = "__attribute__((used)) static int unused_here(int q) { return q * 77; }\n";
    let third = format!("{INLINE}{unused}int third(int v) {{ return common_inline(v); }}\n");
    bench.build_cxx("t.cpp", &third, flags);
    bench
}

/// Whether there is a debugger for the architecture under test.
fn is_native() -> bool {
    cfg!(target_arch = "x86_64") && Arch::under_test() == Arch::X86_64
}

/// What of `expected` is not in `text`, in this order.
#[track_caller]
fn in_order(text: &str, expected: &[&str]) {
    let mut rest = text;
    for part in expected {
        let Some(at) = rest.find(part) else { panic!("{part:?} is not there, or not in its place:\n{text}") };
        rest = &rest[at + part.len()..];
    }
}

#[test]
fn breakpoints_lines_locals_and_backtraces() {
    if !is_native() {
        return;
    }
    let library = libstdcxx(Arch::host());
    let library = library.to_str().unwrap();
    let objects = ["m.o", "s.o", "t.o"];
    let plain = [&objects[..], &["-preload", library]].concat();
    let dylibs = ["m.o", "-preload", library, "-ls", "-jd", "s", "s.o", "-lt", "-jd", "t", "t.o"];
    let commands = [
        "break twice<int>",
        "run",
        "backtrace",
        "next",
        "info locals",
        "up",
        "print local",
        "print this->field",
        "print doubled_total",
        "break common_inline",
        "info breakpoints",
        "break unused_here",
        "continue",
        "backtrace 1",
        "continue",
    ];
    for (flags, words) in [
        (&["-g", "-O0"][..], &plain[..]),
        (&["-g", "-O0", "-gz", "-ffunction-sections", "-fcommon"], &plain),
        (&["-g", "-gdwarf-4", "-O0", "-mcmodel=large", "-fno-pic"], &plain),
        (&["-g", "-O0", "-fPIC"], &dylibs),
    ] {
        let text = gdb(&bench(flags), &commands, words);
        let expected = [
            "Breakpoint 1, twice<int> (t=5) at m.cpp:5\n",
            "#0  twice<int> (t=5) at m.cpp:5\n",
            "in Derived::go (this=0x",
            "depth=0) at m.cpp:15\n",
            "depth=1) at m.cpp:14\n",
            "depth=2) at m.cpp:14\n",
            "in main () at m.cpp:20\n",
            "call_main",
            "doubled = 10",
            "Derived::go",
            "$1 = 5\n",
            "$2 = 5\n",
            "$3 = 0\n",
            "in common_inline(int) at ",
            "Breakpoint 2, common_inline (v=5) at ",
            "exited normally",
        ];
        in_order(&text, &expected);
        let missing = |name: &str| text.contains(&format!("Function \"{name}\" not defined."));
        let dropped = flags.contains(&"-ffunction-sections");
        assert!(missing("twice<int>") && (!dropped || missing("unused_here")), "{text}");
        assert!(!text.contains("<MULTIPLE>"), "the copy that was not linked has an address:\n{text}");
    }
}

#[test]
fn optimised_code_is_unwound() {
    if !is_native() {
        return;
    }
    let bench = Bench::new();
    bench.build_with(
        "o.c",
        "__attribute__((noinline)) int deep(int *p) { return *p + 1; }\n\
         __attribute__((noinline)) int middle(int x) { int many[100]; many[x] = x; return deep(&many[x]) + 1; }\n\
         int main(void) { return middle(3) - 5; }\n",
        &["-g", "-O2", "-fomit-frame-pointer"],
    );
    let text = gdb(&bench, &["break deep", "run", "backtrace"], &["o.o"]);
    in_order(
        &text,
        &["#0  deep (p=", "in middle (x=", "=3) at o.c:2\n", "in main () at o.c:3\n", "call_main"],
    );
}

#[test]
fn support_can_be_turned_off() {
    if !is_native() {
        return;
    }
    let bench = Bench::new();
    bench.build_with("q.c", "int main(void) { return 0; }", &["-g"]);
    let stops = |words: &[&str]| gdb(&bench, &["break q.c:1", "run"], words).contains("Breakpoint 1, main");
    assert!(stops(&["q.o"]));
    assert!(!stops(&["q.o", "-debugger-support=false"]));
}
