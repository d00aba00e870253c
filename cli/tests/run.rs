//! Every file in `tests/run` is a program that is built, linked in memory and run, and compared with its native build.
//!
//! Those in `tests/run/macho` are compiled for Darwin, but for the native build, which is this system's.
//!
//! `tests/README.md` describes the directives in those files.

#[path = "run_harness/build.rs"]
mod build;
#[path = "run_harness/judge.rs"]
mod judge;

use build::{Format, Variant};
use jitlink_test_support::arch::Arch;
use jitlink_test_support::directives::Case;
use jitlink_test_support::{full, tests_dir, toolchain::Compiler};
use libtest_mimic::{Arguments, Failed, Trial};
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn main() {
    let arguments = Arguments::from_args();
    let dir = tests_dir().join("run");
    let trials = [(dir.join("macho"), Format::MachO), (dir, Format::Elf)];
    let trials = trials.iter().flat_map(|(dir, format)| {
        sources(dir).into_iter().flat_map(|file| trials_of(&file, *format)).collect::<Vec<_>>()
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
}

fn sources(dir: &Path) -> Vec<PathBuf> {
    let is_source = |path: &PathBuf| {
        path.extension().is_some_and(|ext| ["c", "cpp", "s"].iter().any(|known| ext == *known))
    };
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .expect("tests/run can be read")
        .map(|entry| entry.expect("tests/run can be read").path())
        .filter(is_source)
        .collect();
    files.sort();
    files
}

fn trials_of(file: &Path, format: Format) -> Vec<Trial> {
    let name = file.file_name().expect("a directory entry has a name").to_string_lossy().into_owned();
    let stem = format!("{}{}", format.prefix(), name.split('.').next().unwrap_or(&name));
    let text = std::fs::read_to_string(file).expect("a test source can be read");
    let case = match Case::parse(&name, &text, Arch::under_test()) {
        Ok(case) => Arc::new(case),
        Err(what) => return vec![Trial::test(stem, move || Err(Failed::from(what)))],
    };
    variants(&case, format)
        .into_iter()
        .map(|variant| {
            let (case, stem) = (Arc::clone(&case), stem.clone());
            let title = format!("{stem}{}", variant.title());
            let applies = case.applies;
            Trial::test(title, move || judge::check(&case, &stem, &variant).map_err(Failed::from))
                .with_ignored_flag(!applies)
        })
        .collect()
}

fn variants(case: &Case, format: Format) -> Vec<Variant> {
    let compilers = if case.compilers.is_empty() { vec!["clang".to_owned()] } else { case.compilers.clone() };
    let mut flags = if case.flags.is_empty() { vec![Vec::new()] } else { case.flags.clone() };
    if full() {
        flags.extend(case.more_flags.iter().cloned());
    }
    let pair = |compiler: &String| {
        let compiler = Compiler::from_name(compiler).expect("checked when it was read");
        flags.iter().map(move |flags| Variant { compiler, flags: flags.clone(), format }).collect::<Vec<_>>()
    };
    compilers.iter().flat_map(pair).collect()
}
