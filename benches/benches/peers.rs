//! One decision of other engines beside ours: may alice read one channel, now?
//!
//! They do different things, so this says what each does in the time that is
//! measured:
//!
//! * usher: the text is verified (HMAC-SHA256) and decided on: life, bound uuid,
//!   permission.
//! * jsonwebtoken: the text is verified (HMAC-SHA256), its claims are read into
//!   a map, and the same three are looked at by hand.
//! * biscuit-auth: the bytes are verified (Ed25519, which anyone may verify with
//!   the public key), one fact for each channel; a Datalog check and a policy
//!   decide on the same three. "only decide" starts from the verified token.
//! * cedar-policy: no token and no signature. One policy for each channel,
//!   parsed before; only the evaluation is measured.

use std::hint::black_box;
use std::time::Duration;

use biscuit_auth::builder::{Algorithm, AuthorizerBuilder};

use biscuit_auth::{AuthorizerLimits, Biscuit, KeyPair};
use cedar_policy::{
    Authorizer, Context, Decision, Entities, EntityUid, PolicySet, Request, RestrictedExpression,
};
use criterion::{Criterion, criterion_group, criterion_main};
use token_codec::{TokenBuffer, verify};
use token_policy::{NoRevocations, authorize};
use usher_benches::{ISSUED_AT, Issued, Jwt, NOW, criterion, keys, subscribe};

fn usher(token: &Issued) -> impl FnMut() -> bool + '_ {
    let keys = keys();
    let mut buffer = TokenBuffer::new();
    let targets = token.last_channel();
    move || {
        let token = verify(black_box(&token.text), &keys, &mut buffer).unwrap();
        authorize(&token, &subscribe(&targets), NOW, &NoRevocations).is_allowed()
    }
}

/// A biscuit that grants what `token` grants.
struct Peer {
    root: KeyPair,
    bytes: Vec<u8>,
    authorizer: AuthorizerBuilder,
}

impl Peer {
    fn like(token: &Issued) -> Self {
        let mut source = format!(
            "user(\"alice\"); check if time($now), $now < {};",
            ISSUED_AT.0 + 3_600
        );
        for name in &token.channels {
            source.push_str(&format!("right(\"{name}\", \"read\");"));
        }
        let root = KeyPair::new_with_algorithm(Algorithm::Ed25519);
        let biscuit = Biscuit::builder().code(source).unwrap();
        let bytes = biscuit.build(&root).unwrap().to_vec().unwrap();
        let channel = token.channels.last().unwrap();
        let authorizer = AuthorizerBuilder::new()
            .code(format!(
                "time({}); resource(\"{channel}\"); caller(\"alice\"); \
                 allow if resource($r), right($r, \"read\"), caller($u), user($u);",
                NOW.0
            ))
            .unwrap()
            // The default of 1 ms is too little for a noisy machine.
            .set_limits(AuthorizerLimits {
                max_time: Duration::from_secs(1),
                ..AuthorizerLimits::default()
            });
        Self {
            root,
            bytes,
            authorizer,
        }
    }

    fn verified(&self) -> Biscuit {
        Biscuit::from(&self.bytes, self.root.public()).unwrap()
    }

    fn decide(&self, token: &Biscuit) -> bool {
        let mut authorizer = self.authorizer.clone().build(token).unwrap();
        authorizer.authorize().is_ok()
    }
}

fn cedar(token: &Issued) -> impl Fn() -> bool {
    let policies: String = token
        .channels
        .iter()
        .map(|name| {
            format!(
                "permit(principal == User::\"alice\", action == Action::\"read\", \
                 resource == Channel::\"{name}\") when {{ context.now < {} }};",
                ISSUED_AT.0 + 3_600
            )
        })
        .collect();
    let policies: PolicySet = policies.parse().unwrap();
    let uid = |text: String| text.parse::<EntityUid>().unwrap();
    let now = RestrictedExpression::new_long(i64::try_from(NOW.0).unwrap());
    let request = Request::new(
        uid("User::\"alice\"".to_owned()),
        uid("Action::\"read\"".to_owned()),
        uid(format!("Channel::\"{}\"", token.channels.last().unwrap())),
        Context::from_pairs([("now".to_owned(), now)]).unwrap(),
        None,
    )
    .unwrap();
    let (authorizer, entities) = (Authorizer::new(), Entities::empty());
    move || {
        let response = authorizer.is_authorized(black_box(&request), &policies, &entities);
        response.decision() == Decision::Allow
    }
}

fn peers(criterion: &mut Criterion) {
    for token in [Issued::small(), Issued::large()] {
        let channels = token.channels.len();
        let mut group = criterion.benchmark_group(format!("peers {channels}"));
        let mut usher = usher(&token);
        assert!(usher());
        group.bench_function("usher", |b| b.iter(&mut usher));

        let jwt = Jwt::like(&token);
        assert!(jwt.decide());
        group.bench_function("jsonwebtoken", |b| b.iter(|| jwt.decide()));

        let biscuit = Peer::like(&token);
        let verified = biscuit.verified();
        assert!(biscuit.decide(&verified));
        group.bench_function("biscuit-auth", |b| {
            b.iter(|| biscuit.decide(&biscuit.verified()));
        });
        group.bench_function("biscuit-auth, only decide", |b| {
            b.iter(|| biscuit.decide(&verified));
        });

        let cedar = cedar(&token);
        assert!(cedar());
        group.bench_function("cedar-policy, no signature", |b| b.iter(&cedar));
        group.finish();
    }
}

criterion_group!(name = benches; config = criterion(); targets = peers);
criterion_main!(benches);
