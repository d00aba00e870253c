//! The processor model as compiled code reads it, on x86-64.
//!
//! The layout is the interface between compilers and their support library: `__cpu_model` is four 32-bit words (vendor,
//! type, subtype, features 0 to 31), `__cpu_features2` the features from 32 on. Feature, type and subtype numbers are
//! those that gcc and clang compile `__builtin_cpu_supports` and `__builtin_cpu_is` to; what each feature means is in
//! Intel's and AMD's manuals under CPUID.

use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv, CpuidResult};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use super::super::builtins::{Entry, data, function};

/// Words of `__cpu_features2`: one more than any compiler reads so far.
const EXTRA_WORDS: usize = 4;

static CPU_MODEL: [AtomicU32; 4] = [const { AtomicU32::new(0) }; 4];
static CPU_FEATURES2: [AtomicU32; EXTRA_WORDS] = [const { AtomicU32::new(0) }; EXTRA_WORDS];

/// What is filled in when it is first looked up.
pub(in crate::runtime) fn entries() -> [Entry; 3] {
    [
        data("__cpu_features2", &CPU_FEATURES2),
        function("__cpu_indicator_init", cpu_indicator_init as *const ()),
        data("__cpu_model", &CPU_MODEL),
    ]
}

/// Compiled code calls this before it reads the model early, in resolvers of indirect functions.
extern "C" fn cpu_indicator_init() -> i32 {
    fill();
    0
}

/// Fills in the data. CPUID takes its time (under a hypervisor, microseconds for each answer), so not before it is due.
#[cold]
pub(super) fn fill() {
    static FILLED: OnceLock<()> = OnceLock::new();
    FILLED.get_or_init(|| {
        let cpu = Cpu::read();
        let features = cpu.features();
        let (first, rest) = features.split_first().unwrap_or((&0, &[]));
        let (vendor, kind, subtype) = cpu.model();
        store(&CPU_MODEL, &[vendor, kind, subtype, *first]);
        store(&CPU_FEATURES2, rest);
    });
}

fn store(words: &[AtomicU32], values: &[u32]) {
    for (word, &value) in words.iter().zip(values) {
        word.store(value, Ordering::Relaxed);
    }
}

/// A register of one CPUID answer.
#[derive(Clone, Copy)]
enum Register {
    Leaf1Ecx,
    Leaf1Edx,
    Leaf7Ebx,
    Leaf7Ecx,
    Leaf7Edx,
    Leaf7Sub1Eax,
    Leaf7Sub1Edx,
    LeafDSub1Eax,
    Leaf14Ebx,
    Leaf19Ebx,
    Leaf1eSub1Eax,
    Extended1Ecx,
    Extended1Edx,
    Extended8Ebx,
}
use Register::*;

/// Which registers the operating system must save for a feature to be of use.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    None,
    Avx,
    Avx512,
    Amx,
    Apx,
}
use State::{Amx, Apx, Avx, Avx512};

/// Feature number, where CPUID has it, what the operating system must save.
type Feature = (u8, Register, u8, State);

