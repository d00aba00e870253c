//! Inputs that are large in one way each: the time to link them grows with their size and not faster.
//!
//! Each is so large that anything that grows with a square or worse takes minutes, and what is linear, in a debug build,
//! a small part of the time allowed: no noise decides.

use jitlink::link::{Batch, LinkContext, LinkOptions, NoSymbols, link};
use jitlink_test_support::arch::Arch;
use jitlink_test_support::cache;
use jitlink_test_support::pretended::{EveryName, PretendedMemory};
use jitlink_test_support::process::{run, show};
use jitlink_test_support::toolchain::Compiler;
use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// The best of this many rounds counts.
const ROUNDS: usize = 3;
const LONGEST: Duration = Duration::from_secs(4);

#[test]
fn relocations() {
    links_in_time("relocations", 1_000_000, |count| {
        format!(".data\n.globl target\ntarget:\n.rept {count}\n.quad target\n.endr\n")
    });
}

#[test]
fn sections() {
    links_in_time("sections", 200_000, |count| {
        let one = ".macro one\n.section .text.f\\@,\"ax\"\n.globl f\\@\nf\\@: ret\n.endm\n";
        format!("{one}.rept {count}\none\n.endr\n")
    });
}

#[test]
fn sections_in_groups() {
    links_in_time("groups", 80_000, |count| {
        let one =
            ".macro one\n.section .text.f\\@,\"axG\",@progbits,f\\@,comdat\n.weak f\\@\nf\\@: ret\n.endm\n";
        format!("{one}.rept {count}\none\n.endr\n")
    });
}

#[test]
fn static_functions_called_from_another_section() {
    links_in_time("static-functions", 64_000, |count| {
        let mut text = String::from(".text\n");
        for index in 0..count {
            let _ = write!(text, ".type f{index}, @function\nf{index}: ret\n.size f{index}, 1\n");
        }
        text.push_str(".section .text.callers,\"ax\"\n.globl caller\ncaller:\n");
        (0..count).for_each(|index| _ = writeln!(text, "call f{index}"));
        text
    });
}

#[test]
fn a_chain_of_sections_each_reached_by_the_one_before() {
    links_in_time("chain", 80_000, |count| {
        let mut text = String::new();
        for index in 0..count {
            let next = index + 1;
            let _ = write!(
                text,
                ".section .text.f{index},\"ax\"\n.hidden f{index}\n.globl f{index}\nf{index}: call f{next}\n"
            );
        }
        let _ = write!(text, ".text\n.globl first, f{count}\nfirst: call f0\nf{count}: ret\n");
        text
    });
}

#[test]
fn unwind_records() {
    links_in_time("unwind", 80_000, |count| {
        let one = ".macro one\n.section .text.f\\@,\"ax\"\n.globl f\\@\nf\\@: .cfi_startproc\nret\n.cfi_endproc\n.endm\n";
        format!("{one}.rept {count}\none\n.endr\n")
    });
}

#[test]
fn merged_strings() {
    links_in_time("strings", 320_000, |count| {
        let mut text = String::from(".data\n.globl table\ntable:\n");
        (0..count).for_each(|index| _ = writeln!(text, ".quad .L{index}"));
        text.push_str(".section .rodata.str1.1,\"aMS\",@progbits,1\n");
        (0..count)
            .for_each(|index| _ = writeln!(text, ".L{index}: .asciz \"string {}\"", index % (count / 2)));
        text
    });
}

#[test]
fn got_entries_and_stubs() {
    links_in_time("entries", 80_000, |count| {
        let mut text = String::from(".text\n.globl main\nmain:\n");
        for index in 0..count {
            let _ = write!(text, "call outside{index}@PLT\nmovq other{index}@GOTPCREL(%rip), %rax\n");
        }
        text
    });
}

#[test]
fn objects() {
    let small = assemble("object", 0, |_| {
        ".text\n.globl f00000\nf00000: call f99999@PLT\nleaq .Ltext(%rip), %rax\nret\n.data\n.quad f00000\n\
         .section .rodata.str1.1,\"aMS\",@progbits,1\n.Ltext: .asciz \"text\"\n"
            .to_owned()
    });
    let at = small.windows(6).position(|bytes| bytes == b"f00000").expect("the name is in the string table");
    let renamed = |index: usize| {
        let mut bytes = small.clone();
        bytes[at..at + 6].copy_from_slice(format!("f{index:05}").as_bytes());
        bytes
    };
    let all: Vec<Vec<u8>> = (0..10_000).map(renamed).collect();
    check("objects", &all);
}

#[test]
fn unwind_records_in_sections_of_groups() {
    links_in_time("unwind-groups", 60_000, |count| {
        let one = ".macro one\n.section .text.f\\@,\"axG\",@progbits,f\\@,comdat\n.globl f\\@\nf\\@: ret\n\
                   .section .eh_frame,\"aG\",@unwind,f\\@,comdat\n.long 12, 0\n.byte 1, 0, 1, 0x78, 16, 0, 0, 0\n\
                   .long 20, 20\n.quad f\\@, 1\n.endm\n";
        format!("{one}.rept {count}\none\n.endr\n")
    });
}

#[test]
fn sections_with_bounds() {
    links_in_time("bounds", 60_000, |count| {
        let mut text = String::from(".data\n.globl table\ntable:\n");
        (0..count).for_each(|index| {
            _ = writeln!(
                text,
                ".section s{index},\"a\"\n.byte 1\n.data\n.quad __start_s{index}, __stop_s{index}"
            );
        });
        text
    });
}

