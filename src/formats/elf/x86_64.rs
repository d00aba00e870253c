//! What ELF calls the x86-64 edge kinds: relocation numbers, from the psABI's table "Relocation Types".

use super::machine::Machine;
use crate::arch::x86_64::kinds::*;
use crate::graph::{Architecture, EdgeKind};

/// `EM_X86_64`; `SHF_X86_64_LARGE`, `SHT_X86_64_UNWIND` and `SHN_X86_64_LCOMMON` of the psABI.
pub(crate) static MACHINE: Machine = Machine {
    architecture: Architecture::X86_64,
    number: 62,
    kinds: &KINDS_BY_NUMBER,
    large_section: 0x1000_0000,
    unwind_section: Some(0x7000_0001),
    large_common: Some(0xff02),
    variant_pcs: 0,
    landing_pads: None,
};

/// The edge kind of every relocation number. Numbers that are reserved, or that only a dynamic linker meets (5 to 8, 37
/// and 38: `COPY`, `GLOB_DAT`, `JUMP_SLOT`, `RELATIVE`, `IRELATIVE`, `RELATIVE64`), are unknown. 39 and 40 are `PC32_BND`
/// and `PLT32_BND` in objects from before the psABI withdrew them together with MPX.
pub(crate) static KINDS_BY_NUMBER: [EdgeKind; 52] = [
    NONE,
    ABS64,
    PC32,
    GOT32,
    PLT32,
    UNKNOWN,
    UNKNOWN,
    UNKNOWN,
    UNKNOWN,
    GOTPCREL,
    ABS32,
    ABS32S,
    ABS16,
    PC16,
    ABS8,
    PC8,
    DTPMOD64,
    DTPOFF64,
    TPOFF64,
    TLSGD,
    TLSLD,
    DTPOFF32,
    GOTTPOFF,
    TPOFF32,
    PC64,
    GOTOFF64,
    GOTPC32,
    GOT64,
    GOTPCREL64,
    GOTPC64,
    GOTPLT64,
    PLTOFF64,
    SIZE32,
    SIZE64,
    GOTPC32_TLSDESC,
    TLSDESC_CALL,
    TLSDESC,
    UNKNOWN,
    UNKNOWN,
    PC32,
    PLT32,
    GOTPCRELX,
    REX_GOTPCRELX,
    CODE_4_GOTPCRELX,
    CODE_4_GOTTPOFF,
    CODE_4_GOTPC32_TLSDESC,
    CODE_5_GOTPCRELX,
    CODE_5_GOTTPOFF,
    CODE_5_GOTPC32_TLSDESC,
    CODE_6_GOTPCRELX,
    CODE_6_GOTTPOFF,
    CODE_6_GOTPC32_TLSDESC,
];

#[cfg(test)]
mod comparison;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Request;
    use object::elf;

    /// The numbers and names of crate `object`.
    macro_rules! numbered {
        ($($constant:ident)*) => { [$((elf::$constant.0, &stringify!($constant)["R_X86_64_".len()..])),*] };
    }

    #[test]
    fn numbers_lead_to_the_kinds_of_their_names() {
        let numbered = numbered! {
            R_X86_64_NONE R_X86_64_64 R_X86_64_PC32 R_X86_64_GOT32 R_X86_64_PLT32 R_X86_64_GOTPCREL R_X86_64_32
            R_X86_64_32S R_X86_64_16 R_X86_64_PC16 R_X86_64_8 R_X86_64_PC8 R_X86_64_DTPMOD64 R_X86_64_DTPOFF64
            R_X86_64_TPOFF64 R_X86_64_TLSGD R_X86_64_TLSLD R_X86_64_DTPOFF32 R_X86_64_GOTTPOFF R_X86_64_TPOFF32
            R_X86_64_PC64 R_X86_64_GOTOFF64 R_X86_64_GOTPC32 R_X86_64_GOT64 R_X86_64_GOTPCREL64 R_X86_64_GOTPC64
            R_X86_64_GOTPLT64 R_X86_64_PLTOFF64 R_X86_64_SIZE32 R_X86_64_SIZE64 R_X86_64_GOTPC32_TLSDESC
            R_X86_64_TLSDESC_CALL R_X86_64_TLSDESC R_X86_64_GOTPCRELX R_X86_64_REX_GOTPCRELX
            R_X86_64_CODE_4_GOTPCRELX R_X86_64_CODE_4_GOTTPOFF R_X86_64_CODE_4_GOTPC32_TLSDESC
            R_X86_64_CODE_5_GOTPCRELX R_X86_64_CODE_5_GOTTPOFF R_X86_64_CODE_5_GOTPC32_TLSDESC
            R_X86_64_CODE_6_GOTPCRELX R_X86_64_CODE_6_GOTTPOFF R_X86_64_CODE_6_GOTPC32_TLSDESC
        };
        let name = |number: u32| KINDS[KINDS_BY_NUMBER[number as usize].index()].name;
        for (number, expected) in numbered {
            assert_eq!(name(number), expected, "{number}");
        }
        let unknown: Vec<u32> =
            (0..).take(KINDS_BY_NUMBER.len()).filter(|&number| name(number) == "UNKNOWN").collect();
        let dynamic = numbered! {
            R_X86_64_COPY R_X86_64_GLOB_DAT R_X86_64_JUMP_SLOT R_X86_64_RELATIVE R_X86_64_IRELATIVE R_X86_64_RELATIVE64
        };
        assert_eq!(unknown, dynamic.map(|(number, _)| number));
        assert_eq!(numbered.len() + dynamic.len() + 2, KINDS_BY_NUMBER.len());
    }

    /// Only Mach-O's differences and what every architecture has are kinds without a relocation number.
    #[test]
    fn every_kind_has_a_number() {
        let without: Vec<_> = (0..)
            .map(EdgeKind)
            .zip(&KINDS)
            .filter(|(kind, _)| !KINDS_BY_NUMBER.contains(kind))
            .map(|(_, facts)| facts.name)
            .collect();
        assert_eq!(without, ["KEEP_ALIVE", "NegDelta32", "NegDelta64"]);
    }

    #[test]
    fn thread_local_types_say_so() {
        let numbers = [16, 17, 18, 19, 20, 21, 22, 23, 34, 35, 36, 44, 45, 47, 48, 50, 51];
        for (number, &kind) in KINDS_BY_NUMBER.iter().enumerate() {
            let says_so = matches!(KINDS[kind.index()].request, Request::ThreadLocal);
            assert_eq!(says_so, numbers.contains(&number), "{number}");
        }
    }
}
