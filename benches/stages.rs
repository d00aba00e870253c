//! How long each stage of a link takes, and the whole of it.

mod support;

use criterion::{
    BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};
use jitlink::alloc::InProcessManager;
use jitlink::link::{Batch, LinkContext, LinkOptions, LinkStats, NoSymbols, UndefinedPolicy, link};
use std::hint::black_box;
use std::time::Duration;
use support::Objects;

fn stages(criterion: &mut Criterion) {
    measure(criterion, "standard library", &support::standard_library());
    measure(criterion, "million relocations", &support::million_relocations());
}

fn measure(criterion: &mut Criterion, name: &str, objects: &Objects) {
    let first = stats_of_link(objects);
    let mut group = criterion.benchmark_group(name);
    group.sample_size(20).measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500));
    group.throughput(Throughput::Elements(first.edges));
    group.bench_function("parse", |bencher| bencher.iter(|| black_box(parse(objects))));
    for (index, (phase, _)) in first.phases.iter().enumerate() {
        measure_phase(&mut group, objects, index, phase);
    }
    group.bench_function("whole link", |bencher| bencher.iter(|| stats_of_link(objects)));
    group.finish();
}

/// A phase cannot be run alone: whole links are made, and its share of their time is counted.
fn measure_phase(group: &mut BenchmarkGroup<'_, WallTime>, objects: &Objects, index: usize, name: &str) {
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|count| (0..count).map(|_| stats_of_link(objects).phases[index].1).sum());
    });
}

fn parse(objects: &Objects) -> Batch<'_> {
    let mut batch = Batch::new();
    for (name, data) in objects {
        batch.add_object(name.as_str(), data).expect("the object is one");
    }
    batch
}

/// Links as `jitlink -noexec -phony-externals` does.
fn stats_of_link(objects: &Objects) -> LinkStats {
    let manager = InProcessManager::new().expect("there is address space");
    let mut context =
        LinkContext { manager: &manager, resolver: &NoSymbols, actions: None, plugins: &mut [] };
    let options = LinkOptions { undefined: UndefinedPolicy::Null, ..LinkOptions::default() };
    let linked = link(parse(objects), &mut context, &options).expect("the objects link");
    linked.stats().clone()
}

criterion_group!(benches, stages);
criterion_main!(benches);
