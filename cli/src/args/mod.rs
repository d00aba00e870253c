//! The command line: options as `clap` describes them, inputs in their order, and the program's arguments.

mod definitions;
mod inputs;
mod normalize;
mod numbers;
mod response;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, ValueEnum};
use jitlink::graph::Spelling;
use jitlink::inputs::Input;
use normalize::Normalized;
use std::ffi::{CString, OsString};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

pub(crate) use definitions::{AbsoluteDefinition, AliasDefinition, CreatedSection};
pub(crate) use inputs::{Dylibs, MAIN, PROCESS};

const EXAMPLES: &str = "\
Options may be written with one dash or two: -noexec, --noexec, -entry=start, -entry start, -lm.
@FILE stands for the words in FILE.

Examples:
  jitlink hello.o                           link hello.o into memory and run its main
  jitlink a.o b.o -Llib -lfoo -- -v in.txt  the program sees -v and in.txt; argv[0] is a.o
  jitlink prog.o -args prog -v              the same, with argv given whole
  jitlink -noexec a.o -show-addrs           link only, and say what lies where
  jitlink -noexec -check=a.s a.o            check the rules that stand in a.s
  jitlink -noexec -slab-allocate=64Kb -slab-address=0x10000 -slab-page-size=4096 a.o

The exit status is the program's own, and 1 for any error before it runs.";

/// Links relocatable objects into memory and runs their main function.
#[derive(Debug, Parser)]
#[command(
    name = "jitlink",
    version,
    max_term_width = 100,
    args_override_self = true,
    override_usage = "jitlink [OPTIONS] INPUTS... [-- PROGRAM-ARGUMENTS...]",
    after_help = EXAMPLES
)]
pub(crate) struct Options {
    /// Objects, archives, shared libraries and linker scripts
    #[arg(value_name = "INPUTS")]
    files: Vec<PathBuf>,

    /// The program's arguments, after argv[0], which is the name of the first input
    #[arg(last = true, value_name = "PROGRAM-ARGUMENTS")]
    program_args: Vec<OsString>,

    /// The program's argv, whole: everything that follows, up to -harness
    #[arg(long, value_name = "ARGV", num_args = 0..=1, require_equals = true, help_heading = "Running")]
    args: Option<Vec<OsString>>,

    /// Link only, run nothing
    #[arg(long, help_heading = "Running")]
    pub(crate) noexec: bool,

    /// Let debuggers see linked objects that have debug information (the default; -debugger-support=false turns it off)
    #[arg(long, overrides_with = "no_debugger_support", help_heading = "Running")]
    debugger_support: bool,

    /// What -debugger-support=false becomes
    #[arg(long, overrides_with = "debugger_support", hide = true)]
    no_debugger_support: bool,

    /// Report the code to perf: jit-PID.dump in the directory that JITDUMPDIR names (or here), and /tmp/perf-PID.map
    #[arg(long, help_heading = "Running")]
    pub(crate) perf_support: bool,

    /// Print a backtrace when the program crashes (the default; -crash-report=false turns it off)
    #[arg(long, overrides_with = "no_crash_report", help_heading = "Running")]
    crash_report: bool,

    /// What -crash-report=false becomes
    #[arg(long, overrides_with = "crash_report", hide = true)]
    no_crash_report: bool,

    /// Function to call instead of main, as objects spell it
    #[arg(long, value_name = "SYMBOL", help_heading = "Running")]
    pub(crate) entry: Option<String>,

    /// Add DIR to the directories searched for libraries
    #[arg(short = 'L', value_name = "DIR", help_heading = "Inputs")]
    pub(crate) library_dirs: Vec<PathBuf>,

    /// Link against library NAME: libNAME.so or libNAME.a
    #[arg(short = 'l', value_name = "NAME", help_heading = "Inputs")]
    libraries: Vec<String>,

    /// Link against archive libNAME.a; what it defines is hidden
    #[arg(long = "hidden-l", value_name = "NAME", help_heading = "Inputs")]
    hidden_libraries: Vec<String>,

