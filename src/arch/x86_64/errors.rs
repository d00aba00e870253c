//! What is said when a fixup cannot be applied. All of it is off the hot path.

use super::kinds::*;
use crate::base::{Error, OutOfRange, Place};
use crate::graph::{BlockId, Edge, EdgeKind, LinkGraph, Request};

/// The error of a fixup, boxed so that the hot loop carries one word.
pub(super) type Failure = Box<Error>;

/// Where a fixup stands.
#[derive(Clone, Copy)]
pub(super) struct Fault<'a> {
    pub(super) graph: &'a LinkGraph<'a>,
    pub(super) block: BlockId,
    pub(super) edge: Edge,
}

impl Fault<'_> {
    fn place(&self) -> Place {
        self.graph.place(self.block, u64::from(self.edge.offset))
    }

    fn name(&self) -> &'static str {
        facts(self.edge.kind).name
    }

    /// The field does not lie in the block.
    #[cold]
    #[inline(never)]
    pub(super) fn outside(&self) -> Failure {
        let (name, target) = (self.name(), self.graph.display_symbol(self.edge.target));
        let size = self.graph.block(self.block).size();
        let what =
            format!("the field of a {name} relocation to {target} lies outside its block of {size} bytes");
        Box::new(Error::malformed(self.place(), what))
    }

    /// The value does not fit: `target_address` is what was to be reached.
    #[cold]
    #[inline(never)]
    pub(super) fn out_of_range(
        &self,
        target_address: u64,
        fixup_address: u64,
        value: i64,
        is_absent: bool,
    ) -> Failure {
        let facts = facts(self.edge.kind);
        Box::new(Error::OutOfRange(Box::new(OutOfRange {
            place: self.place(),
            kind: facts.name,
            target: self.graph.display_symbol(self.edge.target).into_owned(),
            target_address,
            fixup_address,
            value,
            min: facts.min,
            max: facts.max,
            alignment: u64::from(facts.alignment),
            help: if is_absent { ABSENT } else { remedy(self.edge.kind) },
        })))
    }

    /// The passes before fixup made no GOT entry where one is needed.
    #[cold]
    #[inline(never)]
    pub(super) fn no_got_entry(&self) -> Failure {
        let target = self.graph.display_symbol(self.edge.target);
        let what = format!(
            "{}: {} fixup to {target} needs a GOT entry and none was made",
            self.place(),
            self.name()
        );
        Box::new(Error::invalid(what, Some("this is a fault of the linker: please report it")))
    }

    /// Thread-local accesses, dynamic kinds, and kinds of no known number.
    #[cold]
    #[inline(never)]
    pub(super) fn unsupported(&self) -> Failure {
        let (name, target) = (self.name(), self.graph.display_symbol(self.edge.target));
        let (what, help) = if facts(self.edge.kind).request != Request::ThreadLocal {
            (
                format!("unknown relocation type, to {target}"),
                "compile with a compiler that follows the x86-64 psABI",
            )
        } else {
            (
                format!("{name} relocation to {target}: thread-local variables are not supported"),
                "compile with -femulated-tls, or keep the variable in a shared library",
            )
        };
        Box::new(Error::unsupported(self.place(), what, help))
    }
}

const ABSENT: &str = "nothing defines the weak symbol: compile with -fPIC so that its address comes from the GOT, or define it";

/// What helps when a value does not fit a field of this kind.
fn remedy(kind: EdgeKind) -> &'static str {
    match kind {
        ABS32 | ABS32S => {
            "compile with -fPIC or -mcmodel=large, or let the linker place the object in the low 2 GiB"
        }
        ABS16 | ABS8 | PC16 | PC8 => {
            "the field is too narrow for a linked address: use a 32-bit or 64-bit relocation in the source"
        }
        PC32 | NEG_DELTA32 => "compile with -fPIC so that the access goes through the GOT",
        PLT32 => "compile with -mcmodel=large, or link caller and target into memory within 2 GiB",
        SIZE32 => "the size needs a 64-bit field: use the SIZE64 relocation in the source",
        _ => "compile with -mcmodel=large, or keep the image below 2 GiB so that its GOT is in reach",
    }
}
