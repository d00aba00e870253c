//! The image graph: what the linker itself adds to a batch, as one more graph whose blocks are laid out like all others.

use super::entries::{Entries, EntryOwner};
use super::externals::External;
use super::globals::{GlobalId, Globals, Rank, SymbolRef};
use super::groups::SegmentClass;
use super::thread_locals::ThreadLocals;
use crate::arch::{self, ThreadTable};
use crate::base::{Error, ExecutorAddr, Result};
use crate::formats::elf::ehdr;
use crate::formats::macho::header;
use crate::graph::edge::EdgeRun;
use crate::graph::symbol::{LinkageScope, NO_GLOBAL, NameRef};
use crate::graph::{
    Architecture, Block, BlockId, Content, Lifetime, LinkGraph, Linkage, Permissions, Scope, Section,
    SectionFlags, SectionId, SectionRole, Spelling, Symbol, SymbolFlags, SymbolId, SymbolKind,
};
use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

/// The image graph and where its parts are.
#[derive(Debug)]
pub(crate) struct Image<'data> {
    /// Its index among the graphs of the batch: the last.
    pub(crate) index: u32,
    pub(crate) graph: LinkGraph<'data>,
    pub(crate) got: BlockId,
    pub(crate) plt: Option<BlockId>,
    /// Slots of PLT entries to functions outside, in order of the entries.
    pub(crate) slots: Option<BlockId>,
    /// Slots of PLT entries to indirect functions, written when the image is finalized.
    pub(crate) indirect_slots: Option<BlockId>,
    /// For each PLT entry: whether its slot is among `indirect_slots`, and its position there or in `slots`.
    pub(crate) slot_of_plt: Vec<(bool, u32)>,
    /// Whether PLT entries have landing pads.
    pub(crate) landing_pads: bool,
    /// GOT entries for thread-local variables.
    pub(crate) thread_slots: Option<BlockId>,
    /// The resolver function of TLS descriptors, where the image has one of its own.
    pub(crate) thread_code: Option<BlockId>,
    pub(crate) header: Option<BlockId>,
    /// Variables of shared libraries that 32-bit code refers to: the library's address, and where the copy is.
    pub(crate) copies: Vec<(u64, BlockId)>,
    /// Linker symbols: their names, and the absolute symbols to set once addresses are known.
    pub(crate) linker_symbols: Vec<(GlobalId, SymbolId)>,
    /// Names whose address is their PLT entry's, in order.
    pub(crate) canonical: Vec<GlobalId>,
}

/// Bytes of one GOT entry or PLT slot.
pub(crate) const SLOT: u64 = 8;

impl<'data> Image<'data> {
    /// An image graph with the GOT's block, which every image has.
    pub(crate) fn new(index: u32, architecture: Architecture, spelling: Spelling) -> Self {
        let kinds = arch::kinds(architecture);
        let mut graph = LinkGraph::new("<image>", architecture, kinds);
        graph.spelling = spelling;
        graph.symbols.push(Symbol::NULL);
        let mut image = Self {
            index,
            graph,
            got: BlockId(0),
            plt: None,
            slots: None,
            indirect_slots: None,
            slot_of_plt: Vec::new(),
            landing_pads: false,
            thread_slots: None,
            thread_code: None,
            header: None,
            copies: Vec::new(),
            linker_symbols: Vec::new(),
            canonical: Vec::new(),
        };
        image.got = image.add_block(".got", Permissions::READ, SectionFlags::empty(), Shape::content(0, 8));
        image
    }

    /// A symbol of this graph.
    pub(crate) fn at(&self, symbol: SymbolId) -> SymbolRef {
        SymbolRef { graph: self.index, symbol: symbol.0 }
    }

