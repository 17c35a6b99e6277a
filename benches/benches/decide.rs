//! A hot token: verified before and kept. Only the decision is left.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use token_core::ResourceKind;
use token_policy::{NoRevocations, Target, authorize};
use usher_benches::{DenyList, Issued, NOW, criterion, keys, subscribe};

fn hot(criterion: &mut Criterion) {
    let deny_list = DenyList::with_thousands(10);
    for issued in [Issued::small(), Issued::large()] {
        let mut group = criterion.benchmark_group(format!("decide {}", issued.size()));
        let token = issued.verified();
        let targets = issued.last_channel();
        let request = subscribe(&targets);
        assert!(authorize(&token, &request, NOW, &deny_list).is_allowed());
        group.bench_function("authorize", |b| {
            b.iter(|| authorize(black_box(&token), black_box(&request), NOW, &NoRevocations));
        });
        group.bench_function("authorize, 10,000 revoked", |b| {
            b.iter(|| authorize(black_box(&token), black_box(&request), NOW, &deny_list));
        });
        // What a cache asks of every hit besides.
        let keys = keys();
        assert!(keys.still_verifies(&token));
        group.bench_function("still verifies", |b| {
            b.iter(|| keys.still_verifies(black_box(&token)));
        });
        let other = [Target::new(ResourceKind::Channel, "team-8.room-000")];
        let denied = subscribe(&other);
        assert!(!authorize(&token, &denied, NOW, &deny_list).is_allowed());
        group.bench_function("authorize, denied", |b| {
            b.iter(|| authorize(black_box(&token), black_box(&denied), NOW, &NoRevocations));
        });
        group.finish();
    }
}

criterion_group!(name = benches; config = criterion(); targets = hot);
criterion_main!(benches);
