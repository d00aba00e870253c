//! `-show-linked-files`, `-show-times`, `--stats`, warnings.

use crate::bench::{Bench, assembly, words};

fn bench() -> Bench {
    let bench = Bench::new();
    bench.build("one.c", "int two(void); int main(void) { return two(); }");
    bench.build("two.c", "int two(void) { return 2; }");
    bench
}

#[test]
fn linked_files_are_listed_as_in_the_reference() {
    let bench = bench();
    bench.both(&words("one.o two.o -show-linked-files"));
    assert_eq!(
        bench.shown(&words("-noexec one.o two.o --show-linked-files")),
        "Linking one.o\nLinking two.o\n"
    );
}

#[test]
fn times_and_counts_go_to_standard_error() {
    let bench = bench();
    let outcome = bench.jitlink(&words("-noexec one.o two.o -show-times --stats"));
    assert_eq!((outcome.status, outcome.stdout_text().as_str()), (0, ""));
    let text = outcome.stderr_text();
    for part in [" load\n", " total\n", "100.0%", " 2 objects\n", " bytes of content\n"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn warnings_are_marked() {
    let bench = Bench::new();
    let zero = assembly("xorl %eax, %eax", "mov w0, wzr");
    let note = ".section .note.GNU-stack,\"x\",@progbits";
    bench.build("stack.s", &format!(".globl main\nmain: {zero}\nret\n{note}\n"));
    let outcome = bench.jitlink(&["stack.o"]);
    assert_eq!(outcome.status, 0, "{outcome}");
    assert!(outcome.stderr_text().starts_with("warning: stack.o"), "{outcome}");
}
