//! The linked images as check expressions see them: what is asked for may lie in several that are linked one by one.

use super::{Arch, Content, LinkedImage, SymbolInfo};
use jitlink::base::{AddrRange, ExecutorAddr};
use jitlink::graph::{LinkGraph, Scope, SymbolId, SymbolKind};
use jitlink::link::LinkView;
use std::collections::HashMap;

/// The images linked so far, as check expressions see them.
#[derive(Debug, Default)]
pub(crate) struct CheckedImages {
    arch: Option<Arch>,
    symbols: HashMap<Vec<u8>, Symbol>,
    files: Vec<File>,
    runs: Vec<(AddrRange, Option<Vec<u8>>)>,
}

#[derive(Clone, Copy, Debug)]
struct Symbol {
    address: ExecutorAddr,
    /// Where its block ends; none if it is in no block.
    end: Option<u64>,
    rank: Rank,
}

/// Which symbol a name stands for: the highest, and of equals the first, or the last of globals.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Rank {
    Elsewhere,
    Local,
    Global,
}

/// An object, and what is its own in the image.
#[derive(Debug)]
struct File {
    name: String,
    sections: HashMap<Vec<u8>, AddrRange>,
    got: HashMap<Vec<u8>, ExecutorAddr>,
    plt: HashMap<Vec<u8>, ExecutorAddr>,
}

impl CheckedImages {
    /// Adds an image, whose working memory is final.
    pub(crate) fn add(&mut self, view: &LinkView<'_, '_>) {
        let graphs = view.graphs();
        self.arch = self.arch.or(graphs.first().map(LinkGraph::architecture));
        for (index, graph) in graphs.iter().enumerate() {
            self.add_symbols(view, index, graph);
            self.add_blocks(view, index, graph);
        }
        let Some((entries, objects)) = graphs.split_last() else { return };
        let of_image = sections(view, objects.len(), entries);
        self.files.extend(objects.iter().enumerate().map(|(index, graph)| {
            let mut file = file(view, index, graph);
            for (name, range) in &of_image {
                file.sections.entry(name.clone()).or_insert(*range);
            }
            file
        }));
    }

    fn add_symbols(&mut self, view: &LinkView<'_, '_>, index: usize, graph: &LinkGraph<'_>) {
        for (id, symbol) in graph.symbols() {
            let name = graph.symbol_name(id);
            let place = symbol.place().filter(|(block, _)| view.is_live(index, *block));
            let found = match place {
                Some((block, offset)) => view.symbol_address(index, id).map(|address| {
                    let left = graph.block(block).size().saturating_sub(offset);
                    let rank = if symbol.scope() == Scope::Local { Rank::Local } else { Rank::Global };
                    Symbol { address, end: Some(address.0.saturating_add(left)), rank }
                }),
                None if symbol.kind() == SymbolKind::Absolute => {
                    Some(elsewhere(ExecutorAddr(symbol.value())))
                }
                None => view.lookup(name).map(elsewhere),
            };
            let Some(symbol) = found.filter(|_| !name.is_empty()) else { continue };
            let known = self.symbols.get(name).map(|known| known.rank);
            if known.is_none_or(|known| known < symbol.rank || symbol.rank == Rank::Global) {
                self.symbols.insert(name.to_vec(), symbol);
            }
        }
    }

    fn add_blocks(&mut self, view: &LinkView<'_, '_>, index: usize, graph: &LinkGraph<'_>) {
        for (id, block) in graph.blocks() {
            let Some(range) = view.block_range(index, id).filter(|range| !range.is_empty()) else { continue };
            let size = usize::try_from(range.size()).unwrap_or(usize::MAX);
            let bytes = if block.is_zero_fill() { None } else { view.bytes_at(range.start) };
            self.runs.push((range, bytes.map(|bytes| bytes[..size.min(bytes.len())].to_vec())));
        }
    }

    /// What `find` gives for a file of that name.
    fn in_file<T>(&self, file: &str, what: &str, find: impl Fn(&File) -> Option<T>) -> Result<T, String> {
        let mut called = self.files.iter().filter(|known| is_called(&known.name, file)).peekable();
        if called.peek().is_none() {
            return Err(format!("no file '{file}' was linked"));
        }
        called.find_map(find).ok_or_else(|| format!("no {what} in '{file}'"))
    }

    fn run(&self, address: u64) -> Option<&(AddrRange, Option<Vec<u8>>)> {
        self.runs.iter().find(|(range, _)| range.contains(ExecutorAddr(address)))
    }

    fn byte(&self, address: u64) -> Option<u8> {
        match self.run(address)? {
            (_, None) => Some(0),
            (range, Some(bytes)) => bytes.get((address - range.start.0) as usize).copied(),
        }
    }
}

