//! What ELF calls the AArch64 edge kinds: relocation numbers, from the ABI document "ELF for the Arm 64-bit Architecture
//! (AArch64)", and for signed pointers from "PAuth ABI Extension to ELF".

use super::machine::Machine;
use crate::arch::aarch64::kinds::*;
use crate::graph::{Architecture, EdgeKind};

/// `EM_AARCH64`; `STO_AARCH64_VARIANT_PCS`, and of `GNU_PROPERTY_AARCH64_FEATURE_1_AND` the bit for BTI.
pub(crate) static MACHINE: Machine = Machine {
    architecture: Architecture::Aarch64,
    number: 183,
    kinds: &KINDS_BY_NUMBER,
    large_section: 0,
    unwind_section: None,
    large_common: None,
    variant_pcs: 0x80,
    landing_pads: Some((0xc000_0000, 1)),
};

/// Numbers that follow each other, by the first of them. 256 was once what 0 is.
const RUNS: [(usize, &[EdgeKind]); 7] = [
    (0, &[NONE]),
    (
        256,
        &[
            NONE,
            ABS64,
            ABS32,
            ABS16,
            PREL64,
            PREL32,
            PREL16,
            MOVW_UABS_G0,
            MOVW_UABS_G0_NC,
            MOVW_UABS_G1,
            MOVW_UABS_G1_NC,
            MOVW_UABS_G2,
            MOVW_UABS_G2_NC,
            MOVW_UABS_G3,
            MOVW_SABS_G0,
            MOVW_SABS_G1,
            MOVW_SABS_G2,
            LD_PREL_LO19,
            ADR_PREL_LO21,
            ADR_PREL_PG_HI21,
            ADR_PREL_PG_HI21_NC,
            ADD_ABS_LO12_NC,
            LDST8_ABS_LO12_NC,
            TSTBR14,
            CONDBR19,
        ],
    ),
    (
        282,
        &[
            JUMP26,
            CALL26,
            LDST16_ABS_LO12_NC,
            LDST32_ABS_LO12_NC,
            LDST64_ABS_LO12_NC,
            MOVW_PREL_G0,
            MOVW_PREL_G0_NC,
            MOVW_PREL_G1,
            MOVW_PREL_G1_NC,
            MOVW_PREL_G2,
            MOVW_PREL_G2_NC,
            MOVW_PREL_G3,
        ],
    ),
    (
        299,
        &[
            LDST128_ABS_LO12_NC,
            MOVW_GOTOFF_G0,
            MOVW_GOTOFF_G0_NC,
            MOVW_GOTOFF_G1,
            MOVW_GOTOFF_G1_NC,
            MOVW_GOTOFF_G2,
            MOVW_GOTOFF_G2_NC,
            MOVW_GOTOFF_G3,
            GOTREL64,
            GOTREL32,
            GOT_LD_PREL19,
            LD64_GOTOFF_LO15,
            ADR_GOT_PAGE,
            LD64_GOT_LO12_NC,
            LD64_GOTPAGE_LO15,
            PLT32,
            GOTPCREL32,
        ],
    ),
    (
        512,
        &[
            TLSGD_ADR_PREL21,
            TLSGD_ADR_PAGE21,
            TLSGD_ADD_LO12_NC,
            TLSGD_MOVW_G1,
            TLSGD_MOVW_G0_NC,
            TLSLD_ADR_PREL21,
            TLSLD_ADR_PAGE21,
            TLSLD_ADD_LO12_NC,
            TLSLD_MOVW_G1,
            TLSLD_MOVW_G0_NC,
            TLSLD_LD_PREL19,
            TLSLD_MOVW_DTPREL_G2,
            TLSLD_MOVW_DTPREL_G1,
            TLSLD_MOVW_DTPREL_G1_NC,
            TLSLD_MOVW_DTPREL_G0,
            TLSLD_MOVW_DTPREL_G0_NC,
            TLSLD_ADD_DTPREL_HI12,
            TLSLD_ADD_DTPREL_LO12,
            TLSLD_ADD_DTPREL_LO12_NC,
            TLSLD_LDST8_DTPREL_LO12,
            TLSLD_LDST8_DTPREL_LO12_NC,
            TLSLD_LDST16_DTPREL_LO12,
            TLSLD_LDST16_DTPREL_LO12_NC,
            TLSLD_LDST32_DTPREL_LO12,
            TLSLD_LDST32_DTPREL_LO12_NC,
            TLSLD_LDST64_DTPREL_LO12,
            TLSLD_LDST64_DTPREL_LO12_NC,
            TLSIE_MOVW_GOTTPREL_G1,
            TLSIE_MOVW_GOTTPREL_G0_NC,
            TLSIE_ADR_GOTTPREL_PAGE21,
            TLSIE_LD64_GOTTPREL_LO12_NC,
            TLSIE_LD_GOTTPREL_PREL19,
            TLSLE_MOVW_TPREL_G2,
            TLSLE_MOVW_TPREL_G1,
            TLSLE_MOVW_TPREL_G1_NC,
            TLSLE_MOVW_TPREL_G0,
            TLSLE_MOVW_TPREL_G0_NC,
            TLSLE_ADD_TPREL_HI12,
            TLSLE_ADD_TPREL_LO12,
            TLSLE_ADD_TPREL_LO12_NC,
            TLSLE_LDST8_TPREL_LO12,
            TLSLE_LDST8_TPREL_LO12_NC,
            TLSLE_LDST16_TPREL_LO12,
            TLSLE_LDST16_TPREL_LO12_NC,
            TLSLE_LDST32_TPREL_LO12,
            TLSLE_LDST32_TPREL_LO12_NC,
            TLSLE_LDST64_TPREL_LO12,
            TLSLE_LDST64_TPREL_LO12_NC,
            TLSDESC_LD_PREL19,
            TLSDESC_ADR_PREL21,
            TLSDESC_ADR_PAGE21,
            TLSDESC_LD64_LO12,
            TLSDESC_ADD_LO12,
            TLSDESC_OFF_G1,
            TLSDESC_OFF_G0_NC,
            TLSDESC_LDR,
            TLSDESC_ADD,
            TLSDESC_CALL,
            TLSLE_LDST128_TPREL_LO12,
            TLSLE_LDST128_TPREL_LO12_NC,
            TLSLD_LDST128_DTPREL_LO12,
            TLSLD_LDST128_DTPREL_LO12_NC,
        ],
    ),
    (
        580,
        &[
            AUTH_ABS64,
            AUTH_MOVW_GOTOFF_G0,
            AUTH_MOVW_GOTOFF_G0_NC,
            AUTH_MOVW_GOTOFF_G1,
            AUTH_MOVW_GOTOFF_G1_NC,
            AUTH_MOVW_GOTOFF_G2,
            AUTH_MOVW_GOTOFF_G2_NC,
            AUTH_MOVW_GOTOFF_G3,
            AUTH_GOT_LD_PREL19,
            AUTH_LD64_GOTOFF_LO15,
            AUTH_ADR_GOT_PAGE,
            AUTH_LD64_GOT_LO12_NC,
            AUTH_LD64_GOTPAGE_LO15,
            AUTH_GOT_ADD_LO12_NC,
            AUTH_GOT_ADR_PREL_LO21,
            AUTH_TLSDESC_ADR_PAGE21,
            AUTH_TLSDESC_LD64_LO12,
            AUTH_TLSDESC_ADD_LO12,
        ],
    ),
    (1028, &[TLS_DTPMOD64, TLS_DTPREL64, TLS_TPREL64, TLSDESC]),
];

