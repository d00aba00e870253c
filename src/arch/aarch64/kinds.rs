//! Edge kinds: what the ABI document "ELF for the Arm 64-bit Architecture (AArch64)" calls relocation types, and what each
//! of them computes.
//!
//! The document ("Relocation operations") writes expressions in these terms:
//!
//! - `S` the target's address, `A` the addend, `P` the address of the place, `Page(x)` `x` without its low 12 bits;
//! - `GDAT(x)` a GOT entry that holds `x`, `G(entry)` the entry's address, `GOT` the address of the table, which is that of
//!   `_GLOBAL_OFFSET_TABLE_`;
//! - for thread-locals: `GTLSIDX`, `GLDM`, `GTPREL` and `GTLSDESC` further kinds of GOT entries, `DTPREL(x)` and `TPREL(x)`
//!   the offset of `x` from its module's thread-local block and from the thread pointer, `LDM(x)` its module's number;
//! - and here, as in the psABI of x86-64: `L` the address of the target's PLT entry, or of the target itself where it has
//!   none.
//!
//! After the colon stands what is stored: a number, or bits of one. The field of an instruction is implied by the kind.
//! `bits 31:16 of u32` says that the value must fit a `u32`; where nothing follows the bits, nothing is checked. A
//! `MOV[NZ]` that takes bits of a signed number is made `MOVN` or `MOVZ` after its sign.
//!
//! The ELF32 column (ILP32) and the dynamic types (`COPY`, `GLOB_DAT`, `JUMP_SLOT`, `RELATIVE`, `IRELATIVE`) have no place
//! in a relocatable object for LP64, and none here. Those of the `AUTH` family (PAuth ABI) are known so that they can be
//! refused by name.

use crate::arch::numbered_kinds;
use crate::graph::{Demands, EdgeKind, KindFacts, Request, ThreadAccess};

