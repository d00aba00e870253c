//! Sources of objects that are large in one way.

use std::fmt::Write;

/// Assembly of an object with a million relocations: calls and pointers, half a million each, to 10,000 functions.
///
/// As in what compilers make for shared libraries, the functions are visible to others.
#[must_use]
pub fn million_relocations() -> String {
    const FUNCTIONS: usize = 10_000;
    const EACH: usize = 50;
    let target = |index: usize, step: usize| (index * 7919 + step * 104_729) % FUNCTIONS;
    let mut text = String::from(".text\n");
    for index in 0..FUNCTIONS {
        let _ = writeln!(text, ".globl f{index}\n.type f{index}, @function\nf{index}:");
        (0..EACH).for_each(|step| _ = writeln!(text, "call f{}@PLT", target(index, step)));
        text.push_str("ret\n");
    }
    text.push_str(".data\n.globl pointers\npointers:\n");
    for index in 0..FUNCTIONS {
        (0..EACH).for_each(|step| _ = writeln!(text, ".quad f{}", target(index, step + EACH)));
    }
    text
}
