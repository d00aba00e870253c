//! The linked image as check expressions see it.

use crate::check::{Arch, Content, LinkedImage, SymbolInfo};
use jitlink::base::ExecutorAddr;
use jitlink::graph::{LinkGraph, Scope, SectionId, SymbolId, SymbolKind};
use jitlink::link::LinkView;
use std::collections::HashMap;

/// A [`LinkView`] with its symbols by name.
#[derive(Debug)]
pub(crate) struct ViewImage<'a, 'data> {
    view: &'a LinkView<'a, 'data>,
    definitions: HashMap<&'a [u8], (usize, SymbolId)>,
}

impl<'a, 'data> ViewImage<'a, 'data> {
    pub(crate) fn new(view: &'a LinkView<'a, 'data>) -> Self {
        let mut definitions = HashMap::new();
        for (index, graph) in view.graphs().iter().enumerate() {
            for (id, symbol) in graph.symbols() {
                let Some((block, _)) = symbol.place().filter(|(block, _)| view.is_live(index, *block)) else {
                    continue;
                };
                let name = graph.symbol_name(id);
                if name.is_empty() || graph.block(block).size() < symbol.value() {
                    continue;
                }
                if symbol.scope() == Scope::Local {
                    definitions.entry(name).or_insert((index, id));
                } else {
                    definitions.insert(name, (index, id));
                }
            }
        }
        Self { view, definitions }
    }

    /// The graphs of `file`: its base name, or a member's own name within an archive.
    fn graphs_of<'s>(&'s self, file: &'s str) -> impl Iterator<Item = (usize, &'s LinkGraph<'data>)> + 's {
        self.view.graphs().iter().enumerate().filter(move |(_, graph)| is_called(graph.name(), file))
    }

    fn in_file<T>(
        &self,
        file: &str,
        what: &str,
        mut find: impl FnMut(usize, &LinkGraph<'data>) -> Option<T>,
    ) -> Result<T, String> {
        let mut known = false;
        for (index, graph) in self.graphs_of(file) {
            known = true;
            if let Some(found) = find(index, graph) {
                return Ok(found);
            }
        }
        Err(if known { format!("no {what} in '{file}'") } else { format!("no file '{file}' was linked") })
    }

    /// What `entry` says of the symbols of that name in one graph.
    fn entry_of(
        graph: &LinkGraph<'_>,
        name: &str,
        entry: impl Fn(SymbolId) -> Option<ExecutorAddr>,
    ) -> Option<u64> {
        let is_named = |(id, _): &(SymbolId, _)| graph.symbol_name(*id) == name.as_bytes();
        graph.symbols().filter(is_named).find_map(|(id, _)| entry(id)).map(|address| address.0)
    }

    fn content(&self, graph: usize, symbol: SymbolId, address: ExecutorAddr) -> Content<'a> {
        let owner = &self.view.graphs()[graph];
        let Some((block, offset)) = owner.symbol(symbol).place() else { return Content::Absent };
        let block = owner.block(block);
        if block.is_zero_fill() {
            return Content::ZeroFill;
        }
        let left = usize::try_from(block.size().saturating_sub(offset)).unwrap_or(usize::MAX);
        match self.view.bytes_at(address) {
            Some(bytes) => Content::Bytes(bytes.get(..left).unwrap_or(bytes)),
            None => Content::Absent,
        }
    }

    fn byte(&self, address: ExecutorAddr) -> Option<u8> {
        let content = self.view.bytes_at(address).and_then(|bytes| bytes.first().copied());
        content.or_else(|| self.view.is_zero_fill(address).then_some(0))
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

impl LinkedImage for ViewImage<'_, '_> {
    fn arch(&self) -> Arch {
        self.view.graphs().first().map_or(Arch::host(), LinkGraph::architecture)
    }

    fn symbol(&self, name: &str) -> Option<SymbolInfo<'_>> {
        if let Some(&(graph, symbol)) = self.definitions.get(name.as_bytes()) {
            let address = self.view.symbol_address(graph, symbol)?;
            return Some(SymbolInfo { address: address.0, content: self.content(graph, symbol, address) });
        }
        let known = self.view.lookup(name.as_bytes()).or_else(|| {
            let mut graphs = self.view.graphs().iter();
            graphs.find_map(|graph| {
                let is_it = |(id, symbol): &(SymbolId, &jitlink::graph::Symbol)| {
                    symbol.kind() == SymbolKind::Absolute && graph.symbol_name(*id) == name.as_bytes()
                };
                graph.symbols().find(is_it).map(|(_, symbol)| ExecutorAddr(symbol.value()))
            })
        })?;
        Some(SymbolInfo { address: known.0, content: Content::Absent })
    }

    fn read(&self, address: u64, size: usize) -> Option<u64> {
        (0..size as u64).rev().try_fold(0, |value: u64, index| {
            let byte = self.byte(ExecutorAddr(address.checked_add(index)?))?;
            Some(value << 8 | u64::from(byte))
        })
    }

    fn stub_addr(&self, file: &str, symbol: &str, kind: Option<&str>) -> Result<u64, String> {
        if let Some(kind) = kind {
            return Err(format!("no stubs of kind '{kind}' on this architecture"));
        }
        self.in_file(file, &format!("PLT entry for '{symbol}'"), |index, graph| {
            Self::entry_of(graph, symbol, |id| self.view.plt_entry(index, id))
        })
    }

    fn got_addr(&self, file: &str, symbol: &str) -> Result<u64, String> {
        self.in_file(file, &format!("GOT entry for '{symbol}'"), |index, graph| {
            Self::entry_of(graph, symbol, |id| self.view.got_entry(index, id))
        })
    }

    fn section_addr(&self, file: &str, section: &str) -> Result<u64, String> {
        let range = |index: usize, graph: &LinkGraph<'_>, name: &str| {
            let sections = graph.sections().filter(|(_, section)| *section.name == *name.as_bytes());
            let ids: Vec<SectionId> = sections.map(|(id, _)| id).collect();
            ids.into_iter().find_map(|id| self.view.section_range(index, id))
        };
        let what = format!("section '{section}' with memory");
        let found = self.in_file(file, &what, |index, graph| {
            range(index, graph, section).or_else(|| {
                let last = self.view.graphs().len().checked_sub(1)?;
                range(last, &self.view.graphs()[last], section_name(section)?)
            })
        });
        found.map(|range| range.start.0)
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
