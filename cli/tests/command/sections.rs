//! `-sectcreate`.

use crate::bench::{Bench, SLAB, words};

const READ: &str = r#"
#include <stdio.h>
extern const char first[], second[];
int main(void) { printf("%.5s %.5s\n", first, second); return 0; }
"#;

#[test]
fn a_files_bytes_become_a_section_with_symbols() {
    let bench = Bench::new();
    bench.build("read.c", READ).write("text", "hello world");
    let line = "read.o -sectcreate data,text@first=0,second=6";
    assert_eq!(bench.both(&words(line)).stdout_text(), "hello world\n");
    let line = format!("{line} -show-relocated-section-contents");
    let mut line = words(&line);
    line.extend(SLAB);
    let shown = bench.shown(&line);
    assert!(shown.contains("data content:\n0x"), "{shown}");
    assert!(shown.contains(" 68 65 6c 6c 6f 20 77 6f 72 6c 64\n"), "{shown}");
}

#[test]
fn symbols_stay_within_the_section() {
    let bench = Bench::new();
    bench.build("read.c", READ).write("text", "hello world");
    let message = bench.refused(&words("read.o -sectcreate data,text@first=0,second=12"));
    assert!(message.contains("second") && message.contains("past the end of text"), "{message}");
    assert_eq!(bench.jitlink(&words("-noexec read.o -sectcreate data,text@first=0,second=11")).status, 0);
}

#[test]
fn mistakes_are_explained() {
    let bench = Bench::new();
    bench.build("read.c", READ).write("text", "hello world");
    assert!(bench.refused(&words("read.o -sectcreate data")).contains("SECTION,FILE"));
    assert!(bench.refused(&words("read.o -sectcreate data,text@first")).contains("SYMBOL=OFFSET"));
    assert!(
        bench.refused(&words("read.o -sectcreate data,gone@first=0,second=1")).contains("gone: No such file")
    );
}
