//! Access to thread-local variables: linked code beside the same code in a shared library, bound by the dynamic loader.
//!
//! # Safety
//! Calls functions of code that is compiled here, by their types.
#![allow(unsafe_code)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jitlink::session::{HeldSymbol, Jit};
use jitlink_test_support::arch::Arch;
use jitlink_test_support::process::{run, show};
use jitlink_test_support::{cache, toolchain};
use std::ffi::{CStr, CString};
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Accesses in each call.
const ACCESSES: i64 = 10_000;

/// The functions, what they use, and the flags that they need.
const MODELS: [(&CStr, &str); 4] = [
    (c"by_get_addr", "__tls_get_addr"),
    (c"by_descriptor", "a descriptor"),
    (c"by_initial_exec", "initial exec"),
    (c"by_call", "a compiler's call of a function (-fPIC)"),
];

#[cfg(target_arch = "x86_64")]
const CODE: &str = r#"
#define CLOBBERS "rdi", "rsi", "rdx", "rcx", "r8", "r9", "r10", "r11", "memory", "cc"
#define LOOP(name, code) long name(long n) { \
    long sum = 0, *address; \
    for (; n > 0; n--) { __asm__ volatile(code : "=a"(address) : : CLOBBERS); sum += *address; } \
    return sum; }
LOOP(by_get_addr, ".byte 0x66\n\tleaq counter@tlsgd(%%rip), %%rdi\n\t.value 0x6666\n\trex64\n\tcall __tls_get_addr@PLT")
LOOP(by_descriptor, "leaq counter@tlsdesc(%%rip), %%rax\n\tcall *counter@tlscall(%%rax)\n\taddq %%fs:0, %%rax")
"#;
#[cfg(target_arch = "aarch64")]
const CODE: &str = "";

const COMMON: &str = "
__thread long counter = 1;
static __attribute__((noinline)) long *get(void) { __asm__ volatile(\"\"); return &counter; }
long by_call(long n) { long sum = 0; for (; n > 0; n--) sum += *get(); return sum; }
";
const INITIAL_EXEC: &str = "
__thread long counter = 1;
static __attribute__((noinline)) long *get(void) { __asm__ volatile(\"\"); return &counter; }
long by_initial_exec(long n) { long sum = 0; for (; n > 0; n--) sum += *get(); return sum; }
";
/// More than the loader gives to a library that is opened: its variables are in blocks that it allocates.
const LARGE: &str = "__thread char large[1 << 20]; char *use(int n) { return &large[n]; }\n";

fn built(name: &str, text: &str, flags: &[&str]) -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-thread-locals");
    let dir = cache::filled(&root, name, &(text, flags), |dir| {
        let source = format!("{name}.c");
        std::fs::write(dir.join(&source), text).map_err(|error| error.to_string())?;
        let clang = |words: &[&str]| {
            let mut clang = toolchain::Compiler::Clang.c(Arch::host());
            clang
                .current_dir(dir)
                .args(["-O2", "-fPIC", "-mno-red-zone"])
                .args(flags)
                .arg(&source)
                .args(words);
            clang
        };
        let succeed = |mut command: Command| {
            run(&mut command, b"")?.success().map(drop).map_err(|what| format!("{}\n{what}", show(&command)))
        };
        succeed(clang(&["-c", "-o", "object.o"]))?;
        succeed(clang(&["-shared", "-o", "library.so"]))
    });
    dir.expect("the source compiles")
}

type Function = extern "C" fn(i64) -> i64;

/// The function of a library that the dynamic loader loads.
fn loaded(dir: &Path, name: &CStr) -> Option<Function> {
    let path = CString::new(dir.join("library.so").into_os_string().into_encoded_bytes()).expect("a path");
    // SAFETY: a C string; the library has no initialisers.
    let library = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    assert!(!library.is_null(), "the library can be loaded");
    // SAFETY: an open library, and a C string.
    let function = unsafe { libc::dlsym(library, name.as_ptr()) };
    // SAFETY: a function of this type, in a library that stays.
    (!function.is_null()).then(|| unsafe { std::mem::transmute::<*mut libc::c_void, Function>(function) })
}

fn linked(jit: &Jit, name: &CStr) -> Option<HeldSymbol<Function>> {
    // SAFETY: a function of this type.
    unsafe { jit.get::<Function>(name.to_bytes()).ok() }
}

fn access(criterion: &mut Criterion) {
    let dynamic = format!("{COMMON}{CODE}");
    let builds = [
        ("small", built("small", &dynamic, &[])),
        ("large", built("large", &format!("{dynamic}{LARGE}"), &[])),
        ("initial_exec", built("initial_exec", INITIAL_EXEC, &["-ftls-model=initial-exec"])),
    ];
    let mut group = criterion.benchmark_group("thread-local access");
    group.throughput(Throughput::Elements(ACCESSES as u64));
    group.sample_size(50).measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(300));
    for (title, dir) in &builds {
        let jit = Jit::new().expect("address space");
        jit.add_object_file(dir.join("object.o")).expect("the object can be added");
        for (name, model) in MODELS {
            let (Some(theirs), Some(ours)) = (loaded(dir, name), linked(&jit, name)) else { continue };
            assert_eq!((theirs(3), ours(3)), (3, 3));
            group.bench_function(format!("{title}, {model}, loaded"), |bencher| {
                bencher.iter(|| theirs(black_box(ACCESSES)));
            });
            group.bench_function(format!("{title}, {model}, linked"), |bencher| {
                bencher.iter(|| ours(black_box(ACCESSES)));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, access);
criterion_main!(benches);
