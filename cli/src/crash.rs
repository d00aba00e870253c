//! What is said when the program crashes: the frames of its stack, with what is linked here by name.
//!
//! Lines begin as LLVM's do, so that `-symbolicate-with` finds addresses that have no name here.

use crate::args::Options;
use jitlink::base::ExecutorAddr;
use jitlink::debug::Location;
use jitlink::host;
use jitlink::runtime::crash::{self, Crash};
use jitlink::session::ExecutionSession;
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::OnceLock;

/// Whose code runs.
static SESSION: OnceLock<ExecutionSession> = OnceLock::new();

/// Has crashes reported, if the options do not say otherwise.
pub(crate) fn install(options: &Options) {
    if !options.noexec && options.crash_report() {
        crash::install(report);
    }
}

/// Names the code of this session in reports. It is not dropped before the process ends.
pub(crate) fn set_session(session: &ExecutionSession) {
    // There is one session in a run.
    let _ = SESSION.set(session.clone());
}

fn report(crash: &Crash) {
    crate::report::print(&text(crash));
}

fn text(crash: &Crash) -> String {
    let mut known: HashMap<u64, Option<Location>> = HashMap::new();
    let mut locate = |address: ExecutorAddr| {
        let find =
            || SESSION.get().map_or_else(|| host::symbolize(address), |session| session.symbolize(address));
        known.entry(address.0).or_insert_with(find).clone()
    };
    let frames: Vec<_> =
        crash.instructions().map(|(shown, within)| (shown, within, locate(within))).collect();
    // What called the program is of no interest.
    let end =
        frames.iter().rposition(|(.., location)| location.is_some()).map_or(frames.len(), |last| last + 1);
    let mut text = format!("error: the program is ended by {}\n", crash.signal_name());
    for (depth, (shown, within, location)) in frames[..end].iter().enumerate() {
        _ = write!(text, "{:>3} {:#018x}", format!("#{depth}"), shown.0);
        match location {
            Some(location) => {
                let offset = location.offset + (shown.0 - within.0);
                add_location(&mut text, &Location { offset, ..location.clone() });
            }
            None => add_host_function(&mut text, *within),
        }
        text.push('\n');
    }
    text
}

/// Calls of functions that were inlined stand on lines of their own.
fn add_location(text: &mut String, location: &Location) {
    _ = write!(text, " {location}");
    for pair in location.source.windows(2) {
        _ = write!(text, "\n       {} inlined at {}", pair[0].function, pair[1]);
    }
}

fn add_host_function(text: &mut String, address: ExecutorAddr) {
    match crash::host_function(address) {
        Some((name, file)) if name.is_empty() => _ = write!(text, " ({file})"),
        Some((name, file)) => _ = write!(text, " {name} ({file})"),
        None => {}
    }
}
