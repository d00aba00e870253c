//! `--stats`.

use crate::report::print;
use jitlink::link::LinkStats;

/// Prints counts of what was linked.
pub(crate) fn stats(stats: &LinkStats) {
    let lines = [
        (stats.objects as u64, "objects"),
        (stats.names as u64, "names"),
        (stats.edges, "edges of live blocks"),
        (stats.got_entries as u64, "GOT entries"),
        (stats.plt_entries as u64, "PLT entries"),
        (stats.detours as u64, "veneers and hops"),
        (stats.relaxed, "instructions relaxed"),
        (stats.content_bytes, "bytes of content"),
        (stats.zero_fill_bytes, "bytes of zero-fill"),
    ];
    print(&lines.iter().map(|(count, what)| format!("{count:12} {what}\n")).collect::<String>());
}
