//! What of Mach-O depends on the CPU: its number, and how relocations become edges.

use super::relocations::{Decoded, Decoder, Fields};
use super::{aarch64, x86_64};
use crate::graph::{Architecture, Edge, EdgeKind};
use object::macho;

/// One CPU type.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) architecture: Architecture,
    /// What Apple's tools call it.
    pub(crate) name: &'static str,
    /// `cputype`.
    pub(crate) cpu: macho::CpuType,
    /// The `cpusubtype` of code for every such CPU.
    pub(crate) subtype: u32,
    /// What the header calls relocation types, by number.
    pub(crate) relocation_names: &'static [&'static str],
    /// Kinds that are not tied to one relocation type.
    pub(crate) kinds: &'static Kinds,
}

/// Edge kinds that both CPUs have, under the names of their architecture.
#[derive(Debug)]
pub(crate) struct Kinds {
    /// `S + A`, 64 bits.
    pub(crate) absolute: EdgeKind,
    /// `S + A - P`, 32 and 64 bits.
    pub(crate) delta: [EdgeKind; 2],
    /// `A - S + P`, 32 and 64 bits.
    pub(crate) negated_delta: [EdgeKind; 2],
    /// The number of a thread-local variable's module.
    pub(crate) thread_module: EdgeKind,
    /// The offset of a thread-local variable in its image's block.
    pub(crate) thread_offset: EdgeKind,
}

static MACHINES: [&Machine; 2] = [&x86_64::MACHINE, &aarch64::MACHINE];

impl Machine {
    /// The machine with this `cputype`.
    pub(crate) fn by_cpu(cpu: macho::CpuType) -> Option<&'static Self> {
        MACHINES.into_iter().find(|machine| machine.cpu == cpu)
    }

    /// The machine of an architecture.
    pub(crate) fn of(architecture: Architecture) -> Option<&'static Self> {
        MACHINES.into_iter().find(|machine| machine.architecture == architecture)
    }
}

/// How the relocations of one CPU become edges.
pub(crate) trait Relocations {
    /// A pointer, and the second half of a difference.
    const UNSIGNED: u8;
    /// The first half of a difference.
    const SUBTRACTOR: u8;
    /// An addend for the relocation that follows, where there is such a type.
    const ADDEND: Option<u8>;

    /// The edge of a relocation that is neither a pointer nor a half of a pair; `addend` is what an
    /// [`ADDEND`](Self::ADDEND) before it said.
    fn edge(decoder: &mut Decoder<'_, '_>, fields: Fields, addend: Option<i64>) -> Decoded<Edge>;

    /// The kind of a pointer of four bytes, where there is one.
    const ABSOLUTE32: Option<EdgeKind>;
}
