//! Sessions: lookups, definitions, first calls, calls through entries, replacement.
//!
//! # Safety
//! Calls functions of objects that are compiled here, by their types.
#![allow(unsafe_code)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jitlink::base::ExecutorAddr;
use jitlink::lazy::{
    DataRule, LazyReexport, LazyReexports, RedirectStrategy, RedirectableSymbols, ReplaceableObjects,
};
use jitlink::session::{ExecutorSymbol, Jit, ObjectBuffer};
use jitlink_test_support::arch::Arch;
use jitlink_test_support::process::{run, show};
use jitlink_test_support::{cache, toolchain};
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

fn compile(name: &str, text: &str) -> ObjectBuffer {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-sessions");
    let dir = cache::filled(&root, name, &text, |dir| {
        let source = format!("{name}.c");
        std::fs::write(dir.join(&source), text).map_err(|error| error.to_string())?;
        let mut clang = toolchain::Compiler::Clang.c(Arch::host());
        clang.current_dir(dir).args(["-O1", "-c", &source, "-o", "object.o"]);
        run(&mut clang, b"")?.success().map(drop).map_err(|what| format!("{}\n{what}", show(&clang)))
    });
    let bytes = std::fs::read(dir.expect("the source compiles").join("object.o")).expect("an object");
    ObjectBuffer::new(format!("{name}.o"), bytes)
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("some_function_of_a_usual_length_{number}")).collect()
}

fn lookup(criterion: &mut Criterion) {
    let jit = Jit::new().expect("address space");
    let names = names(10_000);
    let symbol = |name| (name, ExecutorSymbol::function(ExecutorAddr(0x1000)));
    jit.main().define_absolute(names.iter().map(symbol)).expect("names are new");
    let mut group = criterion.benchmark_group("sessions");
    group.bench_function("lookup of what is ready", |bencher| {
        let mut next = names.iter().cycle();
        bencher.iter(|| jit.main().lookup(next.next().expect("a name")).expect("it is ready"));
    });
    group.bench_function("lookup of what is ready, two threads, time of each", |bencher| {
        bencher.iter_custom(|count| {
            let start = Instant::now();
            std::thread::scope(|scope| {
                for part in names.chunks(names.len() / 2).take(2) {
                    scope.spawn(|| {
                        let mut next = part.iter().cycle();
                        (0..count).for_each(|_| {
                            black_box(jit.main().lookup(next.next().expect("a name")).expect("it is ready"));
                        });
                    });
                }
            });
            start.elapsed()
        });
    });
    group.finish();
}

fn define(criterion: &mut Criterion) {
    let names = names(100_000);
    let text: String = names.iter().map(|name| format!(".globl {name}\n{name}: ret\n")).collect();
    let object = compile("many", &format!("__asm__(\"{}\");", text.replace('\n', "\\n")));
    let mut group = criterion.benchmark_group("sessions");
    group.sample_size(10).throughput(Throughput::Elements(names.len() as u64));
    group.bench_function("define an object of 100,000 symbols", |bencher| {
        bencher.iter_custom(|count| {
            (0..count)
                .map(|_| {
                    let jit = Jit::new().expect("address space");
                    let start = Instant::now();
                    jit.main().add_object(object.clone()).expect("names are new");
                    start.elapsed()
                })
                .sum()
        });
    });
    group.finish();
}

type Function = extern "C" fn(i32) -> i32;

fn calls(criterion: &mut Criterion) {
    let jit = Jit::new().expect("address space");
    jit.main().add_object(compile("callee", "int callee(int x) { return x + 1; }")).expect("a new name");
    let symbols = RedirectableSymbols::new(jit.session(), RedirectStrategy::Stub);
    let target = jit.main().lookup("callee").expect("it links").address;
    symbols.create(jit.main(), None, [("entry", target)]).expect("a new name");
    let mut group = criterion.benchmark_group("calls");
    for name in ["callee", "entry"] {
        // SAFETY: this is the function's type.
        let function = unsafe { jit.get::<Function>(name) }.expect("it links");
        group.bench_function(name, |bencher| bencher.iter(|| function(black_box(1))));
    }
    group.finish();
}

/// The first call of each of many functions, in objects of their own.
fn first_calls(criterion: &mut Criterion) {
    let object = compile("lazy", "int lazy(int x) { return x + 1; }");
    let mut group = criterion.benchmark_group("sessions");
    group.sample_size(20).measurement_time(Duration::from_secs(2));
    group.bench_function("first call of a lazy function, object linked", |bencher| {
        bencher.iter_custom(|count| {
            let jit = Jit::new().expect("address space");
            let mut total = Duration::ZERO;
            for number in 0..count {
                let source = jit.create_dylib(format!("source {number}")).expect("a new name");
                source.add_object(object.clone()).expect("a new name");
                let tracker = jit.create_tracker();
                let names = [LazyReexport::function(b"lazy")];
                let lazy = LazyReexports::default();
                lazy.define(jit.main(), Some(&tracker), &source, &names).expect("a new name");
                // SAFETY: this is the function's type.
                let function = unsafe { jit.get::<Function>("lazy") }.expect("the entry is there");
                let start = Instant::now();
                black_box(function(black_box(1)));
                total += start.elapsed();
                drop(function);
                tracker.remove().expect("it is there");
                jit.session().remove_dylib(&source).expect("it is there");
            }
            total
        });
    });
    let versions = ["1", "2"].map(|n| {
        compile(&format!("replaced{n}"), &format!("int replaced(int x) {{ return x + {n}; }}")).renamed("r.o")
    });
    group.bench_function("replace an object", |bencher| {
        let jit = Jit::new().expect("address space");
        let objects = ReplaceableObjects::new(jit.main());
        objects.add(&versions[0]).expect("a new name");
        let mut next = versions.iter().cycle();
        bencher.iter(|| {
            objects.replace(next.next().expect("a version"), DataRule::Keep).expect("it links");
            // SAFETY: nobody calls it.
            unsafe { objects.free_old_versions("r.o") }.expect("it is there");
        });
    });
    group.finish();
}

criterion_group!(benches, lookup, define, calls, first_calls);
criterion_main!(benches);
