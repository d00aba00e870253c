//! Fixups: what each edge stores.
//!
//! The ABI document "ELF for the Arm 64-bit Architecture (AArch64)" gives every relocation type an expression and a field;
//! [`kinds`](super::kinds) has both. The kinds that nearly all edges have are done in the loop itself, the others by the
//! table.
//!
//! A value that does not fit, or lacks the alignment that its field implies, is an error, with these exceptions:
//!
//! - `b` and `bl` out of reach go to the target's PLT entry, if it has one, or to a veneer. Nothing else may, since these
//!   change `x16` and `x17`;
//! - a weak symbol that nothing defines is null to an absolute kind and the place itself to a pc-relative one ("Weak
//!   References"); a branch to it does nothing, and `adrp` and `adr` become moves of zero.
//!
//! Pairs of instructions that compute or load an address are [shortened](super::relax) where possible, and accesses to
//! [thread-local variables](super::thread_local) made direct.

use super::errors::remedy;
use super::insn::{NOP, Register, page, value_of, with_value, word};
use super::kinds::*;
use super::relax::Pairs;
use super::thread_local::Sequences;
use crate::arch::fault::{Failure, Fault, Misfit};
use crate::arch::{Detour, FixupCounts, Site, Targets, ThreadLocal, put};
use crate::base::Result;
use crate::graph::{BlockId, Edge, EdgeKind, Edges, Lifetime, LinkGraph, Request, SymbolId, ThreadAccess};

/// Applies `edges`, which must all lie in the site.
///
/// # Errors
/// The first edge that cannot be applied: outside the site, out of range, misaligned, or of a kind that is not supported.
pub fn fix_up<T: Targets>(
    site: &mut Site<'_>,
    edges: Edges<'_>,
    targets: &T,
    counts: &mut FixupCounts,
) -> Result<()> {
    let Site { graph, block, content, start, address } = site;
    let mut fixer = Fixer {
        graph,
        block: *block,
        content,
        start: *start,
        address: *address,
        targets,
        counts,
        pairs: Pairs::new(edges.clone()),
        sequences: Sequences::new(edges.clone()),
    };
    let mut edges = edges;
    while let Some(edge) = edges.next() {
        match fixer.apply(edge, &edges).map_err(|failure| *failure)? {
            Applied::One => {}
            Applied::Pair => _ = edges.next(),
            Applied::Run(edge_count) => (1..edge_count).for_each(|_| _ = edges.next()),
        }
    }
    Ok(())
}

/// How many edges were applied at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Applied {
    One,
    /// The next edge, too.
    Pair,
    /// This one and those that follow, so many in all.
    Run(usize),
}

struct Fixer<'a, T> {
    graph: &'a LinkGraph<'a>,
    block: BlockId,
    content: &'a mut [u8],
    start: u32,
    address: u64,
    targets: &'a T,
    counts: &'a mut FixupCounts,
    pairs: Pairs<'a>,
    sequences: Sequences<'a>,
}

/// How far a `b` or `bl` reaches.
const BRANCH_REACH: std::ops::Range<i64> = -1 << 27..1 << 27;
/// How far an `adr` reaches.
const ADR_REACH: std::ops::Range<i64> = -1 << 20..1 << 20;
/// How far an `adrp` reaches, from page to page.
const ADRP_REACH: std::ops::Range<i64> = -1 << 32..1 << 32;

