//! Edge kinds: what the x86-64 psABI calls relocation types, and what each of them computes.
//!
//! The psABI ("Relocation", table "Relocation Types") gives every type a field and an expression over these letters:
//!
//! - `S` the target's address, `A` the addend, `P` the address of the field itself, `Z` the target's size;
//! - `G` the offset of the target's GOT entry from the GOT's base, `GOT` that base (`_GLOBAL_OFFSET_TABLE_`), so that
//!   `G + GOT` is the address of the entry;
//! - `L` the address of the target's PLT entry, or of the target itself where it has none;
//! - and, where the psABI uses words: `TLS` the start of the target's thread-local block, `TP` the thread pointer,
//!   `G(x)` the offset of a GOT entry that holds `x` (a pair, for two values).
//!
//! After the colon stands the field. Expressions are computed modulo 2^64. A field of 64 bits holds every result; a
//! 32-bit field is `i32` where the processor sign-extends it and `u32` where it zero-extends it. Fields of 16 and 8 bits
//! that hold an absolute value are used either way, so they take what fits one of the two.
//!
//! The psABI's x32 column and its dynamic types (`COPY`, `GLOB_DAT`, `JUMP_SLOT`, `RELATIVE`, `IRELATIVE`) have no
//! place in a relocatable object for LP64, and none here.

use crate::arch::numbered_kinds;
use crate::graph::{Demands, EdgeKind, KindFacts, Request, ThreadAccess};

