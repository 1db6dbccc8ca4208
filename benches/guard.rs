//! What the guard costs: decoding golden requests with it and by the codec alone.

#[path = "../tests/golden/exchange.rs"]
mod exchange;

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use headwater::wire::guard;
use headwater::wire::request::{RequestHeader, decode_body};
use kafka_protocol::messages::{FetchRequest, ProduceRequest};
use kafka_protocol::protocol::Request;

/// The largest golden request of a version, so that it has something to walk over.
fn golden(key: i16, version: i16) -> Bytes {
    let largest = exchange::exchanges()
        .into_iter()
        .filter(|found| found.key == key && found.version == version)
        .max_by_key(|found| found.request.len())
        .expect("a golden request");
    RequestHeader::split(&largest.request).expect("a header").1
}

fn compare<T: Request>(criterion: &mut Criterion, name: &str, version: i16) {
    let body = golden(T::KEY, version);
    let mut group = criterion.benchmark_group(name);
    group.bench_function("guard alone", |b| b.iter(|| guard::check(T::KEY, version, black_box(&body)).expect("checked")));
    group.bench_function("guard and codec", |b| b.iter(|| decode_body::<T>(version, black_box(&body)).expect("decoded")));
    group.bench_function("codec alone", |b| b.iter(|| T::decode(&mut black_box(&body).clone(), version).expect("decoded")));
    group.finish();
}

fn guards(criterion: &mut Criterion) {
    compare::<ProduceRequest>(criterion, "Produce v9", 9);
    compare::<FetchRequest>(criterion, "Fetch v12", 12);
}

criterion_group!(benches, guards);
criterion_main!(benches);
