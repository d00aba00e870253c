//! Archives: what is loaded from them, hidden or not, and that their place does not matter.

use crate::bench::{Bench, words};

fn bench() -> Bench {
    let bench = Bench::new();
    bench.build("main.c", "int f(void); int main(void) { return f(); }");
    bench.build("f.c", "int f(void) { return 5; }");
    bench.build("unused.c", "int unused(void) { return 1; }");
    bench.archive("libf.a", &["f.o", "unused.o"]);
    bench
}

fn linked(bench: &Bench, line: &str) -> Vec<String> {
    let mut all = words(line);
    all.extend(["-noexec", "-show-linked-files"]);
    bench.shown(&all).lines().map(|line| line.replace("Linking ", "").replace("./", "")).collect()
}

#[test]
fn needed_members_are_loaded_wherever_the_archive_stands() {
    let bench = bench();
    for line in ["main.o libf.a", "libf.a main.o", "main.o -L. -lf", "-lf main.o -L .", "-L=. -l=f main.o"] {
        assert_eq!(linked(&bench, line), ["main.o", "libf.a(f.o)"], "{line}");
        assert_eq!(bench.both(&words(line)).status, 5, "{line}");
    }
}

#[test]
fn all_members_can_be_asked_for() {
    let bench = bench();
    for line in ["main.o -all_load libf.a", "main.o libf.a --all_load", "main.o --whole-archive -L. -lf"] {
        assert_eq!(linked(&bench, line), ["main.o", "libf.a(f.o)", "libf.a(unused.o)"], "{line}");
    }
    let line = "main.o --whole-archive --no-whole-archive libf.a";
    assert_eq!(linked(&bench, line), ["main.o", "libf.a(f.o)"]);
    assert_eq!(bench.both(&words("main.o -all_load libf.a")).status, 5);
}

#[test]
fn hidden_archives_give_their_definitions_to_the_link_alone() {
    let bench = bench();
    for line in [
        "main.o -L. -hidden-lf",
        "main.o -L. -hidden-l f",
        "main.o -load_hidden libf.a",
        "main.o -load_hidden=libf.a",
    ] {
        assert_eq!(bench.both(&words(line)).status, 5, "{line}");
    }
    // Nothing refers to what is hidden, so that dead strip takes it.
    let line = words("-noexec -all_load -load_hidden libf.a -write-symtab=-");
    assert_eq!(bench.shown(&line), "");
    assert_ne!(bench.shown(&words("-noexec -all_load libf.a -write-symtab=-")), "");
}

#[test]
fn a_hidden_library_is_an_archive() {
    let bench = bench();
    bench.shared("libf.so", "int f(void) { return 77; }");
    assert_eq!(bench.jitlink(&words("main.o -L. -lf")).status, 77);
    assert_eq!(bench.jitlink(&words("main.o -L. -hidden-lf")).status, 5);
}

#[test]
fn noexec_links_everything_given() {
    let bench = bench();
    assert_eq!(linked(&bench, "f.o unused.o"), ["f.o", "unused.o"]);
    let symbols = bench.shown(&words("-noexec f.o unused.o -write-symtab=-"));
    assert!(symbols.contains(" f\n") && symbols.contains(" unused\n"), "{symbols}");
}
