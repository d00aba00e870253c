//! `-write-symtab`.

use crate::bench::{Bench, SLAB, assembly};
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
