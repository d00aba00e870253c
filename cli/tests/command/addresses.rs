//! `-show-addrs`.

use crate::bench::{Bench, SLAB, assembly};
use std::collections::BTreeSet;

const X86_64: &str = "
main:   call    outside
        movq    outside@GOTPCREL(%rip), %rax
        retq
";

const AARCH64: &str = "
main:   bl      outside
        adrp    x0, :got:outside
        ldr     x0, [x0, :got_lo12:outside]
        ret
";

const AROUND: [&str; 2] = [
    "
        .globl  main
        .type   main, @function
",
    "
        .size   main, .-main
        .data
        .globl  d
d:      .quad   main
        .bss
        .globl  z
z:      .zero   24
",
];

/// What is listed, without addresses.
fn listed(text: &str) -> BTreeSet<String> {
    let what =
        |line: &str| line.split(" target addr").next().unwrap_or("").replace(':', "").trim().to_owned();
    text.lines().map(what).collect()
}

#[test]
fn symbols_sections_and_entries_are_listed() {
    let bench = Bench::new();
    let [before, after] = AROUND;
    bench.build("code.s", &[before, assembly(X86_64, AARCH64), after].concat());
    let mut line = vec!["code.o", "-show-addrs", "-abs=outside=0x7fff00000000"];
    line.extend(SLAB);
    let shown = bench.shown(&line);
    assert!(shown.starts_with("Registered addresses:\nSymbols:\n"), "{shown}");
    let (ours, theirs) = (listed(&shown), listed(&bench.reference(&line).stdout_text()));
    for part in [
        "\"main\"",
        "\"d\"",
        "\"z\"",
        "\"outside\"",
        "File \"code.o\"",
        "Section \".text\"",
        "GOT \"outside\"",
        "Stubs \"outside\"",
    ] {
        assert!(ours.contains(part), "{part}: {shown}");
        assert!(part == "\"outside\"" || theirs.contains(part), "{part}: {theirs:?}");
    }
    let zero = shown.lines().find(|line| line.contains("\"z\"")).unwrap();
    assert!(zero.contains("target addr = 0x00000000000") && zero.contains("zero-fill"), "{zero}");
}
