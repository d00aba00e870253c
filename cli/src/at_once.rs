//! One run of the command: load, link, look, run.
//!
//! # Safety
//!
//! The linked program is called as the user asked. That it does nothing undefined is the user's promise, as it is for
//! any program that a shell starts.
#![allow(unsafe_code)]

use crate::args::{CommandLine, MAIN, PROCESS};
use crate::crash;
use crate::heap;
use crate::inspect::Inspector;
use crate::loading;
use crate::manager;
use crate::progress::Progress;
use crate::report::{self, OrReport, Outcome};
use crate::self_relocations::SelfRelocations;
use crate::show;
use crate::threads;
use jitlink::alloc::MemoryManager;
use jitlink::base::{Result, Workers};
use jitlink::host::{HostActions, InterfaceSymbols, ProcessSymbols, call_main};
use jitlink::inputs::{LibraryInterface, Loaded};
use jitlink::link::{
    Batch, ImageActions, LinkContext, LinkOptions, Linked, Plugin, Resolver, UndefinedPolicy, link,
};
use jitlink::runtime::update::set_initializer_arguments;
use jitlink::session::generators::ProcessGenerator;
use jitlink::session::{ExecutionSession, JitDylib, SessionOptions};
use std::mem::{ManuallyDrop, forget};
use std::path::PathBuf;
use std::time::Instant;

/// Does what the command line asks; the status is that of the program, or 0 if none was to be run.
pub(crate) fn run(command_line: &'static CommandLine) -> Outcome<i32> {
    let options = &command_line.options;
    heap::prepare(command_line.inputs.len());
    // The process ends soon: giving memory back piece by piece would only take time.
    let store = Box::leak(Box::default());
    let progress = Progress::new();
    let start = Instant::now();
    let workers = ManuallyDrop::new(threads::choose(command_line).or_report()?);
    let mut loaded = loading::load(command_line, store, &progress, &workers)?;
    let loading_time = start.elapsed();
    if options.show_linked_files {
        show::linked_files(&loaded.batch);
    }
    let entry = options.entry(loaded.batch.spelling());
    progress.begin("Linking", loaded.batch.len());
    let around = Surroundings::new(command_line, &mut loaded).or_report()?;
    let linked = around.link(command_line, loaded.batch, &entry, &workers)?;
    drop(progress);
    linked.warnings().iter().for_each(|warning| report::warning(warning));
    if options.show_times {
        show::times(loading_time, linked.stats());
    }
    if options.stats {
        show::stats(linked.stats());
    }
    if options.noexec {
        forget((linked, around));
        return Ok(0);
    }
    execute(command_line, linked, around, &entry)
}

/// What a link needs of this process.
struct Surroundings {
    process: ProcessSymbols,
    interfaces: Vec<LibraryInterface<'static>>,
    manager: &'static dyn MemoryManager,
}

impl Surroundings {
    fn new(command_line: &CommandLine, loaded: &mut Loaded<'static>) -> Result<Self> {
        let process = symbols(command_line, &loaded.shared_libraries, &loaded.batch)?;
        if !command_line.options.noexec {
            loaded.batch.yield_weak(process.vague_variables());
        }
        Ok(Self {
            process,
            interfaces: std::mem::take(&mut loaded.interfaces),
            manager: Box::leak(manager::choose(&command_line.options)?),
        })
    }

    fn link(
        &self,
        command_line: &CommandLine,
        batch: Batch<'static>,
        entry: &str,
        workers: &Workers,
    ) -> Outcome<Linked<'static>> {
        let options = &command_line.options;
        let with_interfaces = InterfaceSymbols::new(&self.interfaces, &self.process);
        // An interface says which names exist, not where: that is of use to a link that runs nothing.
        let resolver: &dyn Resolver = if options.noexec { &with_interfaces } else { &self.process };
        let actions: Option<&dyn ImageActions> = if options.noexec { None } else { Some(&HostActions) };
        let mut self_relocations = options.add_self_relocations.then_some(SelfRelocations);
        let mut inspector = Inspector::new(options).or_report()?;
        let mut plugins: Vec<&mut dyn Plugin> = Vec::new();
        plugins.extend(self_relocations.as_mut().map(|plugin| plugin as &mut dyn Plugin));
        plugins.extend(inspector.as_mut().map(|plugin| plugin as &mut dyn Plugin));
        let mut context = LinkContext { manager: self.manager, resolver, actions, plugins: &mut plugins };
        link(batch, &mut context, &link_options(command_line, entry, workers)).or_report()
    }

    /// A session in which the image is the dylib `main`.
    fn into_session(self, linked: Linked<'static>) -> Result<JitDylib> {
        let session = ExecutionSession::with_options(SessionOptions {
            manager: Box::new(self.manager),
            actions: Some(Box::new(HostActions)),
            link: LinkOptions::default(),
        });
        let (main, process) = (session.create_dylib(MAIN)?, session.create_dylib(PROCESS)?);
        process.add_generator(ProcessGenerator::with_symbols(self.process));
        main.add_to_link_order(&process);
        main.adopt(linked)?;
        Ok(main)
    }
}

/// The symbols that linked code can see besides its own.
fn symbols(
    command_line: &CommandLine,
    shared_libraries: &[PathBuf],
    batch: &Batch<'_>,
) -> Result<ProcessSymbols> {
    let options = &command_line.options;
    let mut symbols =
        if options.no_process_syms { ProcessSymbols::without_process() } else { ProcessSymbols::new() };
    let libraries = options.preload.iter().chain(shared_libraries);
    libraries.into_iter().try_for_each(|path| symbols.load_for(path, &|name| batch.defines(name)))?;
    Ok(symbols)
}

fn link_options(command_line: &CommandLine, entry: &str, workers: &Workers) -> LinkOptions {
    let options = &command_line.options;
    let aliases = options.alias.iter().map(|alias| alias.name.as_bytes().to_vec());
    LinkOptions {
        dead_strip: !options.keep_all,
        undefined: if options.phony_externals { UndefinedPolicy::Null } else { UndefinedPolicy::Refuse },
        keep: aliases.chain([entry.as_bytes().to_vec()]).collect(),
        debugger: options.debugger(),
        workers: workers.clone(),
        ..LinkOptions::default()
    }
}

/// Hands the image to a session and runs it there.
fn execute(
    command_line: &CommandLine,
    linked: Linked<'static>,
    around: Surroundings,
    entry: &str,
) -> Outcome<i32> {
    let Some(address) = linked.lookup(entry.as_bytes()).filter(|address| !address.is_null()) else {
        return Err(loading::no_entry(&command_line.options, entry));
    };
    // SAFETY: nothing of the program has run, and nothing of it is ever freed.
    let warnings = unsafe { around.process.bind_libraries(&linked) }.or_report()?;
    warnings.iter().for_each(|warning| report::warning(warning));
    let main = around.into_session(linked).or_report()?;
    crash::set_session(main.session());
    let argv = command_line.argv();
    set_initializer_arguments(argv.clone()).or_report()?;
    // SAFETY: the user asked for these objects to be run as a program.
    unsafe { main.initialize() }.or_report()?;
    // Threads of the program may still run when `main` returns.
    let _main = ManuallyDrop::new(main);
    // SAFETY: as above; the session is not dropped before the process ends.
    unsafe { call_main(address, argv) }.or_report()
}
