//! A wall clock that somebody sets while the server runs: no token that was
//! revoked lives again (attacks X04, X05).

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};
use token_server::{Config, Server};

use crate::harness::{Harness, NOW, SECRET_KEY, SUBSCRIBE_KEY, TestClock};

const HOUR: u64 = 3_600;
const YEAR: i64 = 365 * 24 * 3_600;

async fn start(dir: &Path, clock: &TestClock) -> Server {
    let mut config = Config::default();
    config.data_dir = dir.join("data");
    config.listen = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
    config.internal_listen = config.listen;
    Server::start_at(config, clock.clone()).await.unwrap()
}

/// A server, and a harness around its service.
async fn world() -> (Server, Harness) {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::at(NOW - 100);
    let server = start(dir.path(), &clock).await;
    clock.advance(100);
    let service = server.service().clone();
    let harness = Harness {
        service,
        clock,
        dir,
    };
    harness.create(SUBSCRIBE_KEY, SECRET_KEY, json!({})).await;
    (server, harness)
}

/// A token for an hour and a half that was revoked.
async fn revoked(harness: &Harness) -> String {
    let permissions = json!({"resources": {"channels": {"room": 1}}});
    let body = json!({"ttl": 90, "permissions": permissions});
    let token = harness.grant_at(harness.clock_now(), &body).await.token();
    assert_eq!(harness.decision(&token, "room").await, "allow");
    assert_eq!(harness.revoke(&token).await.status, 200);
    assert_eq!(harness.decision(&token, "room").await, "revoked");
    token
}

/// How many revocations of tokens there are.
async fn denied(harness: &Harness) -> u64 {
    let metrics = harness.admin("GET", "/metrics", &Value::Null).await.body;
    let mut lines = metrics.lines();
    let value = lines.find_map(|line| line.strip_prefix("usher_denied_tokens "));
    value.unwrap().parse().unwrap()
}

/// Lets the server's own timers run, until there are so many or never.
async fn until_denied(harness: &Harness, wanted: u64) -> bool {
    let start = Instant::now();
    while denied(harness).await != wanted {
        if start.elapsed() > Duration::from_secs(30) {
            return false;
        }
        tokio::time::sleep(Duration::from_secs(61)).await;
        std::thread::sleep(Duration::from_millis(1));
    }
    true
}

#[tokio::test(start_paused = true)]
async fn x04_a_token_that_was_forgotten_stays_dead_when_the_clock_steps_back() {
    let (server, harness) = world().await;
    let token = revoked(&harness).await;
    harness.clock.advance(2 * HOUR);
    assert!(until_denied(&harness, 0).await, "nothing is forgotten");
    harness.clock.step(-7_000);
    assert_eq!(harness.decision(&token, "room").await, "expired");
    // Tokens of now are good, and a restart changes nothing.
    let Harness {
        service,
        clock,
        dir,
    } = harness;
    drop(service);
    server.shutdown().await;
    let server = start(dir.path(), &clock).await;
    let service = server.service().clone();
    let harness = Harness {
        service,
        clock,
        dir,
    };
    assert_eq!(harness.decision(&token, "room").await, "expired");
    server.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn x05_a_year_forward_and_back_forgets_no_revocation() {
    let (server, harness) = world().await;
    let token = revoked(&harness).await;
    harness.clock.advance(2 * HOUR / 3);
    harness.clock.step(YEAR);
    // Many rounds of whatever the server does by itself.
    for _ in 0..30 {
        tokio::time::sleep(Duration::from_secs(61)).await;
        assert_eq!(denied(&harness).await, 1);
        harness.clock.advance(60);
    }
    harness.clock.step(-YEAR);
    assert_eq!(harness.decision(&token, "room").await, "revoked");
    assert_eq!(denied(&harness).await, 1);
    server.shutdown().await;
}
