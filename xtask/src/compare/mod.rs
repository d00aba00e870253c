//! Measures linkers in turn on the corpora, and writes down what came out.

mod figures;
mod measure;
mod medians;
mod table;
mod tools;

pub(crate) use table::number;

use crate::corpora::{self, Corpus, Facts};
use crate::{Outcome, blocks, place};
use clap::ValueEnum;
use measure::{Run, measure};
use medians::Results;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tools::{Kind, Tool};

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Measure on these only
    #[arg(value_name = "CORPORA", value_parser = corpora::names())]
    corpora: Vec<String>,
    /// Where the corpora are; by default target/corpora
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Measure these only
    #[arg(long, value_name = "TOOLS", value_delimiter = ',')]
    tools: Vec<Kind>,
    /// How often to run each
    #[arg(long, value_name = "N", default_value_t = 11)]
    rounds: usize,
    /// What has run on a corpus for so many seconds in all is not run on it again
    #[arg(long, value_name = "SECONDS", default_value_t = 15.0)]
    budget: f64,
    /// What takes longer than this is ended
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    timeout: u64,
    /// How many threads jitlink gets where it gets more than one
    #[arg(long, value_name = "N", default_value_t = 2)]
    threads: usize,
    /// Measure this program instead of the one that is built here
    #[arg(long, value_name = "PATH")]
    jitlink: Option<PathBuf>,
    /// Put the tables into BENCHMARKS.md
    #[arg(long)]
    write: bool,
}

/// What was measured on one corpus.
pub(crate) struct Measured {
    corpus: &'static Corpus,
    facts: Facts,
    results: Vec<Results>,
}

pub(crate) fn run(options: &Options) -> Outcome<()> {
    build(options)?;
    let dir = options.dir.clone().unwrap_or_else(place::corpora);
    let mut missing = Vec::new();
    let tools = find(options, &mut missing);
    let mut measured = Vec::new();
    for corpus in corpora::chosen(&options.corpora) {
        match corpora::ready(&dir, corpus.name) {
            Some(facts) => measured.push(one(corpus, facts, &dir, &tools, options)?),
            None => missing.push(format!("corpus {}: run cargo xtask corpora {0}", corpus.name)),
        }
    }
    let text = table::text(&measured, &tools, &missing, options.rounds);
    println!("{text}");
    if options.write { blocks::write("compare", &text) } else { Ok(()) }
}

/// Builds what is to be measured.
fn build(options: &Options) -> Outcome<()> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(place::root());
    command.args(["build", "--quiet", "--release", "--locked", "--package=jitlink-xtask", "--bin=floor"]);
    if options.jitlink.is_none() {
        command.args(["--package=jitlink-cli", "--bin=jitlink"]);
    }
    let status = command.status().map_err(|error| format!("cargo: {error}"))?;
    if status.success() { Ok(()) } else { Err("what is to be measured could not be built".to_owned()) }
}

fn find(options: &Options, missing: &mut Vec<String>) -> Vec<Tool> {
    let asked = |kind: &Kind| options.tools.is_empty() || options.tools.contains(kind);
    let mut tools = Vec::new();
    for kind in Kind::value_variants().iter().copied().filter(asked) {
        match Tool::find(kind, options) {
            Ok(tool) => tools.push(tool),
            Err(why) => missing.push(why),
        }
    }
    tools
}

/// Measures all tools in turn, round by round.
fn one(
    corpus: &'static Corpus,
    facts: Facts,
    dir: &Path,
    tools: &[Tool],
    options: &Options,
) -> Outcome<Measured> {
    let dir = dir.join(corpus.name);
    let output = tempfile::tempdir_in(if Path::new("/dev/shm").exists() { "/dev/shm" } else { "/tmp" });
    let output = place::at(Path::new("/dev/shm"), output)?;
    let mut results: Vec<Results> = tools.iter().map(|tool| Results::new(tool.kind)).collect();
    let refused = corpora::reference_fails(&dir);
    for round in 0..options.rounds {
        eprint!("\r{}: round {} of {} ", corpus.name, round + 1, options.rounds);
        for index in order(tools.len(), round) {
            let (tool, results) = (&tools[index], &mut results[index]);
            if tool.kind == Kind::Reference
                && let Some(why) = &refused
            {
                results.fail(why.clone());
            }
            if !results.wants_more(options.budget) {
                continue;
            }
            let mut command = tool.command(&dir, &output.path().join("linked"));
            match measure(&mut command, Duration::from_secs(options.timeout))? {
                Run::Done(sample) => results.add(sample),
                Run::Failed(why) => results.fail(why),
                Run::TimedOut => results.fail(format!("takes more than {} s", options.timeout)),
            }
        }
    }
    eprintln!();
    Ok(Measured { corpus, facts, results })
}

/// The tools in an order that differs from round to round: what a program finds depends on who ran before it, since memory
/// that was just freed, and huge pages at that, costs less than other memory.
fn order(count: usize, round: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by_key(|index| {
        let mut hasher = DefaultHasher::new();
        (round, index).hash(&mut hasher);
        hasher.finish()
    });
    order
}
