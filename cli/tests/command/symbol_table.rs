//! `-write-symtab`.

use crate::bench::{Bench, SLAB, assembly, words};
use std::collections::BTreeSet;

const CODE: &str = "
        .globl  main
main:   ret
        .local  inner
inner:  ret
        .data
        .globl  d
d:      .quad   main, inner
";

/// Files and names.
fn names(table: &str) -> BTreeSet<String> {
    table.lines().map(|line| line.split_once(' ').map_or(line, |(_, name)| name).to_owned()).collect()
}

#[test]
fn files_and_their_symbols_are_written() {
    let bench = Bench::new();
    bench.build("code.s", CODE).build("more.c", "int more(void) { return 1; }");
    let mut line = vec!["code.o", "more.o", "-write-symtab=ours"];
    line.extend(SLAB);
    bench.shown(&line);
    let ours = std::fs::read_to_string(bench.path("ours")).unwrap();
    let [inner, more] = assembly([0x10001, 0x10010], [0x10004, 0x10008]);
    let expected =
        format!("\"code.o\"\n0x10000 main\n{inner:#x} inner\n0x12000 d\n\"more.o\"\n{more:#x} more\n");
    assert_eq!(ours, expected);
    let main = line.len();
    line[2] = "-write-symtab=theirs";
    // The reference links what the entry needs.
    line.insert(main, "-entry=main");
    bench.reference(&line);
    let theirs = std::fs::read_to_string(bench.path("theirs")).unwrap();
    for name in ["\"code.o\"", "main", "d"] {
        assert!(names(&theirs).contains(name), "{name}: {theirs}");
    }
}

#[test]
fn a_dash_is_standard_output_and_a_bad_path_an_error() {
    let bench = Bench::new();
    bench.build("code.s", CODE);
    let mut line = vec!["code.o", "-write-symtab", "-"];
    line.extend(SLAB);
    assert!(bench.shown(&line).starts_with("\"code.o\"\n0x10000 main\n"));
    line[2] = "no/such/dir";
    assert!(bench.refused(&line).contains("no/such/dir: No such file"));
}

/// Prints the addresses of two functions as a backtrace has them.
const FRAMES: &str = "#include <stdio.h>
int g(int);
int main(void) {
    printf(\"noise\\n #0 %p\\n #1 %p\\n\", (char *)main + 1, (void *)g);
    return 0;
}";

#[test]
fn backtraces_are_symbolicated_alike_here_and_there() {
    let bench = Bench::new();
    bench.build("m.c", FRAMES).build("g.c", "int g(int x) { return x; }");
    let ours = |line: &str| {
        let outcome = bench.jitlink(&words(line));
        assert_eq!(outcome.status, 0, "{outcome}");
        bench.write("ours.bt", &outcome.stdout_text());
        std::fs::read_to_string(bench.path("ours.sym")).unwrap()
    };
    for line in ["m.o g.o -write-symtab=ours.sym", "m.o -lgs -write-symtab=ours.sym -jd gs g.o"] {
        let table = ours(line);
        assert!(table.contains("\"m.o\"\n") && table.contains("\"g.o\"\n"), "{table}");
        let shown = bench.shown(&words("-symbolicate-with=ours.sym ours.bt"));
        let lines: Vec<&str> = shown.lines().collect();
        assert!(
            lines[0] == "noise" && lines[1].ends_with(" main + 1 (m.o)") && lines[2].ends_with(" g (g.o)"),
            "{shown}"
        );
        let theirs = bench.reference(&words("-symbolicate-with=ours.sym ours.bt"));
        // The reference takes what follows the last line for one more.
        assert_eq!(theirs.stdout_text(), shown.clone() + "\n");
    }
    let theirs = bench.reference(&words("m.o g.o -write-symtab=theirs.sym"));
    if assembly(true, false) {
        assert_eq!(theirs.status, 0, "{theirs}");
        bench.write("theirs.bt", &theirs.stdout_text());
        let line = words("-symbolicate-with=theirs.sym theirs.bt");
        let shown = bench.shown(&line);
        assert!(shown.contains(" main + 1 (m.o)\n") && shown.contains(" g (g.o)\n"), "{shown}");
        assert_eq!(bench.reference(&line).stdout_text(), shown + "\n");
    }
    assert!(bench.refused(&words("-symbolicate-with=none.sym ours.bt")).contains("none.sym"));
}
