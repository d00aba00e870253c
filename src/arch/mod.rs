//! Target code as data: edge kinds, fixups, PLT entries and relaxations of each architecture. No file format is known
//! here, and nothing outside here, `formats` and `runtime/<arch>` matches on the architecture.

pub mod aarch64;
pub mod compact_unwind;
mod fault;
#[cfg(test)]
mod testing;
pub mod x86_64;

use crate::base::Result;
use crate::graph::{Architecture, BlockId, EdgeKind, Edges, KindFacts, LinkGraph, SymbolId};

/// Defines one constant per edge kind, numbered in the order they are written, and a table of what is said about each, in
/// that order.
macro_rules! numbered_kinds {
    (
        $(#[$table_doc:meta])* $visibility:vis static $table:ident: $type:ty;
        $($(#[$doc:meta])* $constant:ident: $facts:expr;)*
    ) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        #[derive(Clone, Copy)]
        #[repr(u8)]
        enum Number { $($constant),* }

        $(
            $(#[$doc])*
            pub const $constant: EdgeKind = EdgeKind(Number::$constant as u8);
        )*

        $(#[$table_doc])*
        $visibility static $table: [$type; [$(Number::$constant),*].len()] = [$($facts),*];
    };
}
use numbered_kinds;

/// How many fixups were more than a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FixupCounts {
    /// Instructions that were rewritten to do without a GOT entry.
    pub relaxed_got_loads: u32,
    /// Instructions that might have been rewritten and load from the GOT.
    pub got_loads: u32,
    /// Branches that go through the PLT, their target being out of reach.
    pub plt_calls: u32,
    /// Accesses to thread-local variables that were rewritten for a cheaper model.
    pub relaxed_thread_locals: u32,
}

impl FixupCounts {
    /// The counts of both.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            relaxed_got_loads: self.relaxed_got_loads + other.relaxed_got_loads,
            got_loads: self.got_loads + other.got_loads,
            plt_calls: self.plt_calls + other.plt_calls,
            relaxed_thread_locals: self.relaxed_thread_locals + other.relaxed_thread_locals,
        }
    }
}

/// Where a thread-local variable is, in the terms of all models of access.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ThreadLocal {
    /// Its module, as `__tls_get_addr` knows it.
    pub module: u64,
    /// Its offset there.
    pub module_offset: u64,
    /// Its offset from the start of the batch's own variables.
    pub block_offset: u64,
    /// Its offset from the thread pointer, where that is the same in every thread.
    pub thread_offset: Option<i64>,
    /// The address of the GOT entries that hold `module` and `module_offset`, if it has them.
    pub pair: Option<u64>,
    /// The address of its descriptor in the GOT, if it has one.
    pub descriptor: Option<u64>,
    /// What the descriptor holds.
    pub descriptor_words: [u64; 2],
    /// The address of the GOT entry that holds `thread_offset`, if it has one.
    pub offset_entry: Option<u64>,
}

/// Where a thread's table of its blocks is, for code that looks there itself: `table[module]` is the block's offset from the
/// thread pointer, or zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ThreadTable {
    /// Offset from the thread pointer of the table's address, which its length follows.
    pub thread_offset: i64,
    /// Address of the resolver function for what the table does not have.
    pub resolver: u64,
    /// Address of `__tls_get_addr`, which takes the complement of a module number in the table.
    pub get_addr: u64,
}

/// Where the batch's own thread-local variables are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ThreadModule {
    /// The address of the GOT entries that lead `__tls_get_addr` there, if they were made.
    pub pair: Option<u64>,
    /// Their offset from the thread pointer, where that is the same in every thread.
    pub thread_offset: Option<i64>,
}

/// Final addresses of everything that the edges of one graph refer to.
///
/// Implemented by the link driver over arrays; generic in the fixup code, so that it is inlined there.
pub trait Targets {
    /// `S` and `A` of an edge: the target's address (zero for an absent weak symbol; the PLT entry for an indirect
    /// function) and the addend, which a reference into a merged section folds into the address.
    fn resolve(&self, target: SymbolId, addend: i64) -> (u64, i64);

