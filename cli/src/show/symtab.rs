//! `-write-symtab`: for each file its name in quotes, then the addresses and names of its symbols, one a line.

use super::{print, symbols};
use jitlink::base::{Error, Result};
use jitlink::link::LinkView;
use std::fmt::Write;
use std::path::Path;

/// Writes the symbol table to `path`, or to standard output for `-`.
pub(crate) fn write_symtab(view: &LinkView<'_, '_>, path: &Path) -> Result<()> {
    let text = text(view);
    if path.as_os_str() == "-" {
        print(&text);
        return Ok(());
    }
    std::fs::write(path, text).map_err(|error| Error::io(path.display().to_string(), error))
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
