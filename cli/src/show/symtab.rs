//! `-write-symtab`: for each file its name in quotes, then the addresses and names of its symbols, one a line.

use super::{print, symbols};
use jitlink::base::{Error, Result};
use jitlink::link::LinkView;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Whether a table was written before.
static STARTED: AtomicBool = AtomicBool::new(false);

/// Writes the symbol table to `path`, or to standard output for `-`; that of a further link is added to it.
pub(crate) fn write_symtab(view: &LinkView<'_, '_>, path: &Path) -> Result<()> {
    let text = text(view);
    if path.as_os_str() == "-" {
        print(&text);
        return Ok(());
    }
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    if !STARTED.swap(true, Relaxed) {
        options.append(false).write(true).truncate(true);
    }
    let written = options.open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| Error::io(path.display().to_string(), error))
}

fn text(view: &LinkView<'_, '_>) -> String {
    let mut text = String::new();
    for (index, graph) in view.graphs().iter().enumerate() {
        let symbols = symbols(view, index);
        if symbols.is_empty() {
            continue;
        }
        _ = writeln!(text, "\"{}\"", graph.name());
        for (address, _, name) in symbols {
            _ = writeln!(text, "{address:#x} {}", String::from_utf8_lossy(name));
        }
    }
    text
}