    /// Link against this archive; what it defines is hidden
    #[arg(long = "load_hidden", value_name = "FILE", help_heading = "Inputs")]
    hidden_files: Vec<PathBuf>,

    /// The inputs, -l and -alias that follow belong to dylib NAME; -l NAME links against a dylib of that name
    #[arg(long = "jd", value_name = "NAME", help_heading = "Dylibs")]
    jd: Vec<String>,

    /// Link the object that follows when a function of it is first called
    #[arg(long, num_args = 0, default_missing_value = "", action = clap::ArgAction::Append, help_heading = "Dylibs")]
    lazy: Vec<String>,

    /// Run the program, and swap in the new functions of an object whenever its file changes
    #[arg(long, help_heading = "Dylibs")]
    pub(crate) watch: bool,

    /// Link against shared library FILE; weak references are null if it is missing
    #[arg(long = "weak_library", value_name = "FILE", help_heading = "Dylibs")]
    weak_files: Vec<PathBuf>,

    /// Link against shared library NAME; weak references are null if it is missing
    #[arg(long = "weak-l", value_name = "NAME", help_heading = "Dylibs")]
    weak_libraries: Vec<String>,

    /// Link lazy functions ahead of their first call, on other threads
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Speculation::None, help_heading = "Dylibs")]
    pub(crate) speculate: Speculation,

    /// With -speculate: do so in the order that FILE has, as -record-lazy-execs writes it
    #[arg(long, value_name = "FILE", help_heading = "Dylibs")]
    pub(crate) speculate_order: Option<PathBuf>,

    /// Write which lazy functions were called first, in order, to FILE
    #[arg(long, value_name = "FILE", help_heading = "Dylibs")]
    pub(crate) record_lazy_execs: Option<PathBuf>,

    /// Print the dylibs and their symbols before the entry point is looked up
    #[arg(long, help_heading = "Dylibs")]
    pub(crate) show_init_es: bool,

    /// Print the dylibs and their symbols after the entry point was looked up
    #[arg(long, help_heading = "Dylibs")]
    pub(crate) show_entry_es: bool,

    /// Say for which symbols a failure matters, not just what failed
    #[arg(long, help_heading = "Dylibs")]
    pub(crate) show_err_failed_to_materialize: bool,

    /// Search the system's directories for libraries, after those of -L
    #[arg(long, help_heading = "Inputs")]
    pub(crate) search_sys_lib: bool,

    /// Load all members of all archives
    #[arg(long = "all_load", help_heading = "Inputs")]
    all_load: bool,

    /// Load all members of the archives that follow
    #[arg(long, num_args = 0, default_missing_value = "", action = clap::ArgAction::Append, help_heading = "Inputs")]
    whole_archive: Vec<String>,

    /// Load needed members only of the archives that follow
    #[arg(long, num_args = 0, default_missing_value = "", action = clap::ArgAction::Append, help_heading = "Inputs")]
    no_whole_archive: Vec<String>,

    /// Test harness: these files may replace definitions of the inputs and see their local symbols
    #[arg(long, value_name = "FILES", help_heading = "Inputs")]
    pub(crate) harness: Vec<PathBuf>,

    /// Make a section of a file's bytes, with symbols at offsets
    #[arg(long, value_name = "SECTION,FILE[@SYMBOL=OFFSET,...]", value_parser = definitions::section, help_heading = "Inputs")]
    pub(crate) sectcreate: Vec<CreatedSection>,

    /// Define a symbol as an address
    #[arg(long, value_name = "SYMBOL=ADDRESS", value_parser = definitions::absolute, help_heading = "Symbols")]
    pub(crate) abs: Vec<AbsoluteDefinition>,

    /// Define a symbol as another name for one
    #[arg(long, value_name = "ALIAS=SYMBOL", value_parser = definitions::alias, help_heading = "Symbols")]
    pub(crate) alias: Vec<AliasDefinition>,

    /// Load a shared library first
    #[arg(long, value_name = "FILE", help_heading = "Symbols")]
    pub(crate) preload: Vec<PathBuf>,

    /// Do not resolve to symbols of this process
    #[arg(long, help_heading = "Symbols")]
    pub(crate) no_process_syms: bool,

    /// Resolve symbols that nothing defines to null
    #[arg(long, help_heading = "Symbols")]
    pub(crate) phony_externals: bool,

    /// Keep what nothing refers to: no dead stripping
    #[arg(long, help_heading = "Symbols")]
    pub(crate) keep_all: bool,

    /// Allocate from one slab of this size (suffixes Kb, Mb, Gb; without one, Kb)
    #[arg(long, value_name = "SIZE", value_parser = numbers::slab_size, help_heading = "Memory")]
    pub(crate) slab_allocate: Option<u64>,

    /// Link as if the slab lay at ADDRESS (wants -slab-allocate and -noexec)
    #[arg(long, value_name = "ADDRESS", value_parser = numbers::integer, help_heading = "Memory")]
    pub(crate) slab_address: Option<u64>,

    /// Link as if pages had this size (wants -slab-allocate and -noexec)
    #[arg(long, value_name = "BYTES", value_parser = numbers::integer, help_heading = "Memory")]
    pub(crate) slab_page_size: Option<u64>,

    /// Write code through a second mapping of its memory
    #[arg(long, help_heading = "Memory")]
    pub(crate) dual_map: bool,

    /// Link with up to this many threads
    #[arg(long, value_name = "N", value_parser = numbers::integer, help_heading = "Memory")]
    pub(crate) num_threads: Option<u64>,

    /// Check the rules in FILE against the linked memory
    #[arg(long, value_name = "FILE", help_heading = "Looking at the result")]
    pub(crate) check: Vec<PathBuf>,

    /// Name that lines with rules carry: '# NAME: expr = expr'
    #[arg(long, value_name = "NAME", default_value = crate::check::DEFAULT_CHECK_NAME, help_heading = "Looking at the result")]
    pub(crate) check_name: String,

    /// Print the graphs of inputs whose name matches, after fixup
    #[arg(long, value_name = "REGEX", help_heading = "Looking at the result")]
    show_graphs: Option<String>,

    /// Print graphs in this format; without -show-graphs, all of them
    #[arg(long, value_name = "FORMAT", help_heading = "Looking at the result")]
    graph: Option<GraphFormat>,

    /// Print the addresses of symbols, sections, GOT and PLT entries
    #[arg(long, help_heading = "Looking at the result")]
    pub(crate) show_addrs: bool,

    /// Print the bytes of each section after fixup
    #[arg(long, help_heading = "Looking at the result")]
    pub(crate) show_relocated_section_contents: bool,

    /// Print the name of each file that is linked
    #[arg(long, help_heading = "Looking at the result")]
    pub(crate) show_linked_files: bool,

    /// Print how long each phase took
    #[arg(long, help_heading = "Looking at the result")]
    pub(crate) show_times: bool,

    /// Print counts of what was linked
    #[arg(long, help_heading = "Looking at the result")]
    pub(crate) stats: bool,

    /// Write names and addresses of all symbols to FILE ('-' for standard output)
    #[arg(long, value_name = "FILE", help_heading = "Looking at the result")]
    pub(crate) write_symtab: Option<PathBuf>,

    /// Link nothing: print the backtraces in INPUTS ('-' for standard input) with the names that FILE, as -write-symtab
    /// writes it, has for their addresses
    #[arg(long, value_name = "FILE", help_heading = "Looking at the result")]
    pub(crate) symbolicate_with: Option<PathBuf>,

    /// Give code that computes its own function's address a relocation, as if the assembler had left it
    #[arg(long, help_heading = "Looking at the result")]
    pub(crate) add_self_relocations: bool,
}

