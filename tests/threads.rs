//! What a link comes to does not depend on how many threads do it.

use jitlink::base::Workers;
use jitlink::inputs::{Input, InputStore, Loader, Members, Origin};
use jitlink::link::{LinkContext, LinkOptions, link};
use jitlink_test_support::arch::Arch;
use jitlink_test_support::pretended::{EveryName, PretendedMemory};
use jitlink_test_support::process::{run, show};
use jitlink_test_support::toolchain::Compiler;
use jitlink_test_support::{cache, tests_dir};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const THREADS: [usize; 3] = [1, 2, 7];

/// An image: its bytes by address, and the addresses of its names.
type Image = (BTreeMap<u64, Vec<u8>>, Vec<(String, Option<u64>)>);

#[test]
fn images_are_the_same() {
    let objects = objects(130);
    let images = THREADS.map(|threads| link_with(&objects, threads).expect("the objects link"));
    assert!(images[0].0.values().map(Vec::len).sum::<usize>() > 100_000);
    assert!(images[0].1.len() > 130);
    assert!(images[1] == images[0] && images[2] == images[0]);
}

#[test]
fn errors_are_the_same() {
    let mut objects = objects(130);
    objects.push(assemble(
        "broken",
        ".text\n.globl broken\nbroken: .byte 1\n.reloc broken, R_X86_64_64, broken\n",
    ));
    objects
        .push(assemble("worse", ".data\n.globl worse\nworse: .byte 1\n.reloc worse, R_X86_64_32, worse\n"));
    let errors = THREADS.map(|threads| link_with(&objects, threads).expect_err("two fields lie outside"));
    assert!(errors[0].contains("broken.o:(.text+0x0): 64 relocation reaches past the end"), "{}", errors[0]);
    assert_eq!(errors, THREADS.map(|_| errors[0].clone()));
}

#[test]
fn mach_o_images_are_the_same() {
    let count = 20;
    let object = |index: usize| {
        let next = (index + 1) % count;
        let text = format!(
            ".text\n.globl _f{index}\n_f{index}: .cfi_startproc\ncallq _f{next}\nmovq _outside{next}@GOTPCREL(%rip), %rax\n\
             leaq Ltext(%rip), %rdi\nret\n.cfi_endproc\n.data\n.quad _f{next}\n.globl _shared\n\
             .weak_definition _shared\n_shared: .quad section$start$__OWN$__set\n.section __OWN,__set\n.quad {index}\n\
             .section __TEXT,__cstring,cstring_literals\nLtext: .asciz \"text {}\"\n.subsections_via_symbols\n",
            index % 10
        );
        assemble_for(&["--target=x86_64-apple-macos13"], &format!("mach-f{index}"), &text)
    };
    let objects: Vec<PathBuf> = (0..count).map(object).collect();
    let images = THREADS.map(|threads| link_with(&objects, threads).expect("the objects link"));
    assert!(images[0].1.len() > count);
    assert!(images[1] == images[0] && images[2] == images[0]);
}

fn link_with(objects: &[PathBuf], threads: usize) -> Result<Image, String> {
    let workers = Workers::new(threads).map_err(|error| error.to_string())?;
    let store = InputStore::new();
    let mut loader = Loader::new(&store);
    let input = |path: &PathBuf| Input {
        origin: Origin::File(path.clone()),
        members: Members::Needed,
        hidden: false,
    };
    let inputs: Vec<Input> = objects.iter().map(input).collect();
    let mut outcome = Ok(());
    loader.add_inputs(&inputs, &workers, |_, one| outcome = std::mem::replace(&mut outcome, Ok(())).and(one));
    outcome.map_err(|error| error.to_string())?;
    let loaded = loader.finish().map_err(|error| error.to_string())?;
    let manager = PretendedMemory::default();
    let mut context =
        LinkContext { manager: &manager, resolver: &EveryName, actions: None, plugins: &mut [] };
    let options = LinkOptions { workers, ..LinkOptions::default() };
    let linked = link(loaded.batch, &mut context, &options).map_err(|error| error.to_string())?;
    let mut names = Vec::new();
    for graph in linked.graphs() {
        for (id, _) in graph.symbols() {
            let address = graph.symbol_address(id).map(|address| address.0);
            names.push((graph.display_symbol(id).into_owned(), address));
        }
    }
    let contents = manager.contents.lock().map_err(|error| error.to_string())?.clone();
    Ok((contents, names))
}

/// A C++ object with groups, call frames and strings, and many small ones that call each other.
fn objects(count: usize) -> Vec<PathBuf> {
    let small = |index: usize| {
        let next = (index + 1) % count;
        let text = format!(
            ".text\n.globl f{index}\nf{index}: .cfi_startproc\ncall f{next}@PLT\nmovq outside{next}@GOTPCREL(%rip), %rax\n\
             leaq .Ltext(%rip), %rdi\nret\n.cfi_endproc\n.data\n.quad f{next}\n.weak shared\nshared: .quad {index}\n\
             .section .rodata.str1.1,\"aMS\",@progbits,1\n.Ltext: .asciz \"text {}\"\n",
            index % 10
        );
        assemble(&format!("f{index}"), &text)
    };
    let mut all: Vec<PathBuf> = (0..count).map(small).collect();
    let source = tests_dir().join("run/std_regex.cpp");
    let text = std::fs::read_to_string(&source).expect("the source can be read");
    all.push(build("regex", &source, &text, &["-O1", "-DUNUSED"]));
    all
}

fn assemble(name: &str, text: &str) -> PathBuf {
    assemble_for(&[], name, text)
}

fn assemble_for(flags: &[&str], name: &str, text: &str) -> PathBuf {
    let source = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("threads-{name}.s"));
    std::fs::write(&source, text).expect("the source can be written");
    build(name, &source, text, flags)
}

fn build(name: &str, source: &Path, text: &str, flags: &[&str]) -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("threads");
    let object = format!("{name}.o");
    let fill = |dir: &Path| {
        let mut command = Compiler::Clang.for_source(Arch::X86_64, source);
        command.args(flags).args(["-w", "-c"]).arg(source).arg("-o").arg(dir.join(&object));
        run(&mut command, b"")?.success().map(drop).map_err(|what| format!("{}\n{what}", show(&command)))
    };
    cache::filled(&root, name, &(text, flags), fill).expect("the source compiles").join(&object)
}