#[rustfmt::skip]
const FEATURES: &[Feature] = &[
    (0, Leaf1Edx, 15, State::None),           // cmov
    (1, Leaf1Edx, 23, State::None),           // mmx
    (2, Leaf1Ecx, 23, State::None),           // popcnt
    (3, Leaf1Edx, 25, State::None),           // sse
    (4, Leaf1Edx, 26, State::None),           // sse2
    (5, Leaf1Ecx, 0, State::None),            // sse3
    (6, Leaf1Ecx, 9, State::None),            // ssse3
    (7, Leaf1Ecx, 19, State::None),           // sse4.1
    (8, Leaf1Ecx, 20, State::None),           // sse4.2
    (9, Leaf1Ecx, 28, Avx),                   // avx
    (10, Leaf7Ebx, 5, Avx),                   // avx2
    (11, Extended1Ecx, 6, State::None),       // sse4a
    (12, Extended1Ecx, 16, Avx),              // fma4
    (13, Extended1Ecx, 11, Avx),              // xop
    (14, Leaf1Ecx, 12, Avx),                  // fma
    (15, Leaf7Ebx, 16, Avx512),               // avx512f
    (16, Leaf7Ebx, 3, State::None),           // bmi
    (17, Leaf7Ebx, 8, State::None),           // bmi2
    (18, Leaf1Ecx, 25, State::None),          // aes
    (19, Leaf1Ecx, 1, State::None),           // pclmul
    (20, Leaf7Ebx, 31, Avx512),               // avx512vl
    (21, Leaf7Ebx, 30, Avx512),               // avx512bw
    (22, Leaf7Ebx, 17, Avx512),               // avx512dq
    (23, Leaf7Ebx, 28, Avx512),               // avx512cd
    (24, Leaf7Ebx, 27, Avx512),               // avx512er
    (25, Leaf7Ebx, 26, Avx512),               // avx512pf
    (26, Leaf7Ecx, 1, Avx512),                // avx512vbmi
    (27, Leaf7Ebx, 21, Avx512),               // avx512ifma
    (28, Leaf7Edx, 2, Avx512),                // avx5124vnniw
    (29, Leaf7Edx, 3, Avx512),                // avx5124fmaps
    (30, Leaf7Ecx, 14, Avx512),               // avx512vpopcntdq
    (31, Leaf7Ecx, 6, Avx512),                // avx512vbmi2
    (32, Leaf7Ecx, 8, State::None),           // gfni
    (33, Leaf7Ecx, 10, Avx),                  // vpclmulqdq
    (34, Leaf7Ecx, 11, Avx512),               // avx512vnni
    (35, Leaf7Ecx, 12, Avx512),               // avx512bitalg
    (36, Leaf7Sub1Eax, 5, Avx512),            // avx512bf16
    (37, Leaf7Edx, 8, Avx512),                // avx512vp2intersect
    (38, Extended1Edx, 31, State::None),      // 3dnow
    (39, Extended1Edx, 30, State::None),      // 3dnowp
    (40, Leaf7Ebx, 19, State::None),          // adx
    (41, Extended1Ecx, 5, State::None),       // abm
    (42, Leaf7Ecx, 25, State::None),          // cldemote
    (43, Leaf7Ebx, 23, State::None),          // clflushopt
    (44, Leaf7Ebx, 24, State::None),          // clwb
    (45, Extended8Ebx, 0, State::None),       // clzero
    (46, Leaf1Ecx, 13, State::None),          // cmpxchg16b
    (47, Leaf1Edx, 8, State::None),           // cmpxchg8b
    (48, Leaf7Ecx, 29, State::None),          // enqcmd
    (49, Leaf1Ecx, 29, Avx),                  // f16c
    (50, Leaf7Ebx, 0, State::None),           // fsgsbase
    (51, Leaf1Edx, 24, State::None),          // fxsave
    (52, Leaf7Ebx, 4, State::None),           // hle
    (53, Leaf7Edx, 20, State::None),          // ibt
    (54, Extended1Ecx, 0, State::None),       // lahf_lm
    (55, Extended1Edx, 29, State::None),      // lm
    (56, Extended1Ecx, 15, State::None),      // lwp
    (57, Extended1Ecx, 5, State::None),       // lzcnt
    (58, Leaf1Ecx, 22, State::None),          // movbe
    (59, Leaf7Ecx, 28, State::None),          // movdir64b
    (60, Leaf7Ecx, 27, State::None),          // movdiri
    (61, Extended1Ecx, 29, State::None),      // mwaitx
    (62, Leaf1Ecx, 27, State::None),          // osxsave
    (63, Leaf7Edx, 18, State::None),          // pconfig
    (64, Leaf7Ecx, 4, State::None),           // pku
    (65, Leaf7Ecx, 0, State::None),           // prefetchwt1
    (66, Extended1Ecx, 8, State::None),       // prfchw
    (67, Leaf14Ebx, 4, State::None),          // ptwrite
    (68, Leaf7Ecx, 22, State::None),          // rdpid
    (69, Leaf1Ecx, 30, State::None),          // rdrnd
    (70, Leaf7Ebx, 18, State::None),          // rdseed
    (71, Leaf7Ebx, 11, State::None),          // rtm
    (72, Leaf7Edx, 14, State::None),          // serialize
    (73, Leaf7Ebx, 2, State::None),           // sgx
    (74, Leaf7Ebx, 29, State::None),          // sha
    (75, Leaf7Ecx, 7, State::None),           // shstk
    (76, Extended1Ecx, 21, State::None),      // tbm
    (77, Leaf7Edx, 16, State::None),          // tsxldtrk
    (78, Leaf7Ecx, 9, Avx),                   // vaes
    (79, Leaf7Ecx, 5, State::None),           // waitpkg
    (80, Extended8Ebx, 9, State::None),       // wbnoinvd
    (81, Leaf1Ecx, 26, Avx),                  // xsave
    (82, LeafDSub1Eax, 1, Avx),               // xsavec
    (83, LeafDSub1Eax, 0, Avx),               // xsaveopt
    (84, LeafDSub1Eax, 3, Avx),               // xsaves
    (85, Leaf7Edx, 24, Amx),                  // amx-tile
    (86, Leaf7Edx, 25, Amx),                  // amx-int8
    (87, Leaf7Edx, 22, Amx),                  // amx-bf16
    (88, Leaf7Edx, 5, State::None),           // uintr
    (89, Leaf7Sub1Eax, 22, State::None),      // hreset
    (90, Leaf7Ecx, 23, State::None),          // kl
    (91, Leaf19Ebx, 0, State::None),          // aeskle
    (92, Leaf19Ebx, 2, State::None),          // widekl
    (93, Leaf7Sub1Eax, 4, Avx),               // avxvnni
    (94, Leaf7Edx, 23, Avx512),               // avx512fp16
    (99, Leaf7Sub1Eax, 23, Avx),              // avxifma
    (100, Leaf7Sub1Edx, 4, Avx),              // avxvnniint8
    (101, Leaf7Sub1Edx, 5, Avx),              // avxneconvert
    (102, Leaf7Sub1Eax, 7, State::None),      // cmpccxadd
    (103, Leaf7Sub1Eax, 21, Amx),             // amx-fp16
    (104, Leaf7Sub1Edx, 14, State::None),     // prefetchi
    (105, Leaf7Sub1Eax, 3, State::None),      // raoint
    (106, Leaf7Sub1Edx, 8, Amx),              // amx-complex
    (107, Leaf7Sub1Edx, 10, Avx),             // avxvnniint16
    (108, Leaf7Sub1Eax, 1, Avx),              // sm3
    (109, Leaf7Sub1Eax, 0, Avx),              // sha512
    (110, Leaf7Sub1Eax, 2, Avx),              // sm4
    (111, Leaf7Sub1Edx, 21, Apx),             // apxf
    (112, Leaf7Sub1Edx, 15, State::None),     // usermsr
    (117, Leaf1eSub1Eax, 7, Amx),             // amx-avx512
    (118, Leaf1eSub1Eax, 6, Amx),             // amx-tf32
    (120, Leaf1eSub1Eax, 4, Amx),             // amx-fp8
    (121, Leaf7Sub1Eax, 31, State::None),     // movrs
    (122, Leaf1eSub1Eax, 8, Amx),             // amx-movrs
];

