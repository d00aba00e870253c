//! What the program gets as `argv`, and what becomes of its status.

use crate::bench::{Bench, ECHO, words};

#[test]
fn after_two_dashes_and_without_arguments_argv0_is_the_first_input() {
    let bench = Bench::new();
    bench.build("echo.c", ECHO);
    for (line, expected) in [
        ("echo.o", "1: [echo.o]\n"),
        ("./echo.o", "1: [./echo.o]\n"),
        ("echo.o --", "1: [echo.o]\n"),
        ("echo.o -- x -noexec -- y", "5: [echo.o] [x] [-noexec] [--] [y]\n"),
    ] {
        let outcome = bench.jitlink(&words(line));
        assert_eq!((outcome.status, outcome.stdout_text().as_str()), (3, expected), "{line}");
    }
}

#[test]
fn after_args_argv_is_what_follows() {
    let bench = Bench::new();
    bench.build("echo.c", ECHO);
    for line in
        ["echo.o -args", "echo.o -args x y", "echo.o --args -noexec -lfoo", "echo.o -args prog --help"]
    {
        bench.both(&words(line));
    }
    let outcome = bench.jitlink(&words("echo.o -args a -- b"));
    assert_eq!(outcome.stdout_text(), "3: [a] [--] [b]\n");
}

#[test]
fn words_may_come_from_a_file() {
    let bench = Bench::new();
    bench.build("echo.c", ECHO).write("words", "echo.o\n-args 'a b'");
    assert_eq!(bench.both(&["@words", "c"]).stdout_text(), "2: [a b] [c]\n");
}

#[test]
fn the_status_is_the_programs() {
    let bench = Bench::new();
    bench.build("exit.c", "#include <stdlib.h>\nint main(void) { exit(42); }");
    bench.build("abort.c", "#include <stdlib.h>\nint main(void) { abort(); }");
    assert_eq!(bench.both(&["exit.o"]).status, 42);
    assert_eq!(bench.jitlink(&["abort.o"]).status, 128 + 6);
}

#[test]
fn what_the_command_prints_stands_before_what_the_program_prints() {
    let bench = Bench::new();
    bench.build("echo.c", ECHO);
    let outcome = bench.jitlink(&["-show-linked-files", "echo.o"]);
    assert_eq!(outcome.stdout_text(), "Linking echo.o\n1: [echo.o]\n");
}

#[test]
fn environment_and_standard_input_are_the_programs() {
    let bench = Bench::new();
    bench.build(
        "env.c",
        "#include <stdlib.h>\n#include <stdio.h>\n#include <string.h>\n\
         int main(int c, char **v, char **envp) {\n\
           int n = 0; for (char **e = envp; *e; e++) n += !strncmp(*e, \"PATH=\", 5);\n\
           return n == 1 && getenv(\"PATH\") && getchar() == EOF ? 7 : 1; }",
    );
    assert_eq!(bench.jitlink(&["env.o"]).status, 7);
}
