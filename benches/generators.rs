//! How many events a second the simulated town tells on one core, and how long it takes to start in the middle.

use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use headwater::generators::{Chronicle, DirtLevel, World};
use headwater::model::Timestamp;

const EVENTS: usize = 100_000;

fn generators(criterion: &mut Criterion) {
    // A new one each time: a world remembers whom it has planned to visit the shop.
    let world = || World::new(7, DirtLevel::Stated);
    let tell = |world: Arc<World>, origin| Chronicle::new(world, origin, origin).take(EVENTS).map(|event| event.value.len()).sum::<usize>();
    let origin = Timestamp(1_795_428_000_000);
    let mut group = criterion.benchmark_group("generators");
    group.sample_size(10);
    group.throughput(Throughput::Elements(EVENTS as u64));
    group.bench_function("tell_events", |bencher| {
        bencher.iter_batched(world, |world| tell(world, origin), BatchSize::LargeInput);
    });
    group.throughput(Throughput::Elements(1));
    group.bench_function("start_after_a_day", |bencher| {
        bencher.iter_batched(world, |world| Chronicle::new(world, origin, origin.plus_ms(86_400_000)).next(), BatchSize::LargeInput);
    });
    group.bench_function("draw_the_town", |bencher| bencher.iter(|| World::new(8, DirtLevel::Stated)));
    group.finish();
}

criterion_group!(benches, generators);
criterion_main!(benches);