/// Levels of the x86-64 psABI: number, and the features that each needs beyond the one before.
const LEVELS: [(u8, &[u8]); 4] = [
    (95, &[0, 1, 3, 4, 47, 51, 55]),
    (96, &[2, 5, 6, 7, 8, 46, 54]),
    (97, &[9, 10, 14, 16, 17, 49, 57, 58, 62]),
    (98, &[15, 20, 21, 22, 23]),
];

/// Version 1 and version 2 of AVX10.
const AVX10: [(u8, u32); 2] = [(114, 1), (116, 2)];

/// What CPUID says, each leaf asked once.
struct Cpu {
    vendor: [u32; 3],
    /// Family, model and stepping.
    signature: u32,
    registers: [u32; Extended8Ebx as usize + 1],
    avx10_version: u32,
    /// State components that the operating system saves.
    saved: u64,
}

impl Cpu {
    fn read() -> Self {
        let basic = __cpuid(0);
        let leaves = Leaves { max: basic.eax, max_extended: __cpuid(0x8000_0000).eax };
        let leaf1 = leaves.get(1, 0);
        let leaf7 = leaves.get(7, 0);
        let leaf7_sub1 = leaves.second(7, leaf7);
        let leaf1e = leaves.get(0x1e, 0);
        let extended1 = leaves.get(0x8000_0001, 0);
        let mut registers = [0; Extended8Ebx as usize + 1];
        for (register, value) in [
            (Leaf1Ecx, leaf1.ecx),
            (Leaf1Edx, leaf1.edx),
            (Leaf7Ebx, leaf7.ebx),
            (Leaf7Ecx, leaf7.ecx),
            (Leaf7Edx, leaf7.edx),
            (Leaf7Sub1Eax, leaf7_sub1.eax),
            (Leaf7Sub1Edx, leaf7_sub1.edx),
            (LeafDSub1Eax, leaves.get(0xd, 1).eax),
            (Leaf14Ebx, leaves.get(0x14, 0).ebx),
            (Leaf19Ebx, leaves.get(0x19, 0).ebx),
            (Leaf1eSub1Eax, leaves.second(0x1e, leaf1e).eax),
            (Extended1Ecx, extended1.ecx),
            (Extended1Edx, extended1.edx),
            (Extended8Ebx, leaves.get(0x8000_0008, 0).ebx),
        ] {
            registers[register as usize] = value;
        }
        let has_xgetbv = leaf1.ecx >> 27 & 1 != 0;
        // SAFETY: the processor has the instruction where it reports OSXSAVE.
        let saved = if has_xgetbv { unsafe { read_xcr0() } } else { 0 };
        let vendor = [basic.ebx, basic.edx, basic.ecx];
        let avx10_version = leaves.get(0x24, 0).ebx & 0xff;
        Self { vendor, signature: leaf1.eax, registers, avx10_version, saved }
    }

