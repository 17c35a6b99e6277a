//! Many nodes beside a real NATS server: what their APIs say.

use core::time::Duration;
use std::time::Instant;

use serde_json::{Value, json};
use token_server::{Caller, Config, RevokeAck, Server, StartError};

use crate::harness::{Harness, NOW, SECRET_KEY, SUBSCRIBE_KEY, TestClock, read_on};
use crate::nats::{Nats, PATIENCE};

const FEED_KEY: &str = "1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f2f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f";
const CLUSTER_KEY: &str = "2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e1e2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e";

/// A whole server, and its API in-process.
struct Node {
    server: Server,
    api: Harness,
}

fn config(url: &str, dir: &tempfile::TempDir) -> Config {
    let keys = |name: &str| match name {
        "USHER_FEED_KEY" => Some(FEED_KEY.to_owned()),
        "USHER_CLUSTER_KEY" => Some(CLUSTER_KEY.to_owned()),
        _ => None,
    };
    let mut config = Config::load(None, keys).unwrap();
    config.data_dir = dir.path().to_owned();
    config.listen = "127.0.0.1:0".parse().unwrap();
    config.internal_listen = "127.0.0.1:0".parse().unwrap();
    config.cluster.nats = Some(url.to_owned());
    config
}

impl Node {
    async fn start(url: &str, clock: &TestClock) -> Self {
        Self::with(url, clock, |_| {}).await
    }

