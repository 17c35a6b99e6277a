//! Patterns: answered from their text, compiled for one answer, and found
//! compiled. The name that is asked for matches the last one only.

use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use regex_automata::meta;
use token_codec::{TokenBuffer, verify};
use token_core::{Permission, Permissions, ResourceKind};
use token_policy::{NoRevocations, PatternCache, PatternSet, Target, authorize};
use usher_benches::{Issued, NOW, criterion, keys, subscribe};

const COUNTS: [usize; 4] = [1, 5, 20, 100];

/// The forms that people write: a prefix, digits, a class, an alternation.
fn simple(count: usize) -> Vec<String> {
    let form = |n: usize| match (count - n) % 4 {
        1 => format!("^team-{n}\\.room-[0-9]+$"),
        2 => format!("^team-{n}\\..*$"),
        3 => format!("^user-[a-z0-9_-]+\\.{n}$"),
        _ => format!("^(?:news|alerts)-{n}$"),
    };
    (0..count).map(form).collect()
}

/// Forms with repeated groups, which are compiled.
fn other(count: usize) -> Vec<String> {
    let form = |n: usize| match (count - n) % 4 {
        1 => format!("^team-{n}(?:\\.[a-z]+-[0-9]+)+$"),
        2 => format!("^team-{n}(?:\\.x)*$"),
        3 => format!("^(?:user-[a-z0-9_]+\\.)+{n}$"),
        _ => format!("^(?:news|alerts){{2}}-{n}$"),
    };
    (0..count).map(form).collect()
}

fn answered_from_the_text(criterion: &mut Criterion) {
    for count in COUNTS {
        let mut group = criterion.benchmark_group(format!("{count} simple patterns"));
        let patterns = simple(count);
        let name = format!("team-{}.room-42", count - 1);
        let issued = Issued::with_patterns(&patterns);
        let token = issued.verified();
        let targets = [Target::new(ResourceKind::Channel, name.as_str())];
        let request = subscribe(&targets);
        let decide = || authorize(&token, black_box(&request), NOW, &NoRevocations);
        assert!(decide().is_allowed());
        group.bench_function("authorize", |b| b.iter(decide));

        let exact = [Target::new(ResourceKind::Channel, "room-0")];
        let exact = subscribe(&exact);
        group.bench_function("authorize an exact name", |b| {
            b.iter(|| authorize(&token, black_box(&exact), NOW, &NoRevocations));
        });

        // The whole way of a token with them that was never seen.
        let keys = keys();
        let mut buffer = TokenBuffer::new();
        let mut decide = || {
            let token = verify(black_box(&issued.text), &keys, &mut buffer).unwrap();
            authorize(&token, black_box(&request), NOW, &NoRevocations).is_allowed()
        };
        assert!(decide());
        group.bench_function("verify and authorize", |b| b.iter(&mut decide));
        compiled(&mut group, &patterns, &name);
        group.finish();
    }
}

fn compiled_once(criterion: &mut Criterion) {
    for count in COUNTS {
        let mut group = criterion.benchmark_group(format!("{count} other patterns"));
        let patterns = other(count);
        let name = format!("team-{}.room-42", count - 1);
        let issued = Issued::with_patterns(&patterns);
        let token = issued.verified();
        let targets = [Target::new(ResourceKind::Channel, name.as_str())];
        let request = subscribe(&targets);
        let decide = || authorize(&token, black_box(&request), NOW, &NoRevocations);
        assert!(decide().is_allowed());
        group.bench_function("authorize", |b| b.iter(decide));
        let cache = PatternCache::new(1024 * 1024);
        let request = request.sharing(&cache);
        group.bench_function("authorize, cached", |b| {
            b.iter(|| authorize(&token, black_box(&request), NOW, &NoRevocations));
        });
        assert_eq!(cache.len(), 1);
        compiled(&mut group, &patterns, &name);
        group.finish();
    }
}

/// Ours and the peer's, compiled for one answer and compiled before. The peer
/// has another meaning (Unicode classes) and no bound per pattern.
fn compiled(group: &mut BenchmarkGroup<'_, WallTime>, patterns: &[String], name: &str) {
    let read = Permissions::only(Permission::Read);
    let compile = || {
        let entries = patterns.iter().map(|text| (text.as_str(), read));
        PatternSet::new(ResourceKind::Channel, entries)
    };
    let set = compile();
    assert_eq!(set.matching(name).count(), 1);
    group.bench_function("compile and answer", |b| {
        b.iter(|| compile().held(black_box(name)));
    });
    group.bench_function("answer", |b| b.iter(|| set.held(black_box(name))));

    let compile = || meta::Regex::new_many(patterns).unwrap();
    let peer = compile();
    assert!(peer.is_match(name));
    group.bench_function("compile and answer (meta::Regex)", |b| {
        b.iter(|| compile().is_match(black_box(name)));
    });
    group.bench_function("answer (meta::Regex)", |b| {
        b.iter(|| peer.is_match(black_box(name)));
    });
}

criterion_group!(name = benches; config = criterion(); targets = answered_from_the_text, compiled_once);
criterion_main!(benches);
