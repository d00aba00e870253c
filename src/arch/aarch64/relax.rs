//! Pairs of instructions that compute or load an address, made shorter.
//!
//! The ABI document ("Relocation optimization") lets a linker rewrite two sequences:
//!
//! | instructions | become | when |
//! |---|---|---|
//! | `adrp x, :got:foo; ldr x, [x, :got_lo12:foo]` | `nop; adr x, foo` | foo is within 1 MiB |
//! | the same | `adrp x, foo; add x, x, :lo12:foo` | foo is within 4 GiB |
//! | `adrp x, foo; add x, x, :lo12:foo` | `nop; adr x, foo` | foo is within 1 MiB |
//!
//! on these conditions: the two are consecutive and in this order, they name one symbol (of the GOT, with no addend), they
//! read and write one register, and the relocations do not appear in another way. The last needs a look at the whole
//! section: an `adrp` of its own might be meant for the second instruction of a pair, by way of a branch. So a section
//! with any other use of the relocations keeps all its pairs. It is looked at when its first pair could be rewritten.
//!
//! Symbols that could not be addressed this way elsewhere need no further conditions: what a GOT entry holds is final, so
//! that the address computed is the one that would have been loaded.
//!
//! The `ldr x, :got:foo` of the tiny model becomes `adr x, foo` in [`fixup`](super::fixup), on its own.

use super::insn::{Register, word};
use super::kinds::*;
use crate::graph::{Edge, EdgeKind, Edges};

/// The pairs of one run of edges.
#[derive(Debug)]
pub(super) struct Pairs<'a> {
    /// All edges of the run.
    edges: Edges<'a>,
    /// Whether relocations that load from the GOT, and those that compute addresses, appear as pairs only; once known.
    all_load: Option<bool>,
    all_address: Option<bool>,
}

/// Two relocations that make a pair, and how the second uses the register of the first.
struct Sequence {
    first: EdgeKind,
    second: EdgeKind,
    uses: fn(Register, u32) -> bool,
}

const LOAD: Sequence = Sequence { first: ADR_GOT_PAGE, second: LD64_GOT_LO12_NC, uses: Register::is_loaded };
const ADDRESS: Sequence =
    Sequence { first: ADR_PREL_PG_HI21, second: ADD_ABS_LO12_NC, uses: Register::is_added };

impl<'a> Pairs<'a> {
    pub(super) fn new(edges: Edges<'a>) -> Self {
        Self { edges, all_load: None, all_address: None }
    }

    /// The register of the load from the GOT that `edge` and the first of `rest` make, if it may be rewritten.
    #[inline]
    pub(super) fn load(
        &mut self,
        content: &[u8],
        start: u32,
        edge: Edge,
        rest: &Edges<'_>,
    ) -> Option<Register> {
        let register = LOAD.register(content, start, edge, rest).filter(|_| edge.addend == 0)?;
        let edges = &self.edges;
        let all = *self.all_load.get_or_insert_with(|| LOAD.is_all(content, start, edges.clone()));
        all.then_some(register)
    }

    /// The register of the address that `edge` and the first of `rest` compute, if that may be rewritten.
    #[inline]
    pub(super) fn address(
        &mut self,
        content: &[u8],
        start: u32,
        edge: Edge,
        rest: &Edges<'_>,
    ) -> Option<Register> {
        if self.all_address == Some(false) {
            return None;
        }
        let register = ADDRESS.register(content, start, edge, rest)?;
        let edges = &self.edges;
        let all = *self.all_address.get_or_insert_with(|| ADDRESS.is_all(content, start, edges.clone()));
        all.then_some(register)
    }
}

impl Sequence {
    /// The register of the pair that `edge` and the first of `rest` make.
    fn register(&self, content: &[u8], start: u32, edge: Edge, rest: &Edges<'_>) -> Option<Register> {
        let next = rest.clone().next()?;
        let matches = edge.kind == self.first
            && next.kind == self.second
            && Some(next.offset) == edge.offset.checked_add(4)
            && (next.target, next.addend) == (edge.target, edge.addend);
        if !matches {
            return None;
        }
        let position = edge.offset.wrapping_sub(start) as usize;
        let register = Register::of_adrp(word(content, position)?)?;
        (self.uses)(register, word(content, position.checked_add(4)?)?).then_some(register)
    }

    /// Whether the relocations appear as pairs only.
    #[inline(never)]
    fn is_all(&self, content: &[u8], start: u32, mut edges: Edges<'_>) -> bool {
        while let Some(edge) = edges.next() {
            if edge.kind == self.first {
                if self.register(content, start, edge, &edges).is_none() {
                    return false;
                }
                edges.next();
            } else if edge.kind == self.second {
                return false;
            }
        }
        true
    }
}
