//! The follower of embedders (token-follower) behind a real server: what is
//! revoked there is denied here, at once, and stays denied when the server goes.

use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};
use token_codec::{KeyRing, TokenBuffer, TokenJwk, verify};
use token_core::{SubscribeKey, UnixSeconds};
use token_follower::{Follower, OnStale, Options, Source, SourceOptions, StartError};
use token_policy::{Keyset, NoRevocations, authorize, classify};

use crate::gateway::world::World;
use crate::harness::{Harness, SUBSCRIBE_KEY, read_on};

fn source(world: &World) -> Source {
    let url = format!("http://{}", world.server.internal_address());
    Source::new(&url, &SourceOptions::default()).unwrap()
}

fn follow(world: &World, on_stale: OnStale) -> Result<Follower, StartError> {
    let clock = Arc::new(world.harness.clock.clone());
    let options = Options {
        on_stale,
        clock,
        ..Options::default()
    };
    Follower::start(source(world), options)
}

/// What an embedder has: public keys and a follower, and the crates alone.
struct Embedder {
    keys: KeyRing,
    follower: Follower,
}

impl Embedder {
    async fn of(world: &World) -> Self {
        let follower = follow(
            world,
            OnStale::Deny {
                after: Duration::from_secs(60),
            },
        )
        .unwrap();
        let path = format!("/v1/keysets/{SUBSCRIBE_KEY}/public-keys");
        let document = source(world).get(&path, 1 << 20).await.unwrap();
        let document: Value = serde_json::from_slice(&document).unwrap();
        let keyset = &document["keysets"][0];
        assert_eq!(keyset["subscribe_key"], SUBSCRIBE_KEY);
        let keys: Vec<TokenJwk> = serde_json::from_value(keyset["keys"].clone()).unwrap();
        let subscribe_key = SubscribeKey::new(SUBSCRIBE_KEY).unwrap();
        let periods = keys.iter().map(|key| key.period(&subscribe_key).unwrap());
        let keys = KeyRing::new(subscribe_key.clone(), periods.collect::<Vec<_>>());
        follower.caught_up().await;
        Self { keys, follower }
    }

    /// The code of the decision on a subscribe to `room-1`. But for the deny list
    /// every token here would be allowed.
    fn decide(&self, harness: &Harness, token: &str) -> &'static str {
        let target = format!("/v2/subscribe/{SUBSCRIBE_KEY}/room-1/0");
        let asked = classify("GET", &target, None).unwrap();
        let request = asked.request(Keyset::new(SUBSCRIBE_KEY));
        let mut buffer = TokenBuffer::new();
        let token = verify(token, &self.keys, &mut buffer).unwrap();
        let now = UnixSeconds(harness.clock_now());
        assert!(authorize(&token, &request, now, &NoRevocations).is_allowed());
        authorize(&token, &request, now, &self.follower)
            .reason
            .code()
    }
}

async fn until_denied(embedder: &Embedder, world: &World, token: &str) -> Duration {
    let begun = Instant::now();
    while embedder.decide(&world.harness, token) == "allowed" {
        assert!(begun.elapsed() < Duration::from_secs(10), "still allowed");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    begun.elapsed()
}

async fn ed25519() -> World {
    let world = World::new().await;
    let path = format!("/v1/keysets/{SUBSCRIBE_KEY}");
    let set = json!({"settings": {"signing_algorithm": "ed25519"}});
    assert_eq!(world.harness.admin("PATCH", &path, &set).await.status, 200);
    let rotate = json!({"key": "emergency"});
    let rotated = world
        .harness
        .admin("POST", &format!("{path}/rotate"), &rotate)
        .await;
    assert_eq!(rotated.status, 200, "{}", rotated.body);
    let from = rotated.json()["from"].as_u64().unwrap();
    world
        .harness
        .clock
        .advance(from.saturating_sub(world.harness.clock_now()));
    world
}

async fn token(world: &World) -> String {
    world.harness.clock.advance(1);
    world
        .harness
        .grant_at(world.harness.clock_now(), &read_on("room-1"))
        .await
        .token()
}

#[tokio::test]
async fn what_is_revoked_on_the_server_is_denied_by_who_follows_it() {
    let world = ed25519().await;
    let early = token(&world).await;
    assert_eq!(world.harness.revoke(&early).await.status, 200);
    let embedder = Embedder::of(&world).await;
    let denied = embedder.decide(&world.harness, &early);
    assert_eq!(denied, "revoked", "what was revoked before it came");
    let mut times = Vec::new();
    for _ in 0..50 {
        let token = token(&world).await;
        assert_eq!(embedder.decide(&world.harness, &token), "allowed");
        assert_eq!(world.harness.revoke(&token).await.status, 200);
        times.push(until_denied(&embedder, &world, &token).await);
    }
    times.sort();
    println!(
        "follower: p50 {:?}, max {:?} after the answer",
        times[25], times[49]
    );
    assert!(times[49] < Duration::from_millis(250), "{times:?}");
    // All of a keyset, and its keys: the rule is heard, and says to get others.
    let last = token(&world).await;
    let mut rules = embedder.follower.scope_rules();
    rules.mark_unchanged();
    let path = format!("/v1/keysets/{SUBSCRIBE_KEY}/rotate");
    world
        .harness
        .admin("POST", &path, &json!({"key": "emergency"}))
        .await;
    until_denied(&embedder, &world, &last).await;
    assert!(rules.has_changed().unwrap());
}

#[tokio::test]
async fn when_the_server_goes_what_is_known_stays_and_the_bound_counts() {
    let world = ed25519().await;
    let (good, bad) = (token(&world).await, token(&world).await);
    assert_eq!(world.harness.revoke(&bad).await.status, 200);
    let embedder = Embedder::of(&world).await;
    let World {
        server, harness, ..
    } = world;
    server.shutdown().await;
    assert_eq!(embedder.decide(&harness, &good), "allowed");
    assert_eq!(embedder.decide(&harness, &bad), "revoked");
    harness.clock.advance(61);
    assert_eq!(embedder.decide(&harness, &good), "stale_deny_list");
    assert_eq!(embedder.decide(&harness, &bad), "revoked");
    while embedder.follower.status().fault.is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
