//! Running what was built, natively and in memory, and comparing.

use crate::build::{Built, Variant, all_objects, cxx_flags, resolve, wants_cxx};
use jitlink_test_support::arch::{self, Arch};
use jitlink_test_support::directives::Case;
use jitlink_test_support::process::{Outcome, run, show};
use std::process::Command;

/// Builds and runs `case` as `variant`, and says what is wrong where something is.
pub(crate) fn check(case: &Case, stem: &str, variant: &Variant) -> Result<(), String> {
    if case.needs_memory > spare_memory() {
        return Ok(());
    }
    let built = Built::new(case, stem, variant)?;
    let native = case.native.then(|| native(case, &built)).transpose()?;
    if let Some(native) = &native {
        judge(case, native).map_err(|what| format!("the native build: {what}\n{native}"))?;
    }
    (0..case.repeat).try_for_each(|_| check_run(case, &built, variant, native.as_ref()))
}

fn check_run(case: &Case, built: &Built, variant: &Variant, native: Option<&Outcome>) -> Result<(), String> {
    let mut command = in_memory(case, built, variant);
    let shown = show(&command);
    let ours = run(&mut command, case.stdin.as_bytes())?;
    judge(case, &ours).map_err(|what| format!("{shown}\n{what}\n{ours}"))?;
    match native.filter(|native| (ours.status, &ours.stdout) != (native.status, &native.stdout)) {
        Some(native) => Err(format!("{shown}\n{ours}\nbut the native build:\n{native}")),
        None => Ok(()),
    }
}

fn in_memory(case: &Case, built: &Built, variant: &Variant) -> Command {
    let mut command = arch::jitlink(env!("CARGO_BIN_EXE_jitlink"));
    let inputs = case.inputs.clone().unwrap_or_else(|| all_objects(case));
    if wants_cxx(case) && !inputs.iter().any(|word| word == "-lstdc++") {
        command.arg(cxx_flags());
    }
    command.args(resolve(&inputs, case, variant.format, &built.dir));
    if !case.args.is_empty() {
        command.arg("--").args(&case.args);
    }
    command.current_dir(&built.dir).envs(case.env.iter().cloned());
    command
}

fn native(case: &Case, built: &Built) -> Result<Outcome, String> {
    let mut command = Arch::under_test().command(built.dir.join("native"));
    command.current_dir(&built.dir).args(&case.args).envs(case.env.iter().cloned());
    run(&mut command, case.stdin.as_bytes())
}

fn judge(case: &Case, outcome: &Outcome) -> Result<(), String> {
    let wanted = if case.fails { Some(1) } else { case.status };
    if !case.native && outcome.status != wanted.unwrap_or(0)
        || wanted.is_some_and(|status| status != outcome.status)
    {
        return Err(format!("status is not {}", wanted.unwrap_or(0)));
    }
    if let Some(stdout) = &case.stdout
        && outcome.stdout_text() != *stdout
    {
        return Err(format!("standard output is not\n{stdout}"));
    }
    texts(case, outcome)
}

fn texts(case: &Case, outcome: &Outcome) -> Result<(), String> {
    let stderr = outcome.stderr_text();
    if let Some(missing) = case.stderr.iter().find(|text| !stderr.contains(text.as_str())) {
        return Err(format!("standard error does not hold: {missing}"));
    }
    match case.no_stderr.iter().find(|text| stderr.contains(text.as_str())) {
        Some(present) => Err(format!("standard error holds: {present}")),
        None => Ok(()),
    }
}

fn spare_memory() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("MemAvailable:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or(0) / 1024
}
