//! Objects that are large in one way each.

use super::build::Builder;
use crate::{Outcome, place};
use jitlink_test_support::generated::million_relocations;
use std::fmt::Write;

pub(super) fn relocations(builder: &mut Builder) -> Outcome<()> {
    builder.assemble("relocations.o", &million_relocations())
}

/// Each calls the next one, and holds its own address.
pub(super) fn tiny(builder: &mut Builder) -> Outcome<()> {
    const COUNT: usize = 10_000;
    let source = builder.path("tiny.s");
    let text = ".text\n.globl f00000\n.type f00000, @function\nf00000: call f99999@PLT\nret\n.size f00000, .-f00000\n\
                .data\n.quad f00000\n";
    place::at(&source, std::fs::write(&source, text))?;
    let object = builder.path("tiny.o");
    super::build::clang(&source, &object, &[])?;
    let template = place::at(&object, std::fs::read(&object))?;
    for path in [source, object] {
        place::at(&path, std::fs::remove_file(&path))?;
    }
    let find = |name: &[u8]| {
        let at = template.windows(name.len()).position(|bytes| bytes == name);
        at.ok_or("the assembler's object lacks a name it should have")
    };
    let (own, other) = (find(b"f00000")?, find(b"f99999")?);
    for index in 0..COUNT {
        let mut bytes = template.clone();
        bytes[own..own + 6].copy_from_slice(format!("f{index:05}").as_bytes());
        bytes[other..other + 6].copy_from_slice(format!("f{:05}", (index + 1) % COUNT).as_bytes());
        builder.add(&format!("f{index:05}.o"), &bytes)?;
    }
    Ok(())
}

pub(super) fn symbols(builder: &mut Builder) -> Outcome<()> {
    // Others see all of them: nothing else would keep them.
    builder.assemble("symbols.o", &functions(|_| String::new(), "").replace(".hidden", ".globl"))
}

/// Each function calls the next one.
pub(super) fn chain(builder: &mut Builder) -> Outcome<()> {
    let next = |index| if index + 1 < SECTIONS { format!("call f{}\n", index + 1) } else { String::new() };
    builder.assemble("chain.o", &functions(next, ""))
}

/// One function refers to all others, and they to it.
pub(super) fn star(builder: &mut Builder) -> Outcome<()> {
    let mut hub = String::from(".section .text.hub,\"ax\"\n.globl hub\nhub:\n");
    (0..SECTIONS).for_each(|index| _ = writeln!(hub, "call f{index}"));
    builder.assemble("star.o", &functions(|_| "call hub\n".to_owned(), &hub))
}

const SECTIONS: usize = 100_000;

/// Functions in a section each, with what they do before they return.
fn functions(body: impl Fn(usize) -> String, more: &str) -> String {
    let mut text = String::new();
    for index in 0..SECTIONS {
        let visible = if index == 0 { "globl" } else { "hidden" };
        let _ = write!(
            text,
            ".section .text.f{index},\"ax\"\n.globl f{index}\n.{visible} f{index}\nf{index}:\n{}ret\n",
            body(index)
        );
    }
    text.push_str(more);
    text
}
