//! Memory managers, threads, dead strip.

use crate::bench::{Bench, ECHO, words};

#[test]
fn programs_run_from_every_kind_of_memory() {
    let bench = Bench::new();
    bench.build("echo.c", ECHO);
    for line in [
        "echo.o -slab-allocate=10Mb",
        "echo.o -slab-allocate 64",
        "echo.o -num-threads=4",
        "echo.o -num-threads=0",
    ] {
        let line = format!("{line} -args x");
        assert_eq!(bench.both(&words(&line)).stdout_text(), "1: [x]\n", "{line}");
    }
    for line in ["echo.o -dual-map", "echo.o -keep-all"] {
        assert_eq!(bench.jitlink(&words(line)).stdout_text(), "1: [echo.o]\n", "{line}");
    }
}

#[test]
fn a_slab_can_be_too_small_or_badly_placed() {
    let bench = Bench::new();
    bench.build("big.c", "char big[100000]; int main(void) { return 0; }");
    assert!(bench.refused(&words("big.o -slab-allocate=8Kb")).starts_with("error: "));
    let message =
        bench.refused(&words("-noexec big.o -slab-allocate=1Mb -slab-address=0x10001 -slab-page-size=4096"));
    assert!(message.contains("0x10001") && message.contains("multiple of the page size"), "{message}");
    let message = bench.refused(&words("-noexec big.o -slab-allocate=1Mb -slab-page-size=1000"));
    assert!(message.contains("1000") && message.contains("power of two"), "{message}");
    let outcome = bench.jitlink(&words("-noexec big.o -slab-allocate=1Mb -slab-address=0x10000"));
    assert!(outcome.stderr_text().starts_with("warning: -slab-address without -slab-page-size"), "{outcome}");
    assert!(
        bench.refused(&words("big.o -slab-address=0x10000")).contains("wants -slab-allocate and -noexec")
    );
}

#[test]
fn dead_strip_can_be_turned_off() {
    let bench = Bench::new();
    let source =
        "__attribute__((visibility(\"hidden\"))) int unused(void) { return 1; } int main(void) { return 0; }";
    bench.build_with("strip.c", source, &["-O1", "-ffunction-sections"]);
    let symbols = |more: &str| bench.shown(&words(&format!("-noexec strip.o -write-symtab=- {more}")));
    assert!(!symbols("").contains("unused"));
    assert!(symbols("-keep-all").contains("unused"));
    assert!(symbols("--keep-all").contains("unused"));
}
