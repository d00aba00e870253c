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