    /// The address of the target's GOT entry, if it has one.
    fn got_entry(&self, target: SymbolId) -> Option<u64>;

    /// The address of the target's PLT entry, if it has one.
    fn plt_entry(&self, target: SymbolId) -> Option<u64>;

    /// The address of the nearest detour from `from` to the target and addend, if there is one.
    fn detour(&self, _detour: Detour, _target: SymbolId, _addend: i64, _from: u64) -> Option<u64> {
        None
    }

    /// The size of what the target names, in bytes.
    fn size(&self, target: SymbolId) -> u64;

    /// The address of `_GLOBAL_OFFSET_TABLE_`.
    fn got_base(&self) -> u64;

    /// Whether the target is a weak symbol that nothing defines.
    fn is_absent(&self, target: SymbolId) -> bool;

    /// Where the target is, if it is a thread-local variable.
    fn thread_local(&self, _target: SymbolId) -> Option<ThreadLocal> {
        None
    }

    /// Where the batch's own thread-local variables are.
    fn thread_module(&self) -> ThreadModule {
        ThreadModule::default()
    }
}

/// Where fixups are applied: a run of a block's bytes, already copied to working memory.
#[derive(Debug)]
pub struct Site<'a> {
    /// The graph, for names in messages.
    pub graph: &'a LinkGraph<'a>,
    /// The block, for names in messages.
    pub block: BlockId,
    /// The bytes: `content[0]` is the block's byte `start`.
    pub content: &'a mut [u8],
    /// Offset in the block of `content[0]`.
    pub start: u32,
    /// Executor address of `content[0]`.
    pub address: u64,
}

/// Where a PLT entry stands, and what it does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PltEntry {
    /// Its own address.
    pub address: u64,
    /// The address of the slot that it jumps through.
    pub slot: u64,
    /// Whether it must be a valid target of indirect branches where those are checked.
    pub landing_pad: bool,
}

/// Where a reentry trampoline stands, and what it does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Trampoline {
    /// Its own address.
    pub address: u64,
    /// The address of the slot that holds the address of the code that it enters.
    pub slot: u64,
    /// What that code learns of it: a number below 2^31.
    pub index: u32,
}

/// How a branch gets to a target out of its reach.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Detour {
    /// By a veneer: code that may change the registers that the ABI sets aside for it.
    Veneer,
    /// By a hop: one more branch, which changes nothing.
    Hop,
}

/// What a detour leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Destination {
    /// What the slot at this address holds.
    Slot(u64),
    /// This address.
    Place(u64),
}

/// Detours of an architecture whose branches do not reach all of a large image.
#[derive(Debug)]
pub struct DetourFacts {
    /// As long as the code takes no more bytes than this, every call reaches every function.
    pub reach: u64,
    /// Size of a veneer in bytes.
    pub veneer_size: usize,
    /// Size of a hop in bytes.
    pub hop_size: usize,
    /// Alignment of both.
    pub alignment: u64,
    write: fn(Detour, &mut [u8], u64, Destination) -> Option<()>,
}

impl DetourFacts {
    /// Size of a detour in bytes.
    #[must_use]
    pub fn size(&self, detour: Detour) -> usize {
        match detour {
            Detour::Veneer => self.veneer_size,
            Detour::Hop => self.hop_size,
        }
    }

    /// Writes the code of a detour that stands at `address`; none where it does not reach its destination.
    #[must_use]
    pub fn write(
        &self,
        detour: Detour,
        bytes: &mut [u8],
        address: u64,
        destination: Destination,
    ) -> Option<()> {
        (self.write)(detour, bytes, address, destination)
    }
}

