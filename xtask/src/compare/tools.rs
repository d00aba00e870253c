//! The programs that are compared, and how each is asked to link a corpus.

use super::Options;
use crate::{Outcome, place};
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// This linker, with one thread.
    Jitlink,
    /// This linker, with as many threads as `--threads` says.
    JitlinkThreads,
    /// LLVM's llvm-jitlink.
    Reference,
    Lld,
    Mold,
    /// The least that a linker can do.
    Floor,
}

/// A program to measure.
pub(crate) struct Tool {
    pub(crate) kind: Kind,
    pub(crate) title: String,
    program: PathBuf,
    flags: Vec<String>,
    writes: bool,
}

impl Tool {
    /// The tool, or what is missing.
    pub(super) fn find(kind: Kind, options: &Options) -> Outcome<Self> {
        let strings = |flags: &[&str]| flags.iter().map(|flag| (*flag).to_owned()).collect::<Vec<_>>();
        let jitlink = || options.jitlink.clone().unwrap_or_else(|| place::beside("jitlink"));
        let noexec = |threads: usize| {
            let mut flags = strings(&["-noexec", "-phony-externals"]);
            flags.push(format!("-num-threads={threads}"));
            flags
        };
        // Each other linker as it needs least: one thread, no second process, no error where the reference has none.
        let shared = ["-shared", "-z", "notext", "-z", "muldefs", "--threads=1"];
        let no_fork = strings(&[&shared[..], &["--no-fork"]].concat());
        let (title, program, flags) = match kind {
            Kind::Jitlink => ("jitlink".to_owned(), jitlink(), noexec(1)),
            Kind::JitlinkThreads => {
                (format!("jitlink, {} threads", options.threads), jitlink(), noexec(options.threads))
            }
            Kind::Reference => {
                ("llvm-jitlink".to_owned(), place::llvm("llvm-jitlink", "llvm-22")?, noexec(1))
            }
            Kind::Lld => ("lld".to_owned(), place::llvm("ld.lld", "lld-22")?, strings(&shared)),
            Kind::Mold => ("mold".to_owned(), place::program("mold", "mold")?, no_fork),
            Kind::Floor => ("floor".to_owned(), place::beside("floor"), strings(&["--time"])),
        };
        if !program.exists() {
            return Err(format!("{} is missing", program.display()));
        }
        Ok(Self { kind, title, program, flags, writes: matches!(kind, Kind::Lld | Kind::Mold) })
    }

    /// The command that links the corpus in `dir`; a file that it writes is `output`.
    pub(super) fn command(&self, dir: &Path, output: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.flags).arg(format!("@{}", dir.join("objects.rsp").display()));
        if self.writes {
            command.arg("-o").arg(output);
        }
        command
    }

    /// The command without files.
    pub(super) fn shown(&self) -> String {
        let name = self.program.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        format!("{name} {}", self.flags.join(" "))
    }

    /// What the program says about its version.
    pub(super) fn version(&self) -> Option<String> {
        let out = Command::new(&self.program).arg("--version").output().ok()?;
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        let line = text.lines().map(str::trim).find(|line| line.contains(|c: char| c.is_ascii_digit()))?;
        Some(line.split(" (").next().unwrap_or(line).to_owned())
    }
}
