//! Fixups: what each edge stores.
//!
//! The psABI's table "Relocation Types" gives every type an expression and a field; [`kinds`](super::kinds) has both.
//! This file computes them. Nearly all edges there are have one of three kinds (`PC32`, `PLT32`, `64`), so these are done
//! in the loop itself; the others each have a line of their own, and are checked and stored as the table says.
//!
//! A field that a value does not fit is an error, with a few exceptions where something else does what was meant:
//!
//! - a branch whose target is out of reach goes to the target's PLT entry, if it has one. The psABI marks branches as
//!   `PLT32`; older assemblers used `PC32`, which is taken for a branch where the opcode before the field is one;
//! - `lea foo(%rip), %reg`, where foo is weak and nothing defines it, becomes `mov $0, %reg`;
//! - an instruction that loads an address from the GOT is [rewritten](super::relax) to do without, where possible.

use super::errors::{ABSENT, remedy};
use super::kinds::*;
use super::relax::{can_relax, is_branch, load_null, relax};
use crate::arch::fault::{Failure, Fault, Misfit};
use crate::arch::{FixupCounts, Site, Targets, put};
use crate::base::Result;
use crate::graph::{BlockId, Edge, EdgeKind, Edges, Lifetime, LinkGraph, SymbolId};

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
    let Site { graph, block, content, start, address } = site;
    let mut fixer =
        Fixer { graph, block: *block, content, start: *start, address: *address, targets, counts };
    for edge in edges {
        fixer.apply(edge).map_err(|failure| *failure)?;
    }
    Ok(())
}

struct Fixer<'a, T> {
    graph: &'a LinkGraph<'a>,
    block: BlockId,
    content: &'a mut [u8],
    start: u32,
    address: u64,
    targets: &'a T,
    counts: &'a mut FixupCounts,
}