#[test]
fn mach_o_functions() {
    links_mach_o_in_time("mach-functions", 60_000, |count| {
        let one = ".macro one\n.globl _f\\@\n_f\\@: .cfi_startproc\ncall _g\\@\nleaq Ltext\\@(%rip), %rax\nret\n\
                   .cfi_endproc\n_g\\@: ret\n.section __TEXT,__cstring,cstring_literals\nLtext\\@: .asciz \"text \\@\"\n\
                   .section __TEXT,__const\nLdata\\@: .quad _f\\@ - Ldata\\@\n.text\n.endm\n";
        format!("{one}.text\n.rept {count}\none\n.endr\n.subsections_via_symbols\n")
    });
}

#[test]
fn mach_o_sections_with_bounds() {
    let one = assemble_for(DARWIN, "mach-bounds", 0, |_| {
        ".data\n.globl _s00000\n_s00000: .quad section$start$__DATA$__s00000, section$end$__DATA$__s00000\n\
         .section __DATA,__s00000\n.quad 1\n.subsections_via_symbols\n"
            .to_owned()
    });
    let places: Vec<usize> =
        one.windows(6).enumerate().filter(|(_, bytes)| bytes == b"s00000").map(|(at, _)| at).collect();
    let renamed = |index: usize| {
        let mut bytes = one.clone();
        places.iter().for_each(|at| bytes[*at..at + 6].copy_from_slice(format!("s{index:05}").as_bytes()));
        bytes
    };
    let all: Vec<Vec<u8>> = (0..10_000).map(renamed).collect();
    check("mach-bounds", &all);
}

#[test]
fn mach_o_functions_that_support_each_other() {
    links_mach_o_in_time("mach-support", 40_000, |count| {
        let mut text = String::from(
            ".text\n.globl _first\n_first: ret\n.section __DATA,__support,regular,live_support\n",
        );
        let _ = writeln!(text, ".private_extern _s0\n_s0: .quad _first");
        for index in 1..count {
            let before = index - 1;
            let _ = writeln!(text, ".private_extern _s{index}\n_s{index}: .quad _s{before}");
        }
        text + ".subsections_via_symbols\n"
    });
}

#[test]
fn undefined_names() {
    let count = 60_000;
    let object = assemble("undefined", count, |count| {
        let mut text = String::from(".text\n");
        for index in 0..count {
            let _ = write!(text, ".globl here{index}\nhere{index}: call there{index}\n");
        }
        text
    });
    let started = Instant::now();
    let mut batch = Batch::new();
    batch.add_object("undefined.o", &object).expect("the object is added");
    let manager = PretendedMemory::default();
    let mut context =
        LinkContext { manager: &manager, resolver: &NoSymbols, actions: None, plugins: &mut [] };
    let error = link(batch, &mut context, &LinkOptions::default()).expect_err("nothing defines the names");
    assert_eq!(error.to_string().matches("undefined symbol there").count(), count);
    assert!(started.elapsed() <= LONGEST, "{:?}", started.elapsed());
}

const DARWIN: &[&str] = &["--target=x86_64-apple-macos13"];

fn links_mach_o_in_time(name: &str, size: usize, source: impl Fn(usize) -> String) {
    check(name, &[assemble_for(DARWIN, name, size, source)]);
}

fn links_in_time(name: &str, size: usize, source: impl Fn(usize) -> String) {
    check(name, &[assemble(name, size, source)]);
}

fn check(name: &str, files: &[Vec<u8>]) {
    let taken = time(files);
    assert!(taken <= LONGEST, "{name}: {taken:?}");
}

/// The shortest time to parse and link `files` together.
fn time(files: &[Vec<u8>]) -> Duration {
    let names: Vec<String> = (0..files.len()).map(|index| format!("{index}.o")).collect();
    let one = || {
        let started = Instant::now();
        let mut batch = Batch::new();
        for (name, file) in names.iter().zip(files) {
            batch.add_object(name.as_str(), file).expect("the object is added");
        }
        let manager = PretendedMemory::default();
        let mut context =
            LinkContext { manager: &manager, resolver: &EveryName, actions: None, plugins: &mut [] };
        link(batch, &mut context, &LinkOptions::default()).expect("the objects link");
        started.elapsed()
    };
    (0..ROUNDS).map(|_| one()).min().unwrap_or_default()
}

fn assemble(name: &str, size: usize, source: impl Fn(usize) -> String) -> Vec<u8> {
    assemble_for(&[], name, size, source)
}

fn assemble_for(flags: &[&str], name: &str, size: usize, source: impl Fn(usize) -> String) -> Vec<u8> {
    let text = source(size);
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("scaling");
    let fill = |dir: &Path| {
        std::fs::write(dir.join("source.s"), &text).map_err(|error| error.to_string())?;
        let mut command = Compiler::Clang.c(Arch::X86_64);
        command.current_dir(dir).args(flags).args(["-c", "source.s", "-o", "object.o"]);
        run(&mut command, b"")?.success().map(drop).map_err(|what| format!("{}\n{what}", show(&command)))
    };
    let dir = cache::filled(&root, &format!("{name}-{size}"), &text, fill).expect("the source assembles");
    std::fs::read(dir.join("object.o")).expect("an object")
}
