//! Programs that crash: what is said, how they end, and what they see of it.

use crate::bench::{Bench, words};
use jitlink_test_support::arch::Arch;
use jitlink_test_support::process::Outcome;

const PROGRAM: &str = r#"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

__attribute__((noinline)) static void inner(const char *how) {
    if (!strcmp(how, "write")) { *(volatile int *)16 = 1; }
    if (!strcmp(how, "abort")) abort();
    if (!strcmp(how, "raise")) raise(SIGBUS);
    if (!strcmp(how, "trap")) __builtin_trap();
    if (!strcmp(how, "kill")) { kill(getpid(), SIGFPE); pause(); }
}
__attribute__((noinline)) int outer(const char *how) {
    inner(how);
    return 1;
}
__attribute__((noinline)) static int deeper(int depth) {
    volatile char many[4096];
    many[depth % 4096] = 1;
    return deeper(depth + 1) + many[0];
}
static void own(int number) {
    static const char text[] = "own handler\n";
    write(1, text, sizeof text - 1);
    _exit(9);
}
int main(int argc, char **argv) {
    struct sigaction before;
    memset(&before, 1, sizeof before);
    sigaction(SIGSEGV, NULL, &before);
    printf("%d %d\n", before.sa_handler == SIG_DFL, before.sa_flags);
    printf("%d\n", signal(SIGILL, SIG_DFL) == SIG_DFL);
    fflush(stdout);
    if (!strcmp(argv[1], "own")) { signal(SIGSEGV, own); return outer("write"); }
    if (!strcmp(argv[1], "default")) { signal(SIGSEGV, SIG_DFL); return outer("write"); }
    if (!strcmp(argv[1], "deep")) return deeper(0);
    return outer(argv[1]) + 1;
}
"#;

fn bench(flags: &[&str]) -> Bench {
    let bench = Bench::new();
    bench.build_with("crash.c", PROGRAM, &[&["-O1", "-fno-optimize-sibling-calls", "-w"], flags].concat());
    bench
}

const SEEN: &str = "1 0\n1\n";

#[test]
fn crashes_are_reported_by_name_and_end_with_their_signal() {
    let plain = bench(&[]);
    let with_lines = bench(&["-g"]);
    // The trap's signal is another one on AArch64.
    let trap = if Arch::under_test() == Arch::X86_64 { (132, "SIGILL") } else { (133, "SIGTRAP") };
    for (how, (status, name)) in [
        ("write", (139, "SIGSEGV")),
        ("abort", (134, "SIGABRT")),
        ("raise", (135, "SIGBUS")),
        ("kill", (136, "SIGFPE")),
        ("trap", trap),
    ] {
        if how == "trap" {
            // The program has taken that one back.
            assert_eq!(plain.jitlink(&["crash.o", "--", how]).status, status);
            continue;
        }
        let outcome = plain.jitlink(&["crash.o", "--", how]);
        assert_eq!((outcome.status, &*outcome.stdout_text()), (status, SEEN), "{outcome}");
        let text = outcome.stderr_text();
        assert!(text.contains(name), "{text}");
        assert!(text.starts_with(&format!("error: the program is ended by {name}\n #0 0x")), "{text}");
        let frames: Vec<&str> = ["inner", "outer", "main"]
            .into_iter()
            .filter(|frame| text.contains(&format!(" {frame} + ")))
            .collect();
        assert_eq!(frames, ["inner", "outer", "main"], "{text}");
        let last = text.lines().rfind(|line| line.starts_with(" #"));
        assert!(
            last.is_some_and(|line| line.ends_with("(crash.o)")),
            "the callers of main are of no interest:\n{text}"
        );
        let text = with_lines.jitlink(&["crash.o", "--", how]).stderr_text();
        assert!(text.contains("outer + ") && text.contains("crash.c:16"), "{text}");
    }
}

/// The emulator has something to say, too.
fn is_reported(outcome: &Outcome) -> bool {
    outcome.stderr_text().contains("error: ")
}

#[test]
fn what_the_program_says_of_signals_counts() {
    let bench = bench(&[]);
    let own = bench.jitlink(&["crash.o", "--", "own"]);
    assert_eq!((own.status, own.stdout_text()), (9, format!("{SEEN}own handler\n")), "{own}");
    assert_eq!(own.stderr_text(), "");
    let default = bench.jitlink(&["crash.o", "--", "default"]);
    assert_eq!((default.status, is_reported(&default)), (139, false), "{default}");
    let off = bench.jitlink(&["crash.o", "-crash-report=false", "--", "write"]);
    assert_eq!((off.status, is_reported(&off)), (139, false), "{off}");
}

#[test]
fn running_out_of_stack_is_reported() {
    let outcome = bench(&["-g"]).jitlink(&["crash.o", "--", "deep"]);
    assert_eq!(outcome.status, 139, "{outcome}");
    let text = outcome.stderr_text();
    assert!(text.matches("deeper + ").count() > 100, "{text}");
    assert!(text.contains("crash.c:2"), "{text}");
}

#[test]
fn dylibs_and_inlined_functions_are_named() {
    let bench = Bench::new();
    bench.build("m.c", "int f(int); int main(void) { return f(1) + 1; }");
    let text = "static inline __attribute__((always_inline)) int deref(int *p) { return *p; }\n\
                int f(int x) {\n    return deref((int *)(long)(x + 15)) + 1;\n}\n";
    bench.build_with("f.c", text, &["-O1", "-g", "-fPIC"]);
    let outcome = bench.jitlink(&words("m.o -lfs -jd fs f.o"));
    assert_eq!(outcome.status, 139, "{outcome}");
    let text = outcome.stderr_text();
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[1].starts_with(" #0 0x") && lines[1].contains(" f + ") && lines[1].ends_with("f.c:1"),
        "{text}"
    );
    assert!(lines[2].trim_start().starts_with("deref inlined at ") && lines[2].ends_with("f.c:3"), "{text}");
    assert!(lines[3].contains(" main + ") && lines[3].ends_with("(m.o)"), "{text}");
}
