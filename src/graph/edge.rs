//! Edges: fixups at an offset of a block, to a target symbol.

use super::SymbolId;
use bitflags::bitflags;
use object::LittleEndian;
use object::elf::Rela64;

/// What a fixup computes and stores. Its meaning is the architecture's: an index into [`KindFacts`] tables.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(transparent)]
pub struct EdgeKind(pub u8);

impl EdgeKind {
    /// A relocation number that the architecture's table does not know. Every table has it at this index.
    pub const UNKNOWN: Self = Self(0);
    /// Nothing is stored; the target is kept alive. Every table has it at this index.
    pub const KEEP_ALIVE: Self = Self(1);

    /// The kind as an index into the architecture's table.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// How a thread-local variable is accessed: the models of the ABI documents, and their parts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum ThreadAccess {
    /// Nothing: marks an instruction of a sequence, or is no access at all.
    #[default]
    Mark,
    /// General dynamic: a pair of GOT entries, which `__tls_get_addr` takes.
    Pair,
    /// Local dynamic: the same for the start of the module's block; the target does not matter.
    ModulePair,
    /// General or local dynamic: a pair of GOT entries, whose first is the address of a function that takes the second.
    Descriptor,
    /// Initial exec: a GOT entry that holds the offset from the thread pointer.
    OffsetEntry,
    /// Local exec: the offset from the thread pointer itself.
    Offset,
    /// The offset in the module's block, or the module's number.
    InModule,
}

/// What must exist before an edge of some kind can be fixed up. Those that must be looked at whatever the target is come last.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Request {
    /// Nothing, not even the target's address: sizes, GOT bases, keep-alive.
    Nothing,
    /// The target's address, in a field that holds any address.
    Address,
    /// The target's address, in a field of limited reach: outside it, functions need a canonical PLT entry and data of
    /// a shared library needs a copy.
    NearAddress,
    /// A call or jump: anything that gets there, so a PLT entry will do.
    Call,
    /// The PLT entry itself, or the target where there is none.
    Plt,
    /// The target itself, by a branch of short reach that may not change registers: out of reach, an island.
    ShortBranch,
    /// A GOT entry.
    Got,
    /// A GOT entry, unless the instruction can be rewritten to do without.
    RelaxableGot,
    /// What an access to a thread-local variable needs: see [`KindFacts::access`].
    ThreadLocal,
}

bitflags! {
    /// What an edge kind's field demands of where all of an image lies.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct Demands: u8 {
        /// The low 2 GiB: the field holds an absolute address of 32 bits or less.
        const LOW = 1;
        /// As close together as it can: the field reaches data in some MiB around only.
        const CLOSE = 2;
        /// What may lie far (large sections) near the rest: its code reaches the GOT by a field of 32 bits.
        const TOGETHER = 4;
    }
}

/// The constant facts of one edge kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KindFacts {
    /// Name, as in the ABI document without the architecture's prefix.
    pub name: &'static str,
    /// The fixup expression: `S + A - P` in the psABI's letters, then the field: `: i32`.
    pub expression: &'static str,
    /// How many bytes from the edge's offset the fixup reads or writes.
    pub width: u8,
    /// The value (or the target, where the architecture says so) must be a multiple of this.
    pub alignment: u8,
    /// Smallest value that fits.
    pub min: i64,
    /// Largest value that fits.
    pub max: i64,
    /// Whether the fixup's own address is subtracted.
    pub pc_relative: bool,
    /// What the field demands of where all of the image lies.
    pub demands: Demands,
    /// What must exist before it can be fixed up.
    pub request: Request,
    /// How a thread-local variable is accessed, for [`Request::ThreadLocal`].
    pub access: ThreadAccess,
}

/// A fixup: at `offset` of its block, store what `kind` computes from `target` and `addend`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Edge {
    /// Byte offset in the block.
    pub offset: u32,
    /// Target symbol, of the same graph.
    pub target: SymbolId,
    /// Constant added to the target.
    pub addend: i64,
    /// What is computed and stored.
    pub kind: EdgeKind,
}