    async fn with(url: &str, clock: &TestClock, change: impl Fn(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = config(url, &dir);
        change(&mut config);
        let server = Server::start_at(config, clock.clone()).await.unwrap();
        let first = server.first_start().expect("an admin key");
        assert!(first.keyset.is_none(), "no keyset is made by itself");
        Self::of(server, clock, dir)
    }

    fn of(server: Server, clock: &TestClock, dir: tempfile::TempDir) -> Self {
        let service = server.service().clone();
        let clock = clock.clone();
        let api = Harness {
            service,
            clock,
            dir,
        };
        Self { server, api }
    }

    /// Stops it; what is left is its directory.
    async fn stop(self) -> tempfile::TempDir {
        let Harness { service, dir, .. } = self.api;
        drop(service);
        self.server.shutdown().await;
        dir
    }

    async fn ready(&self) -> u16 {
        let caller = Caller::InProcess;
        let reply = self.api.internal(caller, "GET", "/readyz", &[], "").await;
        reply.status
    }

    /// A metric without labels.
    async fn gauge(&self, name: &str) -> u64 {
        let caller = Caller::InProcess;
        let reply = self.api.internal(caller, "GET", "/metrics", &[], "").await;
        let value = reply.body.lines().find_map(|line| line.strip_prefix(name));
        value.unwrap().trim().parse().unwrap()
    }

    async fn is_ready(&self) {
        let since = Instant::now();
        while self.ready().await != 200 {
            assert!(since.elapsed() < PATIENCE, "not ready in time");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn comes_to(&self, token: &str, decision: &str) {
        let since = Instant::now();
        loop {
            let found = self.api.decision(token, "room").await;
            if found == decision {
                return;
            }
            assert!(since.elapsed() < PATIENCE, "{found}, and not {decision}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn revoke(&self, body: &Value) -> (u16, Value) {
        let path = format!("/v1/keysets/{SUBSCRIBE_KEY}/revocations");
        let reply = self.api.admin("POST", &path, body).await;
        (reply.status, reply.json())
    }

    async fn grant(&self, clock: &TestClock) -> String {
        clock.advance(1);
        let now = self.api.clock_now();
        self.api.grant_at(now, &read_on("room")).await.token()
    }

    /// The decision on a token for somebody who wants a sequence.
    async fn decision_after(&self, token: &str, sequence: &str) -> String {
        let body = json!({"subscribe_key": SUBSCRIBE_KEY, "token": token,
            "operation": "history", "channels": ["room"], "min_sequence": sequence});
        let reply = self.api.admin("POST", "/v1/check", &body).await.json();
        reply["reason"]["code"].as_str().unwrap().to_owned()
    }

    async fn forward_auth(&self, token: &str, sequence: &str) -> u16 {
        let uri = format!("/v2/history/sub-key/{SUBSCRIBE_KEY}/channel/room?auth={token}");
        let headers = [
            ("x-original-method", "GET"),
            ("x-original-uri", uri.as_str()),
            ("x-usher-min-sequence", sequence),
        ];
        let caller = Caller::InProcess;
        let reply = self
            .api
            .internal(caller, "GET", "/v1/auth/nginx", &headers, "")
            .await;
        reply.status
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_server_revokes_the_other_denies() {
    let Some(nats) = Nats::start(1).await else {
        return;
    };
    let clock = TestClock::at(NOW);
    let one = Node::start(&nats.url(), &clock).await;
    let two = Node::start(&nats.url(), &clock).await;
    one.api.create(SUBSCRIBE_KEY, SECRET_KEY, json!({})).await;
    one.is_ready().await;
    two.is_ready().await;

    let token = one.grant(&clock).await;
    two.comes_to(&token, "allow").await;
    let reply = one.api.revoke(&token).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    two.comes_to(&token, "revoked").await;
    assert_eq!(one.api.revoke(&token).await.status, 200, "once more");

    // The other way, and with the sequence that says when it is everywhere.
    let (token, other) = (two.grant(&clock).await, two.grant(&clock).await);
    let (status, answer) = two.revoke(&json!({"token": token})).await;
    assert_eq!(
        (status, &answer["propagated"]),
        (200, &json!(true)),
        "{answer}"
    );
    let sequence = answer["sequence"].as_str().unwrap();
    let since = Instant::now();
    while one.decision_after(&other, sequence).await == "behind" {
        assert!(since.elapsed() < PATIENCE);
    }
    assert_eq!(
        one.api.decision(&token, "room").await,
        "revoked",
        "by then it knows"
    );
    assert_eq!(one.decision_after(&other, sequence).await, "allowed");
    assert_eq!(one.forward_auth(&other, sequence).await, 200);
    let (epoch, number) = sequence.rsplit_once('.').unwrap();
    let later = format!("{epoch}.{}", number.parse::<u64>().unwrap() + 1_000_000);
    for unreached in [later.as_str(), "0123456789abcdef.1", "nonsense", ""] {
        assert_eq!(
            one.decision_after(&other, unreached).await,
            "behind",
            "{unreached}"
        );
        assert_eq!(
            one.forward_auth(&other, unreached).await,
            503,
            "{unreached}"
        );
        assert_eq!(one.decision_after(&token, unreached).await, "revoked");
    }
    one.server.shutdown().await;
    two.server.shutdown().await;
}

/// One says that a token is revoked; whoever asks another with the sequence of
/// that answer is never told the old state. Without it some are.
#[tokio::test(flavor = "multi_thread")]
async fn with_a_sequence_no_answer_is_stale() {
    let Some(nats) = Nats::start(1).await else {
        return;
    };
    let given = std::env::var_os("USHER_SEQUENCE_ANSWERS");
    let wanted = given.map_or(5_000, |text| text.to_str().unwrap().parse().unwrap());
    let clock = TestClock::at(NOW);
    let one = Node::start(&nats.url(), &clock).await;
    let two = Node::start(&nats.url(), &clock).await;
    one.api.create(SUBSCRIBE_KEY, SECRET_KEY, json!({})).await;
    one.is_ready().await;
    two.is_ready().await;
    let first = one.grant(&clock).await;
    two.comes_to(&first, "allow").await;
    let (mut answers, mut behind, mut stale, mut stale_without) = (0_u64, 0_u64, 0_u64, 0_u64);
    while answers < wanted || behind == 0 || stale_without == 0 {
        assert!(
            answers < wanted.saturating_mul(10),
            "{behind} {stale_without}"
        );
        let token = one.grant(&clock).await;
        let (status, answer) = one.revoke(&json!({"token": token})).await;
        assert_eq!(status, 200, "{answer}");
        let sequence = answer["sequence"].as_str().unwrap();
        loop {
            let without = two.api.decision(&token, "room").await;
            let with = two.decision_after(&token, sequence).await;
            answers = answers.saturating_add(1);
            stale = stale.saturating_add((with == "allowed").into());
            behind = behind.saturating_add((with == "behind").into());
            stale_without = stale_without.saturating_add((without == "allow").into());
            if with == "revoked" {
                break;
            }
        }
        // Whoever has reached it goes on to say so.
        for _ in 0..20 {
            let with = two.decision_after(&token, sequence).await;
            answers = answers.saturating_add(1);
            stale = stale.saturating_add((with != "revoked").into());
        }
    }
    println!(
        "table: answers with `min_sequence` after a revocation elsewhere, {answers} | \
         {stale} stale, {behind} said `behind`; {stale_without} stale without it"
    );
    assert_eq!(stale, 0);
}

/// D06: the log is down for a while, and comes back.
#[tokio::test(flavor = "multi_thread")]
async fn while_the_log_is_down_a_revocation_is_queued_and_keysets_do_as_they_say() {
    let Some(mut nats) = Nats::start(1).await else {
        return;
    };
    let clock = TestClock::at(NOW);
    let one = Node::start(&nats.url(), &clock).await;
    let two = Node::start(&nats.url(), &clock).await;
    one.api.create(SUBSCRIBE_KEY, SECRET_KEY, json!({})).await;
    one.is_ready().await;
    two.is_ready().await;
    let tokens = [
        one.grant(&clock).await,
        one.grant(&clock).await,
        one.grant(&clock).await,
    ];
    two.comes_to(&tokens[2], "allow").await;

    nats.kill(0);
    let reply = one.api.revoke(&tokens[0]).await;
    assert_eq!(reply.status, 503, "{}", reply.body);
    assert!(
        reply.body.contains("queued for the other nodes"),
        "{}",
        reply.body
    );
    assert_eq!(
        one.api.decision(&tokens[0], "room").await,
        "revoked",
        "here it is"
    );
    let (status, answer) = one.revoke(&json!({"token": tokens[1]})).await;
    assert_eq!(status, 202);
    assert_eq!(
        (&answer["propagated"], &answer["sequence"]),
        (&json!(false), &Value::Null)
    );
    assert_eq!(two.api.decision(&tokens[1], "room").await, "allow");

    on_a_stale_list_keysets_do_as_they_say(&one, &two, &tokens, &clock).await;

    // A node that starts now does not know what it missed: not ready, denies.
    let three = Node::start(&nats.url(), &clock).await;
    assert_eq!(three.ready().await, 503);

    nats.launch(0);
    nats.ready().await;
    let since = Instant::now();
    while one.ready().await != 200 || three.ready().await != 200 {
        clock.advance(1);
        assert!(since.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for node in [&two, &three] {
        node.comes_to(&tokens[0], "revoked").await;
        node.comes_to(&tokens[1], "revoked").await;
    }
    one.comes_to(&tokens[2], "allow").await;
}

/// D05: whoever was away does not know what it missed, and says so, until it does.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_away_decides_nothing_until_it_has_caught_up() {
    let Some(mut nats) = Nats::start(1).await else {
        return;
    };
    let clock = TestClock::at(NOW);
    let one = Node::start(&nats.url(), &clock).await;
    let two = Node::start(&nats.url(), &clock).await;
    one.api.create(SUBSCRIBE_KEY, SECRET_KEY, json!({})).await;
    one.is_ready().await;
    two.is_ready().await;
    let (good, bad) = (one.grant(&clock).await, one.grant(&clock).await);
    two.comes_to(&bad, "allow").await;
    let dir = two.stop().await;
    assert_eq!(one.api.revoke(&bad).await.status, 200);
    let url = nats.url();
    nats.kill(0);

    let config = config(&url, &dir);
    let server = Server::start_at(config, clock.clone()).await.unwrap();
    let two = Node::of(server, &clock, dir);
    for token in [&good, &bad] {
        let decision = two.api.decision(token, "room").await;
        assert_eq!(decision, "stale_deny_list", "a keyset that serves, too");
    }
    assert_eq!(two.ready().await, 503);

    nats.launch(0);
    nats.ready().await;
    two.is_ready().await;
    assert_eq!(two.api.decision(&bad, "room").await, "revoked");
    assert_eq!(two.api.decision(&good, "room").await, "allow");
}

/// Decides for so long; the 99th percentile of what a decision takes.
async fn decide_for(node: &Node, token: &str, seconds: u64) -> Duration {
    let mut times = Vec::new();
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(seconds) {
        let asked = Instant::now();
        assert_eq!(node.api.decision(token, "room").await, "allow");
        times.push(asked.elapsed());
    }
    times.sort();
    times[times.len().saturating_mul(99) / 100]
}

/// D06: for as long as `USHER_OUTAGE_SECONDS` says. Clocks go on meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn decisions_do_not_notice_that_the_log_is_gone() {
    let Some(mut nats) = Nats::start(1).await else {
        return;
    };
    let given = std::env::var_os("USHER_OUTAGE_SECONDS");
    let seconds = given.map_or(1, |text| text.to_str().unwrap().parse().unwrap());
    let clock = TestClock::at(NOW);
    let one = Node::start(&nats.url(), &clock).await;
    let two = Node::start(&nats.url(), &clock).await;
    one.api.create(SUBSCRIBE_KEY, SECRET_KEY, json!({})).await;
    one.is_ready().await;
    two.is_ready().await;
    let token = one.grant(&clock).await;
    two.comes_to(&token, "allow").await;
    let before = decide_for(&one, &token, seconds).await;

    nats.kill(0);
    let mut revoked = Vec::new();
    for _ in 0..3 {
        let token = one.grant(&clock).await;
        let (status, answer) = one.revoke(&json!({"token": token})).await;
        assert_eq!((status, &answer["propagated"]), (202, &json!(false)));
        clock.advance(seconds);
        revoked.push(token);
    }
    let during = decide_for(&one, &token, seconds).await;
    println!(
        "table: decisions while the log is gone, {seconds} s | p99 {during:.0?}, {before:.0?} \
         before"
    );

    nats.launch(0);
    nats.ready().await;
    for token in &revoked {
        two.comes_to(token, "revoked").await;
    }
}

/// On what is known, with a gauge; or not at all, from the bound on.
async fn on_a_stale_list_keysets_do_as_they_say(
    one: &Node,
    two: &Node,
    tokens: &[String; 3],
    clock: &TestClock,
) {
    clock.advance(50);
    let age = one.gauge("usher_deny_list_age_seconds").await;
    assert!((50..60).contains(&age), "{age}");
    assert_eq!((one.ready().await, two.ready().await), (200, 200));
    let path = format!("/v1/keysets/{SUBSCRIBE_KEY}");
    let deny = json!({"settings": {"on_stale": "deny"}});
    assert_eq!(one.api.admin("PATCH", &path, &deny).await.status, 200);
    assert_eq!(one.api.decision(&tokens[2], "room").await, "allow");
    clock.advance(11);
    assert_eq!(
        one.api.decision(&tokens[2], "room").await,
        "stale_deny_list"
    );
    assert_eq!(one.api.decision(&tokens[0], "room").await, "revoked");
    assert_eq!(
        two.api.decision(&tokens[2], "room").await,
        "allow",
        "it serves"
    );
    assert_eq!((one.ready().await, two.ready().await), (503, 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_may_answer_before_the_log_does_or_only_verify() {
    let Some(nats) = Nats::start(1).await else {
        return;
    };
    let clock = TestClock::at(NOW);
    let ack = |config: &mut Config| config.cluster.revoke_ack = RevokeAck::Local;
    let one = Node::with(&nats.url(), &clock, ack).await;
    one.api.create(SUBSCRIBE_KEY, SECRET_KEY, json!({})).await;
    one.is_ready().await;
    let two = Node::start(&nats.url(), &clock).await;
    let token = one.grant(&clock).await;
    two.comes_to(&token, "allow").await;
    let (status, answer) = one.revoke(&json!({"token": token})).await;
    assert_eq!((status, &answer["propagated"]), (200, &json!(false)));
    two.comes_to(&token, "revoked").await;
}

#[tokio::test]
async fn a_log_without_keys_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut without = config("nats://127.0.0.1:1", &dir);
    without.cluster.feed_key = None;
    let refused = Server::start_at(without, TestClock::at(NOW))
        .await
        .unwrap_err();
    assert!(matches!(refused, StartError::NoFeedKey));
    for (name, text) in [("USHER_FEED_KEY", "no key"), ("USHER_CLUSTER_KEY", "00")] {
        let error = Config::load(None, |asked| (asked == name).then(|| text.to_owned()));
        let error = error.unwrap_err().to_string();
        assert!(error.contains(name) && !error.contains(text), "{error}");
    }
}

/// A node alone has a sequence, too: that of its store.
#[tokio::test]
async fn a_node_alone_is_behind_nothing_that_it_said() {
    let api = Harness::new().await;
    let token = api.grant_at(NOW, &read_on("room")).await.token();
    api.clock.advance(1);
    let other = api.grant_at(NOW + 1, &read_on("room")).await.token();
    let path = format!("/v1/keysets/{SUBSCRIBE_KEY}/revocations");
    let answer = api
        .admin("POST", &path, &json!({"token": token}))
        .await
        .json();
    let sequence = answer["sequence"].as_str().unwrap();
    let ask = |sequence: String| {
        let body = json!({"subscribe_key": SUBSCRIBE_KEY, "token": other,
            "operation": "history", "channels": ["room"], "min_sequence": sequence});
        let api = &api;
        async move { api.admin("POST", "/v1/check", &body).await.json()["decision"].clone() }
    };
    assert_eq!(ask(sequence.to_owned()).await, "allow");
    let (epoch, number) = sequence.rsplit_once('.').unwrap();
    let next = number.parse::<u64>().unwrap() + 1;
    assert_eq!(ask(format!("{epoch}.{next}")).await, "deny");
    assert_eq!(ask(format!("x{epoch}.{number}")).await, "deny");
}
