//! Graphs as Graphviz dot: one cluster per section, one node per block with its symbols, one arrow per pair of block and
//! target for each edge kind.

use super::text::{Printable, Reference, definitions_of, permissions};
use super::{BlockId, LinkGraph, SymbolId, SymbolKind};
use std::fmt::{self, Display, Formatter, Write};

/// A graph to be shown as Graphviz dot.
#[derive(Clone, Copy, Debug)]
pub struct Dot<'graph>(&'graph LinkGraph<'graph>);

impl LinkGraph<'_> {
    /// The graph as Graphviz dot: `dot -Tsvg` draws it.
    #[must_use]
    pub fn dot(&self) -> Dot<'_> {
        Dot(self)
    }
}

impl Display for Dot<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let graph = self.0;
        writeln!(f, "digraph \"{}\" {{", Quoted(Printable(graph.name.as_bytes())))?;
        f.write_str("  rankdir=LR;\n  node [shape=box, fontname=monospace];\n")?;
        write_sections(f, graph)?;
        write_elsewhere(f, graph)?;
        write_edges(f, graph)?;
        f.write_str("}\n")
    }
}

/// Text inside a quoted dot string: a label shows it as it is.
struct Quoted<T>(T);

impl<T: Display> Display for Quoted<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(Escaper(f), "{}", self.0)
    }
}

struct Escaper<'a, 'f>(&'a mut Formatter<'f>);

impl Write for Escaper<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                // Labels know HTML's entities.
                '&' => self.0.write_str("&amp;")?,
                '"' | '\\' => write!(self.0, "\\{c}")?,
                c => self.0.write_char(c)?,
            }
        }
        Ok(())
    }
}

fn write_sections(f: &mut Formatter<'_>, graph: &LinkGraph<'_>) -> fmt::Result {
    let definitions = graph.definitions_in_order();
    let blocks = graph.blocks_in_order();
    for (id, section) in graph.sections() {
        let name = Quoted(Printable(&section.name));
        writeln!(f, "  subgraph cluster_{} {{", id.0)?;
        writeln!(f, "    label=\"{name} {}\";", permissions(section.permissions))?;
        let start = blocks.partition_point(|&block| graph.block(block).section < id);
        for &block in blocks[start..].iter().take_while(|&&block| graph.block(block).section == id) {
            write_block(f, graph, block, definitions_of(&definitions, block))?;
        }
        f.write_str("  }\n")?;
    }
    Ok(())
}

fn write_block(
    f: &mut Formatter<'_>,
    graph: &LinkGraph<'_>,
    id: BlockId,
    definitions: &[(BlockId, u64, SymbolId)],
) -> fmt::Result {
    let block = graph.block(id);
    let style = if block.is_zero_fill() { ", style=dashed" } else { "" };
    write!(f, "    block{} [label=\"{id:?} {} size {:#x}\\l", id.0, block.address, block.size)?;
    for &(_, offset, symbol) in definitions {
        if !graph.symbol_name(symbol).is_empty() {
            write!(f, "{} +{offset:#x}\\l", Quoted(Reference(graph, symbol)))?;
        }
    }
    writeln!(f, "\"{style}];")
}

/// Nodes for targets that are in no block.
fn write_elsewhere(f: &mut Formatter<'_>, graph: &LinkGraph<'_>) -> fmt::Result {
    let shapes = [
        (SymbolKind::Absolute, "diamond"),
        (SymbolKind::Common, "cylinder"),
        (SymbolKind::External, "ellipse"),
        (SymbolKind::Discarded, "octagon"),
    ];
    for (kind, shape) in shapes {
        for id in graph.symbols_by_name(kind) {
            let name = Quoted(Reference(graph, id));
            writeln!(f, "  symbol{} [shape={shape}, label=\"{name}\"];", id.0)?;
        }
    }
    Ok(())
}

fn write_edges(f: &mut Formatter<'_>, graph: &LinkGraph<'_>) -> fmt::Result {
    let mut arrows = Vec::new();
    for (block, _) in graph.blocks() {
        arrows.clear();
        arrows.extend(graph.edges(block).map(|edge| (node_of(graph, edge.target), edge.kind)));
        arrows.sort_unstable();
        for same in arrows.chunk_by(|a, b| a == b) {
            let (target, kind) = same[0];
            write!(f, "  block{} -> {target} [label=\"{}", block.0, Quoted(graph.kind_facts(kind).name))?;
            match same.len() {
                1 => f.write_str("\"];\n")?,
                count => writeln!(f, " \u{d7}{count}\"];")?,
            }
        }
    }
    Ok(())
}

/// The node that an edge to a symbol points at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Node {
    Block(BlockId),
    Symbol(SymbolId),
}

impl Display for Node {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Block(id) => write!(f, "block{}", id.0),
            Self::Symbol(id) => write!(f, "symbol{}", id.0),
        }
    }
}

fn node_of(graph: &LinkGraph<'_>, target: SymbolId) -> Node {
    let place = graph.symbols.get(target.index()).and_then(|symbol| symbol.place());
    place.map_or(Node::Symbol(target), |(block, _)| Node::Block(block))
}

#[cfg(test)]
mod tests {
    use crate::graph::testing::varied_graph;

    /// `dot -Tsvg` takes this, and shows the odd names as [`Dump`](crate::graph::Dump) writes them.
    const DRAWN: &str = r#"digraph "test.o" {
  rankdir=LR;
  node [shape=box, fontname=monospace];
  subgraph cluster_0 {
    label=".text r-x";
    block0 [label="block0 0x0000000000000100 size 0x20\lf +0x0\lg +0x10\l"];
  }
  subgraph cluster_1 {
    label=".bss rw-";
    block1 [label="block1 0x0000000000000000 size 0x40\l", style=dashed];
  }
  subgraph cluster_2 {
    label="a{b|\\\\&amp; r--";
  }
  symbol4 [shape=diamond, label="page\\n\"size\""];
  symbol5 [shape=cylinder, label="buf\\xff"];
  symbol2 [shape=ellipse, label="puts"];
  block0 -> block1 [label="QUAD"];
  block0 -> symbol2 [label="WORD ×2"];
}
"#;

    #[test]
    fn draws_clusters_nodes_and_arrows() {
        assert_eq!(varied_graph().dot().to_string(), DRAWN);
    }
}
