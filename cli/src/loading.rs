//! From the command line to what is to be linked.

use crate::args::{CommandLine, Options};
use crate::definitions;
use crate::progress::Progress;
use crate::report::{self, OrReport, Outcome, Reported};
use jitlink::base::{Error, Result, Workers};
use jitlink::graph::Architecture;
use jitlink::inputs::{AddOptions, InputFile, InputStore, Loaded, Loader};
use jitlink::link::Batch;

/// Opens and parses everything that the command line names. Every input that cannot be used is reported, not just the
/// first.
pub(crate) fn load<'a>(
    command_line: &'a CommandLine,
    store: &'a InputStore,
    progress: &Progress,
    workers: &Workers,
) -> Outcome<Loaded<'a>> {
    let CommandLine { options, inputs, .. } = command_line;
    if inputs.is_empty() {
        return Err(report::error(&"nothing to link: no inputs were given; jitlink --help says how"));
    }
    let mut loader = Loader::new(store);
    let search = loader.search_mut();
    options.library_dirs.iter().for_each(|dir| search.add_dir(dir));
    search.search_system(options.search_sys_lib);
    let batch = loader.batch_mut();
    for alias in &options.alias {
        batch.add_alias(alias.name.as_bytes(), alias.target.as_bytes());
    }
    let mut failed = None;
    progress.begin("Loading", inputs.len());
    loader.add_inputs(inputs, workers, |_, outcome| {
        failed = outcome.or_report().err().or(failed.take());
        progress.advance();
    });
    if !options.noexec {
        let entry = options.entry(loader.batch_mut().spelling());
        loader.batch_mut().require(entry.into_bytes());
    }
    loader.batch_mut().set_harness(true);
    for path in &options.harness {
        failed = loader.add_file(path, AddOptions::default()).or_report().err().or(failed);
    }
    loader.batch_mut().set_harness(false);
    failed = define(loader.batch_mut(), command_line, store).or_report().err().or(failed);
    let loaded = loader.finish().or_report()?;
    failed.map_or(Ok(()), Err)?;
    check_entry(command_line, &loaded.batch)?;
    Ok(loaded)
}

/// Adds what the command line itself defines.
fn define<'a>(batch: &mut Batch<'a>, command_line: &'a CommandLine, store: &'a InputStore) -> Result<()> {
    let options = &command_line.options;
    let architecture = batch.architecture().unwrap_or(Architecture::host());
    if !options.abs.is_empty() {
        batch.add_graph(definitions::absolute(&options.abs, architecture)?)?;
    }
    for created in &options.sectcreate {
        let file = store.add(InputFile::open(&created.file)?);
        batch.add_graph(definitions::section(created, file.bytes(), architecture)?)?;
    }
    Ok(())
}

/// What is to be run must be there, and be code for this machine.
fn check_entry(command_line: &CommandLine, batch: &Batch<'_>) -> Outcome<()> {
    let options = &command_line.options;
    if options.noexec {
        return Ok(());
    }
    if let Some(architecture) = batch.architecture().filter(|arch| *arch != Architecture::host()) {
        let what = format!("code for {} cannot run on {}", architecture.name(), Architecture::host().name());
        return Err(report::error(&Error::invalid(what, Some("link it with -noexec"))));
    }
    let entry = options.entry(batch.spelling());
    let is_alias = options.alias.iter().any(|alias| alias.name == entry);
    if is_alias || batch.defines(entry.as_bytes()) {
        return Ok(());
    }
    Err(no_entry(options, &entry))
}

/// Reports that there is nothing to run.
pub(crate) fn no_entry(options: &Options, entry: &str) -> Reported {
    let help = "give -entry SYMBOL to run another function, or -noexec to link without running anything";
    let what = if options.entry.is_none() {
        format!("no input defines {entry}, so there is nothing to run")
    } else {
        format!("no input defines {entry}, which -entry names")
    };
    report::error(&Error::invalid(what, Some(help)))
}