numbered_kinds! {
    /// Facts and field of every kind, indexed by it.
    static ALL: Kind;
    /// What the table does not know.
    UNKNOWN: kind("UNKNOWN", "", NOTHING, Request::Nothing);
    /// Nothing is stored; the target is kept alive.
    KEEP_ALIVE: kind("KEEP_ALIVE", "", NOTHING, Request::Nothing);
    /// Nothing is stored; the target is kept alive.
    NONE: kind("NONE", "", NOTHING, Request::Nothing);

    /// `S + A : u64`
    ABS64: kind("ABS64", "S + A : u64", WORD64, Request::Address);
    /// `S + A : i32 or u32`
    ABS32: low_address(kind("ABS32", "S + A : i32 or u32", EITHER32, Request::NearAddress));
    /// `S + A : i16 or u16`
    ABS16: low_address(kind("ABS16", "S + A : i16 or u16", EITHER16, Request::NearAddress));
    /// `S + A - P : i64`
    PREL64: pc_relative(kind("PREL64", "S + A - P : i64", WORD64, Request::Address));
    /// `S + A - P : i32 or u32`
    PREL32: pc_relative(kind("PREL32", "S + A - P : i32 or u32", EITHER32, Request::NearAddress));
    /// `S + A - P : i16 or u16`
    PREL16: pc_relative(kind("PREL16", "S + A - P : i16 or u16", EITHER16, Request::NearAddress));
    /// `L + A - P : i32`, where the target itself does for `L` as long as it is in reach.
    PLT32: pc_relative(kind("PLT32", "L + A - P : i32", SIGNED32, Request::Call));
    /// `G(GDAT(S)) + A - P : i32`
    GOTPCREL32: pc_relative(kind("GOTPCREL32", "G(GDAT(S)) + A - P : i32", SIGNED32, Request::Got));
    /// `A - S + P : i32`, a difference whose subtrahend is the target.
    NEG_DELTA32: kind("NegDelta32", "A - S + P : i32", SIGNED32, Request::NearAddress);
    /// `A - S + P : i64`, a difference whose subtrahend is the target.
    NEG_DELTA64: kind("NegDelta64", "A - S + P : i64", WORD64, Request::Address);
    /// `G(GDAT(S)) + A : u64`
    GOTABS64: kind("GotAbs64", "G(GDAT(S)) + A : u64", WORD64, Request::Got);
    /// `S + A - GOT : i64`
    GOTREL64: kind("GOTREL64", "S + A - GOT : i64", WORD64, Request::Address);
    /// `S + A - GOT : i32`
    GOTREL32: kind("GOTREL32", "S + A - GOT : i32", SIGNED32, Request::NearAddress);

    /// `S + A : bits 15:0 of u16`
    MOVW_UABS_G0: low_address(kind("MOVW_UABS_G0", "S + A : bits 15:0 of u16", wide(0), Request::NearAddress));
    /// `S + A : bits 15:0`
    MOVW_UABS_G0_NC: kind("MOVW_UABS_G0_NC", "S + A : bits 15:0", wide_unchecked(0), Request::Address);
    /// `S + A : bits 31:16 of u32`
    MOVW_UABS_G1: low_address(kind("MOVW_UABS_G1", "S + A : bits 31:16 of u32", wide(1), Request::NearAddress));
    /// `S + A : bits 31:16`
    MOVW_UABS_G1_NC: kind("MOVW_UABS_G1_NC", "S + A : bits 31:16", wide_unchecked(1), Request::Address);
    /// `S + A : bits 47:32 of u48`
    MOVW_UABS_G2: kind("MOVW_UABS_G2", "S + A : bits 47:32 of u48", wide(2), Request::Address);
    /// `S + A : bits 47:32`
    MOVW_UABS_G2_NC: kind("MOVW_UABS_G2_NC", "S + A : bits 47:32", wide_unchecked(2), Request::Address);
    /// `S + A : bits 63:48`
    MOVW_UABS_G3: kind("MOVW_UABS_G3", "S + A : bits 63:48", wide_unchecked(3), Request::Address);
    /// `S + A : bits 15:0 of i17`
    MOVW_SABS_G0: low_address(kind("MOVW_SABS_G0", "S + A : bits 15:0 of i17", signed_wide(0), Request::NearAddress));
    /// `S + A : bits 31:16 of i33`
    MOVW_SABS_G1: low_address(kind("MOVW_SABS_G1", "S + A : bits 31:16 of i33", signed_wide(1), Request::NearAddress));
    /// `S + A : bits 47:32 of i49`
    MOVW_SABS_G2: kind("MOVW_SABS_G2", "S + A : bits 47:32 of i49", signed_wide(2), Request::Address);
    /// `S + A - P : bits 15:0 of i17`
    MOVW_PREL_G0: pc_relative(kind("MOVW_PREL_G0", "S + A - P : bits 15:0 of i17", signed_wide(0), Request::NearAddress));
    /// `S + A - P : bits 15:0`
    MOVW_PREL_G0_NC: pc_relative(kind("MOVW_PREL_G0_NC", "S + A - P : bits 15:0", wide_unchecked(0), Request::Address));
    /// `S + A - P : bits 31:16 of i33`
    MOVW_PREL_G1: pc_relative(kind("MOVW_PREL_G1", "S + A - P : bits 31:16 of i33", signed_wide(1), Request::NearAddress));
    /// `S + A - P : bits 31:16`
    MOVW_PREL_G1_NC: pc_relative(kind("MOVW_PREL_G1_NC", "S + A - P : bits 31:16", wide_unchecked(1), Request::Address));
    /// `S + A - P : bits 47:32 of i49`
    MOVW_PREL_G2: pc_relative(kind("MOVW_PREL_G2", "S + A - P : bits 47:32 of i49", signed_wide(2), Request::Address));
    /// `S + A - P : bits 47:32`
    MOVW_PREL_G2_NC: pc_relative(kind("MOVW_PREL_G2_NC", "S + A - P : bits 47:32", wide_unchecked(2), Request::Address));
    /// `S + A - P : bits 63:48`
    MOVW_PREL_G3: pc_relative(kind("MOVW_PREL_G3", "S + A - P : bits 63:48", signed_wide(3), Request::Address));
    /// `G(GDAT(S + A)) - GOT : bits 15:0 of i17`
    MOVW_GOTOFF_G0: kind("MOVW_GOTOFF_G0", "G(GDAT(S + A)) - GOT : bits 15:0 of i17", signed_wide(0), Request::Got);
    /// `G(GDAT(S + A)) - GOT : bits 15:0`
    MOVW_GOTOFF_G0_NC: kind("MOVW_GOTOFF_G0_NC", "G(GDAT(S + A)) - GOT : bits 15:0", wide_unchecked(0), Request::Got);
    /// `G(GDAT(S + A)) - GOT : bits 31:16 of i33`
    MOVW_GOTOFF_G1: kind("MOVW_GOTOFF_G1", "G(GDAT(S + A)) - GOT : bits 31:16 of i33", signed_wide(1), Request::Got);
    /// `G(GDAT(S + A)) - GOT : bits 31:16`
    MOVW_GOTOFF_G1_NC: kind("MOVW_GOTOFF_G1_NC", "G(GDAT(S + A)) - GOT : bits 31:16", wide_unchecked(1), Request::Got);
    /// `G(GDAT(S + A)) - GOT : bits 47:32 of i49`
    MOVW_GOTOFF_G2: kind("MOVW_GOTOFF_G2", "G(GDAT(S + A)) - GOT : bits 47:32 of i49", signed_wide(2), Request::Got);
    /// `G(GDAT(S + A)) - GOT : bits 47:32`
    MOVW_GOTOFF_G2_NC: kind("MOVW_GOTOFF_G2_NC", "G(GDAT(S + A)) - GOT : bits 47:32", wide_unchecked(2), Request::Got);
    /// `G(GDAT(S + A)) - GOT : bits 63:48`
    MOVW_GOTOFF_G3: kind("MOVW_GOTOFF_G3", "G(GDAT(S + A)) - GOT : bits 63:48", signed_wide(3), Request::Got);

    /// `S + A - P : bits 20:2 of i21`
    LD_PREL_LO19: close(pc_relative(kind("LD_PREL_LO19", "S + A - P : bits 20:2 of i21", LITERAL, Request::NearAddress)));
    /// `S + A - P : i21`
    ADR_PREL_LO21: close(pc_relative(kind("ADR_PREL_LO21", "S + A - P : i21", ADR, Request::NearAddress)));
    /// `Page(S + A) - Page(P) : bits 32:12 of i33`
    ADR_PREL_PG_HI21: pc_relative(kind("ADR_PREL_PG_HI21", "Page(S + A) - Page(P) : bits 32:12 of i33", PAGE, Request::NearAddress));
    /// `Page(S + A) - Page(P) : bits 32:12`
    ADR_PREL_PG_HI21_NC: pc_relative(kind("ADR_PREL_PG_HI21_NC", "Page(S + A) - Page(P) : bits 32:12", PAGE_UNCHECKED, Request::Address));
    /// `S + A : bits 11:0`
    ADD_ABS_LO12_NC: kind("ADD_ABS_LO12_NC", "S + A : bits 11:0", low12(0), Request::Address);
    /// `S + A : bits 11:0`
    LDST8_ABS_LO12_NC: kind("LDST8_ABS_LO12_NC", "S + A : bits 11:0", low12(0), Request::Address);
    /// `S + A : bits 11:1`
    LDST16_ABS_LO12_NC: kind("LDST16_ABS_LO12_NC", "S + A : bits 11:1", low12(1), Request::Address);
    /// `S + A : bits 11:2`
    LDST32_ABS_LO12_NC: kind("LDST32_ABS_LO12_NC", "S + A : bits 11:2", low12(2), Request::Address);
    /// `S + A : bits 11:3`
    LDST64_ABS_LO12_NC: kind("LDST64_ABS_LO12_NC", "S + A : bits 11:3", low12(3), Request::Address);
    /// `S + A : bits 11:4`
    LDST128_ABS_LO12_NC: kind("LDST128_ABS_LO12_NC", "S + A : bits 11:4", low12(4), Request::Address);

    /// `S + A - P : bits 15:2 of i16`
    TSTBR14: pc_relative(kind("TSTBR14", "S + A - P : bits 15:2 of i16", BRANCH14, Request::ShortBranch));
    /// `S + A - P : bits 20:2 of i21`
    CONDBR19: pc_relative(kind("CONDBR19", "S + A - P : bits 20:2 of i21", LITERAL, Request::ShortBranch));
    /// `L + A - P : bits 27:2 of i28`, where the target itself does for `L` as long as it is in reach.
    JUMP26: pc_relative(kind("JUMP26", "L + A - P : bits 27:2 of i28", BRANCH26, Request::Call));
    /// As [`JUMP26`].
    CALL26: pc_relative(kind("CALL26", "L + A - P : bits 27:2 of i28", BRANCH26, Request::Call));

    /// `G(GDAT(S + A)) - P : bits 20:2 of i21`
    GOT_LD_PREL19: close(pc_relative(kind("GOT_LD_PREL19", "G(GDAT(S + A)) - P : bits 20:2 of i21", LITERAL, Request::Got)));
    /// `G(GDAT(S + A)) - GOT : bits 14:3 of u15`
    LD64_GOTOFF_LO15: kind("LD64_GOTOFF_LO15", "G(GDAT(S + A)) - GOT : bits 14:3 of u15", OFFSET15, Request::Got);
    /// `Page(G(GDAT(S + A))) - Page(P) : bits 32:12 of i33`
    ADR_GOT_PAGE: pc_relative(kind("ADR_GOT_PAGE", "Page(G(GDAT(S + A))) - Page(P) : bits 32:12 of i33", PAGE, Request::Got));
    /// `G(GDAT(S + A)) : bits 11:3`
    LD64_GOT_LO12_NC: kind("LD64_GOT_LO12_NC", "G(GDAT(S + A)) : bits 11:3", low12(3), Request::Got);
    /// `G(GDAT(S + A)) - Page(GOT) : bits 14:3 of u15`
    LD64_GOTPAGE_LO15: kind("LD64_GOTPAGE_LO15", "G(GDAT(S + A)) - Page(GOT) : bits 14:3 of u15", OFFSET15, Request::Got);

    /// `G(GTLSIDX(S, A)) - P : i21`
    TLSGD_ADR_PREL21: close(pc_relative(thread_local("TLSGD_ADR_PREL21", "G(GTLSIDX(S, A)) - P : i21", ADR, PAIR)));
    /// `Page(G(GTLSIDX(S, A))) - Page(P) : bits 32:12 of i33`
    TLSGD_ADR_PAGE21: pc_relative(thread_local("TLSGD_ADR_PAGE21", "Page(G(GTLSIDX(S, A))) - Page(P) : bits 32:12 of i33", PAGE, PAIR));
    /// `G(GTLSIDX(S, A)) : bits 11:0`
    TLSGD_ADD_LO12_NC: thread_local("TLSGD_ADD_LO12_NC", "G(GTLSIDX(S, A)) : bits 11:0", low12(0), PAIR);
    /// `G(GTLSIDX(S, A)) - GOT : bits 31:16 of i33`
    TLSGD_MOVW_G1: thread_local("TLSGD_MOVW_G1", "G(GTLSIDX(S, A)) - GOT : bits 31:16 of i33", signed_wide(1), PAIR);
    /// `G(GTLSIDX(S, A)) - GOT : bits 15:0`
    TLSGD_MOVW_G0_NC: thread_local("TLSGD_MOVW_G0_NC", "G(GTLSIDX(S, A)) - GOT : bits 15:0", wide_unchecked(0), PAIR);
    /// `G(GLDM(S)) - P : i21`
    TLSLD_ADR_PREL21: close(pc_relative(thread_local("TLSLD_ADR_PREL21", "G(GLDM(S)) - P : i21", ADR, MODULE_PAIR)));
    /// `Page(G(GLDM(S))) - Page(P) : bits 32:12 of i33`
    TLSLD_ADR_PAGE21: pc_relative(thread_local("TLSLD_ADR_PAGE21", "Page(G(GLDM(S))) - Page(P) : bits 32:12 of i33", PAGE, MODULE_PAIR));
    /// `G(GLDM(S)) : bits 11:0`
    TLSLD_ADD_LO12_NC: thread_local("TLSLD_ADD_LO12_NC", "G(GLDM(S)) : bits 11:0", low12(0), MODULE_PAIR);
    /// `G(GLDM(S)) - GOT : bits 31:16 of i33`
    TLSLD_MOVW_G1: thread_local("TLSLD_MOVW_G1", "G(GLDM(S)) - GOT : bits 31:16 of i33", signed_wide(1), MODULE_PAIR);
    /// `G(GLDM(S)) - GOT : bits 15:0`
    TLSLD_MOVW_G0_NC: thread_local("TLSLD_MOVW_G0_NC", "G(GLDM(S)) - GOT : bits 15:0", wide_unchecked(0), MODULE_PAIR);
    /// `G(GLDM(S)) - P : bits 20:2 of i21`
    TLSLD_LD_PREL19: close(pc_relative(thread_local("TLSLD_LD_PREL19", "G(GLDM(S)) - P : bits 20:2 of i21", LITERAL, MODULE_PAIR)));
    /// `DTPREL(S + A) : bits 47:32 of i49`
    TLSLD_MOVW_DTPREL_G2: thread_local("TLSLD_MOVW_DTPREL_G2", "DTPREL(S + A) : bits 47:32 of i49", signed_wide(2), IN_MODULE);
    /// `DTPREL(S + A) : bits 31:16 of i33`
    TLSLD_MOVW_DTPREL_G1: thread_local("TLSLD_MOVW_DTPREL_G1", "DTPREL(S + A) : bits 31:16 of i33", signed_wide(1), IN_MODULE);
    /// `DTPREL(S + A) : bits 31:16`
    TLSLD_MOVW_DTPREL_G1_NC: thread_local("TLSLD_MOVW_DTPREL_G1_NC", "DTPREL(S + A) : bits 31:16", wide_unchecked(1), IN_MODULE);
    /// `DTPREL(S + A) : bits 15:0 of i17`
    TLSLD_MOVW_DTPREL_G0: thread_local("TLSLD_MOVW_DTPREL_G0", "DTPREL(S + A) : bits 15:0 of i17", signed_wide(0), IN_MODULE);
    /// `DTPREL(S + A) : bits 15:0`
    TLSLD_MOVW_DTPREL_G0_NC: thread_local("TLSLD_MOVW_DTPREL_G0_NC", "DTPREL(S + A) : bits 15:0", wide_unchecked(0), IN_MODULE);
    /// `DTPREL(S + A) : bits 23:12 of u24`
    TLSLD_ADD_DTPREL_HI12: thread_local("TLSLD_ADD_DTPREL_HI12", "DTPREL(S + A) : bits 23:12 of u24", HIGH12, IN_MODULE);
    /// `DTPREL(S + A) : u12`
    TLSLD_ADD_DTPREL_LO12: thread_local("TLSLD_ADD_DTPREL_LO12", "DTPREL(S + A) : u12", low12_checked(0), IN_MODULE);
    /// `DTPREL(S + A) : bits 11:0`
    TLSLD_ADD_DTPREL_LO12_NC: thread_local("TLSLD_ADD_DTPREL_LO12_NC", "DTPREL(S + A) : bits 11:0", low12(0), IN_MODULE);
    /// `DTPREL(S + A) : bits 11:0 of u12`
    TLSLD_LDST8_DTPREL_LO12: thread_local("TLSLD_LDST8_DTPREL_LO12", "DTPREL(S + A) : bits 11:0 of u12", low12_checked(0), IN_MODULE);
    /// `DTPREL(S + A) : bits 11:0`
    TLSLD_LDST8_DTPREL_LO12_NC: thread_local("TLSLD_LDST8_DTPREL_LO12_NC", "DTPREL(S + A) : bits 11:0", low12(0), IN_MODULE);
    /// `DTPREL(S + A) : bits 11:1 of u12`
    TLSLD_LDST16_DTPREL_LO12: thread_local("TLSLD_LDST16_DTPREL_LO12", "DTPREL(S + A) : bits 11:1 of u12", low12_checked(1), IN_MODULE);
    /// `DTPREL(S + A) : bits 11:1`
    TLSLD_LDST16_DTPREL_LO12_NC: thread_local("TLSLD_LDST16_DTPREL_LO12_NC", "DTPREL(S + A) : bits 11:1", low12(1), IN_MODULE);
    /// `DTPREL(S + A) : bits 11:2 of u12`
    TLSLD_LDST32_DTPREL_LO12: thread_local("TLSLD_LDST32_DTPREL_LO12", "DTPREL(S + A) : bits 11:2 of u12", low12_checked(2), IN_MODULE);
    /// `DTPREL(S + A) : bits 11:2`
    TLSLD_LDST32_DTPREL_LO12_NC: thread_local("TLSLD_LDST32_DTPREL_LO12_NC", "DTPREL(S + A) : bits 11:2", low12(2), IN_MODULE);
    /// `DTPREL(S + A) : bits 11:3 of u12`
    TLSLD_LDST64_DTPREL_LO12: thread_local("TLSLD_LDST64_DTPREL_LO12", "DTPREL(S + A) : bits 11:3 of u12", low12_checked(3), IN_MODULE);
    /// `DTPREL(S + A) : bits 11:3`
    TLSLD_LDST64_DTPREL_LO12_NC: thread_local("TLSLD_LDST64_DTPREL_LO12_NC", "DTPREL(S + A) : bits 11:3", low12(3), IN_MODULE);
    /// `DTPREL(S + A) : bits 11:4 of u12`
    TLSLD_LDST128_DTPREL_LO12: thread_local("TLSLD_LDST128_DTPREL_LO12", "DTPREL(S + A) : bits 11:4 of u12", low12_checked(4), IN_MODULE);
    /// `DTPREL(S + A) : bits 11:4`
    TLSLD_LDST128_DTPREL_LO12_NC: thread_local("TLSLD_LDST128_DTPREL_LO12_NC", "DTPREL(S + A) : bits 11:4", low12(4), IN_MODULE);
    /// `G(GTPREL(S + A)) - GOT : bits 31:16 of i33`
    TLSIE_MOVW_GOTTPREL_G1: thread_local("TLSIE_MOVW_GOTTPREL_G1", "G(GTPREL(S + A)) - GOT : bits 31:16 of i33", signed_wide(1), OFFSET_ENTRY);
    /// `G(GTPREL(S + A)) - GOT : bits 15:0`
    TLSIE_MOVW_GOTTPREL_G0_NC: thread_local("TLSIE_MOVW_GOTTPREL_G0_NC", "G(GTPREL(S + A)) - GOT : bits 15:0", wide_unchecked(0), OFFSET_ENTRY);
    /// `Page(G(GTPREL(S + A))) - Page(P) : bits 32:12 of i33`
    TLSIE_ADR_GOTTPREL_PAGE21: pc_relative(thread_local("TLSIE_ADR_GOTTPREL_PAGE21", "Page(G(GTPREL(S + A))) - Page(P) : bits 32:12 of i33", PAGE, OFFSET_ENTRY));
    /// `G(GTPREL(S + A)) : bits 11:3`
    TLSIE_LD64_GOTTPREL_LO12_NC: thread_local("TLSIE_LD64_GOTTPREL_LO12_NC", "G(GTPREL(S + A)) : bits 11:3", low12(3), OFFSET_ENTRY);
    /// `G(GTPREL(S + A)) - P : bits 20:2 of i21`
    TLSIE_LD_GOTTPREL_PREL19: close(pc_relative(thread_local("TLSIE_LD_GOTTPREL_PREL19", "G(GTPREL(S + A)) - P : bits 20:2 of i21", LITERAL, OFFSET_ENTRY)));
    /// `TPREL(S + A) : bits 47:32 of i49`
    TLSLE_MOVW_TPREL_G2: thread_local("TLSLE_MOVW_TPREL_G2", "TPREL(S + A) : bits 47:32 of i49", signed_wide(2), OFFSET);
    /// `TPREL(S + A) : bits 31:16 of i33`
    TLSLE_MOVW_TPREL_G1: thread_local("TLSLE_MOVW_TPREL_G1", "TPREL(S + A) : bits 31:16 of i33", signed_wide(1), OFFSET);
    /// `TPREL(S + A) : bits 31:16`
    TLSLE_MOVW_TPREL_G1_NC: thread_local("TLSLE_MOVW_TPREL_G1_NC", "TPREL(S + A) : bits 31:16", wide_unchecked(1), OFFSET);
    /// `TPREL(S + A) : bits 15:0 of i17`
    TLSLE_MOVW_TPREL_G0: thread_local("TLSLE_MOVW_TPREL_G0", "TPREL(S + A) : bits 15:0 of i17", signed_wide(0), OFFSET);
    /// `TPREL(S + A) : bits 15:0`
    TLSLE_MOVW_TPREL_G0_NC: thread_local("TLSLE_MOVW_TPREL_G0_NC", "TPREL(S + A) : bits 15:0", wide_unchecked(0), OFFSET);
    /// `TPREL(S + A) : bits 23:12 of u24`
    TLSLE_ADD_TPREL_HI12: thread_local("TLSLE_ADD_TPREL_HI12", "TPREL(S + A) : bits 23:12 of u24", HIGH12, OFFSET);
    /// `TPREL(S + A) : u12`
    TLSLE_ADD_TPREL_LO12: thread_local("TLSLE_ADD_TPREL_LO12", "TPREL(S + A) : u12", low12_checked(0), OFFSET);
    /// `TPREL(S + A) : bits 11:0`
    TLSLE_ADD_TPREL_LO12_NC: thread_local("TLSLE_ADD_TPREL_LO12_NC", "TPREL(S + A) : bits 11:0", low12(0), OFFSET);
    /// `TPREL(S + A) : bits 11:0 of u12`
    TLSLE_LDST8_TPREL_LO12: thread_local("TLSLE_LDST8_TPREL_LO12", "TPREL(S + A) : bits 11:0 of u12", low12_checked(0), OFFSET);
    /// `TPREL(S + A) : bits 11:0`
    TLSLE_LDST8_TPREL_LO12_NC: thread_local("TLSLE_LDST8_TPREL_LO12_NC", "TPREL(S + A) : bits 11:0", low12(0), OFFSET);
    /// `TPREL(S + A) : bits 11:1 of u12`
    TLSLE_LDST16_TPREL_LO12: thread_local("TLSLE_LDST16_TPREL_LO12", "TPREL(S + A) : bits 11:1 of u12", low12_checked(1), OFFSET);
    /// `TPREL(S + A) : bits 11:1`
    TLSLE_LDST16_TPREL_LO12_NC: thread_local("TLSLE_LDST16_TPREL_LO12_NC", "TPREL(S + A) : bits 11:1", low12(1), OFFSET);
    /// `TPREL(S + A) : bits 11:2 of u12`
    TLSLE_LDST32_TPREL_LO12: thread_local("TLSLE_LDST32_TPREL_LO12", "TPREL(S + A) : bits 11:2 of u12", low12_checked(2), OFFSET);
    /// `TPREL(S + A) : bits 11:2`
    TLSLE_LDST32_TPREL_LO12_NC: thread_local("TLSLE_LDST32_TPREL_LO12_NC", "TPREL(S + A) : bits 11:2", low12(2), OFFSET);
    /// `TPREL(S + A) : bits 11:3 of u12`
    TLSLE_LDST64_TPREL_LO12: thread_local("TLSLE_LDST64_TPREL_LO12", "TPREL(S + A) : bits 11:3 of u12", low12_checked(3), OFFSET);
    /// `TPREL(S + A) : bits 11:3`
    TLSLE_LDST64_TPREL_LO12_NC: thread_local("TLSLE_LDST64_TPREL_LO12_NC", "TPREL(S + A) : bits 11:3", low12(3), OFFSET);
    /// `TPREL(S + A) : bits 11:4 of u12`
    TLSLE_LDST128_TPREL_LO12: thread_local("TLSLE_LDST128_TPREL_LO12", "TPREL(S + A) : bits 11:4 of u12", low12_checked(4), OFFSET);
    /// `TPREL(S + A) : bits 11:4`
    TLSLE_LDST128_TPREL_LO12_NC: thread_local("TLSLE_LDST128_TPREL_LO12_NC", "TPREL(S + A) : bits 11:4", low12(4), OFFSET);
    /// `G(GTLSDESC(S + A)) - P : bits 20:2 of i21`
    TLSDESC_LD_PREL19: close(pc_relative(thread_local("TLSDESC_LD_PREL19", "G(GTLSDESC(S + A)) - P : bits 20:2 of i21", LITERAL, DESCRIPTOR)));
    /// `G(GTLSDESC(S + A)) - P : i21`
    TLSDESC_ADR_PREL21: close(pc_relative(thread_local("TLSDESC_ADR_PREL21", "G(GTLSDESC(S + A)) - P : i21", ADR, DESCRIPTOR)));
    /// `Page(G(GTLSDESC(S + A))) - Page(P) : bits 32:12 of i33`
    TLSDESC_ADR_PAGE21: pc_relative(thread_local("TLSDESC_ADR_PAGE21", "Page(G(GTLSDESC(S + A))) - Page(P) : bits 32:12 of i33", PAGE, DESCRIPTOR));
    /// `G(GTLSDESC(S + A)) : bits 11:3`
    TLSDESC_LD64_LO12: thread_local("TLSDESC_LD64_LO12", "G(GTLSDESC(S + A)) : bits 11:3", low12(3), DESCRIPTOR);
    /// `G(GTLSDESC(S + A)) : bits 11:0`
    TLSDESC_ADD_LO12: thread_local("TLSDESC_ADD_LO12", "G(GTLSDESC(S + A)) : bits 11:0", low12(0), DESCRIPTOR);
    /// `G(GTLSDESC(S + A)) - GOT : bits 31:16 of i33`
    TLSDESC_OFF_G1: thread_local("TLSDESC_OFF_G1", "G(GTLSDESC(S + A)) - GOT : bits 31:16 of i33", signed_wide(1), DESCRIPTOR);
    /// `G(GTLSDESC(S + A)) - GOT : bits 15:0`
    TLSDESC_OFF_G0_NC: thread_local("TLSDESC_OFF_G0_NC", "G(GTLSDESC(S + A)) - GOT : bits 15:0", wide_unchecked(0), DESCRIPTOR);
    /// Marks the load of the function of a descriptor sequence; nothing is stored.
    TLSDESC_LDR: thread_local("TLSDESC_LDR", "", NOTHING, MARK);
    /// Marks the addition of a descriptor sequence; nothing is stored.
    TLSDESC_ADD: thread_local("TLSDESC_ADD", "", NOTHING, MARK);
    /// Marks the call of a descriptor sequence; nothing is stored.
    TLSDESC_CALL: thread_local("TLSDESC_CALL", "", NOTHING, MARK);
    /// `LDM(S) : u64`
    TLS_DTPMOD64: thread_local("TLS_DTPMOD64", "LDM(S) : u64", WORD64, IN_MODULE);
    /// `DTPREL(S + A) : i64`
    TLS_DTPREL64: thread_local("TLS_DTPREL64", "DTPREL(S + A) : i64", WORD64, IN_MODULE);
    /// `TPREL(S + A) : i64`
    TLS_TPREL64: thread_local("TLS_TPREL64", "TPREL(S + A) : i64", WORD64, OFFSET);
    /// `TLSDESC(S + A) : 2 x u64`
    TLSDESC: thread_local("TLSDESC", "TLSDESC(S + A) : 2 x u64", PAIR64, DESCRIPTOR);

    /// A pointer that is to be signed: refused.
    AUTH_ABS64: kind("AUTH_ABS64", "", WORD64, Request::Nothing);
    /// A GOT entry that holds a signed pointer: refused.
    AUTH_MOVW_GOTOFF_G0: kind("AUTH_MOVW_GOTOFF_G0", "", WORD32, Request::Nothing);
    /// A GOT entry that holds a signed pointer: refused.
    AUTH_MOVW_GOTOFF_G0_NC: kind("AUTH_MOVW_GOTOFF_G0_NC", "", WORD32, Request::Nothing);
    /// A GOT entry that holds a signed pointer: refused.
    AUTH_MOVW_GOTOFF_G1: kind("AUTH_MOVW_GOTOFF_G1", "", WORD32, Request::Nothing);
    /// A GOT entry that holds a signed pointer: refused.
    AUTH_MOVW_GOTOFF_G1_NC: kind("AUTH_MOVW_GOTOFF_G1_NC", "", WORD32, Request::Nothing);
    /// A GOT entry that holds a signed pointer: refused.
    AUTH_MOVW_GOTOFF_G2: kind("AUTH_MOVW_GOTOFF_G2", "", WORD32, Request::Nothing);
    /// A GOT entry that holds a signed pointer: refused.
    AUTH_MOVW_GOTOFF_G2_NC: kind("AUTH_MOVW_GOTOFF_G2_NC", "", WORD32, Request::Nothing);
    /// A GOT entry that holds a signed pointer: refused.
    AUTH_MOVW_GOTOFF_G3: kind("AUTH_MOVW_GOTOFF_G3", "", WORD32, Request::Nothing);
    /// A GOT entry that holds a signed pointer: refused.
    AUTH_GOT_LD_PREL19: kind("AUTH_GOT_LD_PREL19", "", WORD32, Request::Nothing);
    /// A GOT entry that holds a signed pointer: refused.
    AUTH_LD64_GOTOFF_LO15: kind("AUTH_LD64_GOTOFF_LO15", "", WORD32, Request::Nothing);
    /// A GOT entry that holds a signed pointer: refused.
    AUTH_ADR_GOT_PAGE: kind("AUTH_ADR_GOT_PAGE", "", WORD32, Request::Nothing);
    /// A GOT entry that holds a signed pointer: refused.
    AUTH_LD64_GOT_LO12_NC: kind("AUTH_LD64_GOT_LO12_NC", "", WORD32, Request::Nothing);
    /// A GOT entry that holds a signed pointer: refused.
    AUTH_LD64_GOTPAGE_LO15: kind("AUTH_LD64_GOTPAGE_LO15", "", WORD32, Request::Nothing);
    /// A GOT entry that holds a signed pointer: refused.
    AUTH_GOT_ADD_LO12_NC: kind("AUTH_GOT_ADD_LO12_NC", "", WORD32, Request::Nothing);
    /// A GOT entry that holds a signed pointer: refused.
    AUTH_GOT_ADR_PREL_LO21: kind("AUTH_GOT_ADR_PREL_LO21", "", WORD32, Request::Nothing);
    /// A GOT entry that holds a signed pointer: refused.
    AUTH_TLSDESC_ADR_PAGE21: kind("AUTH_TLSDESC_ADR_PAGE21", "", WORD32, Request::Nothing);
    /// A GOT entry that holds a signed pointer: refused.
    AUTH_TLSDESC_LD64_LO12: kind("AUTH_TLSDESC_LD64_LO12", "", WORD32, Request::Nothing);
    /// A GOT entry that holds a signed pointer: refused.
    AUTH_TLSDESC_ADD_LO12: kind("AUTH_TLSDESC_ADD_LO12", "", WORD32, Request::Nothing);
}

