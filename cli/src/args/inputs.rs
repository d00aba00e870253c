//! What is linked, in the order of the command line.

use jitlink::inputs::{Input, Members, Origin};
use std::ffi::{OsStr, OsString};

/// A word, or an option with its value, whose place among the others matters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// Something to link.
    Input { value: OsString, library: bool, hidden: bool, weak: bool },
    /// Whether all members of archives that follow are linked.
    Whole(bool),
    /// What follows belongs to this dylib.
    Dylib(String),
    /// The next input is lazy.
    Lazy,
    /// An alias, whose text is among the options.
    Alias,
}

impl Step {
    /// A word that is no option.
    pub(super) fn file(value: OsString) -> Self {
        Self::Input { value, library: false, hidden: false, weak: false }
    }

    /// Whether an option whose place matters takes a value; none for all others.
    pub(super) fn takes_value(name: &str) -> Option<bool> {
        match name {
            "lazy" | "whole-archive" | "no-whole-archive" => Some(false),
            "l" | "hidden-l" | "load_hidden" | "weak-l" | "weak_library" | "jd" => Some(true),
            _ => None,
        }
    }

    /// A flag, if its place matters.
    pub(super) fn flag(name: &str) -> Option<Self> {
        match name {
            "lazy" => Some(Self::Lazy),
            "whole-archive" => Some(Self::Whole(true)),
            "no-whole-archive" => Some(Self::Whole(false)),
            _ => None,
        }
    }

    /// An option with a value, if its place matters and the value is one that it can have.
    pub(super) fn valued(name: &str, value: &OsStr) -> Option<Self> {
        let (library, hidden, weak) = match name {
            "l" => (true, false, false),
            "hidden-l" => (true, true, false),
            "load_hidden" => (false, true, false),
            "weak-l" => (true, false, true),
            "weak_library" => (false, false, true),
            "jd" => return value.to_str().map(|name| Self::Dylib(name.to_owned())),
            _ => return None,
        };
        let possible = !value.is_empty() && (!library || value.to_str().is_some());
        possible.then(|| Self::Input { value: value.to_owned(), library, hidden, weak })
    }
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
pub(super) fn in_order(steps: Vec<Step>, all_load: bool) -> (Vec<Input>, Dylibs) {
    let mut whole = false;
    let mut inputs = Vec::new();
    let mut dylibs = Dylibs { names: vec![MAIN.to_owned()], ..Dylibs::default() };
    let (mut dylib, mut lazy) = (0, false);
    for step in steps {
        match step {
            Step::Whole(now) => whole = now,
            Step::Lazy => lazy = true,
            Step::Alias => dylibs.aliases.push(dylib),
            Step::Dylib(name) => {
                let known = dylibs.names.iter().position(|known| *known == name);
                dylib = known.unwrap_or(dylibs.names.len());
                if known.is_none() {
                    dylibs.names.push(name);
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
