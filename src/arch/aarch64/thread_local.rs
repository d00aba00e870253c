//! Sequences of instructions that access thread-local variables, rewritten for local exec.
//!
//! The ABI document ("Relocation optimization", and "Thread-local storage" of the code models) gives each model its
//! instructions. Where a variable's offset from the thread pointer is the same in every thread and takes no more than 32
//! bits, it is made by two moves:
//!
//! | instructions | become |
//! |---|---|
//! | `adrp x0, :tlsdesc:v; ldr x1, [x0, :tlsdesc_lo12:v]; add x0, x0, :tlsdesc_lo12:v; blr x1` | `movz x0, #high, lsl #16; movk x0, #low; nop; nop` |
//! | `adrp x, :gottprel:v; ldr x, [x, :gottprel_lo12:v]` | `movz x, #high, lsl #16; movk x, #low` |
//! | `adrp x0, :tlsgd:v; add x0, x0, :tlsgd_lo12:v; bl __tls_get_addr; nop` | the same; `mrs x1, tpidr_el0; add x0, x1, x0` |
//! | the same with `:tlsldm:` | the same, for the start of the module's variables |
//!
//! on the conditions of other [pairs](super::relax): the instructions are consecutive, and the relocations do not appear in
//! another way in their section. What is not rewritten works all the same, by GOT entries. So do the sequences of the tiny
//! and the large code model.

use super::insn::{NOP, Register, word};
use super::kinds::*;
use crate::arch::put;
use crate::graph::{Edge, EdgeKind, Edges};

/// Relocations that make a sequence, and what instructions it consists of.
struct Sequence {
    kinds: &'static [EdgeKind],
    words: usize,
    is_it: fn(&[u32]) -> bool,
    /// What comes after the two moves.
    rest: &'static [u32],
}

/// `mrs x1, tpidr_el0; add x0, x1, x0`.
const ADD_THREAD_POINTER: [u32; 2] = [0xd53b_d041, 0x8b00_0020];

static SEQUENCES: [Sequence; 4] = [
    Sequence {
        kinds: &[TLSDESC_ADR_PAGE21, TLSDESC_LD64_LO12, TLSDESC_ADD_LO12, TLSDESC_CALL],
        words: 4,
        is_it: |words| match words {
            [adrp, ldr, add, blr] => {
                let is_loaded = ldr & 0xffc0_03e0 == 0xf940_0000 && *blr == 0xd63f_0000 | (ldr & 0x1f) << 5;
                *adrp & 0x9f00_001f == 0x9000_0000 && is_loaded && *add & 0xffc0_03ff == 0x9100_0000
            }
            _ => false,
        },
        rest: &[NOP, NOP],
    },
    Sequence {
        kinds: &[TLSIE_ADR_GOTTPREL_PAGE21, TLSIE_LD64_GOTTPREL_LO12_NC],
        words: 2,
        is_it: |words| match words {
            [adrp, ldr] => Register::of_adrp(*adrp).is_some_and(|register| register.is_loaded(*ldr)),
            _ => false,
        },
        rest: &[],
    },
    Sequence {
        kinds: &[TLSGD_ADR_PAGE21, TLSGD_ADD_LO12_NC, CALL26],
        words: 4,
        is_it: calls_with_address,
        rest: &ADD_THREAD_POINTER,
    },
    Sequence {
        kinds: &[TLSLD_ADR_PAGE21, TLSLD_ADD_LO12_NC, CALL26],
        words: 4,
        is_it: calls_with_address,
        rest: &ADD_THREAD_POINTER,
    },
];

/// `adrp x0, page; add x0, x0, #low; bl function; nop`.
fn calls_with_address(words: &[u32]) -> bool {
    match words {
        [adrp, add, bl, nop] => {
            let is_address = adrp & 0x9f00_001f == 0x9000_0000 && add & 0xffc0_03ff == 0x9100_0000;
            is_address && bl & 0xfc00_0000 == 0x9400_0000 && *nop == NOP
        }
        _ => false,
    }
}

/// The sequences of one run of edges.
#[derive(Debug)]
pub(super) struct Sequences<'a> {
    /// All edges of the run.
    edges: Edges<'a>,
    /// For each of [`SEQUENCES`], whether its relocations appear in no other way; once known.
    all: [Option<bool>; SEQUENCES.len()],
}

impl<'a> Sequences<'a> {
    pub(super) fn new(edges: Edges<'a>) -> Self {
        Self { edges, all: [None; SEQUENCES.len()] }
    }

    /// Rewrites the sequence that starts with `edge` and the first of `rest`; how many edges it had.
    pub(super) fn rewrite(
        &mut self,
        content: &mut [u8],
        start: u32,
        edge: Edge,
        rest: &Edges<'_>,
        offset: u32,
    ) -> Option<usize> {
        let index = SEQUENCES.iter().position(|sequence| sequence.kinds[0] == edge.kind)?;
        let sequence = &SEQUENCES[index];
        if edge.addend != 0 || !sequence.starts_at(content, start, edge, rest) {
            return None;
        }
        let edges = &self.edges;
        if !*self.all[index].get_or_insert_with(|| sequence.is_all(content, start, edges.clone())) {
            return None;
        }
        let position = edge.offset.wrapping_sub(start) as usize;
        let register = Register::of_adrp(word(content, position)?)?;
        let moves = [register.movz_high((offset >> 16) as u16), register.movk(offset as u16)];
        for (number, instruction) in moves.iter().chain(sequence.rest).enumerate() {
            put(content, position.checked_add(4 * number)?, instruction.to_le_bytes())?;
        }
        Some(sequence.kinds.len())
    }
}

impl Sequence {
    fn starts_at(&self, content: &[u8], start: u32, edge: Edge, rest: &Edges<'_>) -> bool {
        let follow = self.kinds.iter().zip(0u32..).skip(1).zip(rest.clone());
        let mut count = 1;
        for ((&kind, number), next) in follow {
            let is_same = kind == CALL26 || (next.target, next.addend) == (edge.target, edge.addend);
            if next.kind != kind || !is_same || Some(next.offset) != edge.offset.checked_add(4 * number) {
                return false;
            }
            count += 1;
        }
        let position = edge.offset.wrapping_sub(start) as usize;
        let word_at = |number: usize| word(content, position.checked_add(4 * number)?);
        let words: Option<smallvec::SmallVec<[u32; 4]>> = (0..self.words).map(word_at).collect();
        count == self.kinds.len() && words.is_some_and(|words| (self.is_it)(&words))
    }

    /// Whether the relocations appear in such sequences only.
    fn is_all(&self, content: &[u8], start: u32, mut edges: Edges<'_>) -> bool {
        while let Some(edge) = edges.next() {
            if edge.kind == self.kinds[0] {
                if !self.starts_at(content, start, edge, &edges) {
                    return false;
                }
                (1..self.kinds.len()).for_each(|_| _ = edges.next());
            } else if edge.kind != CALL26 && self.kinds.contains(&edge.kind) {
                return false;
            }
        }
        true
    }
}
