//! Real programs, compiled from the C sources that crates carry, linked in memory and run: output, errors and status are
//! those of the native build. Some are compiled for Darwin, too, with the tests' own headers.

use jitlink_test_support::arch::{self, Arch};
use jitlink_test_support::process::{Outcome, run, show};
use jitlink_test_support::toolchain::{Compiler, darwin, llvm};
use jitlink_test_support::{cache, corpus, full, tests_dir};
use libtest_mimic::{Arguments, Failed, Trial};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program: where its sources are and how it is run.
struct Program {
    name: &'static str,
    krate: &'static str,
    /// Directories of C files below the crate's, each with the files that do not belong to the program.
    sources: &'static [(&'static str, &'static [&'static str])],
    includes: &'static [&'static str],
    defines: &'static [&'static str],
    /// File in `tests/corpus/NAME` that holds `main`.
    driver: &'static str,
    /// Arguments of each run; words that name files in `tests/corpus/NAME` become their paths.
    runs: &'static [&'static [&'static str]],
    /// Sets of flags, from [`MATRIX`], that every test run uses.
    always: &'static [usize],
    /// Whether the tests' own headers for Darwin do for it.
    darwin: bool,
}

/// How the objects are compiled that are linked in memory.
#[derive(Clone, Copy, Debug, Hash)]
struct Variant {
    flags: &'static [&'static str],
    /// For Darwin; the native build is this system's all the same.
    darwin: bool,
}

/// Compilers and flags that every program is built with.
const MATRIX: &[(Compiler, &[&str])] = &[
    (Compiler::Clang, &["-O0"]),
    (Compiler::Clang, &["-O2"]),
    (Compiler::Clang, &["-O2", "-ffunction-sections", "-fdata-sections"]),
    (Compiler::Clang, &["-O2", "-fPIC"]),
    (Compiler::Clang, &["-O2", "-fno-pic"]),
    (Compiler::Clang, &["-O2", "-mcmodel=large", "-fno-pic"]),
    (Compiler::Gcc, &["-O2"]),
    (Compiler::Clang, &["-O2", "-mcmodel=tiny"]),
];

/// Flags with which programs are compiled for Darwin.
const DARWIN: &[&[&str]] = &[&["-O0"], &["-O2"]];

/// The directory of objects for Darwin, beside the native program.
const MACH_O: &str = "macho";

/// The one of them that is for AArch64 alone, and for programs of less than 1 MiB.
const TINY: usize = 7;

const PROGRAMS: &[Program] = &[
    Program {
        name: "sqlite",
        krate: "libsqlite3-sys",
        sources: &[("sqlite3", &["wasm32-wasi-vfs.c"])],
        includes: &["sqlite3"],
        defines: &["SQLITE_ENABLE_FTS5", "SQLITE_ENABLE_RTREE", "SQLITE_ENABLE_MATH_FUNCTIONS"],
        driver: "driver.c",
        runs: &[&["script.sql"]],
        always: &[0, 2],
        darwin: false,
    },
    Program {
        name: "lua",
        krate: "lua-src",
        sources: &[("lua-5.4.8", &[])],
        includes: &["lua-5.4.8"],
        defines: &["LUA_USE_LINUX"],
        driver: "driver.c",
        runs: &[&["strings.lua"], &["coroutines.lua"], &["collector.lua", "one", "two"]],
        always: &[0, 4, 5, 6],
        darwin: true,
    },
    Program {
        name: "zlib",
        krate: "libz-sys",
        sources: &[("src/zlib", &[])],
        includes: &["src/zlib"],
        defines: &["HAVE_UNISTD_H"],
        driver: "driver.c",
        runs: &[&[]],
        always: &[0, 1, 2, 3, 4, 5, 6, TINY],
        darwin: true,
    },
    Program {
        name: "zstd",
        krate: "zstd-sys",
        sources: &[("zstd/lib/common", &[]), ("zstd/lib/compress", &[]), ("zstd/lib/decompress", &[])],
        includes: &["zstd/lib"],
        defines: &[],
        driver: "driver.c",
        runs: &[&[]],
        always: &[0],
        darwin: true,
    },
];

fn main() {
    let arguments = Arguments::from_args();
    libtest_mimic::run(&arguments, PROGRAMS.iter().flat_map(trials).collect()).exit();
}

fn trials(program: &'static Program) -> Vec<Trial> {
    let possible = |index: &usize| *index != TINY || Arch::under_test() == Arch::Aarch64;
    let always = |index: &usize| program.always.contains(index);
    let wanted = |index: &usize| possible(index) && (always(index) || full() && *index != TINY);
    let trial = |index: usize| {
        let (compiler, flags) = MATRIX[index];
        let title = format!("{} {} {}", program.name, compiler.name(), flags.join(" "));
        let variant = Variant { flags, darwin: false };
        Trial::test(title, move || check(program, compiler, variant).map_err(Failed::from))
    };
    let for_darwin = |flags: &'static [&'static str]| {
        let title = format!("{} for Darwin {}", program.name, flags.join(" "));
        let variant = Variant { flags, darwin: true };
        Trial::test(title, move || check(program, Compiler::Clang, variant).map_err(Failed::from))
    };
    let darwin = DARWIN.iter().copied().filter(|_| program.darwin).map(for_darwin);
    (0..MATRIX.len()).filter(wanted).map(trial).chain(darwin).collect()
}

