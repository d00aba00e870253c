//! `-entry` and what is said when there is nothing to run.

use crate::bench::{Bench, words};

const START: &str = "int start(int argc, char **argv) { return 40 + argc; } int other(void) { return 9; }";

#[test]
fn another_function_can_be_the_entry() {
    let bench = Bench::new();
    bench.build("start.c", START);
    for line in ["start.o -entry start -args a b", "-entry=other start.o"] {
        bench.both(&words(line));
    }
    assert_eq!(bench.jitlink(&words("-entry start start.o -- x")).status, 42);
}

#[test]
fn a_hidden_main_is_found() {
    let bench = Bench::new();
    bench.build("hidden.c", "__attribute__((visibility(\"hidden\"))) int main(void) { return 6; }");
    assert_eq!(bench.jitlink(&["hidden.o"]).status, 6);
}

#[test]
fn main_may_be_in_an_archive() {
    let bench = Bench::new();
    bench.build("m.c", "int f(void); int main(void) { return f(); }");
    bench.build("f.c", "int f(void) { return 5; }");
    bench.archive("libm_.a", &["m.o"]).archive("libf.a", &["f.o"]);
    assert_eq!(bench.jitlink(&words("libm_.a libf.a")).status, 5);
    assert_eq!(bench.jitlink(&words("libf.a -L. -lm_")).status, 5);
}

#[test]
fn without_an_entry_the_message_says_what_to_do() {
    let bench = Bench::new();
    bench.build("start.c", START);
    let message = bench.refused(&["start.o"]);
    assert!(message.starts_with("error: no input defines main"), "{message}");
    assert!(message.contains("-entry") && message.contains("-noexec"), "{message}");
    let message = bench.refused(&words("-entry nope start.o"));
    assert!(message.contains("no input defines nope"), "{message}");
    assert_eq!(bench.jitlink(&words("-noexec start.o")).status, 0);
}

#[test]
fn without_inputs_there_is_nothing_to_do() {
    let bench = Bench::new();
    let message = bench.refused(&[]);
    assert!(message.contains("no inputs"), "{message}");
    assert!(bench.refused(&["-noexec"]).contains("no inputs"));
}