/// One more than the largest number.
const COUNT: usize = {
    let (first, kinds) = RUNS[RUNS.len() - 1];
    first + kinds.len()
};

/// The edge kind of every relocation number. Numbers that are unassigned, or that only a dynamic linker meets (from 1024
/// on, but for those of thread-locals, which debug information uses too), are unknown.
pub(crate) static KINDS_BY_NUMBER: [EdgeKind; COUNT] = {
    let mut kinds = [UNKNOWN; COUNT];
    let mut run = 0;
    while run < RUNS.len() {
        let (first, of_run) = RUNS[run];
        let mut index = 0;
        while index < of_run.len() {
            kinds[first + index] = of_run[index];
            index += 1;
        }
        run += 1;
    }
    kinds
};

#[cfg(test)]
mod comparison;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Request;
    use object::elf;

    /// The numbers and names of crate `object`.
    macro_rules! numbered {
        ($($constant:ident)*) => { [$((elf::$constant.0, &stringify!($constant)["R_AARCH64_".len()..])),*] };
    }

    /// The ABI document calls these by longer names.
    const LONGER: [(&str, &str); 3] =
        [("TLS_DTPMOD", "TLS_DTPMOD64"), ("TLS_DTPREL", "TLS_DTPREL64"), ("TLS_TPREL", "TLS_TPREL64")];

    #[test]
    fn numbers_lead_to_the_kinds_of_their_names() {
        let numbered = numbered! {
            R_AARCH64_NONE R_AARCH64_ABS64 R_AARCH64_ABS32 R_AARCH64_ABS16 R_AARCH64_PREL64 R_AARCH64_PREL32
            R_AARCH64_PREL16 R_AARCH64_MOVW_UABS_G0 R_AARCH64_MOVW_UABS_G0_NC R_AARCH64_MOVW_UABS_G1
            R_AARCH64_MOVW_UABS_G1_NC R_AARCH64_MOVW_UABS_G2 R_AARCH64_MOVW_UABS_G2_NC R_AARCH64_MOVW_UABS_G3
            R_AARCH64_MOVW_SABS_G0 R_AARCH64_MOVW_SABS_G1 R_AARCH64_MOVW_SABS_G2 R_AARCH64_LD_PREL_LO19
            R_AARCH64_ADR_PREL_LO21 R_AARCH64_ADR_PREL_PG_HI21 R_AARCH64_ADR_PREL_PG_HI21_NC
            R_AARCH64_ADD_ABS_LO12_NC R_AARCH64_LDST8_ABS_LO12_NC R_AARCH64_TSTBR14 R_AARCH64_CONDBR19
            R_AARCH64_JUMP26 R_AARCH64_CALL26 R_AARCH64_LDST16_ABS_LO12_NC R_AARCH64_LDST32_ABS_LO12_NC
            R_AARCH64_LDST64_ABS_LO12_NC R_AARCH64_MOVW_PREL_G0 R_AARCH64_MOVW_PREL_G0_NC R_AARCH64_MOVW_PREL_G1
            R_AARCH64_MOVW_PREL_G1_NC R_AARCH64_MOVW_PREL_G2 R_AARCH64_MOVW_PREL_G2_NC R_AARCH64_MOVW_PREL_G3
            R_AARCH64_LDST128_ABS_LO12_NC R_AARCH64_MOVW_GOTOFF_G0 R_AARCH64_MOVW_GOTOFF_G0_NC
            R_AARCH64_MOVW_GOTOFF_G1 R_AARCH64_MOVW_GOTOFF_G1_NC R_AARCH64_MOVW_GOTOFF_G2
            R_AARCH64_MOVW_GOTOFF_G2_NC R_AARCH64_MOVW_GOTOFF_G3 R_AARCH64_GOTREL64 R_AARCH64_GOTREL32
            R_AARCH64_GOT_LD_PREL19 R_AARCH64_LD64_GOTOFF_LO15 R_AARCH64_ADR_GOT_PAGE R_AARCH64_LD64_GOT_LO12_NC
            R_AARCH64_LD64_GOTPAGE_LO15 R_AARCH64_PLT32 R_AARCH64_GOTPCREL32 R_AARCH64_TLSGD_ADR_PREL21
            R_AARCH64_TLSGD_ADR_PAGE21 R_AARCH64_TLSGD_ADD_LO12_NC R_AARCH64_TLSGD_MOVW_G1
            R_AARCH64_TLSGD_MOVW_G0_NC R_AARCH64_TLSLD_ADR_PREL21 R_AARCH64_TLSLD_ADR_PAGE21
            R_AARCH64_TLSLD_ADD_LO12_NC R_AARCH64_TLSLD_MOVW_G1 R_AARCH64_TLSLD_MOVW_G0_NC
            R_AARCH64_TLSLD_LD_PREL19 R_AARCH64_TLSLD_MOVW_DTPREL_G2 R_AARCH64_TLSLD_MOVW_DTPREL_G1
            R_AARCH64_TLSLD_MOVW_DTPREL_G1_NC R_AARCH64_TLSLD_MOVW_DTPREL_G0 R_AARCH64_TLSLD_MOVW_DTPREL_G0_NC
            R_AARCH64_TLSLD_ADD_DTPREL_HI12 R_AARCH64_TLSLD_ADD_DTPREL_LO12 R_AARCH64_TLSLD_ADD_DTPREL_LO12_NC
            R_AARCH64_TLSLD_LDST8_DTPREL_LO12 R_AARCH64_TLSLD_LDST8_DTPREL_LO12_NC
            R_AARCH64_TLSLD_LDST16_DTPREL_LO12 R_AARCH64_TLSLD_LDST16_DTPREL_LO12_NC
            R_AARCH64_TLSLD_LDST32_DTPREL_LO12 R_AARCH64_TLSLD_LDST32_DTPREL_LO12_NC
            R_AARCH64_TLSLD_LDST64_DTPREL_LO12 R_AARCH64_TLSLD_LDST64_DTPREL_LO12_NC
            R_AARCH64_TLSIE_MOVW_GOTTPREL_G1 R_AARCH64_TLSIE_MOVW_GOTTPREL_G0_NC
            R_AARCH64_TLSIE_ADR_GOTTPREL_PAGE21 R_AARCH64_TLSIE_LD64_GOTTPREL_LO12_NC
            R_AARCH64_TLSIE_LD_GOTTPREL_PREL19 R_AARCH64_TLSLE_MOVW_TPREL_G2 R_AARCH64_TLSLE_MOVW_TPREL_G1
            R_AARCH64_TLSLE_MOVW_TPREL_G1_NC R_AARCH64_TLSLE_MOVW_TPREL_G0 R_AARCH64_TLSLE_MOVW_TPREL_G0_NC
            R_AARCH64_TLSLE_ADD_TPREL_HI12 R_AARCH64_TLSLE_ADD_TPREL_LO12 R_AARCH64_TLSLE_ADD_TPREL_LO12_NC
            R_AARCH64_TLSLE_LDST8_TPREL_LO12 R_AARCH64_TLSLE_LDST8_TPREL_LO12_NC
            R_AARCH64_TLSLE_LDST16_TPREL_LO12 R_AARCH64_TLSLE_LDST16_TPREL_LO12_NC
            R_AARCH64_TLSLE_LDST32_TPREL_LO12 R_AARCH64_TLSLE_LDST32_TPREL_LO12_NC
            R_AARCH64_TLSLE_LDST64_TPREL_LO12 R_AARCH64_TLSLE_LDST64_TPREL_LO12_NC R_AARCH64_TLSDESC_LD_PREL19
            R_AARCH64_TLSDESC_ADR_PREL21 R_AARCH64_TLSDESC_ADR_PAGE21 R_AARCH64_TLSDESC_LD64_LO12
            R_AARCH64_TLSDESC_ADD_LO12 R_AARCH64_TLSDESC_OFF_G1 R_AARCH64_TLSDESC_OFF_G0_NC
            R_AARCH64_TLSDESC_LDR R_AARCH64_TLSDESC_ADD R_AARCH64_TLSDESC_CALL
            R_AARCH64_TLSLE_LDST128_TPREL_LO12 R_AARCH64_TLSLE_LDST128_TPREL_LO12_NC
            R_AARCH64_TLSLD_LDST128_DTPREL_LO12 R_AARCH64_TLSLD_LDST128_DTPREL_LO12_NC R_AARCH64_TLS_DTPMOD
            R_AARCH64_TLS_DTPREL R_AARCH64_TLS_TPREL R_AARCH64_TLSDESC
        };
        for (number, name) in numbered {
            let name = LONGER.iter().find(|(short, _)| *short == name).map_or(name, |(_, long)| long);
            assert_eq!(KINDS[KINDS_BY_NUMBER[number as usize].index()].name, name, "{number}");
        }
        let dynamic = numbered! {
            R_AARCH64_COPY R_AARCH64_GLOB_DAT R_AARCH64_JUMP_SLOT R_AARCH64_RELATIVE R_AARCH64_IRELATIVE
        };
        for (number, name) in dynamic {
            assert_eq!(KINDS_BY_NUMBER.get(number as usize).copied().unwrap_or(UNKNOWN), UNKNOWN, "{name}");
        }
        let assigned = KINDS_BY_NUMBER.iter().filter(|kind| **kind != UNKNOWN).count();
        let signed = KINDS.iter().filter(|facts| facts.name.starts_with("AUTH")).count();
        assert_eq!(assigned, numbered.len() + signed + 1, "all but 256 and signed pointers are in the crate");
    }

    #[test]
    fn signed_pointers_have_the_numbers_of_their_document() {
        let name = |number: usize| KINDS[KINDS_BY_NUMBER[number].index()].name;
        assert_eq!((name(0x243), name(0x244)), ("UNKNOWN", "AUTH_ABS64"));
        assert_eq!((name(0x24e), name(0x24f)), ("AUTH_ADR_GOT_PAGE", "AUTH_LD64_GOT_LO12_NC"));
        assert_eq!((name(0x255), name(0x256)), ("AUTH_TLSDESC_ADD_LO12", "UNKNOWN"));
    }

    /// Only Mach-O's own and what every architecture has are kinds without a relocation number.
    #[test]
    fn every_kind_has_a_number() {
        let without: Vec<_> = (0..)
            .map(EdgeKind)
            .zip(&KINDS)
            .filter(|(kind, _)| !KINDS_BY_NUMBER.contains(kind))
            .map(|(_, facts)| facts.name)
            .collect();
        assert_eq!(without, ["KEEP_ALIVE", "NegDelta32", "NegDelta64", "GotAbs64"]);
    }

    #[test]
    fn both_numbers_of_nothing_are_nothing() {
        assert_eq!((KINDS_BY_NUMBER[0], KINDS_BY_NUMBER[256]), (NONE, NONE));
    }

    #[test]
    fn thread_local_types_say_so() {
        for (number, &kind) in KINDS_BY_NUMBER.iter().enumerate() {
            let says_so = matches!(KINDS[kind.index()].request, Request::ThreadLocal);
            assert_eq!(says_so, (512..574).contains(&number) || (1028..1032).contains(&number), "{number}");
        }
    }
}