    fn register(&self, register: Register) -> u32 {
        self.registers[register as usize]
    }

    fn saves(&self, state: State) -> bool {
        let needed = match state {
            State::None => 0,
            Avx => 0x6,
            Avx512 => 0xe6,
            Amx => 0x6_0000,
            Apx => 0x8_0000,
        };
        self.saved & needed == needed
    }

    fn features(&self) -> [u32; 1 + EXTRA_WORDS] {
        let mut set = FeatureSet::default();
        for &(number, register, bit, state) in FEATURES {
            if self.register(register) >> bit & 1 != 0 && self.saves(state) {
                set.insert(number);
            }
        }
        let avx10 = self.register(Leaf7Sub1Edx) >> 19 & 1 != 0 && self.saves(Avx512);
        let version = if avx10 { self.avx10_version } else { 0 };
        AVX10.iter().filter(|(_, needed)| version >= *needed).for_each(|&(number, _)| set.insert(number));
        for (level, needs) in LEVELS {
            if !needs.iter().all(|&need| set.contains(need)) {
                break;
            }
            set.insert(level);
        }
        set.0
    }

    /// Vendor, type and subtype numbers.
    fn model(&self) -> (u32, u32, u32) {
        const INTEL: [u32; 3] = [0x756e_6547, 0x4965_6e69, 0x6c65_746e];
        const AMD: [u32; 3] = [0x6874_7541, 0x6974_6e65, 0x444d_4163];
        let signature = self.signature;
        let base_family = signature >> 8 & 0xf;
        let family = base_family + if base_family == 0xf { signature >> 20 & 0xff } else { 0 };
        let high_model = if matches!(base_family, 6 | 0xf) { signature >> 12 & 0xf0 } else { 0 };
        let model = (signature >> 4 & 0xf) | high_model;
        match self.vendor {
            INTEL => {
                let (kind, subtype) = if family == 6 { self.intel(model) } else { (0, 0) };
                (1, kind, subtype)
            }
            AMD => {
                let (kind, subtype) = amd(family, model);
                (2, kind, subtype)
            }
            _ => (0, 0, 0),
        }
    }

    /// Models of Intel's family 6.
    #[rustfmt::skip]
    fn intel(&self, model: u32) -> (u32, u32) {
        let vnni = self.register(Leaf7Ecx) >> 11 & 1 != 0;
        let bf16 = self.register(Leaf7Sub1Eax) >> 5 & 1 != 0;
        match model {
            0x0f | 0x17 | 0x1d => (2, 0),                                         // Core 2
            0x1c | 0x26 => (1, 0),                                                // Bonnell
            0x37 | 0x4a | 0x4c | 0x4d | 0x5a | 0x5d => (6, 0),                    // Silvermont
            0x5c | 0x5f => (12, 0),                                               // Goldmont
            0x7a => (13, 0),                                                      // Goldmont Plus
            0x86 | 0x8a | 0x96 | 0x9c => (14, 0),                                 // Tremont
            0x57 => (7, 0),                                                       // Knights Landing
            0x85 => (11, 0),                                                      // Knights Mill
            0xaf => (17, 0),                                                      // Sierra Forest
            0xb6 => (18, 0),                                                      // Grand Ridge
            0xdd => (19, 0),                                                      // Clearwater Forest
            0x1a | 0x1e | 0x1f | 0x2e => (3, 1),                                  // Nehalem
            0x25 | 0x2c | 0x2f => (3, 2),                                         // Westmere
            0x2a | 0x2d => (3, 3),                                                // Sandy Bridge
            0x3a | 0x3e => (3, 12),                                               // Ivy Bridge
            0x3c | 0x3f | 0x45 | 0x46 => (3, 13),                                 // Haswell
            0x3d | 0x47 | 0x4f | 0x56 => (3, 14),                                 // Broadwell
            0x4e | 0x5e | 0x8e | 0x9e | 0xa5 | 0xa6 => (3, 15),                   // Skylake
            0x55 if bf16 => (3, 23),                                              // Cooper Lake
            0x55 if vnni => (3, 21),                                              // Cascade Lake
            0x55 => (3, 16),                                                      // Skylake with AVX-512
            0x66 => (3, 17),                                                      // Cannon Lake
            0x7d | 0x7e | 0x9d => (3, 18),                                        // Ice Lake client
            0x6a | 0x6c => (3, 19),                                               // Ice Lake server
            0x8c | 0x8d => (3, 22),                                               // Tiger Lake
            0x8f | 0xcf => (3, 24),                                               // Sapphire Rapids
            0x97 | 0x9a | 0xaa | 0xac | 0xb7 | 0xba | 0xbe | 0xbf => (3, 25),     // Alder Lake
            0xa7 => (3, 27),                                                      // Rocket Lake
            0xad => (3, 30),                                                      // Granite Rapids
            0xae => (3, 31),                                                      // Granite Rapids D
            0xb5 | 0xc5 => (3, 32),                                               // Arrow Lake
            0xbd | 0xc6 => (3, 33),                                               // Arrow Lake S
            0xcc => (3, 34),                                                      // Panther Lake
            _ => (0, 0),
        }
    }
}

