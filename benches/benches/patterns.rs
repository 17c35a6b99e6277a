//! Patterns: compiled for one answer, and compiled before. The name that is
//! asked for matches the last one only.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use regex::RegexSet;
use token_codec::{TokenBuffer, verify};
use token_core::{Permission, Permissions, ResourceKind};
use token_policy::{NoRevocations, PatternSet, Target, authorize};
use usher_benches::{Issued, NOW, criterion, keys, subscribe};

/// The forms that people write: a prefix, digits, a class, an alternation.
fn patterns(count: usize) -> Vec<String> {
    let form = |n: usize| match (count - n) % 4 {
        1 => format!("^team-{n}\\.room-[0-9]+$"),
        2 => format!("^team-{n}\\..*$"),
        3 => format!("^user-[a-z0-9_-]+\\.{n}$"),
        _ => format!("^(?:news|alerts)-{n}$"),
    };
    (0..count).map(form).collect()
}

fn sets(criterion: &mut Criterion) {
    let read = Permissions::only(Permission::Read);
    for count in [1, 5, 20, 100] {
        let mut group = criterion.benchmark_group(format!("patterns {count}"));
        let patterns = patterns(count);
        let name = format!("team-{}.room-42", count - 1);
        let compile = || {
            let entries = patterns.iter().map(|text| (text.as_str(), read));
            PatternSet::new(ResourceKind::Channel, entries)
        };
        let compiled = compile();
        assert_eq!(compiled.matching(&name).count(), 1);
        group.bench_function("unseen", |b| b.iter(|| compile().held(black_box(&name))));
        group.bench_function("compiled", |b| {
            b.iter(|| compiled.held(black_box(&name)));
        });
        // The peer has another meaning (Unicode classes) and no bound per
        // pattern.
        let set = RegexSet::new(&patterns).unwrap();
        assert_eq!(set.matches(&name).iter().count(), 1);
        group.bench_function("unseen (regex)", |b| {
            b.iter(|| RegexSet::new(&patterns).unwrap().is_match(black_box(&name)));
        });
        group.bench_function("compiled (regex)", |b| {
            b.iter(|| set.matches(black_box(&name)));
        });

        // The whole way of a token with them that was never seen.
        let issued = Issued::with_patterns(&patterns);
        let keys = keys();
        let mut buffer = TokenBuffer::new();
        let targets = [Target::new(ResourceKind::Channel, name.as_str())];
        let request = subscribe(&targets);
        let mut decide = || {
            let token = verify(black_box(&issued.text), &keys, &mut buffer).unwrap();
            authorize(&token, black_box(&request), NOW, &NoRevocations).is_allowed()
        };
        assert!(decide());
        group.bench_function("verify and authorize", |b| b.iter(&mut decide));
        group.finish();
    }
}

criterion_group!(name = benches; config = criterion(); targets = sets);
criterion_main!(benches);
