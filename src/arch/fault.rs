//! What is said when a fixup cannot be applied. All of it is off the hot path.

use crate::base::{Error, OutOfRange, Place};
use crate::graph::{BlockId, Edge, KindFacts, LinkGraph};

/// The error of a fixup, boxed so that the hot loop carries one word.
pub(super) type Failure = Box<Error>;

/// Where a fixup stands.
#[derive(Clone, Copy)]
pub(super) struct Fault<'a> {
    pub(super) graph: &'a LinkGraph<'a>,
    pub(super) block: BlockId,
    pub(super) edge: Edge,
}

/// A value that does not fit its field.
#[derive(Clone, Copy)]
pub(super) struct Misfit {
    /// What was to be reached.
    pub(super) target: u64,
    /// The field's own address.
    pub(super) fixup: u64,
    pub(super) value: i64,
    /// What the user can do about it.
    pub(super) help: &'static str,
}

impl Fault<'_> {
    fn place(&self) -> Place {
        self.graph.place(self.block, u64::from(self.edge.offset))
    }

    fn facts(&self) -> &'static KindFacts {
        self.graph.kind_facts(self.edge.kind)
    }

    /// The field does not lie in the block.
    #[cold]
    #[inline(never)]
    pub(super) fn outside(&self) -> Failure {
        let (name, target) = (self.facts().name, self.graph.display_symbol(self.edge.target));
        let size = self.graph.block(self.block).size();
        let what =
            format!("the field of a {name} relocation to {target} lies outside its block of {size} bytes");
        Box::new(Error::malformed(self.place(), what))
    }

    /// The value does not fit.
    #[cold]
    #[inline(never)]
    pub(super) fn out_of_range(&self, misfit: Misfit) -> Failure {
        let facts = self.facts();
        Box::new(Error::OutOfRange(Box::new(OutOfRange {
            place: self.place(),
            kind: facts.name,
            target: self.graph.display_symbol(self.edge.target).into_owned(),
            target_address: misfit.target,
            fixup_address: misfit.fixup,
            value: misfit.value,
            min: facts.min,
            max: facts.max,
            alignment: u64::from(facts.alignment),
            help: misfit.help,
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
            self.facts().name
        );
        Box::new(Error::invalid(what, Some("this is a fault of the linker: please report it")))
    }

    /// Kinds of no known number.
    #[cold]
    #[inline(never)]
    pub(super) fn unsupported(&self) -> Failure {
        let target = self.graph.display_symbol(self.edge.target);
        self.refused(
            &format!("unknown relocation type, to {target}"),
            "compile with a compiler that follows the architecture's ABI document",
        )
    }

    /// An access to a thread-local variable by a model that its place rules out.
    #[cold]
    #[inline(never)]
    pub(super) fn no_thread_local(&self, why: &str) -> Failure {
        let (name, target) = (self.facts().name, self.graph.display_symbol(self.edge.target));
        self.refused(
            &format!("{name} relocation to {target}: {why}"),
            "compile with -fPIC and without -ftls-model, so that every variable can be reached",
        )
    }

    /// Instructions that an access by this relocation does not consist of.
    #[cold]
    #[inline(never)]
    pub(super) fn no_sequence(&self) -> Failure {
        let (name, target) = (self.facts().name, self.graph.display_symbol(self.edge.target));
        self.refused(
            &format!(
                "{name} relocation to {target}: not in the sequence of instructions that the ABI document has"
            ),
            "compile with a compiler that keeps these instructions together, or without -ftls-model",
        )
    }

    /// What is well-formed and cannot be honoured.
    #[cold]
    #[inline(never)]
    pub(super) fn refused(&self, what: &str, help: &str) -> Failure {
        Box::new(Error::unsupported(self.place(), what, help))
    }
}
