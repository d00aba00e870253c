//! A run with dylibs: what is linked when, and against what.
//!
//! # Safety
//!
//! As for [`at_once`](crate::at_once): the program is called as the user asked.
#![allow(unsafe_code)]

use crate::args::{CommandLine, CreatedSection, MAIN, PROCESS, Speculation};
use crate::check::CheckedImages;
use crate::definitions;
use crate::inspect::{self, Inspector};
use crate::report::{self, OrReport, Outcome};
use crate::self_relocations::SelfRelocations;
use crate::watch::{self, Watched};
use crate::{crash, heap, manager, threads};
use jitlink::alloc::MemoryManager;
use jitlink::base::{Error, ExecutorAddr, Result};
use jitlink::graph::{Architecture, Spelling};
use jitlink::host::{HostActions, ProcessSymbols, call_main};
use jitlink::inputs::linker_script::{self, ScriptInput};
use jitlink::inputs::search::Preference;
use jitlink::inputs::{Input, InputFile, InputKind, LibrarySearch, Members, Origin, classify};
use jitlink::lazy::{LazyObjects, LazyReexports, OrderSpeculator, ReplaceableObjects};
use jitlink::link::{Batch, LinkContext, LinkOptions, Plugin, UndefinedPolicy, link};
use jitlink::runtime::update::set_initializer_arguments;
use jitlink::session::generators::{ArchiveGenerator, LibraryGenerator, ProcessGenerator, archive_members};
use jitlink::session::{
    ExecutionSession, ExecutorSymbol, JitDylib, JitSymbolFlags, LinkInfo, ObjectBuffer, SessionOptions,
    SessionPlugin, Visibility,
};
use std::cell::RefCell;
use std::io::Write;
use std::mem::forget;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// Does what a command line asks that has dylibs.
pub(crate) fn run(command_line: &'static CommandLine) -> Outcome<i32> {
    let options = &command_line.options;
    heap::prepare(command_line.inputs.len());
    let manager: &'static dyn MemoryManager = Box::leak(manager::choose(options).or_report()?);
    let session = session(command_line, manager).or_report()?;
    if options.show_linked_files || Inspector::new(options).or_report()?.is_some() {
        session.add_plugin(Arc::new(Watch(command_line)));
    }
    if options.add_self_relocations {
        session.add_plugin(Arc::new(AddSelfRelocations));
    }
    let speculator = speculator(command_line).or_report()?;
    let loading = Loading::new(command_line, session, manager, &speculator).or_report()?;
    loading.add_all()?;
    if options.show_init_es {
        print(&loading.session.describe());
    }
    let outcome = loading.execute();
    if let (Some(path), Some(speculator)) = (&options.record_lazy_execs, &speculator) {
        let text: String = speculator.called().iter().map(|(dylib, name)| line_of(dylib, name)).collect();
        std::fs::write(path, text).map_err(|error| Error::io(path.to_string_lossy(), error)).or_report()?;
    }
    // Threads of the program may still run.
    forget((loading, speculator));
    outcome
}

