//! What the batch asks of an object of any format: its global names first, its graph once they are resolved.

use super::elf::{self, ElfObject};
use super::macho::{self, MachObject, Subsections};
use crate::base::{Result, Warning};
use crate::graph::{
    Architecture, LinkGraph, Linkage, Scope, SectionRole, Spelling, Symbol, SymbolFlags, SymbolKind,
};
use std::borrow::Cow;
use std::sync::Arc;

/// What a global symbol contributes to the batch's table of names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum GlobalKind {
    Undefined,
    Defined,
    Common,
}

/// A global symbol as an object's symbol table has it.
#[derive(Clone, Debug)]
pub(crate) struct GlobalSymbol<'data> {
    /// Index in the object's symbol table.
    pub(crate) symbol: u32,
    pub(crate) name: Cow<'data, [u8]>,
    pub(crate) kind: GlobalKind,
    pub(crate) linkage: Linkage,
    pub(crate) scope: Scope,
    /// Section of a definition, to see whether it lost to another object's COMDAT group; 0 where it has none.
    pub(crate) section: u32,
}

/// How the batch resolved the names of one object: what its builder must know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resolution<'a> {
    /// For each symbol from the first global one on: its entry in the batch's table of names, or `u32::MAX`.
    pub(crate) ids: &'a [u32],
    /// For each of those: whether this object's definition is the one kept.
    pub(crate) wins: &'a dyn Wins,
    /// For each COMDAT group of the object: whether it is kept.
    pub(crate) kept_groups: &'a [bool],
}

/// How a definition stands in the batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Standing {
    /// It is the one kept.
    Wins,
    /// Another one is.
    Loses,
    /// Another one is, and that one is strong: two strong definitions contradict each other.
    LosesToStrong,
}

/// Tells how the definitions of one object stand.
pub(crate) trait Wins: std::fmt::Debug + Sync {
    fn standing(&self, id: u32, symbol: u32) -> Standing;
}

/// What a builder does beyond what the object says.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BuildOptions {
    /// Give debug sections blocks.
    pub(crate) keep_debug: bool,
}

/// Buffers that one thread reuses for every object it builds, and what it has to say about the last one.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// Block of each section, or one of the markers in `elf::build`.
    pub(crate) block_of_section: Vec<u32>,
    pub(crate) subsections: Subsections,
    pub(crate) findings: Findings,
}

/// What building finds out about objects besides their graphs.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Strong definitions that another strong one beat: the object, and the name's id.
    pub(crate) duplicates: Vec<(Arc<str>, u32)>,
    pub(crate) warnings: Vec<Warning>,
    /// Whether there is anything for a debugger.
    pub(crate) debug_info: bool,
}