impl<T: Targets> Fixer<'_, T> {
    /// The kinds that nearly all edges are, and the way to the others; `rest` is what follows.
    #[inline(always)]
    fn apply(&mut self, edge: Edge, rest: &Edges<'_>) -> Result<Applied, Failure> {
        let Edge { offset, target, addend, kind } = edge;
        let stored = match kind {
            CALL26 | JUMP26 => {
                let (address, addend) = self.targets.resolve(target, addend);
                let value = address.wrapping_add_signed(addend).wrapping_sub(self.field(edge)).cast_signed();
                if address == 0 || !BRANCH_REACH.contains(&value) || value & 3 != 0 {
                    return self.far_branch(offset, target, addend, kind, address).map(|()| Applied::One);
                }
                self.instruct(edge, Form::Branch26, value)
            }
            ADD_ABS_LO12_NC => {
                let (address, addend) = self.targets.resolve(target, addend);
                self.instruct(edge, Form::Low12(0), address.wrapping_add_signed(addend).cast_signed())
            }
            ADR_PREL_PG_HI21 => {
                let (address, addend) = self.targets.resolve(target, addend);
                let (sum, field) = (address.wrapping_add_signed(addend), self.field(edge));
                let distance = sum.wrapping_sub(field).cast_signed();
                if ADR_REACH.contains(&distance) && self.shorten_address(edge, rest, sum) {
                    return Ok(Applied::Pair);
                }
                let value = page(sum).wrapping_sub(page(field)).cast_signed();
                if address == 0 || !ADRP_REACH.contains(&value) {
                    return self.apply_other(offset, target, addend, kind, rest);
                }
                self.instruct(edge, Form::Adrp, value)
            }
            ABS64 => {
                let (address, addend) = self.targets.resolve(target, addend);
                put(self.content, self.position(edge), address.wrapping_add_signed(addend).to_le_bytes())
            }
            _ => return self.apply_other(offset, target, addend, kind, rest),
        };
        match stored {
            Some(()) => Ok(Applied::One),
            None => Err(self.outside(offset, target, kind)),
        }
    }

    /// A `b` or `bl` to `address`, which is absent, out of reach or misaligned.
    #[inline(never)]
    fn far_branch(
        &mut self,
        offset: u32,
        target: SymbolId,
        addend: i64,
        kind: EdgeKind,
        address: u64,
    ) -> Result<(), Failure> {
        let edge = Edge { offset, target, addend, kind };
        if self.targets.is_absent(target) {
            return self.replace(edge, NOP);
        }
        let field = self.field(edge);
        let value = address.wrapping_add_signed(addend).wrapping_sub(field);
        let distance = |place: &u64| place.wrapping_sub(field).cast_signed();
        let entry = self.targets.plt_entry(target).filter(|_| addend == 0);
        match entry.filter(|entry| BRANCH_REACH.contains(&distance(entry))) {
            _ if BRANCH_REACH.contains(&value.cast_signed()) => self.store(edge, address, value),
            Some(entry) => {
                self.counts.plt_calls += 1;
                self.store(edge, entry, entry.wrapping_sub(field))
            }
            None => self.detour(Detour::Veneer, edge, address, value),
        }
    }

    /// A branch to `address`, for which `value` does not fit: by a detour, if there is one in reach.
    fn detour(&mut self, detour: Detour, edge: Edge, address: u64, value: u64) -> Result<(), Failure> {
        let (facts, field) = (facts(edge.kind), self.field(edge));
        let place = self.targets.detour(detour, edge.target, edge.addend, field);
        let distance = place.map(|place| place.wrapping_sub(field));
        match distance.filter(|distance| (facts.min..=facts.max).contains(&distance.cast_signed())) {
            Some(distance) => self.store(edge, address, distance),
            None => self.store(edge, address, value),
        }
    }

    /// All other kinds.
    #[inline(never)]
    fn apply_other(
        &mut self,
        offset: u32,
        target: SymbolId,
        addend: i64,
        kind: EdgeKind,
        rest: &Edges<'_>,
    ) -> Result<Applied, Failure> {
        let edge = Edge { offset, target, addend, kind };
        let (field, got) = (self.field(edge), self.targets.got_base());
        let (target, value) = match kind {
            KEEP_ALIVE | NONE => return Ok(Applied::One),
            PLT32 => return self.data_branch(edge).map(|()| Applied::One),
            TSTBR14 | CONDBR19 if self.targets.is_absent(target) => {
                return self.replace(edge, NOP).map(|()| Applied::One);
            }
            TSTBR14 | CONDBR19 => {
                let (target, sum) = self.sum(edge);
                let (value, facts) = (sum.wrapping_sub(field), facts(kind));
                if !(facts.min..=facts.max).contains(&value.cast_signed()) {
                    return self.detour(Detour::Hop, edge, target, value).map(|()| Applied::One);
                }
                (target, value)
            }
            ADR_PREL_PG_HI21 | ADR_PREL_LO21 if self.targets.is_absent(target) => {
                return self.move_null(edge).map(|()| Applied::One);
            }
            ADR_PREL_PG_HI21 | ADR_PREL_PG_HI21_NC => {
                let (target, sum) = self.sum(edge);
                (target, page(sum).wrapping_sub(page(field)))
            }
            GOTREL64 | GOTREL32 => {
                let (target, sum) = self.sum(edge);
                (target, sum.wrapping_sub(got))
            }
            NEG_DELTA32 | NEG_DELTA64 => {
                // The addend belongs to the minuend, so that a merged section must not take it into the target.
                let (target, folded) = self.targets.resolve(edge.target, 0);
                let target = target.wrapping_add_signed(folded);
                (target, field.wrapping_add_signed(addend).wrapping_sub(target))
            }
            GOTABS64 => {
                let entry = self.entry(edge)?;
                (entry, entry.wrapping_add_signed(addend))
            }
            GOTPCREL32 => {
                let entry = self.entry(edge)?;
                (entry, entry.wrapping_add_signed(addend).wrapping_sub(field))
            }
            ADR_GOT_PAGE => {
                if self.shorten_load(edge, rest) {
                    return Ok(Applied::Pair);
                }
                self.counts.got_loads += 1;
                let entry = self.whole_entry(edge)?;
                (entry, page(entry).wrapping_sub(page(field)))
            }
            LD64_GOT_LO12_NC => {
                let entry = self.whole_entry(edge)?;
                (entry, entry)
            }
            GOT_LD_PREL19 => {
                if self.replace_literal_load(edge)? {
                    return Ok(Applied::One);
                }
                self.counts.got_loads += 1;
                let entry = self.whole_entry(edge)?;
                (entry, entry.wrapping_sub(field))
            }
            LD64_GOTPAGE_LO15 => {
                let entry = self.whole_entry(edge)?;
                (entry, entry.wrapping_sub(page(got)))
            }
            LD64_GOTOFF_LO15 | MOVW_GOTOFF_G0 | MOVW_GOTOFF_G0_NC | MOVW_GOTOFF_G1 | MOVW_GOTOFF_G1_NC
            | MOVW_GOTOFF_G2 | MOVW_GOTOFF_G2_NC | MOVW_GOTOFF_G3 => {
                let entry = self.whole_entry(edge)?;
                (entry, entry.wrapping_sub(got))
            }
            UNKNOWN => return Err(self.fault(edge).unsupported()),
            _ if kind.index() >= AUTH_ABS64.index() => return Err(self.refuse_signed_pointer(edge)),
            _ if facts(kind).request == Request::ThreadLocal => {
                return self.apply_thread_local(edge, facts(kind).access, rest);
            }
            _ => {
                let (target, sum) = self.sum(edge);
                (target, if facts(kind).pc_relative { sum.wrapping_sub(field) } else { sum })
            }
        };
        self.store(edge, target, value).map(|()| Applied::One)
    }

    /// Accesses to thread-local variables; `rest` is what follows.
    fn apply_thread_local(
        &mut self,
        edge: Edge,
        access: ThreadAccess,
        rest: &Edges<'_>,
    ) -> Result<Applied, Failure> {
        let Edge { target, addend, kind, .. } = edge;
        if self.is_debug_info() {
            // Debug info describes a variable by its offset, which needs no thread-local storage.
            let variable = self.graph.symbols.get(target.index()).map_or(0, |symbol| symbol.value);
            return self.store(edge, variable, variable.wrapping_add_signed(addend)).map(|()| Applied::One);
        }
        if access == ThreadAccess::Mark {
            return Ok(Applied::One);
        }
        let module = self.targets.thread_module();
        let variable = self.targets.thread_local(target);
        let thread_offset = match access {
            ThreadAccess::ModulePair => module.thread_offset,
            _ => variable.and_then(|variable| variable.thread_offset),
        };
        if let Some(offset) = thread_offset.and_then(|offset| u32::try_from(offset).ok())
            && let Some(edge_count) = self.sequences.rewrite(self.content, self.start, edge, rest, offset)
        {
            self.counts.relaxed_thread_locals += 1;
            return Ok(Applied::Run(edge_count));
        }
        let Some(variable) =
            variable.or((access == ThreadAccess::ModulePair).then_some(ThreadLocal::default()))
        else {
            return Err(self.fault(edge).no_thread_local("it is no thread-local variable of this image"));
        };
        let entry = match access {
            ThreadAccess::Pair => variable.pair,
            ThreadAccess::ModulePair => module.pair,
            ThreadAccess::Descriptor if kind == TLSDESC => {
                return self.store_descriptor(edge, variable).map(|()| Applied::One);
            }
            ThreadAccess::Descriptor => variable.descriptor,
            ThreadAccess::OffsetEntry => variable.offset_entry,
            ThreadAccess::Offset => {
                let offset = self.thread_offset(edge, variable)?.wrapping_add_signed(addend);
                return self.store(edge, 0, offset).map(|()| Applied::One);
            }
            ThreadAccess::InModule | ThreadAccess::Mark => {
                let value = match kind {
                    TLS_DTPMOD64 => variable.module,
                    TLS_DTPREL64 => variable.module_offset.wrapping_add_signed(addend),
                    _ => variable.block_offset.wrapping_add_signed(addend),
                };
                return self.store(edge, 0, value).map(|()| Applied::One);
            }
        };
        if addend != 0 {
            return Err(self.entry_inside(edge));
        }
        let entry = entry.ok_or_else(|| self.fault(edge).no_got_entry())?;
        let value = match kind {
            TLSGD_ADR_PAGE21 | TLSLD_ADR_PAGE21 | TLSIE_ADR_GOTTPREL_PAGE21 | TLSDESC_ADR_PAGE21 => {
                page(entry).wrapping_sub(page(self.field(edge)))
            }
            TLSGD_MOVW_G1
            | TLSGD_MOVW_G0_NC
            | TLSLD_MOVW_G1
            | TLSLD_MOVW_G0_NC
            | TLSIE_MOVW_GOTTPREL_G1
            | TLSIE_MOVW_GOTTPREL_G0_NC
            | TLSDESC_OFF_G1
            | TLSDESC_OFF_G0_NC => entry.wrapping_sub(self.targets.got_base()),
            _ if facts(kind).pc_relative => entry.wrapping_sub(self.field(edge)),
            _ => entry,
        };
        self.store(edge, entry, value).map(|()| Applied::One)
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

    /// `S` and `S + A`. An absent weak symbol of a pc-relative kind is at the place itself.
    fn sum(&self, edge: Edge) -> (u64, u64) {
        let (mut target, addend) = self.targets.resolve(edge.target, edge.addend);
        if target == 0 && facts(edge.kind).pc_relative && self.targets.is_absent(edge.target) {
            target = self.field(edge);
        }
        (target, target.wrapping_add_signed(addend))
    }

    /// A number that leads to a function; to its PLT entry where that is in reach and the function is not.
    fn data_branch(&mut self, edge: Edge) -> Result<(), Failure> {
        let field = self.field(edge);
        let (target, sum) = self.sum(edge);
        let value = sum.wrapping_sub(field);
        let is_near = i32::try_from(value.cast_signed()).is_ok();
        match self.targets.plt_entry(edge.target).filter(|_| !is_near) {
            Some(entry) => {
                self.counts.plt_calls += 1;
                self.store(edge, entry, entry.wrapping_add_signed(edge.addend).wrapping_sub(field))
            }
            None => self.store(edge, target, value),
        }
    }

    /// `adrp` and `adr` of a symbol that is null: `movz` of the addend. The `add` or access that follows an `adrp` brings
    /// in the addend itself.
    fn move_null(&mut self, edge: Edge) -> Result<(), Failure> {
        let position = self.position(edge);
        let instruction = word(self.content, position).ok_or_else(|| self.fault(edge).outside())?;
        let (register, addend) = match edge.kind {
            ADR_PREL_LO21 => (Register::of_adr(instruction), edge.addend.cast_unsigned()),
            _ => (Register::of_adrp(instruction), page(edge.addend.cast_unsigned())),
        };
        match (register, u16::try_from(addend)) {
            (Some(register), Ok(bits)) => self.replace(edge, register.movz(bits)),
            _ => {
                let value = addend.wrapping_sub(self.field(edge)).cast_signed();
                Err(self.out_of_range(edge, 0, value))
            }
        }
    }

    /// Makes `adrp` and `add`, at `edge` and the edge after it, an `adr` of `address`.
    fn shorten_address(&mut self, edge: Edge, rest: &Edges<'_>, address: u64) -> bool {
        let position = self.position(edge);
        let Some(register) = self.pairs.address(self.content, self.start, edge, rest) else { return false };
        let Some(after) = position.checked_add(4) else { return false };
        let distance = address.wrapping_sub(self.field(edge)).wrapping_sub(4).cast_signed();
        ADR_REACH.contains(&distance)
            && put(self.content, after, register.adr(distance).to_le_bytes()).is_some()
            && put(self.content, position, NOP.to_le_bytes()).is_some()
    }

    /// Makes `adrp` and `ldr`, at `edge` and the edge after it, compute the address that they load.
    fn shorten_load(&mut self, edge: Edge, rest: &Edges<'_>) -> bool {
        let Some(register) = self.pairs.load(self.content, self.start, edge, rest) else { return false };
        let (target, folded) = self.targets.resolve(edge.target, 0);
        let target = target.wrapping_add_signed(folded);
        let (position, field) = (self.position(edge), self.field(edge));
        let Some(after) = position.checked_add(4) else { return false };
        let distance = target.wrapping_sub(field).wrapping_sub(4).cast_signed();
        let pages = page(target).wrapping_sub(page(field)).cast_signed();
        let [first, second] = if ADR_REACH.contains(&distance) {
            [NOP, register.adr(distance)]
        } else if ADRP_REACH.contains(&pages) {
            [register.adrp(pages), register.add(target)]
        } else {
            return false;
        };
        self.counts.relaxed_got_loads += 1;
        put(self.content, position, first.to_le_bytes()).is_some()
            && put(self.content, after, second.to_le_bytes()).is_some()
    }

    /// Makes a load of a GOT entry as a literal an `adr`, where the target is in reach.
    fn replace_literal_load(&mut self, edge: Edge) -> Result<bool, Failure> {
        let register = word(self.content, self.position(edge)).and_then(Register::of_literal);
        let Some(register) = register.filter(|_| edge.addend == 0) else { return Ok(false) };
        let (target, folded) = self.targets.resolve(edge.target, 0);
        let distance = target.wrapping_add_signed(folded).wrapping_sub(self.field(edge)).cast_signed();
        if !ADR_REACH.contains(&distance) {
            return Ok(false);
        }
        self.counts.relaxed_got_loads += 1;
        self.replace(edge, register.adr(distance)).map(|()| true)
    }

    fn entry(&self, edge: Edge) -> Result<u64, Failure> {
        self.targets.got_entry(edge.target).ok_or_else(|| self.fault(edge).no_got_entry())
    }

    /// The entry of an edge whose addend would be part of what the entry holds.
    fn whole_entry(&self, edge: Edge) -> Result<u64, Failure> {
        if edge.addend != 0 {
            return Err(self.entry_inside(edge));
        }
        self.entry(edge)
    }

    #[cold]
    fn entry_inside(&self, edge: Edge) -> Failure {
        self.fault(edge).refused(
            &format!(
                "{} relocation to {} + {:#x}: a GOT entry for a place inside of a symbol",
                facts(edge.kind).name,
                self.graph.display_symbol(edge.target),
                edge.addend
            ),
            "load the symbol's address and add the number to it",
        )
    }

    /// Puts `value` into the field `form` of the instruction at `edge`.
    #[inline(always)]
    fn instruct(&mut self, edge: Edge, form: Form, value: i64) -> Option<()> {
        let position = self.position(edge);
        let instruction = word(self.content, position)?;
        put(self.content, position, with_value(form, instruction, value).to_le_bytes())
    }

    fn replace(&mut self, edge: Edge, instruction: u32) -> Result<(), Failure> {
        let stored = put(self.content, self.position(edge), instruction.to_le_bytes());
        stored.ok_or_else(|| self.fault(edge).outside())
    }

    /// Stores `value`, or says that it does not fit or that the field lies outside.
    fn store(&mut self, edge: Edge, target: u64, value: u64) -> Result<(), Failure> {
        let (facts, value) = (facts(edge.kind), value.cast_signed());
        if value < facts.min || value > facts.max || value & (i64::from(facts.alignment) - 1) != 0 {
            return Err(self.out_of_range(edge, target, value));
        }
        let form = FORMS.get(edge.kind.index()).copied().unwrap_or(Form::Nothing);
        let stored = match (form, facts.width) {
            (Form::Data, 8) => put(self.content, self.position(edge), value.to_le_bytes()),
            (Form::Data, 4) => put(self.content, self.position(edge), (value as i32).to_le_bytes()),
            (Form::Data, _) => put(self.content, self.position(edge), (value as i16).to_le_bytes()),
            (form, _) => self.instruct(edge, form, value),
        };
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
        let (fixup, help) = (self.field(edge), remedy(edge.kind));
        self.fault(edge).out_of_range(Misfit { target, fixup, value, help })
    }

    #[cold]
    fn refuse_signed_pointer(&self, edge: Edge) -> Failure {
        let target = self.graph.display_symbol(edge.target);
        let what =
            format!("{} relocation to {target}: signed pointers are not supported", facts(edge.kind).name);
        self.fault(edge).refused(&what, "compile without -fptrauth-calls and its kin, and not for pauthtest")
    }

    fn fault(&self, edge: Edge) -> Fault<'_> {
        Fault { graph: self.graph, block: self.block, edge }
    }
}

/// The addend that stands in a field, for relocations that carry none: of data, the number there; of an instruction, its
/// immediate, scaled ("Addends and PC-bias").
pub(super) fn implicit_addend(kind: EdgeKind, field: &[u8]) -> Option<i64> {
    let facts = KINDS.get(kind.index())?;
    let field = field.get(..facts.width as usize)?;
    match FORMS[kind.index()] {
        Form::Data if field.len() <= 8 => Some(crate::arch::signed_number(field)),
        Form::Data | Form::Nothing => Some(0),
        form => Some(value_of(form, word(field, 0)?)),
    }
}
