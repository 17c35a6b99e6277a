//! A token that was never seen, with exact names: verified and decided on, and
//! its parts alone. Compare within one run.

use std::hint::black_box;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use criterion::{Criterion, criterion_group, criterion_main};
use ring::hmac;
use token_codec::{TokenBuffer, verify};
use token_policy::{NoRevocations, authorize};
use usher_benches::{Issued, Jwt, NOW, criterion, keys, keys_of_another_time, subscribe};

fn of_size(criterion: &mut Criterion, token: &Issued) {
    let mut group = criterion.benchmark_group(format!("verify {}", token.size()));
    let (keys, no_keys) = (keys(), keys_of_another_time());
    let mut buffer = TokenBuffer::new();

    // The yardstick: no token with a MAC can be verified in less.
    let ring_key = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
    let signed = token.signed_bytes();
    group.bench_function("ring sign", |b| {
        b.iter(|| hmac::sign(&ring_key, black_box(&signed)));
    });

    // Parts. Each is verification, ended early.
    let no_map = token.no_map();
    assert!(verify(&no_map, &keys, &mut buffer).is_err());
    group.bench_function("decode", |b| {
        b.iter(|| verify(black_box(&no_map), &keys, &mut buffer).is_err());
    });
    assert!(verify(&token.text, &no_keys, &mut buffer).is_err());
    group.bench_function("decode and walk", |b| {
        b.iter(|| verify(black_box(&token.text), &no_keys, &mut buffer).is_err());
    });
    group.bench_function("verify", |b| {
        b.iter(|| verify(black_box(&token.text), &keys, &mut buffer).is_ok());
    });

    // The whole.
    let targets = token.last_channel();
    let request = subscribe(&targets);
    let mut decide = || {
        let token = verify(black_box(&token.text), &keys, &mut buffer).unwrap();
        authorize(&token, black_box(&request), NOW, &NoRevocations).is_allowed()
    };
    assert!(decide());
    group.bench_function("verify and authorize", |b| b.iter(&mut decide));

    // Peers.
    let mut room = vec![0; token.text.len()];
    group.bench_function("base64 decode (base64)", |b| {
        b.iter(|| URL_SAFE.decode_slice(black_box(&token.text), &mut room));
    });
    let jwt = Jwt::like(token);
    assert!(jwt.decide());
    group.bench_function("jsonwebtoken", |b| b.iter(|| black_box(&jwt).decide()));
    group.finish();
}

fn unseen(criterion: &mut Criterion) {
    of_size(criterion, &Issued::small());
    of_size(criterion, &Issued::large());
}

criterion_group!(name = benches; config = criterion(); targets = unseen);
criterion_main!(benches);
