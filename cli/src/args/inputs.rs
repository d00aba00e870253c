//! What is linked, in the order of the command line.

use clap::ArgMatches;
use jitlink::inputs::{Input, Members, Origin};
use std::ffi::OsStr;

enum Step<'a> {
    Input { value: &'a OsStr, library: bool, hidden: bool, weak: bool },
    Whole(bool),
    Dylib(&'a OsStr),
    Lazy,
    Alias,
}

/// The name of the dylib that inputs belong to unless `-jd` says otherwise.
pub(crate) const MAIN: &str = "main";

/// The dylib of what this process exports.
pub(crate) const PROCESS: &str = "<process>";

/// What is said of an input besides where it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Placement {
    /// The dylib it belongs to, as an index.
    pub(crate) dylib: usize,
    /// Whether its functions are linked when they are first called.
    pub(crate) lazy: bool,
    /// Whether it may be missing.
    pub(crate) weak: bool,
}

/// Dylibs, and what belongs to them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Dylibs {
    /// Their names; `main` first.
    pub(crate) names: Vec<String>,
    /// One for each input.
    pub(crate) placements: Vec<Placement>,
    /// For each alias the dylib it is defined in.
    pub(crate) aliases: Vec<usize>,
}

/// The inputs in their order, each with the switches that hold for it.
pub(super) fn in_order(matches: &ArgMatches, all_load: bool) -> (Vec<Input>, Dylibs) {
    let mut steps: Vec<(usize, Step<'_>)> = Vec::new();
    for (id, library, hidden, weak) in [
        ("files", false, false, false),
        ("libraries", true, false, false),
        ("hidden_libraries", true, true, false),
        ("hidden_files", false, true, false),
        ("weak_libraries", true, false, true),
        ("weak_files", false, false, true),
    ] {
        let step = |(at, value)| (at, Step::Input { value, library, hidden, weak });
        steps.extend(values(matches, id).map(step));
    }
    steps.extend(values(matches, "jd").map(|(at, name)| (at, Step::Dylib(name))));
    steps.extend(values(matches, "lazy").map(|(at, _)| (at, Step::Lazy)));
    steps.extend(values(matches, "alias").map(|(at, _)| (at, Step::Alias)));
    for (id, whole) in [("whole_archive", true), ("no_whole_archive", false)] {
        steps.extend(values(matches, id).map(|(at, _)| (at, Step::Whole(whole))));
    }
    steps.sort_by_key(|(at, _)| *at);
    let mut whole = false;
    let mut inputs = Vec::new();
    let mut dylibs = Dylibs { names: vec![MAIN.to_owned()], ..Dylibs::default() };
    let (mut dylib, mut lazy) = (0, false);
    for (_, step) in steps {
        match step {
            Step::Whole(now) => whole = now,
            Step::Lazy => lazy = true,
            Step::Alias => dylibs.aliases.push(dylib),
            Step::Dylib(name) => {
                let name = name.to_string_lossy();
                let known = dylibs.names.iter().position(|known| *known == name);
                dylib = known.unwrap_or(dylibs.names.len());
                if known.is_none() {
                    dylibs.names.push(name.into_owned());
                }
            }
            Step::Input { value, library, hidden, weak } => {
                dylibs.placements.push(Placement { dylib, lazy, weak });
                lazy = false;
                let origin = match value.to_str().filter(|_| library) {
                    Some(name) => Origin::Library(name.to_owned()),
                    None => Origin::File(value.into()),
                };
                let members = if whole || all_load { Members::All } else { Members::Needed };
                inputs.push(Input { origin, members, hidden });
            }
        }
    }
    (inputs, dylibs)
}

/// The values of an option with their positions among all words.
fn values<'a>(matches: &'a ArgMatches, id: &str) -> impl Iterator<Item = (usize, &'a OsStr)> {
    let positions = matches.indices_of(id).into_iter().flatten();
    positions.zip(matches.get_raw(id).into_iter().flatten())
}
