//! Symbols: names for places in blocks, for absolute addresses, and for what other objects define.

use super::BlockId;
use bitflags::bitflags;

/// What a symbol stands for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum SymbolKind {
    /// Nothing may refer to it: the null symbol, file names, entries that were invalid and unused.
    Null,
    /// A place in a block.
    Defined,
    /// An address that no layout moves.
    Absolute,
    /// Defined elsewhere: in another graph of the batch, or outside.
    External,
    /// Zero-filled memory that the linker allocates, unless another object defines the name; `value` is the alignment.
    Common,
    /// A place in a section that lost to another object's copy (COMDAT).
    Discarded,
}

/// How a definition competes with others of its name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Linkage {
    /// One definition only.
    Strong,
    /// Gives way to a strong one; as a reference: null when nothing defines it.
    Weak,
}

/// Who sees a symbol.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Scope {
    /// Everyone; other definitions of the name may replace it.
    Default,
    /// Everyone; references from within its image stay with it.
    Protected,
    /// The objects it is linked with.
    Hidden,
    /// Its own object.
    Local,
}

bitflags! {
    /// Further facts about a symbol.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub struct SymbolFlags: u8 {
        /// Names code.
        const CALLABLE = 1;
        /// An indirect function: the definition is a resolver that returns the address.
        const INDIRECT = 2;
        /// A thread-local variable.
        const THREAD_LOCAL = 4;
        /// Stands for the start of a section.
        const SECTION = 8;
        /// Kept by dead stripping whether referenced or not.
        const KEEP = 16;
        /// One definition in the whole process (`STB_GNU_UNIQUE`).
        const UNIQUE = 32;
        /// A common symbol that may lie out of 32-bit reach.
        const LARGE = 64;
        /// The function has its own register convention (`STO_AARCH64_VARIANT_PCS`).
        const VARIANT_PCS = 128;
    }
}

/// A symbol's name: an offset in the object's string table, or (top bit set) an index into the graph's own names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct NameRef(pub(crate) u32);

impl NameRef {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const OWN: u32 = 1 << 31;
}

/// A name for a place in a block, for an absolute address, or for what another object defines.
#[derive(Clone, Debug)]
pub struct Symbol {
    pub(crate) value: u64,
    pub(crate) size: u64,
    pub(crate) block: BlockId,
    pub(crate) name: NameRef,
    pub(crate) global: u32,
    pub(crate) kind: SymbolKind,
    pub(crate) linkage_scope: LinkageScope,
    pub(crate) flags: SymbolFlags,
}

/// Linkage and scope in one byte.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct LinkageScope(u8);

impl LinkageScope {
    pub(crate) const fn new(linkage: Linkage, scope: Scope) -> Self {
        Self((linkage as u8) << 4 | scope as u8)
    }

    pub(crate) const fn linkage(self) -> Linkage {
        if self.0 >> 4 == 0 { Linkage::Strong } else { Linkage::Weak }
    }

    pub(crate) const fn scope(self) -> Scope {
        match self.0 & 0xf {
            0 => Scope::Default,
            1 => Scope::Protected,
            2 => Scope::Hidden,
            _ => Scope::Local,
        }
    }
}

/// In [`Symbol::global`]: the symbol has no entry in the batch's table of names.
pub(crate) const NO_GLOBAL: u32 = u32::MAX;

impl Symbol {
    /// A symbol that nothing may refer to.
    pub(crate) const NULL: Self = Self {
        value: 0,
        size: 0,
        block: BlockId(u32::MAX),
        name: NameRef::NONE,
        global: NO_GLOBAL,
        kind: SymbolKind::Null,
        linkage_scope: LinkageScope::new(Linkage::Strong, Scope::Local),
        flags: SymbolFlags::empty(),
    };

    /// What a removed symbol leaves in its place. Unlike the null symbol of an object, no edge may refer to it.
    pub(crate) const REMOVED: Self = Self { block: BlockId(u32::MAX - 1), ..Self::NULL };

    pub(crate) fn is_removed(&self) -> bool {
        self.kind == SymbolKind::Null && self.block == Self::REMOVED.block
    }

    /// What it stands for.
    #[must_use]
    pub fn kind(&self) -> SymbolKind {
        self.kind
    }

    /// How its definition competes with others of its name.
    #[must_use]
    pub fn linkage(&self) -> Linkage {
        self.linkage_scope.linkage()
    }

    /// Who sees it.
    #[must_use]
    pub fn scope(&self) -> Scope {
        self.linkage_scope.scope()
    }

    /// Further facts.
    #[must_use]
    pub fn flags(&self) -> SymbolFlags {
        self.flags
    }

    /// Size in bytes of what it names, where the object says so.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The block it lies in, and its offset there; none unless it is defined in a block.
    #[must_use]
    pub fn place(&self) -> Option<(BlockId, u64)> {
        (self.kind == SymbolKind::Defined).then_some((self.block, self.value))
    }

    /// Offset in its block, absolute address, or (common) alignment in bytes.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.value
    }
}
