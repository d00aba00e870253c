//! Golden objects: every fixture is linked without running it, and its check expressions must hold.
//!
//! A fixture's source says in comments how: `# jitlink-args: WORDS` are words for the command, `# jitlink-fails: TEXT` a
//! text that standard error holds because the link must fail, `# jitlink-check: RULE` what must hold otherwise. The rules
//! of Mach-O must hold in LLVM's tool, too, but where `# jitlink-alone: REASON` says why they do not.

use jitlink_test_support::arch;
use jitlink_test_support::process::{Outcome, run, show};
use jitlink_test_support::tests_dir;
use jitlink_test_support::toolchain::llvm;
use libtest_mimic::{Arguments, Failed, Trial};
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    let arguments = Arguments::from_args();
    let sources = sources();
    let reference = sources.iter().filter_map(|source| reference_trial(source));
    let trials = reference.chain(sources.iter().cloned().map(trial)).collect();
    libtest_mimic::run(&arguments, trials).exit();
}

fn sources() -> Vec<PathBuf> {
    let formats = tests_dir().join("fixtures");
    let directories = entries(&formats).into_iter().flat_map(|format| entries(&format));
    let mut all: Vec<PathBuf> = directories.flat_map(|directory| entries(&directory)).collect();
    all.retain(|path| path.extension().is_some_and(|ext| ext == "s" || ext == "yaml"));
    all.sort();
    all
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    let found = std::fs::read_dir(dir).into_iter().flatten().flatten();
    found.map(|entry| entry.path()).collect()
}

fn trial(source: PathBuf) -> Trial {
    Trial::test(name(&source), move || {
        check(&source, arch::jitlink(env!("CARGO_BIN_EXE_jitlink"))).map_err(Failed::from)
    })
}

/// The same rules judged by LLVM's tool.
fn reference_trial(source: &Path) -> Option<Trial> {
    let text = std::fs::read_to_string(source).ok()?;
    let applies = name(source).starts_with("macho")
        && marked(&text, "alone").next().is_none()
        && marked(&text, "fails").next().is_none();
    let (title, source) = (format!("llvm::{}", name(source)), source.to_owned());
    let run = move || check(&source, Command::new(llvm("llvm-jitlink"))).map_err(Failed::from);
    applies.then(|| Trial::test(title, run))
}

fn name(source: &Path) -> String {
    let name = source.strip_prefix(tests_dir().join("fixtures")).unwrap_or(source).with_extension("");
    name.to_string_lossy().replace('/', "::")
}

fn check(source: &Path, mut command: Command) -> Result<(), String> {
    let text = std::fs::read_to_string(source).map_err(|error| format!("{}: {error}", source.display()))?;
    command.arg("-noexec").args(marked(&text, "args").flat_map(str::split_whitespace));
    let fails: Vec<&str> = marked(&text, "fails").collect();
    if fails.is_empty() {
        command.arg(format!("-check={}", source.display()));
    }
    let outcome = run(command.arg(source.with_extension("o")), b"")?;
    judge(&fails, &outcome).map_err(|what| format!("{}\n{what}\n{outcome}", show(&command)))
}

/// The rest of each comment line that says `jitlink-KEY:`.
fn marked<'text>(text: &'text str, key: &str) -> impl Iterator<Item = &'text str> {
    let mark = format!("# jitlink-{key}:");
    text.lines().filter_map(move |line| Some(line.strip_prefix(&mark)?.trim()))
}

fn judge(fails: &[&str], outcome: &Outcome) -> Result<(), String> {
    let wanted = i32::from(!fails.is_empty());
    if outcome.status != wanted {
        return Err(format!("status is not {wanted}"));
    }
    let stderr = outcome.stderr_text();
    match fails.iter().find(|text| !stderr.contains(**text)) {
        Some(missing) => Err(format!("standard error does not hold: {missing}")),
        None => Ok(()),
    }
}