    /// Adds a section with one block.
    pub(crate) fn add_block(
        &mut self,
        name: &'static str,
        permissions: Permissions,
        flags: SectionFlags,
        shape: Shape,
    ) -> BlockId {
        let section = SectionId(self.graph.sections.len() as u32);
        self.graph.sections.push(Section {
            name: Cow::Borrowed(name.as_bytes()),
            permissions,
            lifetime: Lifetime::Standard,
            role: shape.role,
            flags,
            number: 0,
        });
        let block = BlockId(self.graph.blocks.len() as u32);
        self.graph.blocks.push(Block {
            address: ExecutorAddr(0),
            size: shape.size,
            content: shape.content,
            edges: EdgeRun::EMPTY,
            section,
            alignment_offset: 0,
            alignment_log2: shape.alignment.trailing_zeros() as u8,
            live: true,
        });
        block
    }

    fn add_symbol(
        &mut self,
        kind: SymbolKind,
        block: BlockId,
        size: u64,
        global: GlobalId,
        name: &[u8],
    ) -> SymbolId {
        let id = SymbolId(self.graph.symbols.len() as u32);
        let own = self.graph.own_names.len() as u32;
        self.graph.own_names.push(Cow::Owned(name.to_vec()));
        self.graph.symbols.push(Symbol {
            value: 0,
            size,
            block,
            name: NameRef(NameRef::OWN | own),
            global,
            kind,
            linkage_scope: LinkageScope::new(Linkage::Strong, Scope::Hidden),
            flags: SymbolFlags::empty(),
        });
        id
    }

    /// Gives a name a place in a block of this graph, whatever defined it before.
    pub(crate) fn define(&mut self, globals: &Globals<'data>, id: GlobalId, block: BlockId) -> SymbolId {
        let size = self.graph.blocks[block.index()].size;
        let symbol = self.add_symbol(SymbolKind::Defined, block, size, id, globals.name(id));
        globals.define(id, self.at(symbol));
        symbol
    }

    /// Gives a name an address that is set later.
    pub(crate) fn define_later(&mut self, globals: &Globals<'data>, id: GlobalId) {
        let symbol = self.add_symbol(SymbolKind::Absolute, BlockId(u32::MAX), 0, id, globals.name(id));
        globals.define(id, self.at(symbol));
        self.linker_symbols.push((id, symbol));
    }