/// What an architecture is to everything that does not care which it is.
struct ArchFacts {
    kinds: &'static [KindFacts],
    pointer_size: usize,
    plt_entry_size: usize,
    write_plt_entry: fn(&mut [u8], PltEntry) -> Result<()>,
    trampoline_size: usize,
    write_trampoline: fn(&mut [u8], Trampoline) -> Option<()>,
    patchable_jump: fn(u64, u64) -> Option<[u8; PATCHABLE_ENTRY_SIZE]>,
    implicit_addend: fn(EdgeKind, &[u8]) -> Option<i64>,
    fragment_frame: (&'static [u8], &'static [u8]),
    detours: Option<&'static DetourFacts>,
    /// `S + A : u64` and `S + A - P : i64`.
    pointers: (EdgeKind, EdgeKind),
    compact_unwind: &'static compact_unwind::Facts,
    executable_thread_offset: fn(u64, u64) -> i64,
    module_base_is_thread_pointer: bool,
    tls_resolver_size: usize,
    tls_get_addr_offset: u64,
    write_tls_resolver: fn(&mut [u8], ThreadTable) -> Option<()>,
}

/// The facts of an architecture. This, and [`can_relax`] and [`fix_up`] on the way of the data, are all that dispatches.
fn facts(architecture: Architecture) -> &'static ArchFacts {
    match architecture {
        Architecture::X86_64 => &x86_64::FACTS,
        Architecture::Aarch64 => &aarch64::FACTS,
    }
}

/// The facts of every edge kind of an architecture, indexed by it.
#[must_use]
pub fn kinds(architecture: Architecture) -> &'static [KindFacts] {
    facts(architecture).kinds
}

/// Size of an address in bytes, which is that of a GOT entry too.
#[must_use]
pub fn pointer_size(architecture: Architecture) -> usize {
    facts(architecture).pointer_size
}

/// The kind of edges that store an address.
#[must_use]
pub fn address_kind(architecture: Architecture) -> EdgeKind {
    facts(architecture).pointers.0
}

/// The kind of edges that store a distance in 64 bits.
#[must_use]
pub fn distance_kind(architecture: Architecture) -> EdgeKind {
    facts(architecture).pointers.1
}

/// What compact unwind encodings mean.
#[must_use]
pub fn compact_unwind(architecture: Architecture) -> &'static compact_unwind::Facts {
    facts(architecture).compact_unwind
}

/// Size of a PLT entry in bytes, and its alignment.
#[must_use]
pub fn plt_entry_size(architecture: Architecture) -> usize {
    facts(architecture).plt_entry_size
}

/// Whether the instruction with its field at `offset` of a block's content can always be rewritten to do without a GOT
/// entry, as long as its target lies in reach of a branch.
#[must_use]
pub fn can_relax(
    architecture: Architecture,
    kind: EdgeKind,
    content: &[u8],
    offset: u32,
    addend: i64,
) -> bool {
    match architecture {
        Architecture::X86_64 => x86_64::can_relax(kind, content, offset, addend),
        // That takes two instructions, and so two edges.
        Architecture::Aarch64 => false,
    }
}

/// Writes the code of a PLT entry.
///
/// # Errors
/// The slot is out of reach, or `bytes` is not [`plt_entry_size`] bytes long.
pub fn write_plt_entry(architecture: Architecture, bytes: &mut [u8], entry: PltEntry) -> Result<()> {
    (facts(architecture).write_plt_entry)(bytes, entry)
}

/// Size of a reentry trampoline in bytes, and its alignment.
#[must_use]
pub fn trampoline_size(architecture: Architecture) -> usize {
    facts(architecture).trampoline_size
}

/// Writes the code of a reentry trampoline; none where its slot is out of reach or `bytes` is not [`trampoline_size`]
/// bytes long.
#[must_use]
pub fn write_trampoline(architecture: Architecture, bytes: &mut [u8], trampoline: Trampoline) -> Option<()> {
    (facts(architecture).write_trampoline)(bytes, trampoline)
}

/// Size of a patchable entry in bytes, and its alignment. What changes is its second half, which can be stored at once.
pub const PATCHABLE_ENTRY_SIZE: usize = 16;

/// The code of a patchable entry at an address that jumps to a target; none where the jump does not reach.
#[must_use]
pub fn patchable_jump(
    architecture: Architecture,
    address: u64,
    target: u64,
) -> Option<[u8; PATCHABLE_ENTRY_SIZE]> {
    (facts(architecture).patchable_jump)(address, target)
}