impl<T: Targets> Fixer<'_, T> {
    /// The three kinds that nearly all edges are, and the way to the others. Edges are handed on in parts, which stay in
    /// registers here.
    #[inline(always)]
    fn apply(&mut self, edge: Edge) -> Result<(), Failure> {
        let Edge { offset, target, addend, kind } = edge;
        let stored = match kind {
            PC32 | PLT32 => {
                let (address, addend) = self.targets.resolve(target, addend);
                let value = address.wrapping_add_signed(addend).wrapping_sub(self.field(edge));
                let Ok(value) = i32::try_from(value.cast_signed()) else {
                    return self.out_of_reach(offset, target, addend, kind, address);
                };
                put(self.content, self.position(edge), value.to_le_bytes())
            }
            ABS64 => {
                let (address, addend) = self.targets.resolve(target, addend);
                put(self.content, self.position(edge), address.wrapping_add_signed(addend).to_le_bytes())
            }
            _ => return self.apply_other(offset, target, addend, kind),
        };
        match stored {
            Some(()) => Ok(()),
            None => Err(self.outside(offset, target, kind)),
        }
    }

    /// A `PC32` or `PLT32` fixup whose target, at `address`, is out of reach.
    #[inline(never)]
    fn out_of_reach(
        &mut self,
        offset: u32,
        target: SymbolId,
        addend: i64,
        kind: EdgeKind,
        address: u64,
    ) -> Result<(), Failure> {
        let edge = Edge { offset, target, addend, kind };
        let (position, field) = (self.position(edge), self.field(edge));
        if kind == PLT32 || is_branch(self.content, position) {
            if let Some(entry) = self.targets.plt_entry(target) {
                self.counts.plt_calls += 1;
                return self.store(edge, entry, entry.wrapping_add_signed(addend).wrapping_sub(field));
            }
        } else if self.targets.is_absent(target) && load_null(self.content, position, addend) {
            return Ok(());
        }
        self.store(edge, address, address.wrapping_add_signed(addend).wrapping_sub(field))
    }

    /// All other kinds.
    #[inline(never)]
    fn apply_other(
        &mut self,
        offset: u32,
        target: SymbolId,
        addend: i64,
        kind: EdgeKind,
    ) -> Result<(), Failure> {
        let edge = Edge { offset, target, addend, kind };
        let field = self.field(edge);
        let got = self.targets.got_base();
        let (target, value) = match kind {
            KEEP_ALIVE | NONE => return Ok(()),
            ABS32 | ABS32S | ABS16 | ABS8 | PC64 | PC16 | PC8 => {
                let (target, addend) = self.targets.resolve(edge.target, edge.addend);
                let base = if facts(kind).pc_relative { field } else { 0 };
                (target, target.wrapping_add_signed(addend).wrapping_sub(base))
            }
            GOTPCRELX | REX_GOTPCRELX | CODE_4_GOTPCRELX | CODE_5_GOTPCRELX | CODE_6_GOTPCRELX => {
                return self.load_from_got(edge);
            }
            GOTPCREL | GOTPCREL64 => {
                let entry = self.got_entry(edge)?;
                (entry, entry.wrapping_add_signed(edge.addend).wrapping_sub(field))
            }
            GOT32 | GOT64 | GOTPLT64 => {
                let entry = self.got_entry(edge)?;
                (entry, entry.wrapping_add_signed(edge.addend).wrapping_sub(got))
            }
            GOTPC32 | GOTPC64 => (got, got.wrapping_add_signed(edge.addend).wrapping_sub(field)),
            GOTOFF64 => {
                let (target, addend) = self.targets.resolve(edge.target, edge.addend);
                (target, target.wrapping_add_signed(addend).wrapping_sub(got))
            }
            PLTOFF64 => {
                let entry = self.targets.plt_entry(edge.target);
                let (target, addend) = match entry {
                    Some(entry) => (entry, edge.addend),
                    None => self.targets.resolve(edge.target, edge.addend),
                };
                (target, target.wrapping_add_signed(addend).wrapping_sub(got))
            }
            NEG_DELTA32 | NEG_DELTA64 => {
                // The addend belongs to the minuend, so that a merged section must not take it into the target.
                let (target, folded) = self.targets.resolve(edge.target, 0);
                let target = target.wrapping_add_signed(folded);
                (target, field.wrapping_add_signed(edge.addend).wrapping_sub(target))
            }
            SIZE32 | SIZE64 => (0, self.targets.size(edge.target).wrapping_add_signed(edge.addend)),
            DTPOFF32 | DTPOFF64 if self.is_debug_info() => {
                let variable = self.graph.symbols.get(edge.target.index()).map_or(0, |symbol| symbol.value);
                (variable, variable.wrapping_add_signed(edge.addend))
            }
            _ => return Err(self.fault(edge).unsupported()),
        };
        self.store(edge, target, value)
    }

    /// An instruction that loads an address from the GOT and may be rewritten.
    fn load_from_got(&mut self, edge: Edge) -> Result<(), Failure> {
        let (target, folded) = self.targets.resolve(edge.target, 0);
        let target = target.wrapping_add_signed(folded);
        let (position, field) = (self.position(edge), self.field(edge));
        if relax(edge.kind, self.content, position, edge.addend, field, target) {
            self.counts.relaxed_got_loads += 1;
            return Ok(());
        }
        if self.targets.got_entry(edge.target).is_none()
            && can_relax(edge.kind, self.content, position as u32, edge.addend)
        {
            // No entry was made because the instruction can do without; but its target is out of reach.
            let value = target.wrapping_add_signed(edge.addend).wrapping_sub(field).cast_signed();
            return Err(self.out_of_range(edge, target, value));
        }
        let entry = self.got_entry(edge)?;
        self.counts.got_loads += 1;
        self.store(edge, entry, entry.wrapping_add_signed(edge.addend).wrapping_sub(field))
    }

    fn got_entry(&self, edge: Edge) -> Result<u64, Failure> {
        self.targets.got_entry(edge.target).ok_or_else(|| self.fault(edge).no_got_entry())
    }

    /// Stores `value`, or says that it does not fit or that the field lies outside.
    fn store(&mut self, edge: Edge, target: u64, value: u64) -> Result<(), Failure> {
        let (facts, value) = (facts(edge.kind), value.cast_signed());
        if value < facts.min || value > facts.max {
            return Err(self.out_of_range(edge, target, value));
        }
        let stored = store(self.content, self.position(edge), facts.width, value);
        stored.ok_or_else(|| self.fault(edge).outside())
    }

    /// Where the field is in the site's content; far outside for edges before its start.
    fn position(&self, edge: Edge) -> usize {
        edge.offset.wrapping_sub(self.start) as usize
    }

    /// The field's address, `P`.
    fn field(&self, edge: Edge) -> u64 {
        self.address.wrapping_add(self.position(edge) as u64)
    }

    /// Debug info describes a thread-local variable by its offset, which needs no thread-local storage.
    fn is_debug_info(&self) -> bool {
        let section = self.graph.block(self.block).section;
        self.graph.section(section).lifetime == Lifetime::NoAlloc
    }

    #[cold]
    #[inline(never)]
    fn outside(&self, offset: u32, target: SymbolId, kind: EdgeKind) -> Failure {
        self.fault(Edge { offset, target, addend: 0, kind }).outside()
    }

    #[cold]
    fn out_of_range(&self, edge: Edge, target: u64, value: i64) -> Failure {
        let help = if self.targets.is_absent(edge.target) { ABSENT } else { remedy(edge.kind) };
        self.fault(edge).out_of_range(Misfit { target, fixup: self.field(edge), value, help })
    }

    fn fault(&self, edge: Edge) -> Fault<'_> {
        Fault { graph: self.graph, block: self.block, edge }
    }
}

/// Stores the low `width` bytes of `value` at `position`, if they lie inside.
fn store(content: &mut [u8], position: usize, width: u8, value: i64) -> Option<()> {
    match width {
        4 => put(content, position, (value as i32).to_le_bytes()),
        8 => put(content, position, value.to_le_bytes()),
        2 => put(content, position, (value as i16).to_le_bytes()),
        _ => put(content, position, (value as i8).to_le_bytes()),
    }
}
