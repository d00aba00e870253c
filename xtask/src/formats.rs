//! The same sources as ELF and as Mach-O: what a link of each takes, in instructions.
//!
//! Sources are compiled for Mach-O with the headers that are there, which are Linux's; nothing is run. ELF objects have
//! sections for each function and variable, as symbols divide those of Mach-O.

use crate::compare::number;
use crate::{Outcome, blocks, place};
use jitlink_test_support::corpus;
use object::{Object, ObjectSection, ObjectSymbol};
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The program to measure
    #[arg(long, value_name = "PATH")]
    jitlink: Option<PathBuf>,
    /// Put the table into BENCHMARKS.md
    #[arg(long)]
    write: bool,
}

/// What is compiled for.
struct Target {
    title: &'static str,
    triple: &'static str,
    /// Directories of headers, before those of the machine.
    headers: &'static [&'static str],
    is_mach: bool,
}

const TARGETS: [Target; 4] = [
    Target {
        title: "ELF x86-64",
        triple: "x86_64-linux-gnu",
        headers: &["/usr/include/x86_64-linux-gnu"],
        is_mach: false,
    },
    Target {
        title: "Mach-O x86-64",
        triple: "x86_64-apple-macos13",
        headers: &["/usr/include/x86_64-linux-gnu"],
        is_mach: true,
    },
    Target {
        title: "ELF AArch64",
        triple: "aarch64-linux-gnu",
        headers: &["/usr/aarch64-linux-gnu/include"],
        is_mach: false,
    },
    Target {
        title: "Mach-O arm64",
        triple: "arm64-apple-macos13",
        headers: &["/usr/aarch64-linux-gnu/include"],
        is_mach: true,
    },
];

/// Flags that make Linux's headers usable for Darwin.
const LIKE_LINUX: [&str; 7] = [
    "-U__APPLE__",
    "-U__MACH__",
    "-U__nonnull",
    "-U__nullable",
    "-D__linux__",
    "-D__gnu_linux__",
    "-D__ELF__",
];

pub(crate) fn run(options: &Options) -> Outcome<()> {
    let program = options.jitlink.clone().unwrap_or_else(|| place::target().join("release/jitlink"));
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut text = String::from(
        "| source | format | relocations | symbols | instructions, millions | per relocation | of the same as ELF |\n\
         |---|---|---:|---:|---:|---:|---:|\n",
    );
    let nothing = dir.path().join("nothing.c");
    place::at(&nothing, std::fs::write(&nothing, "int main(void) { return 0; }\n"))?;
    for (title, source) in sources(dir.path())? {
        let mut elf = 0.0;
        for target in &TARGETS {
            let object = dir.path().join("measured.o");
            let own = measure(&program, target, &source, &object)?;
            let counts = counts(&object)?;
            let instructions = own - measure(&program, target, &nothing, &object)?;
            if !target.is_mach {
                elf = instructions;
            }
            let ratio = if target.is_mach { format!("{:.2}", instructions / elf) } else { "1".to_owned() };
            text += &format!(
                "| {title} | {} | {} | {} | {} | {} | {ratio} |\n",
                target.title,
                counts.0,
                counts.1,
                number(instructions / 1e6),
                number(instructions / counts.0 as f64),
            );
        }
    }
    println!("{text}");
    if options.write { blocks::write("formats", &text) } else { Ok(()) }
}

fn sources(dir: &Path) -> Outcome<Vec<(&'static str, PathBuf)>> {
    let generated = |name: &str, text: String| {
        let path = dir.join(name);
        place::at(&path, std::fs::write(&path, text)).map(|()| path)
    };
    let sqlite = corpus::crate_dir("libsqlite3-sys")?.join("sqlite3/sqlite3.c");
    Ok(vec![
        ("sqlite3.c", sqlite),
        ("500 functions of 100 references each", generated("references.c", references())?),
        ("20,000 functions and variables", generated("symbols.c", symbols())?),
    ])
}

/// Functions that mostly refer to others and to variables.
fn references() -> String {
    let mut text = String::from("extern int outside(int), far[];\n");
    for function in 0..500 {
        text += &format!("int v{function} = {function};\nint f{function}(int x) {{\n");
        for step in 0..50 {
            let other = function * step % (function + 1);
            text += &format!("    x += outside(x) + v{other} + far[{step}];\n");
        }
        text += "    return x;\n}\n";
    }
    text
}

/// Functions and variables that refer to nothing much.
fn symbols() -> String {
    let one = |index: usize| {
        format!("int variable_{index} = {index};\nint function_{index}(void) {{ return {index}; }}\n")
    };
    (0..10_000).map(one).collect()
}

/// The instructions that a link of `source` takes, start and end of the process included.
fn measure(program: &Path, target: &Target, source: &Path, object: &Path) -> Outcome<f64> {
    let mut clang = Command::new(place::llvm("clang", "clang-22")?);
    clang.arg(format!("--target={}", target.triple)).args(["-O1", "-w", "-fPIC", "-c"]);
    if target.is_mach {
        clang.args(LIKE_LINUX);
    } else {
        clang.args(["-ffunction-sections", "-fdata-sections"]);
    }
    for dir in target.headers.iter().chain(&["/usr/include"]) {
        clang.args(["-isystem", dir]);
    }
    succeed(clang.arg(source).arg("-o").arg(object))?;
    let mut valgrind = Command::new(place::program("valgrind", "valgrind")?);
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(program);
    valgrind.args(["-noexec", "-phony-externals", "-num-threads=1"]).arg(object);
    let told = succeed(&mut valgrind)?;
    let count = told.lines().find_map(|line| line.split_once("Collected :")).map(|(_, count)| count.trim());
    count
        .and_then(|count| count.parse().ok())
        .ok_or_else(|| format!("valgrind does not tell a count: {told}"))
}

/// What a program says on standard error.
fn succeed(command: &mut Command) -> Outcome<String> {
    let out = command.output().map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    let told = String::from_utf8_lossy(&out.stderr).into_owned();
    if out.status.success() { Ok(told) } else { Err(told) }
}

/// How many relocations and symbols an object has, those of debugging left out.
fn counts(object: &Path) -> Outcome<(usize, usize)> {
    let bytes = place::at(object, std::fs::read(object))?;
    let file = object::File::parse(&*bytes).map_err(|error| error.to_string())?;
    let relocations = file.sections().map(|section| section.relocations().count()).sum();
    let named = file.symbols().filter(|symbol| symbol.name().is_ok_and(|name| !name.is_empty()));
    Ok((relocations, named.count()))
}
