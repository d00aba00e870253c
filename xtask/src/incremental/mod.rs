//! Linking as a JIT does: one small object after another, a hundred thousand times.
//!
//! Each way to do it runs in a process of its own and says at a few counts what it took so far; the table is made of that.

mod library;
mod links;
mod progress;
mod sample;

use crate::compare::number;
use crate::{Outcome, blocks};
use clap::ValueEnum;
use progress::Progress;
use std::process::{Command, Stdio};

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How many objects to link
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    count: usize,
    /// How many shared libraries to load, and objects to link with the reference
    #[arg(long, value_name = "N", default_value_t = 3_000)]
    libraries: usize,
    /// Do it in this process and in this way only, and print bare numbers
    #[arg(long, value_name = "WAY")]
    only: Option<Way>,
    /// Put the table into BENCHMARKS.md
    #[arg(long)]
    write: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Way {
    /// Pages are written, then protected.
    Strict,
    /// Code is written through a second mapping.
    DualMapped,
    /// `LLJIT`, through LLVM's C interface.
    Reference,
    /// `dlopen` of shared libraries in memory.
    Dlopen,
}

impl Way {
    fn title(self) -> &'static str {
        match self {
            Self::Strict => "jitlink, strict",
            Self::DualMapped => "jitlink, dual-mapped",
            Self::Reference => "LLVM's LLJIT",
            Self::Dlopen => "dlopen from /dev/shm",
        }
    }

    fn count(self, options: &Options) -> usize {
        match self {
            Self::Strict | Self::DualMapped => options.count,
            Self::Reference | Self::Dlopen => options.libraries,
        }
    }
}

pub(crate) fn run(options: &Options) -> Outcome<()> {
    if let Some(way) = options.only {
        let count = way.count(options);
        return match way {
            Way::Strict => links::strict(count),
            Way::DualMapped => links::dual_mapped(count),
            Way::Reference => library::reference(count),
            Way::Dlopen => library::load(count),
        };
    }
    let mut text = format!(
        "Each object has {} allocated bytes in code, read-only data, data and call frames, and calls `abs`.\n\n\
         | | links | CPU, µs per link | wall, µs per link | mappings | memory, MB |\n|---|---:|---:|---:|---:|---:|\n",
        sample::Sample::assembled()?.size()
    );
    for way in Way::value_variants() {
        match measure(*way, options) {
            Ok(rows) => rows.iter().for_each(|row| text += &line(*way, row)),
            Err(why) => text += &format!("| {} | - | - | - | - | - |\n\nNot measured: {why}\n", way.title()),
        }
    }
    println!("{text}");
    if options.write { blocks::write("incremental", &text) } else { Ok(()) }
}

/// Does it in a process of its own.
fn measure(way: Way, options: &Options) -> Outcome<Vec<Progress>> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let name = way.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let mut command = Command::new(program);
    command.args(["incremental", "--only", &name]).args(["--count", &options.count.to_string()]);
    command.args(["--libraries", &options.libraries.to_string()]).stderr(Stdio::inherit());
    let out = command.output().map_err(|error| error.to_string())?;
    if !out.status.success() {
        return Err(format!("{} failed", way.title()));
    }
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    text.lines().map(|line| line.parse().map_err(|()| format!("not understood: {line}"))).collect()
}

/// One line of the table: since the line before, and in all.
fn line(way: Way, row: &Progress) -> String {
    let each = |time: f64| number(time / row.links as f64);
    let (cpu, wall) = (each(row.cpu), each(row.wall));
    let memory = number(row.memory / 1e6);
    format!("| {} | {} | {cpu} | {wall} | {} | {memory} |\n", way.title(), row.total, row.mappings)
}
