//! The corpora: what they hold, and how they are built.

mod archives;
mod build;
mod check;
mod compiled;
mod generated;
mod object;

pub(crate) use build::{Facts, ready};
pub(crate) use check::reference_fails;

use crate::{Outcome, place};
use build::Builder;
use std::path::{Path, PathBuf};

/// A set of objects to link together.
pub(crate) struct Corpus {
    /// Its directory, and what it is called in options.
    pub(crate) name: &'static str,
    /// What it is called in tables.
    pub(crate) title: &'static str,
    make: fn(&mut Builder) -> Outcome<()>,
}

/// All corpora, in the order of the tables.
pub(crate) const ALL: &[Corpus] = &[
    Corpus { name: "empty", title: "empty", make: |_| Ok(()) },
    Corpus { name: "sqlite", title: "sqlite3.o -O2 -fPIC", make: compiled::sqlite },
    Corpus {
        name: "sqlite-sections",
        title: "the same with -ffunction-sections -fdata-sections",
        make: compiled::sqlite_sections,
    },
    Corpus { name: "relocations", title: "one object, 1 million relocations", make: generated::relocations },
    Corpus { name: "tiny", title: "10,000 tiny objects", make: generated::tiny },
    Corpus { name: "symbols", title: "one object, 100,000 symbols and sections", make: generated::symbols },
    Corpus { name: "chain", title: "a chain of 100,000 references", make: generated::chain },
    Corpus { name: "star", title: "a star of 100,000 references", make: generated::star },
    Corpus { name: "rust", title: "Rust's own rlibs", make: archives::rust },
    Corpus { name: "llvm-core", title: "libLLVMCore members", make: archives::llvm_core },
    Corpus {
        name: "llvm-codegen",
        title: "libLLVMCore+CodeGen+X86CodeGen members",
        make: archives::llvm_codegen,
    },
    Corpus { name: "llvm-all", title: "all libLLVM*.a members", make: archives::llvm_all },
];

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Where to put them; by default target/corpora
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Build these only
    #[arg(value_name = "CORPORA", value_parser = names())]
    only: Vec<String>,
    /// Build again what is there already
    #[arg(long)]
    force: bool,
    /// Leave out objects that use thread-locals
    #[arg(long)]
    no_thread_locals: bool,
    /// Do not ask the reference whether it links every object
    #[arg(long)]
    unchecked: bool,
    /// How long the reference may take for that, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    check_within: u64,
}

/// The names that options take.
pub(crate) fn names() -> clap::builder::PossibleValuesParser {
    clap::builder::PossibleValuesParser::new(ALL.iter().map(|corpus| corpus.name))
}

/// The corpora called so, or all of them.
pub(crate) fn chosen(only: &[String]) -> impl Iterator<Item = &'static Corpus> {
    ALL.iter().filter(move |corpus| only.is_empty() || only.iter().any(|name| name == corpus.name))
}

/// Builds what is not there yet.
pub(crate) fn run(options: &Options) -> Outcome<()> {
    let dir = options.dir.clone().unwrap_or_else(place::corpora);
    place::at(&dir, std::fs::create_dir_all(&dir))?;
    let dir = place::at(&dir, dir.canonicalize())?;
    let mut failed = Vec::new();
    for corpus in chosen(&options.only) {
        if let Err(error) = one(corpus, &dir, options) {
            eprintln!("{}: {error}", corpus.name);
            failed.push(corpus.name);
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("not built: {}", failed.join(", "))) }
}

fn one(corpus: &Corpus, dir: &Path, options: &Options) -> Outcome<()> {
    let facts = match ready(dir, corpus.name) {
        Some(facts) if !options.force => facts,
        _ => build::build(dir, corpus, !options.no_thread_locals)?,
    };
    println!("{}: {facts}", corpus.name);
    if !options.unchecked {
        println!("    {}", check::checked(&dir.join(corpus.name), &facts, options.check_within)?);
    }
    Ok(())
}
