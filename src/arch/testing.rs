//! Fixups of hand-built graphs, for the tests of every architecture.

use super::{FixupCounts, Site, Targets, ThreadLocal, ThreadModule, fix_up, kinds};
use crate::base::{Error, ExecutorAddr, Result};
use crate::graph::edge::EdgeRun;
use crate::graph::symbol::LinkageScope;
use crate::graph::{
    Architecture, Block, BlockId, Content, Edge, EdgeKind, Lifetime, LinkGraph, Linkage, Permissions, Scope,
    Section, SectionFlags, SectionId, SectionRole, Symbol, SymbolId, SymbolKind,
};

/// One target, and where everything about it is.
#[derive(Clone, Copy, Default)]
pub(super) struct Target {
    pub(super) address: u64,
    pub(super) got_entry: Option<u64>,
    pub(super) plt_entry: Option<u64>,
    pub(super) got_base: u64,
    pub(super) size: u64,
    pub(super) is_absent: bool,
    pub(super) thread: Option<ThreadLocal>,
    pub(super) thread_module: ThreadModule,
}

impl Target {
    pub(super) fn at(address: u64) -> Self {
        Self { address, ..Self::default() }
    }

    pub(super) fn absent() -> Self {
        Self { is_absent: true, ..Self::default() }
    }

    pub(super) fn with_got_entry(self, entry: u64) -> Self {
        Self { got_entry: Some(entry), ..self }
    }

    pub(super) fn with_plt_entry(self, entry: u64) -> Self {
        Self { plt_entry: Some(entry), ..self }
    }
}

impl Targets for Target {
    fn resolve(&self, _: SymbolId, addend: i64) -> (u64, i64) {
        (self.address, addend)
    }

    fn got_entry(&self, _: SymbolId) -> Option<u64> {
        self.got_entry
    }

    fn plt_entry(&self, _: SymbolId) -> Option<u64> {
        self.plt_entry
    }

    fn size(&self, _: SymbolId) -> u64 {
        self.size
    }

    fn got_base(&self) -> u64 {
        self.got_base
    }

    fn is_absent(&self, _: SymbolId) -> bool {
        self.is_absent
    }

    fn thread_local(&self, _: SymbolId) -> Option<ThreadLocal> {
        self.thread
    }

    fn thread_module(&self) -> ThreadModule {
        self.thread_module
    }
}

/// A graph of one block at the address zero, with one edge to symbol 1, whose value is 0x30.
pub(super) fn graph(
    architecture: Architecture,
    size: usize,
    edges: Vec<Edge>,
    lifetime: Lifetime,
) -> LinkGraph<'static> {
    let mut graph = LinkGraph::new("test.o", architecture, kinds(architecture));
    graph.sections.push(Section {
        name: b".text"[..].into(),
        permissions: Permissions::READ,
        lifetime,
        role: SectionRole::Regular,
        flags: SectionFlags::empty(),
        number: 0,
    });
    graph.blocks.push(Block {
        address: ExecutorAddr::NULL,
        size: size as u64,
        content: Content::Owned(vec![0; size]),
        edges: EdgeRun::Owned { start: 0, count: edges.len() as u32 },
        section: SectionId(0),
        alignment_offset: 0,
        alignment_log2: 0,
        live: true,
    });
    let target = Symbol {
        value: 0x30,
        kind: SymbolKind::Defined,
        linkage_scope: LinkageScope::new(Linkage::Strong, Scope::Default),
        block: BlockId(0),
        ..Symbol::NULL
    };
    graph.symbols = vec![Symbol::NULL, target];
    graph.edges = edges;
    graph
}

/// One fixup in a block of `content` that starts at `address`.
pub(super) struct Fixup<'a> {
    pub(super) architecture: Architecture,
    pub(super) kind: EdgeKind,
    pub(super) content: &'a [u8],
    pub(super) address: u64,
    pub(super) offset: u32,
    pub(super) addend: i64,
    pub(super) lifetime: Lifetime,
}

impl Fixup<'_> {
    pub(super) fn apply(&self, target: &Target) -> Result<(Vec<u8>, FixupCounts)> {
        let &Self { architecture, kind, content, address, offset, addend, lifetime } = self;
        let edge = Edge { offset, target: SymbolId(1), addend, kind };
        let graph = graph(architecture, content.len(), vec![edge], lifetime);
        let mut content = content.to_vec();
        let mut counts = FixupCounts::default();
        let mut site = Site { graph: &graph, block: BlockId(0), content: &mut content, start: 0, address };
        fix_up(&mut site, graph.edges(BlockId(0)), target, &mut counts)?;
        Ok((content, counts))
    }

    /// What the fixup stores, where its field is the whole content.
    pub(super) fn stored(&self, target: &Target) -> Result<u64> {
        let (content, _) = self.apply(target)?;
        Ok(content.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
    }

    pub(super) fn bytes(&self, target: &Target) -> Vec<u8> {
        self.apply(target).map(|(content, _)| content).expect("the fixup can be applied")
    }
}

pub(super) fn out_of_range<T: std::fmt::Debug>(result: Result<T>) -> crate::base::OutOfRange {
    match result {
        Err(Error::OutOfRange(error)) => *error,
        other => panic!("expected an error about the range, got {other:?}"),
    }
}