fn check(program: &Program, compiler: Compiler, variant: Variant) -> Result<(), String> {
    let sources = sources(program)?;
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("corpus");
    let driver = std::fs::read(own(program, program.driver)).map_err(|error| error.to_string())?;
    let key = (&sources, driver, compiler.name(), variant, program.defines);
    let dir =
        cache::filled(&root, program.name, &key, |dir| build(program, compiler, variant, &sources, dir))?;
    program.runs.iter().try_for_each(|words| compare(program, variant, words, &dir))
}

/// Runs the program in `dir` both ways.
fn compare(program: &Program, variant: Variant, words: &[&str], dir: &Path) -> Result<(), String> {
    let args: Vec<PathBuf> = words.iter().map(|word| argument(program, word)).collect();
    let native = Arch::under_test().command(dir.join("native"));
    let native = run({ native }.current_dir(dir).args(&args), b"")?;
    let mut command = arch::jitlink(env!("CARGO_BIN_EXE_jitlink"));
    let objects = objects(&if variant.darwin { dir.join(MACH_O) } else { dir.to_owned() })?;
    command.current_dir(dir).args(objects).args(["-search-sys-lib", "-lm", "--"]).args(&args);
    let ours = run(&mut command, b"")?;
    if native.stdout.len() < 100 {
        return Err(format!("the native build says too little:\n{native}"));
    }
    if visible(&ours, dir) == visible(&native, dir) {
        return Ok(());
    }
    Err(format!("{}\n{ours}\nbut the native build:\n{native}", show(&command)))
}

/// What must agree; a program may print its own name, which differs.
fn visible(outcome: &Outcome, dir: &Path) -> (i32, String, String) {
    let dir = format!("{}/", dir.display());
    let stderr = outcome.stderr_text().replace(&dir, "");
    (outcome.status, outcome.stdout_text(), stderr)
}

fn argument(program: &Program, word: &str) -> PathBuf {
    let path = own(program, word);
    if path.exists() { path } else { word.into() }
}

fn own(program: &Program, name: &str) -> PathBuf {
    tests_dir().join("corpus").join(program.name).join(name)
}

fn sources(program: &Program) -> Result<Vec<PathBuf>, String> {
    let home = corpus::crate_dir(program.krate)?;
    let mut all = vec![own(program, program.driver)];
    for (below, left_out) in program.sources {
        let dir = home.join(below);
        let entries = std::fs::read_dir(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        let is_source = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            (name.ends_with(".c") || name.ends_with(".S")) && !left_out.contains(&name.as_str())
        };
        all.extend(entries.flatten().map(|entry| entry.path()).filter(is_source));
    }
    all.sort();
    Ok(all)
}

fn build(
    program: &Program,
    compiler: Compiler,
    variant: Variant,
    sources: &[PathBuf],
    dir: &Path,
) -> Result<(), String> {
    let flags = variant.flags;
    for source in sources {
        compile(program, compiler.c(Arch::under_test()), variant, source, dir)?;
    }
    if variant.darwin {
        let objects = dir.join(MACH_O);
        std::fs::create_dir_all(&objects).map_err(|error| error.to_string())?;
        for source in sources {
            compile(program, darwin(Arch::under_test(), source), variant, source, &objects)?;
        }
    }
    let mut link = compiler.c(Arch::under_test());
    link.arg("-o").arg(dir.join("native")).args(objects(dir)?).args(["-lm", "-pthread"]);
    if flags.contains(&"-fno-pic") {
        link.arg("-no-pie");
    }
    if compiler == Compiler::Clang {
        link.arg(format!("--ld-path={}", llvm("ld.lld").display()));
    }
    run(&mut link, b"")?.success().map_err(|what| format!("{}\n{what}", show(&link)))?;
    Ok(())
}

fn compile(
    program: &Program,
    mut command: Command,
    variant: Variant,
    source: &Path,
    dir: &Path,
) -> Result<(), String> {
    let home = corpus::crate_dir(program.krate)?;
    let object = dir.join(source.with_extension("o").file_name().unwrap_or_default());
    command.arg("-c").arg(source).arg("-o").arg(object);
    command.args(variant.flags).args(["-w", "-pthread"]);
    if variant.darwin {
        // As it always is on Darwin.
        command.arg("-fsigned-char");
    }
    command.args(program.includes.iter().map(|below| format!("-I{}", home.join(below).display())));
    command.args(program.defines.iter().map(|name| format!("-D{name}")));
    run(&mut command, b"")?.success().map_err(|what| format!("{}\n{what}", show(&command)))?;
    Ok(())
}

fn objects(dir: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = std::fs::read_dir(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let mut all: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    all.retain(|path| path.extension().is_some_and(|ext| ext == "o"));
    all.sort();
    Ok(all)
}
