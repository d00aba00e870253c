//! What the text and the dot dump share: names made printable, and entities in the order in which people look for them.

use super::{BlockId, LinkGraph, Linkage, Permissions, Scope, SectionId, Symbol, SymbolId, SymbolKind};
use std::fmt::{self, Display, Formatter, Write};

/// A name as text of one line: control characters and bytes that are not UTF-8 as escapes.
pub(super) struct Printable<'a>(pub(super) &'a [u8]);

impl Display for Printable<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                match c {
                    '\\' => f.write_str("\\\\")?,
                    c if c.is_control() => write!(f, "{}", c.escape_default())?,
                    c => f.write_char(c)?,
                }
            }
            write!(f, "{}", chunk.invalid().escape_ascii())?;
        }
        Ok(())
    }
}

/// How a symbol is called where it is referred to: by its name, or by the place it stands for.
pub(super) struct Reference<'a>(pub(super) &'a LinkGraph<'a>, pub(super) SymbolId);

impl Display for Reference<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(graph, id) = *self;
        let name = graph.symbol_name(id);
        let Some(symbol) = graph.symbols.get(id.index()) else { return write!(f, "{id:?} (missing)") };
        if !name.is_empty() {
            return Printable(name).fmt(f);
        }
        match symbol.place() {
            Some((block, offset)) => {
                let section =
                    graph.blocks.get(block.index()).and_then(|block| graph.section_name(block.section));
                write!(f, "{} {block:?}+{offset:#x}", Printable(section.unwrap_or(b"?")))
            }
            None if symbol.kind == SymbolKind::Absolute => write!(f, "{:#x}", symbol.value),
            None => write!(f, "{id:?}"),
        }
    }
}

/// What can be said of a symbol in words: `strong default callable`.
pub(super) struct Traits<'a>(pub(super) &'a Symbol);

impl Display for Traits<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0.linkage() {
            Linkage::Strong => "strong",
            Linkage::Weak => "weak",
        })?;
        f.write_str(match self.0.scope() {
            Scope::Default => " default",
            Scope::Protected => " protected",
            Scope::Hidden => " hidden",
            Scope::Local => " local",
        })?;
        write_flags(f, self.0.flags().iter_names().map(|(name, _)| name))
    }
}

/// Names of flags, in lower case, each after a space.
pub(super) fn write_flags<'a>(f: &mut Formatter<'_>, names: impl Iterator<Item = &'a str>) -> fmt::Result {
    names.into_iter().try_for_each(|name| write!(f, " {}", name.to_ascii_lowercase().replace('_', "-")))
}

/// Permissions as `ls` writes them: `r-x`.
pub(super) fn permissions(permissions: Permissions) -> String {
    let all = [(Permissions::READ, 'r'), (Permissions::WRITE, 'w'), (Permissions::EXECUTE, 'x')];
    all.map(|(flag, letter)| if permissions.contains(flag) { letter } else { '-' }).iter().collect()
}

impl LinkGraph<'_> {
    pub(super) fn section_name(&self, id: SectionId) -> Option<&[u8]> {
        self.sections.get(id.index()).map(|section| &*section.name)
    }

    /// Blocks by section, then in the order of their addresses.
    pub(super) fn blocks_in_order(&self) -> Vec<BlockId> {
        let mut blocks: Vec<_> =
            self.blocks().map(|(id, block)| (block.section, block.address, id)).collect();
        blocks.sort_unstable();
        blocks.into_iter().map(|(_, _, id)| id).collect()
    }

    /// Defined symbols by block, then in the order of their offsets.
    pub(super) fn definitions_in_order(&self) -> Vec<(BlockId, u64, SymbolId)> {
        let place =
            |(id, symbol): (SymbolId, &Symbol)| symbol.place().map(|(block, offset)| (block, offset, id));
        let mut definitions: Vec<_> = self.symbols().filter_map(place).collect();
        definitions.sort_unstable();
        definitions
    }

    /// Symbols of one kind by name.
    pub(super) fn symbols_by_name(&self, kind: SymbolKind) -> Vec<SymbolId> {
        let of_kind = self.symbols().filter(|(_, symbol)| symbol.kind == kind);
        let mut symbols: Vec<_> = of_kind.map(|(id, _)| id).collect();
        symbols.sort_by_key(|&id| self.symbol_name(id));
        symbols
    }
}

/// The definitions of one block, out of all of them in order.
pub(super) fn definitions_of(
    all: &[(BlockId, u64, SymbolId)],
    block: BlockId,
) -> &[(BlockId, u64, SymbolId)] {
    let start = all.partition_point(|&(own, ..)| own < block);
    let count = all[start..].partition_point(|&(own, ..)| own == block);
    &all[start..start + count]
}
