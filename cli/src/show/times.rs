//! `-show-times`.

use crate::report::print;
use jitlink::link::LinkStats;
use std::fmt::Write;
use std::time::Duration;

/// Prints how long each phase took, and its share of the whole.
pub(crate) fn times(loading: Duration, stats: &LinkStats) {
    let phases = std::iter::once(("load", loading)).chain(stats.phases.iter().copied());
    let total: Duration = phases.clone().map(|(_, time)| time).sum();
    let mut text = String::from("time (ms)   share   phase\n");
    for (name, time) in phases.chain([("total", total)]) {
        let share = if total.is_zero() { 0.0 } else { 100.0 * time.as_secs_f64() / total.as_secs_f64() };
        _ = writeln!(text, "{:9.3}  {share:5.1}%   {name}", 1000.0 * time.as_secs_f64());
    }
    print(&text);
}