/// The facts of every kind, indexed by it.
pub static KINDS: [KindFacts; ALL.len()] = {
    let mut kinds = [ALL[0].facts; ALL.len()];
    let mut index = 0;
    while index < kinds.len() {
        kinds[index] = ALL[index].facts;
        index += 1;
    }
    kinds
};

/// The field of every kind, indexed by it.
pub(super) static FORMS: [Form; ALL.len()] = {
    let mut forms = [Form::Nothing; ALL.len()];
    let mut index = 0;
    while index < forms.len() {
        forms[index] = ALL[index].form;
        index += 1;
    }
    forms
};

/// The facts of a kind; of the unknown one, for a number that the table does not have.
pub(super) fn facts(kind: EdgeKind) -> &'static KindFacts {
    KINDS.get(kind.index()).unwrap_or(&KINDS[UNKNOWN.index()])
}

/// Where in the bytes at the place a value goes. Names of instructions stand for all that have the same field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    Nothing,
    /// As many bytes as the kind is wide.
    Data,
    /// `MOVZ`, `MOVK`: 16 bits, from bit 16 times the group's number on.
    Wide(u8),
    /// `MOVZ` or `MOVN`, after the sign; the same bits.
    SignedWide(u8),
    /// `ADR`: 21 bits.
    Adr,
    /// `ADRP`: 21 bits, from bit 12 on.
    Adrp,
    /// `ADD` and loads and stores with an unsigned offset: bits 11 down to this one.
    Low12(u8),
    /// `ADD` with a shifted immediate: bits 23 down to 12.
    High12,
    /// `LDR` with an unsigned offset: bits 14 down to 3.
    Offset15,
    /// `TBZ`: 14 bits, from bit 2 on.
    Branch14,
    /// `LDR` of a literal, `CBZ`, `B.cond`: 19 bits, from bit 2 on.
    Branch19,
    /// `B`, `BL`: 26 bits, from bit 2 on.
    Branch26,
}

