//! `-jd`, `-lazy` and what goes with them.

use crate::bench::{Bench, words};

/// `main` prints what `f` and `g` make of 1 and 2; `f` calls `h`.
fn bench() -> Bench {
    let bench = Bench::new();
    bench.build(
        "m.c",
        "#include <stdio.h>\nint f(int), g(int);\n\
         int main(void) { int a = f(1); printf(\"%d %d\\n\", a, g(2)); return 0; }",
    );
    bench.build("f.c", "int h(int); int f(int x) { return h(x) + 1; }");
    bench.build("g.c", "int g(int x) { return x * 2; }");
    bench.build("h.c", "int h(int x) { return x * 3; }");
    bench.build("unused.c", "int nowhere(int); int unused(int x) { return nowhere(x); }");
    bench
}

#[test]
fn lazy_objects_are_linked_when_they_are_called() {
    let bench = bench();
    let line = "m.o -lazy f.o -lazy unused.o g.o -lazy h.o -show-linked-files";
    let outcome = bench.jitlink(&words(line));
    assert_eq!(outcome.stdout_text(), "4 4\n", "{}", outcome.stderr_text());
    let linked: Vec<_> = outcome.stderr_text().lines().map(str::to_owned).collect();
    assert_eq!(linked, ["m.o", "g.o", "f.o", "h.o"]);
}

#[test]
fn first_calls_are_recorded_and_speculated_on() {
    let bench = bench();
    let line = "m.o -lazy f.o -lazy g.o -lazy h.o -record-lazy-execs=calls.csv";
    assert_eq!(bench.jitlink(&words(line)).stdout_text(), "4 4\n");
    let calls = std::fs::read_to_string(bench.path("calls.csv")).unwrap();
    assert_eq!(calls, "main, f\nmain, h\nmain, g\n");
    for order in ["", " -speculate-order=calls.csv"] {
        let line = format!("m.o -lazy f.o -lazy g.o -lazy h.o -speculate=simple{order}");
        let outcome = bench.jitlink(&words(&line));
        assert_eq!(outcome.stdout_text(), "4 4\n", "{}", outcome.stderr_text());
    }
    assert!(
        bench
            .refused(&words("m.o -lazy f.o -speculate=simple -speculate-order=none.csv"))
            .contains("none.csv")
    );
}

#[test]
fn dylibs_have_inputs_and_link_against_each_other() {
    let bench = bench();
    bench.build("h2.c", "int h(int x) { return 100; } int g(int x) { return -1; }");
    let line = "m.o g.o -lmid -jd mid f.o -lbottom -jd bottom h.o -jd other h2.o";
    assert_eq!(bench.both(&words(line)).stdout_text(), "4 4\n");
    let line = "m.o -lmid -jd mid f.o g.o -lother -jd other h2.o -jd bottom h.o";
    assert_eq!(bench.jitlink(&words(line)).stdout_text(), "101 4\n");
    bench.archive("libh.a", &["h.o", "unused.o"]);
    let line = "m.o g.o -lmid -jd mid f.o libh.a";
    assert_eq!(bench.jitlink(&words(line)).stdout_text(), "4 4\n");
}

#[test]
fn aliases_belong_to_the_dylib_before_them() {
    let bench = bench();
    bench.build("h3.c", "int hidden_here(int x) { return x * 3; }");
    let line = "m.o g.o -lmid -jd mid f.o -alias h=hidden_here h3.o";
    assert_eq!(bench.jitlink(&words(line)).stdout_text(), "4 4\n");
}

#[test]
fn weak_libraries_may_be_missing() {
    let bench = Bench::new();
    bench.build(
        "w.c",
        "extern int absent(void) __attribute__((weak)); int main(void) { return absent ? 1 : 7; }",
    );
    assert_eq!(bench.jitlink(&words("w.o -weak_library ./libnone.so")).status, 7);
    bench.shared("libthere.so", "int absent(void) { return 0; }");
    assert_eq!(bench.jitlink(&words("w.o -weak_library ./libthere.so")).status, 1);
}

#[test]
fn the_session_is_shown_before_and_after() {
    let bench = bench();
    let outcome = bench.jitlink(&words("m.o -lazy f.o g.o h.o -show-init-es"));
    let text = outcome.stdout_text();
    assert!(text.contains("JITDylib \"main\""), "{text}");
    assert!(text.contains("\"main\": <not resolved> [Callable] Waiting (m.o)"), "{text}");
    let outcome = bench.jitlink(&words("m.o f.o g.o h.o -show-entry-es"));
    let text = outcome.stdout_text();
    assert!(text.contains("[Callable] Ready (f.o)") && text.contains("\"printf\": 0x"), "{text}");
}

#[test]
fn failures_name_the_cause_and_what_it_matters_to() {
    let bench = bench();
    let text = bench.refused(&words("m.o f.o g.o -jd other h.o"));
    assert!(text.contains("error: undefined symbol h, referenced by f.o"), "{text}");
    assert!(!text.contains("failed to materialize"), "{text}");
    let text = bench.refused(&words("m.o f.o g.o -jd other -show-err-failed-to-materialize h.o"));
    assert!(text.contains("error: failed to materialize main: f.o could not be linked"), "{text}");
    let text = bench.refused(&words("m.o -lazy f.o g.o h.o -harness t.o"));
    assert!(text.contains("-harness wants one link"), "{text}");
}

#[test]
fn rules_see_the_images_of_all_dylibs() {
    let bench = bench();
    bench.write(
        "rules",
        "# jitlink-check: *{4}answer = (*{4}other) + 1\n# jitlink-check: section_addr(d.o, .data) = answer\n",
    );
    bench.build("d.c", "int answer = 42;");
    bench.build("e.c", "int other = 41;");
    let line = "m.o f.o g.o h.o d.o -jd second e.o -check=rules";
    let outcome = bench.jitlink(&words(line));
    assert_eq!(outcome.stdout_text(), "4 4\n", "{}", outcome.stderr_text());
    bench.write("wrong", "# jitlink-check: *{4}answer = *{4}other\n");
    let text = bench.refused(&words("m.o f.o g.o h.o d.o -jd second e.o -check=wrong"));
    assert!(text.contains("1 of 1 check rules failed"), "{text}");
    assert!(text.contains("0x2a != 0x29"), "{text}");
}

#[test]
fn sections_are_created_for_dylibs_too() {
    let bench = bench();
    bench.write("bytes", "text\n");
    bench.build(
        "s.c",
        "#include <stdio.h>\nextern const char text[];\nint main(void) { printf(\"%.4s\\n\", text); return 0; }",
    );
    let outcome = bench.jitlink(&words("s.o -jd second g.o -sectcreate=words,bytes@text=0"));
    assert_eq!(outcome.stdout_text(), "text\n", "{}", outcome.stderr_text());
}