    /// Makes room for GOT and PLT entries.
    pub(crate) fn add_entries(&mut self, entries: &Entries, graphs: &[LinkGraph<'_>], globals: &Globals<'_>) {
        let reserved = self.graph.blocks[self.got.index()].size;
        self.resize(self.got, reserved.max(SLOT * entries.got.len() as u64));
        if entries.plt.is_empty() {
            return;
        }
        self.landing_pads = graphs.iter().any(|graph| graph.landing_pads);
        let (mut direct, mut indirect) = (0, 0);
        for owner in &entries.plt {
            let is_indirect = is_indirect(*owner, graphs, globals);
            let counter = if is_indirect { &mut indirect } else { &mut direct };
            self.slot_of_plt.push((is_indirect, *counter));
            *counter += 1;
        }
        let entry_size = arch::plt_entry_size(self.graph.architecture);
        let code = Permissions::READ | Permissions::EXECUTE;
        let plt_size = entry_size as u64 * entries.plt.len() as u64;
        self.plt = Some(self.add_block(".plt", code, SectionFlags::empty(), Shape::content(plt_size, 16)));
        let read = Permissions::READ;
        if direct > 0 {
            let shape = Shape::content(SLOT * u64::from(direct), 8);
            self.slots = Some(self.add_block(".got.plt", read, SectionFlags::empty(), shape));
        }
        if indirect > 0 {
            let shape = Shape::content(SLOT * u64::from(indirect), 8);
            let write = read | Permissions::WRITE;
            self.indirect_slots = Some(self.add_block(".igot.plt", write, SectionFlags::RELRO, shape));
        }
    }

    fn resize(&mut self, block: BlockId, size: u64) {
        let block = &mut self.graph.blocks[block.index()];
        block.size = size;
        block.content = Content::Owned(vec![0; size as usize]);
    }

    /// Allocates the common symbols that are live and that nothing stronger defines.
    pub(crate) fn add_commons(&mut self, graphs: &[LinkGraph<'_>], globals: &Globals<'data>) -> Result<()> {
        let mut commons: Vec<(GlobalId, Common)> = Vec::new();
        for graph in graphs {
            for symbol in &graph.symbols {
                if symbol.kind == SymbolKind::Common
                    && symbol.global != NO_GLOBAL
                    && matches!(globals.winner(symbol.global), Some((Rank::Common, _)))
                {
                    commons.push((symbol.global, Common::of(graph, symbol)?));
                }
            }
        }
        commons.sort_by_key(|(id, _)| *id);
        for same in commons.chunk_by(|a, b| a.0 == b.0) {
            let common = same.iter().fold(same[0].1, |all, (_, other)| all.widen(*other));
            let shape = Shape::zero_fill(common.size, common.alignment);
            let block = if common.thread_local {
                let shape = shape.with_role(SectionRole::ThreadZeroFill);
                self.add_block(".tcommon", Permissions::READ, SectionFlags::empty(), shape)
            } else {
                let mut flags = SectionFlags::empty();
                flags.set(SectionFlags::LARGE, common.large);
                self.add_block(".common", Permissions::READ | Permissions::WRITE, flags, shape)
            };
            self.define(globals, same[0].0, block);
        }
        Ok(())
    }

    /// Makes room for a copy of the variable at `range`.
    pub(crate) fn add_copy(&mut self, range: Range<u64>) {
        // The variable's own address shows how it is aligned; no object says so.
        let alignment = 1u64 << range.start.trailing_zeros().min(6);
        let write = Permissions::READ | Permissions::WRITE;
        let shape = Shape::content(range.end - range.start, alignment);
        let block = self.add_block(".copy", write, SectionFlags::empty(), shape);
        self.copies.push((range.start, block));
    }

    /// Gives a name of a library its place in the copy of what is at `address`, if there is one.
    pub(crate) fn define_in_copy(&mut self, globals: &Globals<'data>, id: GlobalId, address: u64) {
        // In order of addresses, and apart from each other.
        let after = self.copies.partition_point(|(from, _)| *from <= address);
        let Some(&(from, block)) = after.checked_sub(1).and_then(|last| self.copies.get(last)) else {
            return;
        };
        let rest = self.graph.blocks[block.index()].size.saturating_sub(address - from);
        if rest > 0 {
            let symbol = self.define(globals, id, block);
            let symbol = &mut self.graph.symbols[symbol.index()];
            (symbol.value, symbol.size) = (address - from, rest);
        }
    }

    /// Makes room for functions of the image's own that find threads' blocks, if they are used: for descriptors, and in
    /// place of the process's `__tls_get_addr`.
    pub(crate) fn add_thread_code(
        &mut self,
        thread_locals: &ThreadLocals,
        globals: &Globals<'data>,
        externals: &HashMap<GlobalId, External>,
        table: ThreadTable,
    ) {
        let is_hosts = |id: &GlobalId| externals.get(id).is_some_and(|one| one.address().0 == table.get_addr);
        let get_addr = globals.find(b"__tls_get_addr").filter(is_hosts);
        let architecture = self.graph.architecture;
        let size = arch::tls_resolver_size(architecture) as u64;
        if size == 0 || get_addr.is_none() && !thread_locals.has_dynamic_descriptors() {
            return;
        }
        let code = Permissions::READ | Permissions::EXECUTE;
        let block = self.add_block(".tlsdesc", code, SectionFlags::empty(), Shape::content(size, 32));
        self.thread_code = Some(block);
        if let Some(id) = get_addr {
            let symbol = self.define(globals, id, block);
            let symbol = &mut self.graph.symbols[symbol.index()];
            symbol.value = arch::tls_get_addr_offset(architecture);
            symbol.size = size - symbol.value;
        }
    }

    /// Makes room for so many words of GOT entries for thread-local variables.
    pub(crate) fn add_thread_slots(&mut self, words: u32) {
        if words > 0 {
            let shape = Shape::content(SLOT * u64::from(words), 16);
            self.thread_slots =
                Some(self.add_block(".got.thread", Permissions::READ, SectionFlags::empty(), shape));
        }
    }

    /// Makes room for a header of the objects' format that describes every segment there may be.
    pub(crate) fn add_header(&mut self) {
        if self.header.is_none() {
            let segments = SegmentClass::ALL.len();
            let read = Permissions::READ;
            // The header of Mach-O is what tells images from each other, and so the first thing in the first segment.
            let (name, permissions, size) = match self.graph.spelling {
                Spelling::Plain => (".ehdr", read, ehdr::size(segments)),
                Spelling::Underscored => {
                    ("__TEXT,__mach_header", read | Permissions::EXECUTE, header::size(segments))
                }
            };
            let shape = Shape::content(size as u64, 16);
            self.header = Some(self.add_block(name, permissions, SectionFlags::empty(), shape));
        }
    }

    /// Makes the GOT have an address of its own even without entries.
    pub(crate) fn require_got(&mut self) {
        self.resize(self.got, SLOT);
    }

    /// Hands the graph over, complete.
    pub(crate) fn detach(&mut self) -> LinkGraph<'data> {
        let mut empty = LinkGraph::new(self.graph.name.clone(), self.graph.architecture, self.graph.kinds);
        empty.spelling = self.graph.spelling;
        std::mem::replace(&mut self.graph, empty)
    }
}

fn is_indirect(owner: EntryOwner, graphs: &[LinkGraph<'_>], globals: &Globals<'_>) -> bool {
    let at = match owner {
        EntryOwner::Local(at) => Some(at),
        EntryOwner::Global(id) => globals.definition(id),
    };
    at.and_then(|at| graphs.get(at.graph as usize)?.symbols.get(at.symbol as usize))
        .is_some_and(|symbol| symbol.flags.contains(SymbolFlags::INDIRECT))
}

/// Size and content of a block of the image graph.
#[derive(Debug)]
pub(crate) struct Shape {
    size: u64,
    alignment: u64,
    content: Content<'static>,
    role: SectionRole,
}

impl Shape {
    /// Bytes that the linker writes after layout.
    pub(crate) fn content(size: u64, alignment: u64) -> Self {
        let content = Content::Owned(vec![0; size as usize]);
        Self { size, alignment, content, role: SectionRole::Regular }
    }

    /// These bytes.
    pub(crate) fn bytes(bytes: Vec<u8>, alignment: u64) -> Self {
        let size = bytes.len() as u64;
        Self { size, alignment, content: Content::Owned(bytes), role: SectionRole::Regular }
    }

    pub(crate) fn zero_fill(size: u64, alignment: u64) -> Self {
        Self { size, alignment, content: Content::ZeroFill, role: SectionRole::Regular }
    }

    pub(crate) fn with_role(self, role: SectionRole) -> Self {
        Self { role, ..self }
    }
}

#[derive(Clone, Copy, Debug)]
struct Common {
    size: u64,
    alignment: u64,
    large: bool,
    thread_local: bool,
}

impl Common {
    fn of(graph: &LinkGraph<'_>, symbol: &Symbol) -> Result<Self> {
        let alignment = symbol.value.max(1);
        if !alignment.is_power_of_two() || alignment > 1 << 30 {
            return Err(Error::malformed(
                crate::base::Place::file(graph.name.clone()),
                format!("alignment {alignment:#x} of a common symbol is not a power of two up to 1 GiB"),
            ));
        }
        let has = |flag| symbol.flags.contains(flag);
        let (large, thread_local) = (has(SymbolFlags::LARGE), has(SymbolFlags::THREAD_LOCAL));
        Ok(Self { size: symbol.size, alignment, large, thread_local })
    }

    fn widen(self, other: Self) -> Self {
        Self {
            size: self.size.max(other.size),
            alignment: self.alignment.max(other.alignment),
            large: self.large && other.large,
            thread_local: self.thread_local,
        }
    }
}