const PAIR: (Request, ThreadAccess) = (Request::ThreadLocal, ThreadAccess::Pair);
const MODULE_PAIR: (Request, ThreadAccess) = (Request::ThreadLocal, ThreadAccess::ModulePair);
const DESCRIPTOR: (Request, ThreadAccess) = (Request::ThreadLocal, ThreadAccess::Descriptor);
const OFFSET_ENTRY: (Request, ThreadAccess) = (Request::ThreadLocal, ThreadAccess::OffsetEntry);
const OFFSET: (Request, ThreadAccess) = (Request::ThreadLocal, ThreadAccess::Offset);
const IN_MODULE: (Request, ThreadAccess) = (Request::ThreadLocal, ThreadAccess::InModule);
const MARK: (Request, ThreadAccess) = (Request::ThreadLocal, ThreadAccess::Mark);

/// What is said about one kind.
#[derive(Clone, Copy)]
struct Kind {
    facts: KindFacts,
    form: Form,
}

/// A form with the numbers that fit it.
struct Field {
    form: Form,
    width: u8,
    alignment: u8,
    min: i64,
    max: i64,
}

const NOTHING: Field = Field { form: Form::Nothing, width: 0, alignment: 1, min: 0, max: 0 };
const WORD64: Field = data(8, i64::MIN, i64::MAX);
const PAIR64: Field = data(16, i64::MIN, i64::MAX);
const WORD32: Field = data(4, i64::MIN, i64::MAX);
const SIGNED32: Field = data(4, i32::MIN as i64, i32::MAX as i64);
const EITHER32: Field = data(4, i32::MIN as i64, u32::MAX as i64);
const EITHER16: Field = data(2, i16::MIN as i64, u16::MAX as i64);
const LITERAL: Field = aligned(4, signed(Form::Branch19, 21));
const ADR: Field = signed(Form::Adr, 21);
const PAGE: Field = signed(Form::Adrp, 33);
const PAGE_UNCHECKED: Field = unchecked(Form::Adrp);
const BRANCH14: Field = aligned(4, signed(Form::Branch14, 16));
const BRANCH26: Field = aligned(4, signed(Form::Branch26, 28));
const OFFSET15: Field = aligned(8, unsigned(Form::Offset15, 15));
const HIGH12: Field = unsigned(Form::High12, 24);

