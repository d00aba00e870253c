use crate::runtime::builtins::{BuiltinKind, lookup};
use std::ffi::c_void;
use std::mem::transmute_copy;
use std::process::Command;

/// The words of `__cpu_model` and `__cpu_features2` as our table has them.
fn own_words() -> Vec<u32> {
    let mut words = Vec::new();
    for name in ["__cpu_model", "__cpu_features2"] {
        let builtin = lookup(name.as_bytes()).unwrap();
        let BuiltinKind::Data { size, align } = builtin.kind else { panic!("{name} is data") };
        assert_eq!((size % 4, align), (0, 4));
        let start = builtin.address.0 as *const u32;
        // SAFETY: data of this size, which does not change any more.
        words.extend_from_slice(unsafe { std::slice::from_raw_parts(start, size / 4) });
    }
    words
}

/// The words as a compiler's own support library fills them, and whether it says `yes` to each feature.
fn native(compiler: &str, flags: &[&str], names: &[(&str, u32)]) -> (Vec<u32>, Vec<bool>) {
    let dir = tempfile::tempdir().unwrap();
    let questions: String = names
        .iter()
        .map(|(name, _)| format!("putchar(__builtin_cpu_supports(\"{name}\") ? '1' : '0');\n"))
        .collect();
    let source = format!(
        "#include <stdio.h>\nextern unsigned __cpu_model[4] __attribute__((visibility(\"hidden\")));\n\
         int main(void) {{ __builtin_cpu_init(); printf(\"%u %u %u %u \", __cpu_model[0], __cpu_model[1], \
         __cpu_model[2], __cpu_model[3]);\n{questions} return 0; }}"
    );
    let (c, exe) = (dir.path().join("x.c"), dir.path().join("x"));
    std::fs::write(&c, source).unwrap();
    let output = Command::new(compiler).args(flags).arg(&c).arg("-o").arg(&exe).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(Command::new(&exe).output().unwrap().stdout).unwrap();
    let mut parts: Vec<_> = text.split(' ').collect();
    let answers = parts.pop().unwrap().bytes().map(|byte| byte == b'1').collect();
    (parts.iter().map(|part| part.parse().unwrap()).collect(), answers)
}

fn says(words: &[u32], number: u32) -> bool {
    words[3 + number as usize / 32] >> (number % 32) & 1 != 0
}

fn compare(compiler: &str, flags: &[&str], names: &[(&str, u32)]) -> (Vec<u32>, Vec<u32>) {
    let own = own_words();
    let (words, answers) = native(compiler, flags, names);
    assert_eq!(answers.len(), names.len());
    for ((name, number), answer) in names.iter().zip(answers) {
        assert_eq!(says(&own, *number), answer, "{name} of {compiler}");
    }
    (own, words)
}

const BOTH: &[(&str, u32)] = &[
    ("cmov", 0),
    ("mmx", 1),
    ("popcnt", 2),
    ("sse", 3),
    ("sse2", 4),
    ("sse3", 5),
    ("ssse3", 6),
    ("sse4.1", 7),
    ("sse4.2", 8),
    ("avx", 9),
    ("avx2", 10),
    ("sse4a", 11),
    ("fma4", 12),
    ("xop", 13),
    ("fma", 14),
    ("avx512f", 15),
    ("bmi", 16),
    ("bmi2", 17),
    ("aes", 18),
    ("pclmul", 19),
    ("avx512vl", 20),
    ("avx512bw", 21),
    ("avx512dq", 22),
    ("avx512cd", 23),
    ("avx512vbmi", 26),
    ("avx512ifma", 27),
    ("avx512vpopcntdq", 30),
    ("avx512vbmi2", 31),
    ("gfni", 32),
    ("vpclmulqdq", 33),
    ("avx512vnni", 34),
    ("avx512bitalg", 35),
    ("avx512bf16", 36),
    ("avx512vp2intersect", 37),
    ("adx", 40),
    ("cldemote", 42),
    ("clflushopt", 43),
    ("clwb", 44),
    ("clzero", 45),
    ("enqcmd", 48),
    ("f16c", 49),
    ("fsgsbase", 50),
    ("lwp", 56),
    ("lzcnt", 57),
    ("movbe", 58),
    ("movdir64b", 59),
    ("movdiri", 60),
    ("mwaitx", 61),
    ("pconfig", 63),
    ("pku", 64),
    ("prfchw", 66),
    ("ptwrite", 67),
    ("rdpid", 68),
    ("rdrnd", 69),
    ("rdseed", 70),
    ("rtm", 71),
    ("serialize", 72),
    ("sgx", 73),
    ("sha", 74),
    ("shstk", 75),
    ("tbm", 76),
    ("tsxldtrk", 77),
    ("vaes", 78),
    ("waitpkg", 79),
    ("wbnoinvd", 80),
    ("xsave", 81),
    ("xsavec", 82),
    ("xsaveopt", 83),
    ("xsaves", 84),
    ("amx-tile", 85),
    ("amx-int8", 86),
    ("amx-bf16", 87),
    ("uintr", 88),
    ("hreset", 89),
    ("kl", 90),
    ("widekl", 92),
    ("avxvnni", 93),
    ("avx512fp16", 94),
    ("x86-64", 95),
    ("x86-64-v2", 96),
    ("x86-64-v3", 97),
    ("x86-64-v4", 98),
];

const GCC: &[(&str, u32)] = &[
    ("avx512er", 24),
    ("avx512pf", 25),
    ("avx5124vnniw", 28),
    ("avx5124fmaps", 29),
    ("3dnow", 38),
    ("3dnowp", 39),
    ("abm", 41),
    ("cmpxchg16b", 46),
    ("cmpxchg8b", 47),
    ("fxsave", 51),
    ("hle", 52),
    ("ibt", 53),
    ("lahf_lm", 54),
    ("lm", 55),
    ("osxsave", 62),
    ("prefetchwt1", 65),
    ("aeskle", 91),
];

const CLANG: &[(&str, u32)] = &[
    ("avxifma", 99),
    ("avxvnniint8", 100),
    ("avxneconvert", 101),
    ("cmpccxadd", 102),
    ("amx-fp16", 103),
    ("prefetchi", 104),
    ("raoint", 105),
    ("amx-complex", 106),
    ("avxvnniint16", 107),
    ("sm3", 108),
    ("sha512", 109),
    ("sm4", 110),
    ("apxf", 111),
    ("usermsr", 112),
    ("avx10.1", 114),
    ("avx10.2", 116),
    ("amx-avx512", 117),
    ("amx-tf32", 118),
    ("amx-fp8", 120),
    ("movrs", 121),
    ("amx-movrs", 122),
];

/// The subtype is not compared: an older gcc takes a processor that came later for its predecessor.
#[test]
fn the_processor_model_is_what_gccs_library_says() {
    let (own, native) = compare("gcc", &[], &[BOTH, GCC].concat());
    assert_eq!(own[..2], native[..2]);
    assert_eq!(own[3], native[3]);
}

#[test]
fn the_processor_model_is_what_clangs_library_says() {
    let flags = ["--rtlib=compiler-rt", "-unwindlib=libgcc"];
    let (own, native) = compare("/usr/lib/llvm-22/bin/clang", &flags, &[BOTH, CLANG].concat());
    assert_eq!(own[..3], native[..3]);
}

#[test]
fn the_initialiser_can_be_called() {
    let own = lookup(b"__cpu_indicator_init").unwrap().address.0 as *const c_void;
    // SAFETY: the function has this type.
    assert_eq!(unsafe { transmute_copy::<_, extern "C" fn() -> i32>(&own)() }, 0);
}