/// One entry of a mapped `SHT_RELA` table.
pub type Rela = Rela64<LittleEndian>;

/// Where a block's edges are: a view of the object's relocation table, or a run in the graph's edge vector.
#[derive(Clone, Copy, Debug)]
pub(crate) enum EdgeRun<'data> {
    /// The mapped relocation table, checked when the block was scanned; offsets are the block's own.
    Rela(&'data [Rela]),
    /// A run of the graph's own edges.
    Owned { start: u32, count: u32 },
}

impl EdgeRun<'_> {
    pub(crate) const EMPTY: Self = Self::Owned { start: 0, count: 0 };

    pub(crate) const fn len(&self) -> usize {
        match self {
            Self::Rela(table) => table.len(),
            Self::Owned { count, .. } => *count as usize,
        }
    }
}

/// Decodes one entry of a `SHT_RELA` table; `kinds` maps relocation numbers to kinds.
#[inline(always)]
pub(crate) fn decode_rela(rela: &Rela, kinds: &[EdgeKind]) -> Edge {
    let info = rela.r_info.get(LittleEndian);
    Edge {
        // Offsets beyond 32 bits lie outside every block with content, and saturate to such an offset.
        offset: u32::try_from(rela.r_offset.get(LittleEndian)).unwrap_or(u32::MAX),
        target: SymbolId((info >> 32) as u32),
        addend: rela.r_addend.get(LittleEndian),
        kind: kinds.get((info & 0xffff_ffff) as usize).copied().unwrap_or(EdgeKind::UNKNOWN),
    }
}

/// The relocation number of the first entry for an offset.
pub(crate) fn number_at(table: &[Rela], offset: u32) -> Option<u32> {
    let entry = table.iter().find(|rela| rela.r_offset.get(LittleEndian) == u64::from(offset))?;
    Some((entry.r_info.get(LittleEndian) & 0xffff_ffff) as u32)
}

/// Whether a table is in the order of its offsets.
pub(crate) fn is_sorted(table: &[Rela]) -> bool {
    table.is_sorted_by_key(|rela| rela.r_offset.get(LittleEndian))
}

/// The edges of one block, in the order of their offsets.
#[derive(Clone, Debug)]
pub struct Edges<'graph> {
    inner: Inner<'graph>,
}

#[derive(Clone, Debug)]
enum Inner<'graph> {
    Rela { table: std::slice::Iter<'graph, Rela>, kinds: &'static [EdgeKind] },
    Owned(std::slice::Iter<'graph, Edge>),
}

impl<'graph> Edges<'graph> {
    pub(crate) fn rela(table: &'graph [Rela], kinds: &'static [EdgeKind]) -> Self {
        Self { inner: Inner::Rela { table: table.iter(), kinds } }
    }

    pub(crate) fn owned(edges: &'graph [Edge]) -> Self {
        Self { inner: Inner::Owned(edges.iter()) }
    }

    /// The edges with these positions in the run; positions past its end are left out.
    #[must_use]
    pub fn slice(self, range: std::ops::Range<u32>) -> Self {
        let (start, end) = (range.start as usize, range.end as usize);
        match self.inner {
            Inner::Rela { table, kinds } => {
                let table = table.as_slice();
                let end = end.min(table.len());
                Self::rela(table.get(start..end).unwrap_or(&[]), kinds)
            }
            Inner::Owned(edges) => {
                let edges = edges.as_slice();
                let end = end.min(edges.len());
                Self::owned(edges.get(start..end).unwrap_or(&[]))
            }
        }
    }
}

impl Iterator for Edges<'_> {
    type Item = Edge;

    #[inline]
    fn next(&mut self) -> Option<Edge> {
        match &mut self.inner {
            Inner::Rela { table, kinds } => table.next().map(|rela| decode_rela(rela, kinds)),
            Inner::Owned(edges) => edges.next().copied(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.inner {
            Inner::Rela { table, .. } => table.size_hint(),
            Inner::Owned(edges) => edges.size_hint(),
        }
    }
}

impl ExactSizeIterator for Edges<'_> {}
