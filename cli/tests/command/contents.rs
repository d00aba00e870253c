//! `-show-relocated-section-contents`.

use crate::bench::{Bench, SLAB, assembly};

#[test]
fn bytes_are_shown_in_rows_of_sixteen_as_they_are_after_fixup() {
    let bench = Bench::new();
    let [code, code_bytes] = assembly(
        ["leaq d(%rip), %rax\nretq", "48 8d 05 f9 0f 00 00 c3"],
        ["adr x0, d\nret", "00 80 00 10 c0 03 5f d6"],
    );
    let source = "
        .data
        .globl  d
d:      .quad   f
        .quad   0x1122334455667788
        .byte   1
        .bss
        .globl  z
z:      .zero   24
";
    bench.build("c.s", &format!(".text\n.globl f\nf: {code}\n{source}"));
    let mut line = vec!["c.o", "-show-relocated-section-contents"];
    line.extend(SLAB);
    let shown = bench.shown(&line);
    let expected = "\
.data content:
0x11000: 00 00 01 00 00 00 00 00 88 77 66 55 44 33 22 11
0x11010: 01
.bss content:
0x11011: zero-fill, 24 bytes
";
    let head = format!("Relocated section contents for c.o:\n.text content:\n0x10000: {code_bytes}\n");
    assert!(shown.starts_with(&(head + expected)), "{shown}");
}
