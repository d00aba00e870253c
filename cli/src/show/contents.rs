//! `-show-relocated-section-contents`.

use super::print;
use jitlink::base::AddrRange;
use jitlink::graph::{LinkGraph, SectionId};
use jitlink::link::LinkView;
use std::fmt::Write;

/// Bytes on one line.
const ROW: u64 = 16;

/// Prints the bytes of every section of every file, as they are after fixup.
pub(crate) fn contents(view: &LinkView<'_, '_>) {
    for (index, graph) in view.graphs().iter().enumerate() {
        let mut text = format!("Relocated section contents for {}:\n", graph.name());
        for (id, section) in graph.sections() {
            _ = writeln!(text, "{} content:", section.display_name());
            write_section(&mut text, view, index, graph, id);
        }
        print(&text);
    }
}

fn write_section(
    text: &mut String,
    view: &LinkView<'_, '_>,
    index: usize,
    graph: &LinkGraph<'_>,
    section: SectionId,
) {
    let ranges = graph.blocks_in(section).filter_map(|(id, block)| {
        let range = view.block_range(index, id).filter(|range| !range.is_empty())?;
        Some((range, block.is_zero_fill()))
    });
    let mut ranges: Vec<(AddrRange, bool)> = ranges.collect();
    ranges.sort_by_key(|(range, _)| range.start);
    if ranges.is_empty() {
        text.push_str("  section empty\n");
    }
    let mut row = None;
    for (range, zero_fill) in ranges {
        if zero_fill {
            row = None;
            _ = writeln!(text, "{:#x}: zero-fill, {} bytes", range.start, range.size());
        } else if let Some(bytes) = view.bytes_at(range.start) {
            let size = usize::try_from(range.size()).unwrap_or(usize::MAX);
            write_bytes(text, range.start.0, bytes.get(..size).unwrap_or(bytes), &mut row);
        }
    }
}

/// Writes bytes in rows that start at multiples of 16; `row` is the address after the last byte written.
fn write_bytes(text: &mut String, start: u64, bytes: &[u8], row: &mut Option<u64>) {
    for (address, byte) in (start..).zip(bytes) {
        let base = address - address % ROW;
        let from = match *row {
            Some(next) if next <= address && next > base => next,
            Some(next) if next == base && base != address => base,
            _ => {
                if !text.ends_with('\n') {
                    text.push('\n');
                }
                _ = write!(text, "{base:#x}:");
                base
            }
        };
        (from..address).for_each(|_| text.push_str("   "));
        _ = write!(text, " {byte:02x}");
        *row = Some(address + 1).filter(|next| next % ROW != 0);
    }
    if !text.ends_with('\n') {
        text.push('\n');
        *row = None;
    }
}
