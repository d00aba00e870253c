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
//! - an instruction that loads an address from the GOT is [rewritten](super::relax) to do without, where possible; so are
//!   accesses to [thread-local variables](super::thread_local).

use super::errors::{ABSENT, remedy};
use super::kinds::*;
use super::relax::{self, can_relax, is_branch, load_null, relax};
use super::thread_local::{self, Call};
use crate::arch::fault::{Failure, Fault, Misfit};
use crate::arch::{FixupCounts, Site, Targets, ThreadLocal, put};
use crate::base::Result;
use crate::graph::{BlockId, Edge, EdgeKind, Edges, Lifetime, LinkGraph, Permissions, Section, SymbolId};

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
    let mut edges = edges;
    while let Some(edge) = edges.next() {
        fixer.apply(edge, &mut edges).map_err(|failure| *failure)?;
    }
    Ok(())
}

/// How many edges were applied at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Applied {
    One,
    /// The next edge, too.
    Pair,
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
    fn apply(&mut self, edge: Edge, rest: &mut Edges<'_>) -> Result<(), Failure> {
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
            _ if kind.index() >= TLSGD.index() => {
                // A copy, so that the one in the loop stays in registers.
                if self.apply_thread_local(offset, target, addend, kind, rest.clone())? == Applied::Pair {
                    rest.next();
                }
                return Ok(());
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
            _ => return Err(self.fault(edge).unsupported()),
        };
        self.store(edge, target, value)
    }

    /// Accesses to thread-local variables; `rest` is what follows.
    #[inline(never)]
    fn apply_thread_local(
        &mut self,
        offset: u32,
        target: SymbolId,
        addend: i64,
        kind: EdgeKind,
        rest: Edges<'_>,
    ) -> Result<Applied, Failure> {
        let edge = Edge { offset, target, addend, kind };
        let position = self.position(edge);
        if self.is_debug_info() {
            // Debug info describes a variable by its offset, which needs no thread-local storage.
            let variable = self.graph.symbols.get(target.index()).map_or(0, |symbol| symbol.value);
            return self.store(edge, variable, variable.wrapping_add_signed(addend)).map(|()| Applied::One);
        }
        let module = self.targets.thread_module();
        let value = match kind {
            TLSDESC_CALL => {
                if self.is_relaxed(edge) {
                    thread_local::drop_descriptor_call(self.content, position)
                        .ok_or_else(|| self.fault(edge).no_sequence())?;
                }
                return Ok(Applied::One);
            }
            TLSLD => match module.thread_offset {
                Some(_) => {
                    let call = Call::of(edge, rest);
                    call.and_then(|call| thread_local::load_module(self.content, position, call))
                        .ok_or_else(|| self.fault(edge).no_sequence())?;
                    self.counts.relaxed_thread_locals += 1;
                    return Ok(Applied::Pair);
                }
                None => self.in_got(edge, module.pair)?,
            },
            _ => {
                let variable = self.thread_local(edge)?;
                if let Some(applied) = self.relax_thread_local(edge, variable, rest) {
                    self.counts.relaxed_thread_locals += 1;
                    return Ok(applied);
                }
                match kind {
                    TLSGD => self.in_got(edge, variable.pair)?,
                    GOTPC32_TLSDESC
                    | CODE_4_GOTPC32_TLSDESC
                    | CODE_5_GOTPC32_TLSDESC
                    | CODE_6_GOTPC32_TLSDESC => {
                        // Its call is rewritten, wherever that stands.
                        if self.is_relaxed(edge) {
                            return Err(self.fault(edge).no_sequence());
                        }
                        self.in_got(edge, variable.descriptor)?
                    }
                    GOTTPOFF | CODE_4_GOTTPOFF | CODE_5_GOTTPOFF | CODE_6_GOTTPOFF => {
                        self.in_got(edge, variable.offset_entry)?
                    }
                    TPOFF32 | TPOFF64 => self.thread_offset(edge, variable)?.wrapping_add_signed(addend),
                    // What local dynamic code adds to the thread pointer, once it is rewritten so.
                    DTPOFF32 | DTPOFF64 if module.thread_offset.is_some() && self.is_code() => {
                        self.thread_offset(edge, variable)?.wrapping_add_signed(addend)
                    }
                    DTPOFF32 | DTPOFF64 if self.is_code() => {
                        variable.block_offset.wrapping_add_signed(addend)
                    }
                    DTPOFF32 | DTPOFF64 => variable.module_offset.wrapping_add_signed(addend),
                    DTPMOD64 => variable.module,
                    _ => return self.store_descriptor(edge, variable).map(|()| Applied::One),
                }
            }
        };
        self.store(edge, 0, value).map(|()| Applied::One)
    }

    /// `G(entry) + GOT + A - P`.
    fn in_got(&self, edge: Edge, entry: Option<u64>) -> Result<u64, Failure> {
        let entry = entry.ok_or_else(|| self.fault(edge).no_got_entry())?;
        Ok(entry.wrapping_add_signed(edge.addend).wrapping_sub(self.field(edge)))
    }

    /// Rewrites the access at `edge` so that it uses the variable's offset from the thread pointer, if that is known and
    /// the instructions are as the psABI has them.
    fn relax_thread_local(&mut self, edge: Edge, variable: ThreadLocal, rest: Edges<'_>) -> Option<Applied> {
        let (position, offset) = (self.position(edge), i32::try_from(variable.thread_offset?).ok()?);
        match edge.kind {
            TLSGD => thread_local::load_address(self.content, position, Call::of(edge, rest)?, offset)
                .map(|()| Applied::Pair),
            _ => relax::use_thread_offset(edge.kind, self.content, position, edge.addend, offset)
                .then_some(Applied::One),
        }
    }

    /// Whether accesses through the target's descriptor are rewritten.
    fn is_relaxed(&self, edge: Edge) -> bool {
        let offset = self.targets.thread_local(edge.target).and_then(|variable| variable.thread_offset);
        offset.is_some_and(|offset| i32::try_from(offset).is_ok())
    }

    fn thread_local(&self, edge: Edge) -> Result<ThreadLocal, Failure> {
        let variable = self.targets.thread_local(edge.target);
        variable
            .ok_or_else(|| self.fault(edge).no_thread_local("it is no thread-local variable of this image"))
    }

    fn thread_offset(&self, edge: Edge, variable: ThreadLocal) -> Result<u64, Failure> {
        match variable.thread_offset {
            Some(offset) => Ok(offset.cast_unsigned()),
            None if self.targets.is_absent(edge.target) => Ok(0),
            None => Err(self.fault(edge).no_thread_local("its offset differs from thread to thread")),
        }
    }

    /// A descriptor in data.
    fn store_descriptor(&mut self, edge: Edge, variable: ThreadLocal) -> Result<(), Failure> {
        let [function, argument] = variable.descriptor_words;
        let argument = argument.wrapping_add_signed(edge.addend);
        let position = self.position(edge);
        let stored = put(self.content, position, function.to_le_bytes())
            .and_then(|()| put(self.content, position.checked_add(8)?, argument.to_le_bytes()));
        stored.ok_or_else(|| self.fault(edge).outside())
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

    fn is_debug_info(&self) -> bool {
        self.section().lifetime == Lifetime::NoAlloc
    }

    fn is_code(&self) -> bool {
        self.section().permissions.contains(Permissions::EXECUTE)
    }

    fn section(&self) -> &Section<'_> {
        self.graph.section(self.graph.block(self.block).section)
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
