//! `-harness`: a test harness replaces definitions of what is tested, and sees its local symbols.

use crate::bench::{Bench, assembly, words};

fn bench() -> Bench {
    let bench = Bench::new();
    bench.build_with(
        "tested.c",
        "__attribute__((noinline)) int service(int x) { return x; }\n\
         static __attribute__((used, noinline)) int helper(int x) { return x * 2; }\n\
         int tested(void) { return service(1); }",
        &["-O0", "-fPIC"],
    );
    bench.build(
        "harness.c",
        "#include <stdio.h>\n\
         int service(int x) { return 100 + x; }\n\
         int helper(int), tested(void);\n\
         int main(void) { printf(\"%d %d\\n\", tested(), helper(3)); return 0; }",
    );
    bench
}

#[test]
fn a_harness_replaces_definitions_and_sees_local_symbols() {
    let bench = bench();
    let outcome = bench.both(&words("tested.o -harness harness.o"));
    assert_eq!(outcome.stdout_text(), "101 6\n");
}

#[test]
fn a_harness_replaces_local_definitions_too() {
    let bench = Bench::new();
    // Of all local symbols, assemblers refer by name to those in sections whose contents are merged.
    let code = assembly(
        "movzbl letter(%rip), %eax\nret",
        // Here they name the section all the same, if not told otherwise.
        ".reloc ., R_AARCH64_ADR_PREL_PG_HI21, letter\nadrp x0, 0\n\
         .reloc ., R_AARCH64_LDST8_ABS_LO12_NC, letter\nldrb w0, [x0]\nret",
    );
    let letter = ".section .rodata.str1.1, \"aMS\", @progbits, 1\nletter: .asciz \"A\"\n";
    bench.build("tested.s", &format!(".globl tested\ntested: {code}\n{letter}"));
    bench.build(
        "harness.c",
        "const char letter[] = \"B\"; int tested(void); int main(void) { return tested(); }",
    );
    assert_eq!(bench.both(&words("tested.o -harness harness.o")).status, i32::from(b'B'));
    assert_eq!(bench.jitlink(&words("tested.o harness.o")).status, i32::from(b'A'));
}

#[test]
fn an_ambiguous_local_symbol_is_refused() {
    let bench = bench();
    bench.build("more.c", "static __attribute__((used)) int helper(int x) { return x; }");
    let message = bench.refused(&words("tested.o more.o -harness harness.o"));
    assert!(message.contains("duplicate symbol helper: defined in tested.o and in more.o"), "{message}");
}

#[test]
fn without_the_flag_the_definitions_clash() {
    let bench = bench();
    let message = bench.refused(&words("tested.o harness.o"));
    assert!(message.contains("duplicate symbol service"), "{message}");
}