const fn data(width: u8, min: i64, max: i64) -> Field {
    Field { form: Form::Data, width, alignment: 1, min, max }
}

/// A field of an instruction that takes what it can of any value.
const fn unchecked(form: Form) -> Field {
    Field { form, width: 4, alignment: 1, min: i64::MIN, max: i64::MAX }
}

/// A field of an instruction for signed numbers of so many bits.
const fn signed(form: Form, bits: u8) -> Field {
    Field { min: -1 << (bits - 1), max: (1 << (bits - 1)) - 1, ..unchecked(form) }
}

/// A field of an instruction for unsigned numbers of so many bits.
const fn unsigned(form: Form, bits: u8) -> Field {
    Field { min: 0, max: (1 << bits) - 1, ..unchecked(form) }
}

const fn aligned(alignment: u8, field: Field) -> Field {
    Field { alignment, ..field }
}

const fn wide(group: u8) -> Field {
    unsigned(Form::Wide(group), 16 * (group + 1))
}

const fn wide_unchecked(group: u8) -> Field {
    unchecked(Form::Wide(group))
}

const fn signed_wide(group: u8) -> Field {
    let form = Form::SignedWide(group);
    if group == 3 { unchecked(form) } else { signed(form, 16 * (group + 1) + 1) }
}

/// For accesses to units of 2 to the power of `scale` bytes.
const fn low12(scale: u8) -> Field {
    aligned(1 << scale, unchecked(Form::Low12(scale)))
}