/// What is linked ahead of its first call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Speculation {
    /// Nothing.
    None,
    /// Functions in a given order, or all of them.
    Simple,
}

/// How graphs are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// Text for people.
    Text,
    /// Graphviz.
    Dot,
}

/// Which graphs are printed, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GraphRequest {
    /// A regular expression for their names.
    pub(crate) pattern: String,
    /// The format.
    pub(crate) format: GraphFormat,
}

/// A command line, taken apart.
#[derive(Debug)]
pub(crate) struct CommandLine {
    /// The options.
    pub(crate) options: Options,
    /// What is linked, in the order given.
    pub(crate) inputs: Vec<Input>,
    /// The dylibs that they belong to.
    pub(crate) dylibs: Dylibs,
}

impl CommandLine {
    /// Takes a command line apart; `words` begins with the name of the command.
    ///
    /// # Errors
    /// It makes no sense, or asks for help or the version: then the error is the text.
    pub(crate) fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let mut command = Options::command();
        let words = response::expand(words).map_err(|what| command.error(ErrorKind::Io, what))?;
        let Normalized { words, steps } = normalize::normalize(&command, words);
        let options = Options::from_arg_matches(&command.try_get_matches_from_mut(words)?)?;
        let (inputs, dylibs) = inputs::in_order(steps, options.all_load);
        let parsed = Self { options, inputs, dylibs };
        parsed.check().map_err(|what| command.error(ErrorKind::ArgumentConflict, what))?;
        Ok(parsed)
    }

    /// Whether anything is said that takes dylibs: what is linked when. Otherwise all inputs are one link.
    pub(crate) fn wants_dylibs(&self) -> bool {
        let Options { show_init_es, show_entry_es, speculate, record_lazy_execs, .. } = &self.options;
        self.dylibs.names.len() > 1
            || self.dylibs.placements.iter().any(|placement| placement.lazy || placement.weak)
            || self.options.watch
            || *show_init_es
            || *show_entry_es
            || *speculate != Speculation::None
            || record_lazy_execs.is_some()
    }

    fn check(&self) -> Result<(), &'static str> {
        if self.wants_dylibs() && !self.options.harness.is_empty() {
            return Err("-harness wants one link of everything: no -jd, -lazy and the like");
        }
        let Options { noexec, slab_allocate, slab_address, slab_page_size, .. } = &self.options;
        let pretends = *noexec && slab_allocate.is_some();
        if slab_address.is_some() && !pretends {
            return Err("-slab-address wants -slab-allocate and -noexec");
        }
        if slab_page_size.is_some() && !pretends {
            return Err("-slab-page-size wants -slab-allocate and -noexec");
        }
        if self.options.dual_map && slab_allocate.is_some() {
            return Err("-dual-map and -slab-allocate exclude each other");
        }
        Ok(())
    }

    /// The program's `argv`.
    pub(crate) fn argv(&self) -> Vec<CString> {
        if let Some(args) = &self.options.args {
            return args.iter().map(c_string).collect();
        }
        let name = self.inputs.first().map_or_else(|| "jitlink".into(), |input| input.name().to_owned());
        std::iter::once(&name).chain(&self.options.program_args).map(c_string).collect()
    }
}

impl Options {
    /// The function to run, in the spelling of the objects.
    pub(crate) fn entry(&self, spelling: Spelling) -> String {
        self.entry.clone().unwrap_or_else(|| spelling.symbol("main"))
    }

    /// Whether debuggers are told about objects.
    pub(crate) fn debugger(&self) -> bool {
        !self.no_debugger_support
    }

    /// Whether crashes are reported.
    pub(crate) fn crash_report(&self) -> bool {
        !self.no_crash_report
    }

    /// The graphs to be printed.
    pub(crate) fn graphs(&self) -> Option<GraphRequest> {
        if self.show_graphs.is_none() && self.graph.is_none() {
            return None;
        }
        let pattern = self.show_graphs.clone().unwrap_or_default();
        Some(GraphRequest { pattern, format: self.graph.unwrap_or(GraphFormat::Text) })
    }
}

/// A word of the command line as C sees it. The operating system lets no zero byte through.
fn c_string(word: &OsString) -> CString {
    let mut bytes = word.clone().into_vec();
    bytes.retain(|&byte| byte != 0);
    CString::new(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests;
