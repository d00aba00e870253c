//! `-check` and `-check-name`.

use crate::bench::{Bench, SLAB, assembly, words};

const X86_64: &str = r#"
main:   call    outside
        movq    value@GOTPCREL(%rip), %rax
load:   movl    4(%rip), %ecx
        retq
        .size   main, .-main
"#;

const AARCH64: &str = r#"
main:   bl      outside
        adrp    x0, :got:value
        ldr     x0, [x0, :got_lo12:value]
load:   ldr     w1, [x0, #16]
        ret
        .size   main, .-main
"#;

/// How the call and the load above are decoded.
const X86_64_RULES: &str = r#"
# jitlink-check: decode_operand(main, 0) = stub_addr(code.o, outside) - next_pc(main)
# jitlink-check: decode_operand(load, 4) = 4
"#;

const AARCH64_RULES: &str = r#"
# jitlink-check: decode_operand(main, 0)[25:0] = (stub_addr(code.o, outside) - main)[27:2]
# jitlink-check: decode_operand(load, 2) = 4
"#;

const DATA: &str = r#"
        .globl  main
        .type   main, %function
        .data
        .globl  value
        .p2align 3
value:  .quad   main
        .bss
room:   .zero   16
"#;

const RULES: &str = r#"
# jitlink-check: *{8}value = main
# jitlink-check: *{8}room = 0
# jitlink-check: room = section_addr(code.o, .bss)
# jitlink-check: main = section_addr(code.o, .text)
# jitlink-check: *{8}got_addr(code.o, outside) = outside
# jitlink-check: outside = 0x7fff00000000
"#;

fn bench() -> Bench {
    let bench = Bench::new();
    bench.build("code.s", &[DATA, "\n.text\n", assembly(X86_64, AARCH64)].concat());
    bench.write("rules", &[RULES, assembly(X86_64_RULES, AARCH64_RULES)].concat());
    bench
}

fn checked<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let mut line = words("code.o -abs outside=0x7fff00000000");
    line.extend(SLAB);
    line.extend(more);
    line
}

#[test]
fn rules_hold_here_as_in_the_reference() {
    let bench = bench();
    bench.both(&checked(&["-check=rules"]));
}

#[test]
fn every_rule_that_fails_is_reported() {
    let bench = bench();
    bench.write(
        "wrong",
        "# jitlink-check: 1 = 2\n# jitlink-check: nosuch = 2\n# jitlink-check: main = main\n",
    );
    let message = bench.refused(&checked(&["-check=wrong"]));
    for part in [
        "error: wrong: line 1: expression '1 = 2' is false: 0x1 != 0x2",
        "error: wrong: line 2",
        "nosuch",
        "wrong: 2 of 3 check rules failed",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert_eq!(bench.reference(&checked(&["-check=wrong"])).status, 1);
}

#[test]
fn files_and_entries_that_are_not_there_are_errors_of_the_rule() {
    let bench = bench();
    for (rule, part) in [
        ("section_addr(other.o, .text) = 0", "no file 'other.o' was linked"),
        ("section_addr(code.o, .nosuch) = 0", "no section '.nosuch'"),
        ("stub_addr(code.o, value) = 0", "no PLT entry for 'value' in 'code.o'"),
        ("got_addr(code.o, main) = 0", "no GOT entry for 'main' in 'code.o'"),
        ("*{8}1 = 0", "line 1"),
    ] {
        bench.write("one", &format!("# jitlink-check: {rule}\n"));
        let message = bench.refused(&checked(&["-check=one"]));
        assert!(message.contains(part), "{rule}: {message}");
    }
}

#[test]
fn a_file_without_rules_fails() {
    let bench = bench();
    let message = bench.refused(&checked(&["-check=code.s"]));
    assert!(message.contains("code.s: no check rule found"), "{message}");
    assert!(bench.refused(&checked(&["-check=gone"])).contains("gone: No such file"));
    bench.write("other", "# my-check: 1 = 1\n");
    bench.both(&checked(&["-check-name=my-check", "-check=other"]));
    bench.both(&checked(&["-check=other"]));
}

#[test]
fn several_files_are_all_checked() {
    let bench = bench();
    bench.write("wrong", "# jitlink-check: 1 = 2\n");
    bench.both(&checked(&["-check=rules", "-check", "rules"]));
    let message = bench.refused(&checked(&["-check=wrong", "-check=rules", "-check=gone"]));
    assert!(message.contains("wrong: 1 of 1") && message.contains("gone: No such file"), "{message}");
}

#[test]
fn members_of_archives_have_names_too() {
    let bench = bench();
    bench.archive("libcode.a", &["code.o"]);
    bench.write("rules", "# jitlink-check: section_addr(code.o, .text) = main\n");
    let mut line = words("-all_load libcode.a -abs outside=0 -check=rules");
    line.extend(SLAB);
    bench.shown(&line);
}

#[test]
fn a_program_that_passes_is_run() {
    let bench = Bench::new();
    bench.build("run.c", "int main(void) { return 9; }").write("rules", "# jitlink-check: main = main\n");
    bench.both(&words("run.o -check=rules"));
    bench.write("rules", "# jitlink-check: main = 0\n");
    bench.refused(&words("run.o -check=rules"));
}