/// The addend that stands in the field at `offset` of a block's content, for relocations that carry none; none where
/// the field reaches past the content.
#[must_use]
pub fn implicit_addend(
    architecture: Architecture,
    kind: EdgeKind,
    content: &[u8],
    offset: u32,
) -> Option<i64> {
    (facts(architecture).implicit_addend)(kind, content.get(offset as usize..)?)
}

/// The code that enters and leaves a function made of `.init` or `.fini` fragments, which stand between.
#[must_use]
pub fn fragment_frame(architecture: Architecture) -> (&'static [u8], &'static [u8]) {
    facts(architecture).fragment_frame
}

/// The detours of an architecture; none where branches reach all of an image or go through its PLT.
#[must_use]
pub fn detours(architecture: Architecture) -> Option<&'static DetourFacts> {
    facts(architecture).detours
}

/// The offset from the thread pointer of a program's own thread-local variables, by their size and alignment: what every
/// linker of executables works out.
#[must_use]
pub fn executable_thread_offset(architecture: Architecture, size: u64, alignment: u64) -> i64 {
    (facts(architecture).executable_thread_offset)(size, alignment)
}

/// Size in bytes of the resolver function of TLS descriptors that an image has of its own, aligned to 32; zero where it
/// does without.
#[must_use]
pub fn tls_resolver_size(architecture: Architecture) -> usize {
    facts(architecture).tls_resolver_size
}

/// The offset of `__tls_get_addr` in what is written with that function.
#[must_use]
pub fn tls_get_addr_offset(architecture: Architecture) -> u64 {
    facts(architecture).tls_get_addr_offset
}

/// Writes both; none where they cannot reach the table.
#[must_use]
pub fn write_tls_resolver(architecture: Architecture, bytes: &mut [u8], table: ThreadTable) -> Option<()> {
    (facts(architecture).write_tls_resolver)(bytes, table)
}

/// Whether `_TLS_MODULE_BASE_` is the thread pointer once accesses are rewritten for local exec, so that offsets of
/// local dynamic code count from there; otherwise it stays the start of the image's variables.
#[must_use]
pub fn module_base_is_thread_pointer(architecture: Architecture) -> bool {
    facts(architecture).module_base_is_thread_pointer
}

/// Applies `edges`, which must all lie in the site.
///
/// # Errors
/// The first edge that cannot be applied: outside the site, out of range, or of a kind that is not supported.
pub fn fix_up<T: Targets>(
    site: &mut Site<'_>,
    edges: Edges<'_>,
    targets: &T,
    counts: &mut FixupCounts,
) -> Result<()> {
    match site.graph.architecture() {
        Architecture::X86_64 => x86_64::fix_up(site, edges, targets, counts),
        Architecture::Aarch64 => aarch64::fix_up(site, edges, targets, counts),
    }
}

/// Stores `bytes` at `position`, if they lie inside.
fn put<const N: usize>(content: &mut [u8], position: usize, bytes: [u8; N]) -> Option<()> {
    let end = position.checked_add(N)?;
    content.get_mut(position..end)?.copy_from_slice(&bytes);
    Some(())
}

/// The signed little-endian number that up to eight bytes are.
fn signed_number(bytes: &[u8]) -> i64 {
    let sign = bytes.last().map_or(0, |byte| if byte & 0x80 != 0 { -1 } else { 0 });
    bytes.iter().rev().fold(sign, |value, byte| value << 8 | i64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Builders and passes rely on the first two kinds being the same everywhere.
    #[test]
    fn every_table_begins_with_the_common_kinds() {
        for table in [Architecture::X86_64, Architecture::Aarch64].map(kinds) {
            assert_eq!(table[EdgeKind::UNKNOWN.index()].name, "UNKNOWN");
            assert_eq!(table[EdgeKind::KEEP_ALIVE.index()].name, "KEEP_ALIVE");
        }
    }
}
