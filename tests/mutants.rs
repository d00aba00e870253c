//! Damaged objects end in success or a clean error: never in a panic, a hang or a blow-up of memory.
//!
//! Each mutant is parsed and linked, and nothing of it is run. The seeds are fixed; `JITLINK_FULL` asks for more of them.

use jitlink_test_support::arch::Arch::{self, Aarch64, X86_64};
use jitlink_test_support::mutate::Victim;
use jitlink_test_support::pretended::link_only;
use jitlink_test_support::process::{run, show};
use jitlink_test_support::toolchain::Compiler;
use jitlink_test_support::{cache, full, tests_dir};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// What each of the tests below takes, so that together they are well above 5,000.
const SEEDS: u64 = 2000;
const FULL_SEEDS: u64 = 20_000;
/// No mutant of these objects has a reason to take longer, even in a debug build on a busy machine.
const LONGEST: Duration = Duration::from_secs(20);
const ADDRESS_SPACE: &str = "--as=6442450944";

#[test]
fn mutants_of_c_code() {
    mutate("c", "run/jump_tables.c", X86_64, Compiler::Clang, &["-O2"]);
}

#[test]
fn mutants_of_non_pic_code() {
    let flags = ["-O2", "-fno-pic"];
    mutate("non-pic", "run/static_part_of_the_c_library.c", X86_64, Compiler::Clang, &flags);
}

#[test]
fn mutants_of_code_with_debug_sections() {
    mutate("debug", "run/signals.c", X86_64, Compiler::Clang, &["-g", "-O0", "-ffunction-sections"]);
}

#[test]
fn mutants_of_the_large_model() {
    mutate("large", "run/jump_tables.c", X86_64, Compiler::Gcc, &["-O2", "-mcmodel=large", "-fPIC"]);
}

#[test]
fn mutants_of_compact_relocations() {
    let flags = ["-O1", "-Wa,--crel,--allow-experimental-crel", "-fdata-sections"];
    mutate("crel", "run/signals.c", X86_64, Compiler::Clang, &flags);
}

#[test]
fn mutants_of_cxx_code_with_groups() {
    mutate("cxx", "run/std_thread.cpp", X86_64, Compiler::Clang, &["-O0", "-ffunction-sections"]);
}

#[test]
fn mutants_of_cxx_code_by_gcc() {
    mutate("cxx-gcc", "run/iostream.cpp", X86_64, Compiler::Gcc, &["-O2", "-fPIC"]);
}

#[test]
fn mutants_of_code_for_arm() {
    mutate("arm", "run/jump_tables.c", Aarch64, Compiler::Clang, &["-O2", "-fPIC"]);
}

#[test]
fn mutants_of_the_large_and_tiny_models_for_arm() {
    for model in ["large", "tiny"] {
        let model_flag = format!("-mcmodel={model}");
        let flags = ["-O1", "-fno-pic", &model_flag];
        mutate(&format!("arm-{model}"), "run/jump_tables.c", Aarch64, Compiler::Clang, &flags);
    }
}

/// Every kind of relocation, symbol and section has its fixture.
#[test]
fn mutants_of_fixtures() {
    survive_all("fixtures/elf/x86_64");
}

#[test]
fn mutants_of_fixtures_for_arm() {
    survive_all("fixtures/elf/aarch64");
}

#[test]
fn mutants_of_mach_o_fixtures() {
    survive_all("fixtures/macho/x86_64");
}

#[test]
fn mutants_of_mach_o_fixtures_for_arm() {
    survive_all("fixtures/macho/aarch64");
}

#[test]
fn mutants_of_mach_o_cxx_code() {
    for (name, triple) in [("mach", "x86_64-apple-macos13"), ("mach-arm", "arm64-apple-macos13")] {
        let target = format!("--target={triple}");
        mutate(
            name,
            "mutants/darwin.cpp",
            Arch::host(),
            Compiler::Clang,
            &[&target, "-O1", "-g", "-fcxx-exceptions"],
        );
    }
}

fn survive_all(fixtures: &str) {
    limit_memory();
    let dir = tests_dir().join(fixtures);
    let entries = std::fs::read_dir(&dir).expect("fixtures can be read");
    let mut objects: Vec<PathBuf> =
        entries.map(|entry| entry.expect("a fixture can be read").path()).collect();
    objects.retain(|path| path.extension().is_some_and(|ext| ext == "o"));
    objects.sort();
    let each = if full() { 2000 } else { 40 };
    for object in &objects {
        let name = object.file_name().unwrap_or_default().to_string_lossy();
        survive(&name, &std::fs::read(object).expect("a fixture can be read"), each);
    }
}

fn mutate(name: &str, source: &str, arch: Arch, compiler: Compiler, flags: &[&str]) {
    limit_memory();
    let object =
        compile(name, &tests_dir().join(source), arch, compiler, flags).expect("the victim compiles");
    link_only(&[(name, &object)]).expect("the undamaged object links");
    survive(name, &object, if full() { FULL_SEEDS } else { SEEDS });
}

fn compile(
    name: &str,
    source: &Path,
    arch: Arch,
    compiler: Compiler,
    flags: &[&str],
) -> Result<Vec<u8>, String> {
    let text = std::fs::read(source).map_err(|error| error.to_string())?;
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mutants");
    let dir = cache::filled(&root, name, &(text, arch, compiler.name(), flags), |dir| {
        let mut command = compiler.for_source(arch, source);
        command.args(flags).args(["-w", "-c"]).arg(source).arg("-o").arg(dir.join("victim.o"));
        run(&mut command, b"")?.success().map(drop).map_err(|what| format!("{}\n{what}", show(&command)))
    })?;
    std::fs::read(dir.join("victim.o")).map_err(|error| error.to_string())
}

fn survive(name: &str, object: &[u8], seeds: u64) {
    let victim = Victim::new(object.to_vec());
    let mut failures = Vec::new();
    for seed in 0..seeds {
        let mutant = victim.mutant(seed);
        let started = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| link_only(&[(name, &mutant)])));
        match outcome {
            Err(_) => failures.push(format!("seed {seed} panics")),
            Ok(Err(error)) if error.to_string().is_empty() => {
                failures.push(format!("seed {seed}: no message"))
            }
            _ if started.elapsed() > LONGEST => {
                failures.push(format!("seed {seed} takes {:?}", started.elapsed()))
            }
            _ => {}
        }
    }
    assert!(failures.is_empty(), "{name}: {} of {seeds} mutants: {failures:#?}", failures.len());
}

/// A blow-up of memory ends this process instead of the machine.
fn limit_memory() {
    let pid = std::process::id().to_string();
    let status = Command::new("prlimit").args(["--pid", &pid, ADDRESS_SPACE]).status();
    assert!(status.is_ok_and(|status| status.success()), "prlimit sets a limit");
}