/// A parsed object of any format, or a graph that the user made.
#[derive(Debug)]
pub(crate) enum Object<'data> {
    Elf(ElfObject<'data>),
    Mach(MachObject<'data>),
    Graph(Box<LinkGraph<'data>>),
}

impl<'data> Object<'data> {
    /// Finds and checks the tables of an object file; `name` is what messages call it.
    pub(crate) fn parse(name: Arc<str>, data: &'data [u8]) -> Result<Self> {
        if data.starts_with(&macho::MAGIC) {
            return MachObject::parse(name, data).map(Self::Mach);
        }
        ElfObject::parse(name, data).map(Self::Elf)
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        match self {
            Self::Elf(object) => &object.name,
            Self::Mach(object) => &object.name,
            Self::Graph(graph) => graph.name(),
        }
    }

    pub(crate) fn architecture(&self) -> Architecture {
        match self {
            Self::Elf(object) => object.machine.architecture,
            Self::Mach(object) => object.machine.architecture,
            Self::Graph(graph) => graph.architecture(),
        }
    }

    /// How its symbols spell names of C; none where that is not known.
    pub(crate) fn spelling(&self) -> Option<Spelling> {
        match self {
            Self::Elf(_) => Some(Spelling::Plain),
            Self::Mach(_) => Some(Spelling::Underscored),
            Self::Graph(_) => None,
        }
    }

    /// Calls `visit` for every symbol that is another name for what other objects define: the name, and the other's.
    pub(crate) fn for_each_alias(&self, visit: impl FnMut(&'data [u8], &'data [u8])) -> Result<()> {
        match self {
            Self::Mach(object) => macho::for_each_alias(object, visit),
            Self::Elf(_) | Self::Graph(_) => Ok(()),
        }
    }

    /// Whether some name may carry a version.
    pub(crate) fn has_versions(&self) -> bool {
        match self {
            Self::Elf(object) => object.has_versions,
            Self::Mach(_) | Self::Graph(_) => false,
        }
    }

    /// Index of the first symbol that may be global.
    pub(crate) fn first_global(&self) -> u32 {
        match self {
            Self::Elf(object) => object.first_global,
            Self::Mach(object) => object.first_global,
            Self::Graph(_) => 0,
        }
    }

    /// How many symbols there are from the first global one on.
    pub(crate) fn global_count(&self) -> usize {
        match self {
            Self::Elf(object) => object.symbols.len() - object.first_global as usize,
            Self::Mach(object) => object.symbols.len() - object.first_global as usize,
            Self::Graph(graph) => graph.symbols.len(),
        }
    }

    pub(crate) fn group_count(&self) -> usize {
        match self {
            Self::Elf(object) => object.groups.len(),
            Self::Mach(_) | Self::Graph(_) => 0,
        }
    }

    /// The COMDAT group `index`: its signature as a symbol index and as a name.
    pub(crate) fn group_signature(&self, index: usize) -> Result<(u32, &'data [u8])> {
        match self {
            Self::Elf(object) => elf::group_signature(object, index),
            Self::Mach(_) | Self::Graph(_) => Ok((0, &[])),
        }
    }

    /// Whether a section is a member of a COMDAT group that is not kept. `mark` is called with each such section.
    pub(crate) fn for_each_discarded_section(&self, kept_groups: &[bool], mark: impl FnMut(u32)) {
        if let Self::Elf(object) = self {
            elf::for_each_discarded_section(object, kept_groups, mark);
        }
    }

    pub(crate) fn section_count(&self) -> usize {
        match self {
            Self::Elf(object) => object.sections.len(),
            Self::Mach(_) | Self::Graph(_) => 0,
        }
    }

    /// What a symbol table says of a symbol besides what the resolution of names goes by.
    pub(crate) fn flags_of(&self, symbol: u32) -> SymbolFlags {
        match self {
            Self::Elf(object) => elf::flags_of(object, symbol),
            Self::Mach(object) => macho::flags_of(object, symbol),
            Self::Graph(graph) => {
                graph.symbols.get(symbol as usize).map_or(SymbolFlags::empty(), |symbol| symbol.flags)
            }
        }
    }

    /// Whether some section holds initialisers or finalisers.
    pub(crate) fn has_initializers(&self) -> bool {
        match self {
            Self::Elf(object) => elf::has_initializers(object),
            Self::Mach(object) => macho::has_initializers(object),
            Self::Graph(graph) => graph.sections.iter().any(|section| {
                matches!(section.role, SectionRole::Initializers(..) | SectionRole::Finalizers(..))
            }),
        }
    }

    /// Calls `visit` for every symbol that takes part in the resolution of names, in the order of the symbol table.
    #[inline]
    pub(crate) fn for_each_global(&self, visit: impl FnMut(GlobalSymbol<'data>) -> Result<()>) -> Result<()> {
        match self {
            Self::Elf(object) => elf::for_each_global(object, visit),
            Self::Mach(object) => macho::for_each_global(object, visit),
            Self::Graph(graph) => graph_globals(graph).try_for_each(visit),
        }
    }

    /// The object's graph, after its names were resolved.
    pub(crate) fn build(
        self,
        resolution: Resolution<'_>,
        options: BuildOptions,
        scratch: &mut Scratch,
    ) -> Result<LinkGraph<'data>> {
        match self {
            Self::Elf(object) => elf::build(&object, resolution, options, scratch),
            Self::Mach(object) => macho::build(&object, resolution, options, scratch),
            Self::Graph(graph) => Ok(apply_resolution(*graph, resolution, scratch)),
        }
    }
}

fn graph_globals<'graph, 'data>(
    graph: &'graph LinkGraph<'data>,
) -> impl Iterator<Item = GlobalSymbol<'data>> + 'graph {
    graph.symbols().filter_map(|(id, symbol)| {
        let kind = match symbol.kind() {
            SymbolKind::Defined | SymbolKind::Absolute => GlobalKind::Defined,
            SymbolKind::Common => GlobalKind::Common,
            SymbolKind::External => GlobalKind::Undefined,
            SymbolKind::Null | SymbolKind::Discarded => return None,
        };
        let name = graph.cloned_name(id);
        (symbol.scope() != Scope::Local && !name.is_empty()).then_some(GlobalSymbol {
            symbol: id.0,
            name,
            kind,
            linkage: symbol.linkage(),
            scope: symbol.scope(),
            section: 0,
        })
    })
}

fn apply_resolution<'data>(
    mut graph: LinkGraph<'data>,
    resolution: Resolution<'_>,
    scratch: &mut Scratch,
) -> LinkGraph<'data> {
    for (index, (symbol, &id)) in (0u32..).zip(graph.symbols.iter_mut().zip(resolution.ids)) {
        if id != u32::MAX {
            symbol.global = id;
            settle(symbol, index, resolution, &graph.name, scratch);
        }
    }
    graph
}

/// Turns a definition that lost its name into a reference to the one that won.
pub(crate) fn settle(
    symbol: &mut Symbol,
    index: u32,
    resolution: Resolution<'_>,
    object: &Arc<str>,
    scratch: &mut Scratch,
) {
    if matches!(symbol.kind, SymbolKind::External | SymbolKind::Common) {
        return;
    }
    let standing = resolution.wins.standing(symbol.global, index);
    if standing == Standing::Wins {
        return;
    }
    let is_strong = symbol.linkage() == Linkage::Strong && symbol.kind != SymbolKind::Discarded;
    if is_strong && standing == Standing::LosesToStrong {
        scratch.findings.duplicates.push((object.clone(), symbol.global));
    }
    symbol.kind = SymbolKind::External;
}