/// What was asked for, on standard output.
fn print(text: &str) {
    // A closed output is no reason to say more.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

fn session(command_line: &CommandLine, manager: &'static dyn MemoryManager) -> Result<ExecutionSession> {
    let options = &command_line.options;
    let link = LinkOptions {
        dead_strip: !options.keep_all,
        undefined: if options.phony_externals { UndefinedPolicy::Null } else { UndefinedPolicy::Refuse },
        debugger: options.debugger(),
        workers: threads::choose(command_line)?,
        ..LinkOptions::default()
    };
    let actions = (!options.noexec).then(|| Box::new(HostActions) as Box<_>);
    Ok(ExecutionSession::with_options(SessionOptions { manager: Box::new(manager), actions, link }))
}

/// Says what is linked, and shows what the options ask for.
struct Watch(&'static CommandLine);

impl SessionPlugin for Watch {
    fn link_plugin(&self, info: &LinkInfo<'_>) -> Result<Option<Box<dyn Plugin>>> {
        if self.0.options.show_linked_files {
            info.units.iter().for_each(|unit| report::print(&format!("{unit}\n")));
        }
        let inspector = Inspector::new(&self.0.options)?;
        Ok(inspector.map(|inspector| Box::new(inspector.gather(&CHECKED)) as Box<dyn Plugin>))
    }
}

/// What was linked so far, for `-check`.
static CHECKED: LazyLock<Mutex<CheckedImages>> = LazyLock::new(Mutex::default);

/// Gives `-add-self-relocations` its place in every link.
struct AddSelfRelocations;

impl SessionPlugin for AddSelfRelocations {
    fn link_plugin(&self, _: &LinkInfo<'_>) -> Result<Option<Box<dyn Plugin>>> {
        Ok(Some(Box::new(SelfRelocations)))
    }
}

/// The dylib that has the objects of lazy functions of another.
const BODIES: &str = ".impl";

/// The threads that speculate.
const SPECULATING: usize = 1;

fn speculator(command_line: &CommandLine) -> Result<Option<Arc<OrderSpeculator>>> {
    let options = &command_line.options;
    let speculator = match (options.speculate, &options.speculate_order) {
        (Speculation::Simple, Some(path)) => {
            let text = std::fs::read_to_string(path).map_err(|e| Error::io(path.to_string_lossy(), e))?;
            OrderSpeculator::new(text.lines().filter_map(function_of).collect(), SPECULATING)
        }
        (Speculation::Simple, None) => OrderSpeculator::eager(SPECULATING),
        (Speculation::None, _) if options.record_lazy_execs.is_some() => OrderSpeculator::recorder(),
        (Speculation::None, _) => return Ok(None),
    };
    Ok(Some(Arc::new(speculator)))
}

/// A line `DYLIB, FUNCTION`. LLVM's tool gives functions a suffix.
fn function_of(line: &str) -> Option<(String, Vec<u8>)> {
    let (dylib, name) = line.split_once(',')?;
    let name = name.trim();
    let name = name.strip_suffix("$orc_fnbody$").unwrap_or(name);
    Some((format!("{}{BODIES}", dylib.trim()), name.as_bytes().to_vec()))
}

fn line_of(dylib: &str, name: &[u8]) -> String {
    let dylib = dylib.strip_suffix(BODIES).unwrap_or(dylib);
    format!("{dylib}, {}\n", String::from_utf8_lossy(name))
}

/// What the inputs are added to.
struct Loading {
    command_line: &'static CommandLine,
    session: ExecutionSession,
    manager: &'static dyn MemoryManager,
    process: JitDylib,
    dylibs: Vec<JitDylib>,
    search: LibrarySearch,
    lazy: LazyObjects,
    /// For each dylib its objects that are replaced when their files change.
    replaceable: Vec<Arc<ReplaceableObjects>>,
    watched: RefCell<Vec<Watched>>,
    /// Lazy objects, with the dylibs they belong to.
    waiting: RefCell<Vec<(usize, ObjectBuffer)>>,
    /// Libraries that could not be loaded before what they may refer to was added.
    refused: RefCell<Vec<(usize, PathBuf)>>,
}

impl Loading {
    fn new(
        command_line: &'static CommandLine,
        session: ExecutionSession,
        manager: &'static dyn MemoryManager,
        speculator: &Option<Arc<OrderSpeculator>>,
    ) -> Result<Self> {
        let options = &command_line.options;
        let process = session.create_dylib(PROCESS)?;
        let mut symbols =
            if options.no_process_syms { ProcessSymbols::without_process() } else { ProcessSymbols::new() };
        options.preload.iter().try_for_each(|path| symbols.load(path))?;
        process.add_generator(ProcessGenerator::with_symbols(symbols));
        let names = command_line.dylibs.names.iter();
        let dylibs = names.map(|name| session.create_dylib(name.as_str())).collect::<Result<Vec<_>>>()?;
        let mut search = LibrarySearch::new();
        options.library_dirs.iter().for_each(|dir| search.add_dir(dir));
        search.search_system(options.search_sys_lib);
        let reexports = LazyReexports::default();
        if let Some(speculator) = speculator {
            reexports.set_observer(speculator.clone());
        }
        let lazy = LazyObjects::new(reexports);
        let replaceable = dylibs.iter().filter(|_| options.watch);
        let replaceable = replaceable.map(|dylib| Arc::new(ReplaceableObjects::new(dylib))).collect();
        let (watched, waiting, refused) = Default::default();
        Ok(Self {
            command_line,
            session,
            manager,
            process,
            dylibs,
            search,
            lazy,
            replaceable,
            watched,
            waiting,
            refused,
        })
    }

    /// Adds everything that the command line names. All that cannot be used is reported, not just the first.
    fn add_all(&self) -> Outcome<()> {
        let CommandLine { options, inputs, dylibs } = self.command_line;
        self.set_link_orders();
        let mut failed = None;
        for (input, placement) in inputs.iter().zip(&dylibs.placements) {
            let dylib = &self.dylibs[placement.dylib];
            if self.is_dylib(input) {
                continue;
            }
            let added = self.add(dylib, input, placement.lazy, placement.weak);
            failed = added.or_report().err().or(failed);
        }
        let waiting = self.waiting.take();
        for (index, dylib) in self.dylibs.iter().enumerate() {
            let of_dylib = waiting.iter().filter(|(number, _)| *number == index);
            let objects: Vec<_> = of_dylib.map(|(_, object)| object.clone()).collect();
            if !objects.is_empty() {
                failed = self.lazy.add_all(dylib, objects).or_report().err().or(failed);
            }
        }
        for (number, path) in self.refused.take() {
            failed = self.dylibs[number].add_library(path).or_report().err().or(failed);
        }
        let symbols = options.abs.iter().map(|absolute| {
            (absolute.name.as_bytes(), ExecutorSymbol::data(ExecutorAddr(absolute.address), 0))
        });
        failed = self.dylibs[0].define_absolute(symbols).or_report().err().or(failed);
        for (alias, dylib) in options.alias.iter().zip(&dylibs.aliases) {
            let defined =
                self.dylibs[*dylib].define_alias(&alias.name, &alias.target, JitSymbolFlags::FUNCTION);
            failed = defined.or_report().err().or(failed);
        }
        for created in &options.sectcreate {
            failed = self.create_section(created).or_report().err().or(failed);
        }
        failed.map_or(Ok(()), Err)
    }

    /// Gives the first dylib a section of the command line's.
    fn create_section(&self, created: &'static CreatedSection) -> Result<()> {
        let file: &'static InputFile = Box::leak(Box::new(InputFile::open(&created.file)?));
        let mut batch = Batch::new();
        batch.add_graph(definitions::section(created, file.bytes(), Architecture::host())?)?;
        let nothing = ProcessSymbols::without_process();
        let mut context =
            LinkContext { manager: self.manager, resolver: &nothing, actions: None, plugins: &mut [] };
        self.dylibs[0].adopt(link(batch, &mut context, &LinkOptions::default())?)
    }

    /// A dylib sees itself, the dylibs that `-l` names in it, and this process.
    fn set_link_orders(&self) {
        let CommandLine { inputs, dylibs, .. } = self.command_line;
        for (index, dylib) in self.dylibs.iter().enumerate() {
            let of_dylib = inputs.iter().zip(&dylibs.placements).filter(|(_, p)| p.dylib == index);
            let linked = of_dylib.filter_map(|(input, _)| self.dylib_of(input));
            let order: Vec<_> =
                linked.chain([&self.process]).map(|dylib| (dylib, Visibility::Exported)).collect();
            dylib.set_link_order(&order);
        }
    }

    fn is_dylib(&self, input: &Input) -> bool {
        self.dylib_of(input).is_some()
    }

    fn dylib_of(&self, input: &Input) -> Option<&JitDylib> {
        match &input.origin {
            Origin::Library(name) => self.dylibs.iter().find(|dylib| dylib.name() == name),
            Origin::File(_) => None,
        }
    }

    fn add(&self, dylib: &JitDylib, input: &Input, lazy: bool, weak: bool) -> Result<()> {
        let path = match &input.origin {
            Origin::File(path) => path.clone(),
            Origin::Library(name) => match self.search.find(name, Preference::SharedFirst) {
                Ok(path) => path,
                Err(_) if weak => {
                    dylib.add_generator(LibraryGenerator::open_weak(name));
                    return Ok(());
                }
                Err(error) => return Err(error),
            },
        };
        if weak {
            dylib.add_generator(LibraryGenerator::open_weak(&path));
            return Ok(());
        }
        self.add_file(dylib, &path, input.members, lazy)
    }

    fn add_file(&self, dylib: &JitDylib, path: &Path, members: Members, lazy: bool) -> Result<()> {
        let file = InputFile::open(path)?;
        let kind = classify(file.bytes());
        let number = self.dylibs.iter().position(|known| known == dylib).unwrap_or(0);
        if let Some(replaceable) = self.replaceable.get(number).filter(|_| kind.is_object()) {
            self.watched.borrow_mut().push(Watched::new(path, replaceable));
            return replaceable.add(&watch::read(path)?);
        }
        match (kind, members) {
            (kind, _) if kind.is_object() && lazy => {
                self.waiting.borrow_mut().push((number, ObjectBuffer::from_file(file)));
                Ok(())
            }
            (kind, _) if kind.is_object() => dylib.add_object(ObjectBuffer::from_file(file)),
            (InputKind::Archive | InputKind::ThinArchive, Members::All) => {
                archive_members(&Arc::new(file))?.into_iter().try_for_each(|member| dylib.add_object(member))
            }
            (InputKind::Archive | InputKind::ThinArchive, Members::Needed) => {
                dylib.add_generator(ArchiveGenerator::from_file(file)?);
                Ok(())
            }
            (InputKind::ElfShared { .. }, _) => {
                match LibraryGenerator::open(path) {
                    Ok(library) => dylib.add_generator(library),
                    Err(_) => self.refused.borrow_mut().push((number, path.to_owned())),
                }
                Ok(())
            }
            (InputKind::Text, _) => self.add_script(dylib, &file, members),
            (kind, _) => Err(kind.refuse(file.place())),
        }
    }

    fn add_script(&self, dylib: &JitDylib, file: &InputFile, members: Members) -> Result<()> {
        let script = linker_script::parse(file)?;
        let directory = file.path().parent().unwrap_or(Path::new(""));
        for entry in script.entries {
            match self.search.find_script_input(&entry.input, directory, Preference::SharedFirst) {
                Ok(path) => self.add_file(dylib, &path, members, false)?,
                Err(_)
                    if entry.as_needed
                        && matches!(entry.input, ScriptInput::Path(_) | ScriptInput::Library(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn execute(&self) -> Outcome<i32> {
        let options = &self.command_line.options;
        let main = self.session.dylib(MAIN).unwrap_or_else(|| self.dylibs[0].clone());
        let entry = options.entry(Spelling::Plain);
        if options.noexec || !options.check.is_empty() {
            self.link_everything()?;
            let checked = CHECKED.lock().unwrap_or_else(PoisonError::into_inner);
            inspect::check(options, &checked).or_report()?;
        }
        if options.noexec {
            if options.show_entry_es {
                print(&self.session.describe());
            }
            return Ok(0);
        }
        let symbol = self.report(main.lookup(&entry))?;
        if options.show_entry_es {
            print(&self.session.describe());
        }
        if options.watch {
            watch::start(self.watched.take());
        }
        crash::set_session(&self.session);
        let argv = self.command_line.argv();
        set_initializer_arguments(argv.clone()).or_report()?;
        // SAFETY: the user asked for these objects to be run as a program.
        self.report(unsafe { main.initialize() })?;
        // SAFETY: as above; the session is not dropped before the process ends.
        unsafe { call_main(symbol.address, argv) }.or_report()
    }

    /// Links all that the dylibs define.
    fn link_everything(&self) -> Outcome<()> {
        for dylib in &self.dylibs {
            for (name, _) in dylib.symbols() {
                self.report(dylib.lookup(&name).map(drop))?;
            }
        }
        Ok(())
    }

    /// The value, or the report of why there is none: what failed, and if asked for, what it matters to.
    fn report<T>(&self, result: Result<T>) -> Outcome<T> {
        result.map_err(|error| match error {
            Error::FailedToMaterialize(failed) => {
                let reported = report::error(&failed.cause);
                if self.command_line.options.show_err_failed_to_materialize {
                    let symbols = failed.symbols.join(", ");
                    report::error(&format!(
                        "failed to materialize {symbols}: {} could not be linked",
                        failed.unit
                    ));
                }
                reported
            }
            error => report::error(&error),
        })
    }
}
