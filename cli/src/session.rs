//! One run of the command: load, link, look, run.
//!
//! # Safety
//!
//! The linked program is called as the user asked. That it does nothing undefined is the user's promise, as it is for
//! any program that a shell starts.
#![allow(unsafe_code)]

use crate::args::CommandLine;
use crate::heap;
use crate::inspect::Inspector;
use crate::loading;
use crate::manager;
use crate::progress::Progress;
use crate::report::{self, OrReport, Outcome};
use crate::self_relocations::SelfRelocations;
use crate::show;
use crate::threads;
use jitlink::base::{Result, Workers};
use jitlink::host::{HostActions, InterfaceSymbols, ProcessSymbols, run_main};
use jitlink::inputs::{InputStore, Loaded};
use jitlink::link::{
    ImageActions, LinkContext, LinkOptions, Linked, Plugin, Resolver, UndefinedPolicy, link,
};
use std::mem::{ManuallyDrop, forget};
use std::path::PathBuf;
use std::time::Instant;

/// Does what the command line asks; the status is that of the program, or 0 if none was to be run.
pub(crate) fn run(command_line: &CommandLine) -> Outcome<i32> {
    let options = &command_line.options;
    heap::prepare(command_line.inputs.len());
    // The process ends soon: giving memory back piece by piece would only take time.
    let store = ManuallyDrop::new(InputStore::new());
    let progress = Progress::new();
    let start = Instant::now();
    let workers = ManuallyDrop::new(threads::choose(command_line).or_report()?);
    let loaded = loading::load(command_line, &store, &progress, &workers)?;
    let loading_time = start.elapsed();
    if options.show_linked_files {
        show::linked_files(&loaded.batch);
    }
    let entry = options.entry(loaded.batch.spelling());
    progress.begin("Linking", loaded.batch.len());
    let linked = link_all(command_line, loaded, &entry, &workers)?;
    drop(progress);
    linked.warnings().iter().for_each(|warning| report::warning(warning));
    if options.show_times {
        show::times(loading_time, linked.stats());
    }
    if options.stats {
        show::stats(linked.stats());
    }
    if options.noexec {
        forget(linked);
        return Ok(0);
    }
    execute(command_line, linked, &entry)
}

fn link_all<'a>(
    command_line: &'a CommandLine,
    loaded: Loaded<'a>,
    entry: &str,
    workers: &Workers,
) -> Outcome<Linked<'a>> {
    let options = &command_line.options;
    let process = ManuallyDrop::new(symbols(command_line, &loaded.shared_libraries).or_report()?);
    let interfaces = ManuallyDrop::new(loaded.interfaces);
    let with_interfaces = InterfaceSymbols::new(&interfaces, &*process);
    // An interface says which names exist, not where: that is of use to a link that runs nothing.
    let resolver: &dyn Resolver = if options.noexec { &with_interfaces } else { &*process };
    let manager = ManuallyDrop::new(manager::choose(options).or_report()?);
    let actions: Option<&dyn ImageActions> = if options.noexec { None } else { Some(&HostActions) };
    let mut self_relocations = options.add_self_relocations.then_some(SelfRelocations);
    let mut inspector = Inspector::new(options).or_report()?;
    let mut plugins: Vec<&mut dyn Plugin> = Vec::new();
    plugins.extend(self_relocations.as_mut().map(|plugin| plugin as &mut dyn Plugin));
    plugins.extend(inspector.as_mut().map(|plugin| plugin as &mut dyn Plugin));
    let mut context = LinkContext { manager: manager.as_ref(), resolver, actions, plugins: &mut plugins };
    link(loaded.batch, &mut context, &link_options(command_line, entry, workers)).or_report()
}

/// The symbols that linked code can see besides its own.
fn symbols(command_line: &CommandLine, shared_libraries: &[PathBuf]) -> Result<ProcessSymbols> {
    let options = &command_line.options;
    let mut symbols =
        if options.no_process_syms { ProcessSymbols::without_process() } else { ProcessSymbols::new() };
    options.preload.iter().chain(shared_libraries).try_for_each(|path| symbols.load(path))?;
    Ok(symbols)
}

fn link_options(command_line: &CommandLine, entry: &str, workers: &Workers) -> LinkOptions {
    let options = &command_line.options;
    let aliases = options.alias.iter().map(|alias| alias.name.as_bytes().to_vec());
    LinkOptions {
        dead_strip: !options.keep_all,
        undefined: if options.phony_externals { UndefinedPolicy::Null } else { UndefinedPolicy::Refuse },
        keep: aliases.chain([entry.as_bytes().to_vec()]).collect(),
        workers: workers.clone(),
        ..LinkOptions::default()
    }
}

fn execute(command_line: &CommandLine, linked: Linked<'_>, entry: &str) -> Outcome<i32> {
    let Some(address) = linked.lookup(entry.as_bytes()).filter(|address| !address.is_null()) else {
        return Err(loading::no_entry(&command_line.options, entry));
    };
    // SAFETY: the user asked for this function of these objects to be run as a program.
    unsafe { run_main(linked, address, command_line.argv()) }.or_report()
}
