//! What is linked, in the order of the command line.

use clap::ArgMatches;
use jitlink::inputs::{Input, Members, Origin};
use std::ffi::OsStr;

enum Step<'a> {
    Input { value: &'a OsStr, library: bool, hidden: bool },
    Whole(bool),
}

/// The inputs in their order, each with the switches that hold for it.
pub(super) fn in_order(matches: &ArgMatches, all_load: bool) -> Vec<Input> {
    let mut steps: Vec<(usize, Step<'_>)> = Vec::new();
    for (id, library, hidden) in [
        ("files", false, false),
        ("libraries", true, false),
        ("hidden_libraries", true, true),
        ("hidden_files", false, true),
    ] {
        steps.extend(values(matches, id).map(|(at, value)| (at, Step::Input { value, library, hidden })));
    }
    for (id, whole) in [("whole_archive", true), ("no_whole_archive", false)] {
        steps.extend(values(matches, id).map(|(at, _)| (at, Step::Whole(whole))));
    }
    steps.sort_by_key(|(at, _)| *at);
    let mut whole = false;
    let mut inputs = Vec::new();
    for (_, step) in steps {
        match step {
            Step::Whole(now) => whole = now,
            Step::Input { value, library, hidden } => {
                let origin = match value.to_str().filter(|_| library) {
                    Some(name) => Origin::Library(name.to_owned()),
                    None => Origin::File(value.into()),
                };
                let members = if whole || all_load { Members::All } else { Members::Needed };
                inputs.push(Input { origin, members, hidden });
            }
        }
    }
    inputs
}

/// The values of an option with their positions among all words.
fn values<'a>(matches: &'a ArgMatches, id: &str) -> impl Iterator<Item = (usize, &'a OsStr)> {
    let positions = matches.indices_of(id).into_iter().flatten();
    positions.zip(matches.get_raw(id).into_iter().flatten())
}