/// Which leaves there are.
struct Leaves {
    max: u32,
    max_extended: u32,
}

impl Leaves {
    const ABSENT: CpuidResult = CpuidResult { eax: 0, ebx: 0, ecx: 0, edx: 0 };

    fn get(&self, leaf: u32, sub: u32) -> CpuidResult {
        let max = if leaf < 0x8000_0000 { self.max } else { self.max_extended };
        if leaf > max { Self::ABSENT } else { __cpuid_count(leaf, sub) }
    }

    /// The second level of a leaf whose first says in its `eax` whether there is one.
    fn second(&self, leaf: u32, first: CpuidResult) -> CpuidResult {
        if first.eax == 0 { Self::ABSENT } else { self.get(leaf, 1) }
    }
}

/// Models of AMD's families.
#[rustfmt::skip]
fn amd(family: u32, model: u32) -> (u32, u32) {
    match (family, model) {
        (0x10, 2) => (4, 4),                                                      // Barcelona
        (0x10, 4) => (4, 5),                                                      // Shanghai
        (0x10, 8) => (4, 6),                                                      // Istanbul
        (0x10, _) => (4, 0),
        (0x14, _) => (8, 0),                                                      // Bobcat
        (0x15, 0x00..=0x01 | 0x03..=0x0f) => (5, 7),                              // Bulldozer
        (0x15, 0x02 | 0x10..=0x1f) => (5, 8),                                     // Piledriver
        (0x15, 0x30..=0x3f) => (5, 9),                                            // Steamroller
        (0x15, 0x60..=0x7f) => (5, 10),                                           // Excavator
        (0x15, _) => (5, 0),
        (0x16, _) => (9, 0),                                                      // Jaguar
        (0x17, 0x00..=0x2f) => (10, 11),                                          // Zen
        (0x17, 0x30..) => (10, 20),                                               // Zen 2
        (0x19, 0x00..=0x0f | 0x20..=0x5f) => (15, 26),                            // Zen 3
        (0x19, 0x10..=0x1f | 0x60..) => (15, 29),                                 // Zen 4
        (0x1a, 0x00..=0x4f | 0x60..=0x77 | 0xd0..=0xd7) => (20, 35),              // Zen 5
        (0x1a, _) => (20, 0),
        _ => (0, 0),
    }
}

/// Feature numbers as bits.
#[derive(Default)]
struct FeatureSet([u32; 1 + EXTRA_WORDS]);

impl FeatureSet {
    fn insert(&mut self, number: u8) {
        if let Some(word) = self.0.get_mut(usize::from(number / 32)) {
            *word |= 1 << (number % 32);
        }
    }

    fn contains(&self, number: u8) -> bool {
        self.0.get(usize::from(number / 32)).is_some_and(|word| word >> (number % 32) & 1 != 0)
    }
}

/// # Safety
/// The processor reports OSXSAVE.
#[target_feature(enable = "xsave")]
unsafe fn read_xcr0() -> u64 {
    // SAFETY: the function's precondition; register 0 is always there.
    unsafe { _xgetbv(0) }
}

#[cfg(test)]
mod tests;
