//! The budgets, each beside what was measured.
//!
//! A ratio is taken from runs that alternate (one of ours, one of the peer's,
//! hundreds of times) and is the median of theirs: what else the machine does
//! meets both. The other benches measure one thing after the other.

use std::hint::black_box;
use std::time::Instant;

use ring::hmac;
use token_codec::{TokenBuffer, verify};
use token_core::ResourceKind;
use token_policy::{NoRevocations, Target, authorize, classify};
use usher_benches::{DenyList, Issued, Jwt, NOW, keys, subscribe};

/// Alternations of a ratio, runs of a time.
const ROUNDS: usize = 501;
/// Calls in one round.
const CALLS: u32 = 400;

fn main() {
    let tokens = [Issued::small(), Issued::large()];
    tokens.iter().for_each(unseen);
    patterns();
    classification();
    // Last, because a store leaves a heap behind on which everything that
    // allocates, as the peers do, takes several times as long.
    tokens.iter().for_each(hot);
}

fn unseen(token: &Issued) {
    let size = token.size();
    let keys = keys();
    let mut buffer = TokenBuffer::new();
    let targets = token.last_channel();
    let request = subscribe(&targets);
    let mut ours = || {
        let token = verify(black_box(&token.text), &keys, &mut buffer).unwrap();
        authorize(&token, black_box(&request), NOW, &NoRevocations).is_allowed()
    };
    assert!(ours());

    let ring_key = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
    let signed = token.signed_bytes();
    let sign = || hmac::sign(&ring_key, black_box(&signed));
    let over_ring = ratio(&mut ours, sign);
    at_most(
        &format!("unseen, {size} bytes, over ring::hmac::sign"),
        over_ring,
        1.6,
        "x",
    );

    let jwt = Jwt::like(token);
    assert!(jwt.decide());
    let under_jwt = ratio(|| jwt.decide(), &mut ours);
    at_least(
        &format!("jsonwebtoken over unseen, {size} bytes"),
        under_jwt,
        5.0,
        "x",
    );
}

/// A name that the last of five patterns grants, and a token that grants it as
/// it is; neither token was seen before.
fn patterns() {
    let texts = [
        r"^team-1\.room-[0-9]+$",
        r"^team-2\..*$",
        r"^user-[a-z0-9_-]+\.3$",
        r"^(?:news|alerts)-4$",
        r"^room-[0-9]+(?:-pnpres)?$",
    ];
    let keys = keys();
    let targets = [Target::new(ResourceKind::Channel, "room-42")];
    let exact = [Target::new(ResourceKind::Channel, "room-4")];
    let decide = |token: &Issued, targets: &[Target<'_>], buffer: &mut TokenBuffer| {
        let token = verify(black_box(&token.text), &keys, buffer).unwrap();
        authorize(&token, &subscribe(black_box(targets)), NOW, &NoRevocations).is_allowed()
    };
    let with = Issued::with_patterns(&texts.map(str::to_owned));
    let without = Issued::with_patterns(&[]);
    let (mut one, mut other) = (TokenBuffer::new(), TokenBuffer::new());
    assert!(decide(&with, &targets, &mut one) && decide(&without, &exact, &mut other));
    let more = median(
        (0..ROUNDS)
            .map(|_| {
                let with = time(&mut || decide(&with, &targets, &mut one));
                let without = time(&mut || decide(&without, &exact, &mut other));
                (with - without) / f64::from(CALLS)
            })
            .collect(),
    );
    at_most(
        "unseen, 5 simple patterns, over exact names",
        more,
        1_000.0,
        "ns",
    );
}

fn hot(issued: &Issued) {
    let size = issued.size();
    let token = issued.verified();
    let targets = issued.last_channel();
    let request = subscribe(&targets);
    let deny_list = DenyList::with_thousands(10);
    let alone = nanoseconds(|| authorize(black_box(&token), &request, NOW, &NoRevocations));
    at_most(&format!("hot, {size} bytes"), alone, 100.0, "ns");
    let listed = nanoseconds(|| authorize(black_box(&token), &request, NOW, &deny_list));
    at_most(
        &format!("hot, {size} bytes, 10,000 revoked"),
        listed,
        100.0,
        "ns",
    );
}

fn classification() {
    let lines = [
        ("subscribe", "/v2/subscribe/sub-c-demo/room-1/0"),
        (
            "publish",
            "/publish/pub-c-demo/sub-c-demo/0/room-1/0/%22hello%22",
        ),
        ("history", "/v3/history/sub-key/sub-c-demo/channel/room-1"),
        (
            "file",
            "/v1/files/sub-c-demo/channels/room-1/files/0f3b/photo.png",
        ),
    ];
    for (name, path) in lines {
        assert!(classify("GET", path, None).is_ok());
        let time = nanoseconds(|| classify("GET", black_box(path), None).is_ok());
        at_most(
            &format!("classification of a path, {name}"),
            time,
            300.0,
            "ns",
        );
    }
}

/// How long `CALLS` calls take, in nanoseconds.
fn time<T>(run: &mut impl FnMut() -> T) -> f64 {
    let start = Instant::now();
    for _ in 0..CALLS {
        black_box(run());
    }
    start.elapsed().as_secs_f64() * 1e9
}

/// How long a call takes, in nanoseconds.
fn nanoseconds<T>(mut run: impl FnMut() -> T) -> f64 {
    median(
        (0..ROUNDS)
            .map(|_| time(&mut run) / f64::from(CALLS))
            .collect(),
    )
}

/// How often a call of `under` fits into one of `over`.
fn ratio<T, U>(mut over: impl FnMut() -> T, mut under: impl FnMut() -> U) -> f64 {
    median(
        (0..ROUNDS)
            .map(|_| time(&mut over) / time(&mut under))
            .collect(),
    )
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn at_most(budget: &str, measured: f64, limit: f64, unit: &str) {
    line(budget, measured, limit, unit, "at most", measured <= limit);
}

fn at_least(budget: &str, measured: f64, limit: f64, unit: &str) {
    line(budget, measured, limit, unit, "at least", measured >= limit);
}

fn line(budget: &str, measured: f64, limit: f64, unit: &str, bound: &str, met: bool) {
    let verdict = if met { "met" } else { "missed" };
    println!(
        "{budget:<46} {measured:>8.2} {unit:<2}  {bound:<8} {limit:>6.1} {unit:<2}  {verdict}"
    );
}