numbered_kinds! {
    /// The facts of every kind, indexed by it.
    pub static KINDS: KindFacts;

    /// What the table does not know.
    UNKNOWN: kind("UNKNOWN", "", Field::NONE, Request::Nothing);
    /// Nothing is stored; the target is kept alive.
    KEEP_ALIVE: kind("KEEP_ALIVE", "", Field::NONE, Request::Nothing);
    /// Nothing is stored.
    NONE: kind("NONE", "", Field::NONE, Request::Nothing);

    /// `S + A : u64`
    ABS64: kind("64", "S + A : u64", Field::WORD64, Request::Address);
    /// `S + A : u32`
    ABS32: low_address(kind("32", "S + A : u32", Field::UNSIGNED32, Request::NearAddress));
    /// `S + A : i32`
    ABS32S: low_address(kind("32S", "S + A : i32", Field::SIGNED32, Request::NearAddress));
    /// `S + A : i16 or u16`
    ABS16: low_address(kind("16", "S + A : i16 or u16", Field::EITHER16, Request::NearAddress));
    /// `S + A : i8 or u8`
    ABS8: low_address(kind("8", "S + A : i8 or u8", Field::EITHER8, Request::NearAddress));

    /// `S + A - P : i64`
    PC64: pc_relative(kind("PC64", "S + A - P : i64", Field::WORD64, Request::Address));
    /// `S + A - P : i32`
    PC32: pc_relative(kind("PC32", "S + A - P : i32", Field::SIGNED32, Request::NearAddress));
    /// `L + A - P : i32`, where the target itself does for `L` as long as it is in reach.
    PLT32: pc_relative(kind("PLT32", "L + A - P : i32", Field::SIGNED32, Request::Call));
    /// `S + A - P : i16`
    PC16: pc_relative(kind("PC16", "S + A - P : i16", Field::SIGNED16, Request::NearAddress));
    /// `S + A - P : i8`
    PC8: pc_relative(kind("PC8", "S + A - P : i8", Field::SIGNED8, Request::NearAddress));

    /// `A - S + P : i32`, a difference whose subtrahend is the target.
    NEG_DELTA32: kind("NegDelta32", "A - S + P : i32", Field::SIGNED32, Request::NearAddress);
    /// `A - S + P : i64`, a difference whose subtrahend is the target.
    NEG_DELTA64: kind("NegDelta64", "A - S + P : i64", Field::WORD64, Request::Address);

    /// `G + A : i32`
    GOT32: kind("GOT32", "G + A : i32", Field::SIGNED32, Request::Got);
    /// `G + A : i64`
    GOT64: kind("GOT64", "G + A : i64", Field::WORD64, Request::Got);
    /// `G + A : i64`; once also a request for a PLT entry, which no linker makes of it any more.
    GOTPLT64: kind("GOTPLT64", "G + A : i64", Field::WORD64, Request::Got);
    /// `G + GOT + A - P : i32`, in an instruction that must stay as it is.
    GOTPCREL: pc_relative(kind("GOTPCREL", "G + GOT + A - P : i32", Field::SIGNED32, Request::Got));
    /// `G + GOT + A - P : i64`
    GOTPCREL64: pc_relative(kind("GOTPCREL64", "G + GOT + A - P : i64", Field::WORD64, Request::Got));
    /// `G + GOT + A - P : i32`, or a rewritten instruction: opcode and ModRM are the two bytes before the field.
    GOTPCRELX: relaxable("GOTPCRELX");
    /// As [`GOTPCRELX`], after a REX prefix.
    REX_GOTPCRELX: relaxable("REX_GOTPCRELX");
    /// As [`GOTPCRELX`]: the instruction starts four bytes before the field (REX2).
    CODE_4_GOTPCRELX: relaxable("CODE_4_GOTPCRELX");
    /// As [`GOTPCRELX`]: the instruction starts five bytes before the field (REX and a three-byte opcode).
    CODE_5_GOTPCRELX: relaxable("CODE_5_GOTPCRELX");
    /// As [`GOTPCRELX`]: the instruction starts six bytes before the field (EVEX).
    CODE_6_GOTPCRELX: relaxable("CODE_6_GOTPCRELX");
    /// `GOT + A - P : i32`
    GOTPC32: pc_relative(kind("GOTPC32", "GOT + A - P : i32", Field::SIGNED32, Request::Nothing));
    /// `GOT + A - P : i64`
    GOTPC64: pc_relative(kind("GOTPC64", "GOT + A - P : i64", Field::WORD64, Request::Nothing));
    /// `S + A - GOT : i64`
    GOTOFF64: kind("GOTOFF64", "S + A - GOT : i64", Field::WORD64, Request::Address);
    /// `L + A - GOT : i64`
    PLTOFF64: kind("PLTOFF64", "L + A - GOT : i64", Field::WORD64, Request::Plt);

    /// `Z + A : u32`
    SIZE32: kind("SIZE32", "Z + A : u32", Field::UNSIGNED32, Request::Nothing);
    /// `Z + A : u64`
    SIZE64: kind("SIZE64", "Z + A : u64", Field::WORD64, Request::Nothing);

    /// `G(module, offset) + GOT + A - P : i32`: the GOT pair for general dynamic access.
    TLSGD: in_got("TLSGD", "G(module, offset) + GOT + A - P : i32", ThreadAccess::Pair);
    /// `G(module, 0) + GOT + A - P : i32`: the GOT pair for local dynamic access.
    TLSLD: in_got("TLSLD", "G(module, 0) + GOT + A - P : i32", ThreadAccess::ModulePair);
    /// `module : u64`
    DTPMOD64: thread_local("DTPMOD64", "module : u64", Field::WORD64, ThreadAccess::InModule);
    /// `S + A - TLS : i32`
    DTPOFF32: thread_local("DTPOFF32", "S + A - TLS : i32", Field::SIGNED32, ThreadAccess::InModule);
    /// `S + A - TLS : i64`
    DTPOFF64: thread_local("DTPOFF64", "S + A - TLS : i64", Field::WORD64, ThreadAccess::InModule);
    /// `G(S - TP) + GOT + A - P : i32`: the GOT entry for initial exec access.
    GOTTPOFF: in_got("GOTTPOFF", "G(S - TP) + GOT + A - P : i32", ThreadAccess::OffsetEntry);
    /// As [`GOTTPOFF`]: the instruction starts four bytes before the field (REX2).
    CODE_4_GOTTPOFF: in_got("CODE_4_GOTTPOFF", "G(S - TP) + GOT + A - P : i32", ThreadAccess::OffsetEntry);
    /// As [`GOTTPOFF`]: the instruction starts five bytes before the field (REX and a three-byte opcode).
    CODE_5_GOTTPOFF: in_got("CODE_5_GOTTPOFF", "G(S - TP) + GOT + A - P : i32", ThreadAccess::OffsetEntry);
    /// As [`GOTTPOFF`]: the instruction starts six bytes before the field (EVEX).
    CODE_6_GOTTPOFF: in_got("CODE_6_GOTTPOFF", "G(S - TP) + GOT + A - P : i32", ThreadAccess::OffsetEntry);
    /// `S + A - TP : i32`
    TPOFF32: thread_local("TPOFF32", "S + A - TP : i32", Field::SIGNED32, ThreadAccess::Offset);
    /// `S + A - TP : i64`
    TPOFF64: thread_local("TPOFF64", "S + A - TP : i64", Field::WORD64, ThreadAccess::Offset);
    /// `G(descriptor) + GOT + A - P : i32`
    GOTPC32_TLSDESC: in_got("GOTPC32_TLSDESC", "G(descriptor) + GOT + A - P : i32", ThreadAccess::Descriptor);
    /// As [`GOTPC32_TLSDESC`]: the instruction starts four bytes before the field (REX2).
    CODE_4_GOTPC32_TLSDESC: in_got("CODE_4_GOTPC32_TLSDESC", "G(descriptor) + GOT + A - P : i32", ThreadAccess::Descriptor);
    /// As [`GOTPC32_TLSDESC`]: the instruction starts five bytes before the field.
    CODE_5_GOTPC32_TLSDESC: in_got("CODE_5_GOTPC32_TLSDESC", "G(descriptor) + GOT + A - P : i32", ThreadAccess::Descriptor);
    /// As [`GOTPC32_TLSDESC`]: the instruction starts six bytes before the field (EVEX).
    CODE_6_GOTPC32_TLSDESC: in_got("CODE_6_GOTPC32_TLSDESC", "G(descriptor) + GOT + A - P : i32", ThreadAccess::Descriptor);
    /// Marks the call through a descriptor; nothing is stored.
    TLSDESC_CALL: thread_local("TLSDESC_CALL", "", Field::NONE, ThreadAccess::Mark);
    /// `descriptor : 2 x u64`
    TLSDESC: thread_local("TLSDESC", "descriptor : 2 x u64", Field::PAIR64, ThreadAccess::Descriptor);
}