const fn low12_checked(scale: u8) -> Field {
    aligned(1 << scale, unsigned(Form::Low12(scale), 12))
}

const fn kind(name: &'static str, expression: &'static str, field: Field, request: Request) -> Kind {
    let Field { form, width, alignment, min, max } = field;
    let facts = KindFacts {
        name,
        expression,
        width,
        alignment,
        min,
        max,
        pc_relative: false,
        demands: Demands::empty(),
        request,
        access: ThreadAccess::Mark,
    };
    Kind { facts, form }
}

const fn thread_local(
    name: &'static str,
    expression: &'static str,
    field: Field,
    (request, access): (Request, ThreadAccess),
) -> Kind {
    let mut kind = kind(name, expression, field, request);
    kind.facts.access = access;
    kind
}

const fn pc_relative(mut kind: Kind) -> Kind {
    kind.facts.pc_relative = true;
    kind
}

/// For fields of the tiny code model, where all of a program is within 1 MiB.
const fn close(mut kind: Kind) -> Kind {
    kind.facts.demands = Demands::CLOSE;
    kind
}

const fn low_address(mut kind: Kind) -> Kind {
    kind.facts.demands = Demands::LOW;
    kind
}

const _: () = assert!(UNKNOWN.0 == EdgeKind::UNKNOWN.0 && KEEP_ALIVE.0 == EdgeKind::KEEP_ALIVE.0);
