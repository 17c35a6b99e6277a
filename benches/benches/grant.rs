//! A token is made: claims to signed text.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use token_codec::encode;
use usher_benches::{Issued, Jwt, criterion, mac_key};

fn grant(criterion: &mut Criterion) {
    let key = mac_key();
    for token in [Issued::small(), Issued::large()] {
        let mut group = criterion.benchmark_group(format!("grant {}", token.size()));
        group.bench_function("encode", |b| {
            b.iter(|| encode(black_box(&token.claims), &key).unwrap());
        });
        let jwt = Jwt::like(&token);
        group.bench_function("jsonwebtoken", |b| b.iter(|| black_box(&jwt).grant()));
        group.finish();
    }
}

criterion_group!(name = benches; config = criterion(); targets = grant);
criterion_main!(benches);