/// The facts of a kind; of the unknown one, for a number that the table does not have.
pub(super) fn facts(kind: EdgeKind) -> &'static KindFacts {
    KINDS.get(kind.index()).unwrap_or(&KINDS[UNKNOWN.index()])
}

/// Width and range of a field.
struct Field {
    width: u8,
    min: i64,
    max: i64,
}

impl Field {
    const NONE: Self = Self { width: 0, min: 0, max: 0 };
    const WORD64: Self = Self { width: 8, min: i64::MIN, max: i64::MAX };
    const PAIR64: Self = Self { width: 16, min: i64::MIN, max: i64::MAX };
    const SIGNED32: Self = Self { width: 4, min: i32::MIN as i64, max: i32::MAX as i64 };
    const UNSIGNED32: Self = Self { width: 4, min: 0, max: u32::MAX as i64 };
    const SIGNED16: Self = Self { width: 2, min: i16::MIN as i64, max: i16::MAX as i64 };
    const EITHER16: Self = Self { width: 2, min: i16::MIN as i64, max: u16::MAX as i64 };
    const SIGNED8: Self = Self { width: 1, min: i8::MIN as i64, max: i8::MAX as i64 };
    const EITHER8: Self = Self { width: 1, min: i8::MIN as i64, max: u8::MAX as i64 };
}

const fn kind(name: &'static str, expression: &'static str, field: Field, request: Request) -> KindFacts {
    let Field { width, min, max } = field;
    KindFacts {
        name,
        expression,
        width,
        alignment: 1,
        min,
        max,
        pc_relative: false,
        demands: Demands::empty(),
        request,
        access: ThreadAccess::Mark,
    }
}

const fn relaxable(name: &'static str) -> KindFacts {
    pc_relative(kind(name, "G + GOT + A - P : i32", Field::SIGNED32, Request::RelaxableGot))
}

const fn thread_local(
    name: &'static str,
    expression: &'static str,
    field: Field,
    access: ThreadAccess,
) -> KindFacts {
    KindFacts { access, ..kind(name, expression, field, Request::ThreadLocal) }
}

const fn in_got(name: &'static str, expression: &'static str, access: ThreadAccess) -> KindFacts {
    pc_relative(thread_local(name, expression, Field::SIGNED32, access))
}

const fn pc_relative(mut facts: KindFacts) -> KindFacts {
    facts.pc_relative = true;
    facts
}

const fn low_address(mut facts: KindFacts) -> KindFacts {
    facts.demands = Demands::LOW;
    facts
}

const _: () = assert!(UNKNOWN.0 == EdgeKind::UNKNOWN.0 && KEEP_ALIVE.0 == EdgeKind::KEEP_ALIVE.0);
