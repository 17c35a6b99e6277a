//! K01: every kind of key is renewed while tokens are granted and checked:
//! nothing good is denied, and nothing dead is allowed.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::RwLock;

use crate::harness::{Harness, SUBSCRIBE_KEY};
use crate::oem::World;

/// Seconds by which the clock goes in a step, and how many tokens live through
/// one: those of two minutes are granted in each.
const STEP: u64 = 25;
const LIFE: u64 = 120;

/// What checkers share: tokens of the account and of the keyset that must be
/// good, and those that must be dead.
#[derive(Default)]
struct Pool {
    good: Vec<Held>,
    dead: Vec<Held>,
}

#[derive(Clone)]
struct Held {
    token: String,
    /// Of the account, not of the keyset.
    is_jws: bool,
    expires_at: u64,
}

struct Load {
    world: World,
    /// The clock goes only while nobody checks, else a token could expire between
    /// its choice and its check.
    pool: RwLock<Pool>,
    over: AtomicBool,
    checked: AtomicU64,
}

impl Load {
    async fn is_good(&self, held: &Held) -> bool {
        if held.is_jws {
            return self.world.is_active(&held.token).await;
        }
        self.world.harness.decision(&held.token, "room-1").await == "allow"
    }

    async fn check(&self) {
        for turn in 0_usize.. {
            if self.over.load(Ordering::Acquire) {
                break;
            }
            let pool = self.pool.read().await;
            for (held, expected) in [(&pool.good, true), (&pool.dead, false)] {
                if let Some(held) = held.iter().cycle().nth(turn & 0xF) {
                    assert_eq!(self.is_good(held).await, expected, "{}", held.token);
                    self.checked.fetch_add(1, Ordering::Relaxed);
                }
            }
            drop(pool);
            tokio::task::yield_now().await;
        }
    }

    fn harness(&self) -> &Harness {
        &self.world.harness
    }

    /// Time goes on; what expires by that is no longer good. A token of each kind
    /// is granted.
    async fn step(&self) {
        let mut pool = self.pool.write().await;
        self.harness().clock.advance(STEP);
        let now = self.harness().clock_now();
        let (alive, expired) = pool.good.drain(..).partition(|held| held.expires_at > now);
        let expired: Vec<Held> = expired;
        pool.good = alive;
        pool.dead.extend(expired);
        drop(pool);
        let body =
            json!({"ttl": LIFE / 60, "permissions": {"resources": {"channels": {"room-1": 1}}}});
        let made = self.harness().grant_at(now, &body).await.token();
        let jws = self.world.token().await;
        let mut pool = self.pool.write().await;
        let expires_at = now.saturating_add(LIFE);
        pool.good.push(Held {
            token: made,
            is_jws: false,
            expires_at,
        });
        // It lives for an hour; it is taken for dead with nothing but its key.
        pool.good.push(Held {
            token: jws,
            is_jws: true,
            expires_at: u64::MAX,
        });
    }

    async fn admin(&self, method: &str, path: &str, body: &Value) {
        let reply = self.harness().admin(method, path, body).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k01_every_key_is_renewed_under_load_and_nothing_is_judged_wrong() {
    let world = World::with(json!({"max_ttl": 2, "max_staleness": 1})).await;
    let load = Arc::new(Load {
        world,
        pool: RwLock::default(),
        over: AtomicBool::new(false),
        checked: AtomicU64::new(0),
    });
    let keyset = format!("/v1/keysets/{SUBSCRIBE_KEY}");
    let account = format!("/v1/accounts/{}", load.world.account);
    load.step().await;
    let checkers: Vec<_> = (0..4)
        .map(|_| {
            let load = Arc::clone(&load);
            tokio::spawn(async move { load.check().await })
        })
        .collect();
    // Each key in its turn: announced, in force, over, and dropped when the next
    // but one is announced.
    for algorithm in ["ed25519", "ed25519", "hmac", "ed25519", "hmac", "hmac"] {
        load.admin(
            "PATCH",
            &keyset,
            &json!({"settings": {"signing_algorithm": algorithm}}),
        )
        .await;
        load.admin(
            "POST",
            &format!("{keyset}/rotate"),
            &json!({"key": "signing"}),
        )
        .await;
        if algorithm == "hmac" {
            load.admin("POST", &format!("{account}/rotate"), &json!({}))
                .await;
        }
        for _ in 0..12 {
            load.step().await;
        }
    }
    for dead_jws in [false, true] {
        let (path, body) = if dead_jws {
            (format!("{account}/rotate"), json!({"emergency": true}))
        } else {
            (format!("{keyset}/rotate"), json!({"key": "emergency"}))
        };
        let mut pool = load.pool.write().await;
        let (dead, alive) = pool
            .good
            .drain(..)
            .partition(|held| held.is_jws == dead_jws);
        pool.good = alive;
        // From the answer on.
        load.admin("POST", &path, &body).await;
        let dead: Vec<Held> = dead;
        assert!(!dead.is_empty());
        pool.dead = dead;
        drop(pool);
        let before = load.checked.load(Ordering::Relaxed);
        while load.checked.load(Ordering::Relaxed) < before + 500 {
            tokio::task::yield_now().await;
        }
    }
    load.over.store(true, Ordering::Release);
    for checker in checkers {
        checker.await.unwrap();
    }
    let checked = load.checked.load(Ordering::Relaxed);
    println!("rotation: {checked} checks, none judged wrong");
    assert!(checked > 2_000, "{checked}");
}
