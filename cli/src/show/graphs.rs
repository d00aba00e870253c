//! `-show-graphs`.

use super::print;
use crate::args::GraphFormat;
use jitlink::link::LinkView;
use regex::bytes::Regex;

/// Prints the graphs whose names match.
pub(crate) fn graphs(view: &LinkView<'_, '_>, pattern: &Regex, format: GraphFormat) {
    for graph in view.graphs().iter().filter(|graph| pattern.is_match(graph.name().as_bytes())) {
        match format {
            GraphFormat::Text => {
                print(&format!("Link graph \"{}\" post-fixup:\n{}\n", graph.name(), graph.dump()));
            }
            GraphFormat::Dot => print(&graph.dot().to_string()),
        }
    }
}
