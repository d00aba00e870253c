//! `-add-self-relocations`.

use crate::bench::{Bench, SLAB, assembly};

const X86_64: &str = "
        .text
        .type   f, @function
        .globl  f
        nop
f:      leaq    f(%rip), %rax
        cmpq    $0, f(%rip)
        movq    f+1(%rip), %rcx
        leaq    other(%rip), %rdx
        retq
        .size   f, .-f
        .type   other, @function
other:  leaq    other(%rip), %rax
        retq
        .size   other, .-other
";

const AARCH64: &str = "
        .text
        .type   f, @function
        .globl  f
f:      adr     x0, f
        ret
        .size   f, .-f
";

/// The local form of the same code: the assembler resolves the distances itself.
fn source() -> String {
    assembly(X86_64, AARCH64).replace(".globl  f", ".local   f")
        + ".globl main\n.type main, @function\nmain: "
        + assembly("call f", "bl f")
        + "\nret\n.size main, .-main\n"
}

#[test]
fn functions_that_compute_their_own_address_get_an_edge() {
    let bench = Bench::new();
    bench.build("self.s", &source());
    let mut line = vec!["self.o", "-show-graphs=self", "-show-relocated-section-contents"];
    line.extend(SLAB);
    let plain = bench.shown(&line);
    line.push("-add-self-relocations");
    let with = bench.shown(&line);
    let edges = |text: &str| text.lines().filter(|line| line.contains("edge")).count();
    // `leaq f` and `leaq other` in `other` itself; the compare's displacement does not end the instruction. The flag is
    // about x86-64, here as in the reference.
    assert_eq!(edges(&with), edges(&plain) + assembly(2, 0), "{plain}\n{with}");
    let contents = |text: &str| text.split("Relocated").nth(1).map(str::to_owned);
    assert_eq!(contents(&plain), contents(&with), "the bytes are the same");
    assert_eq!(bench.reference(&line).status, 0);
}