/// A symbol that has an address and nothing else.
fn elsewhere(address: ExecutorAddr) -> Symbol {
    Symbol { address, end: None, rank: Rank::Elsewhere }
}

fn sections(view: &LinkView<'_, '_>, index: usize, graph: &LinkGraph<'_>) -> HashMap<Vec<u8>, AddrRange> {
    let range = |id| view.section_range(index, id);
    let named = graph.sections().filter_map(|(id, section)| Some((section.name.to_vec(), range(id)?)));
    named.collect()
}

fn file(view: &LinkView<'_, '_>, index: usize, graph: &LinkGraph<'_>) -> File {
    let entries = |entry: &dyn Fn(SymbolId) -> Option<ExecutorAddr>| {
        let of = |(id, _)| Some((graph.symbol_name(id).to_vec(), entry(id)?));
        graph.symbols().filter_map(of).collect()
    };
    File {
        name: graph.name().to_string(),
        sections: sections(view, index, graph),
        got: entries(&|id| view.got_entry(index, id)),
        plt: entries(&|id| view.plt_entry(index, id)),
    }
}

fn is_called(name: &str, file: &str) -> bool {
    let (container, member) = match name.strip_suffix(')').and_then(|rest| rest.rsplit_once('(')) {
        Some((container, member)) => (container, Some(member)),
        None => (name, None),
    };
    let start = container.rfind('/').map_or(0, |slash| slash + 1);
    name.get(start..) == Some(file) || member == Some(file)
}

/// The sections that LLVM's linker makes, by the names that the image has for them.
fn section_name(name: &str) -> Option<&'static str> {
    match name {
        "$__GOT" => Some(".got"),
        "$__STUBS" => Some(".plt"),
        _ => None,
    }
}

impl LinkedImage for CheckedImages {
    fn arch(&self) -> Arch {
        self.arch.unwrap_or(Arch::host())
    }

    fn symbol(&self, name: &str) -> Option<SymbolInfo<'_>> {
        let symbol = self.symbols.get(name.as_bytes())?;
        let content = match (symbol.end, self.run(symbol.address.0)) {
            (Some(end), Some((range, Some(bytes)))) => {
                let start = (symbol.address.0 - range.start.0) as usize;
                let left = end.saturating_sub(symbol.address.0) as usize;
                let bytes = bytes.get(start..).unwrap_or(&[]);
                Content::Bytes(bytes.get(..left).unwrap_or(bytes))
            }
            (Some(_), Some((_, None))) => Content::ZeroFill,
            _ => Content::Absent,
        };
        Some(SymbolInfo { address: symbol.address.0, content })
    }

    fn read(&self, address: u64, size: usize) -> Option<u64> {
        (0..size as u64).rev().try_fold(0, |value: u64, index| {
            Some(value << 8 | u64::from(self.byte(address.checked_add(index)?)?))
        })
    }

    fn stub_addr(&self, file: &str, symbol: &str, kind: Option<&str>) -> Result<u64, String> {
        if let Some(kind) = kind {
            return Err(format!("no stubs of kind '{kind}' on this architecture"));
        }
        let entry = |file: &File| file.plt.get(symbol.as_bytes()).map(|address| address.0);
        self.in_file(file, &format!("PLT entry for '{symbol}'"), entry)
    }

    fn got_addr(&self, file: &str, symbol: &str) -> Result<u64, String> {
        let entry = |file: &File| file.got.get(symbol.as_bytes()).map(|address| address.0);
        self.in_file(file, &format!("GOT entry for '{symbol}'"), entry)
    }

    fn section_addr(&self, file: &str, section: &str) -> Result<u64, String> {
        let name = section_name(section).unwrap_or(section).as_bytes();
        let start = |file: &File| file.sections.get(name).map(|range| range.start.0);
        self.in_file(file, &format!("section '{section}' with memory"), start)
    }
}

#[cfg(test)]
mod tests {
    use super::is_called;

    #[test]
    fn files_go_by_their_base_name_and_members_by_their_own() {
        for (name, file) in [
            ("a.o", "a.o"),
            ("dir/a.o", "a.o"),
            ("/x/libx.a(a.o)", "libx.a(a.o)"),
            ("/x/libx.a(a.o)", "a.o"),
            ("libx.a(d/a.o)", "d/a.o"),
        ] {
            assert!(is_called(name, file), "{name} {file}");
        }
        for (name, file) in [("ba.o", "a.o"), ("dir/a.o", "dir/a.o"), ("libx.a(a.o)", "libx.a"), ("a.o", "")]
        {
            assert!(!is_called(name, file), "{name} {file}");
        }
    }
}
