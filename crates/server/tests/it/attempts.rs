//! Failed attempts are limited by peer, and good ones never; secret keys
//! overlap; an incident ends everything at once. Attacks B03, K01, K03.

use core::num::NonZeroU32;

use serde_json::{Value, json};
use token_server::{Caller, Config, Server};

use crate::harness::{
    Harness, NOW, SECRET_KEY, SUBSCRIBE_KEY, TestClock, grant_path, query_at, read_on, signed,
};
use crate::sockets::{config, send};

fn limited(limit: u32) -> Config {
    let mut config = Config::default();
    config.failed_attempts_per_minute = NonZeroU32::new(limit);
    config
}

#[tokio::test]
async fn wrong_keys_are_limited_and_the_right_one_is_always_taken() {
    let harness = Harness::configured(limited(5));
    harness.create_demo(json!({})).await;
    let made = harness
        .admin("POST", "/v1/admin-key/rotate", &json!({}))
        .await;
    let admin_key = made.json()["admin_key"].as_str().unwrap().to_owned();
    let ask = async |peer: [u8; 4], header: &str, value: &str| {
        let caller = Caller::Peer(peer.into());
        let headers = [(header, value)];
        harness
            .internal(caller, "GET", "/v1/keysets", &headers, "")
            .await
    };
    let (one, other) = ([10, 0, 0, 1], [10, 0, 0, 2]);
    let good = format!("Bearer {admin_key}");
    for _ in 0..5 {
        assert_eq!(ask(one, "authorization", "Bearer wrong").await.status, 401);
        assert_eq!(ask(one, "authorization", &good).await.status, 200);
    }
    let refused = ask(one, "authorization", "Bearer wrong").await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.headers["retry-after"], "60");
    assert_eq!(refused.json()["error"]["code"], "too_many_attempts");
    assert_eq!(ask(one, "authorization", &good).await.status, 200);
    assert_eq!(
        ask(other, "authorization", "Bearer wrong").await.status,
        401
    );
    // Whoever presents nothing guesses nothing.
    assert_eq!(ask(one, "accept", "*/*").await.status, 401);
    harness.clock.advance(60);
    assert_eq!(ask(one, "authorization", "Bearer wrong").await.status, 401);
    // A proxy understands 403 only.
    for status in [401, 401, 401, 401, 403] {
        let caller = Caller::Peer(one.into());
        let headers = [("x-usher-verifier-key", "wrong")];
        let reply = harness
            .internal(caller, "GET", "/v1/auth/nginx", &headers, "")
            .await;
        assert_eq!(reply.status, status);
    }
    let text = harness.admin("GET", "/metrics", &Value::Null).await.body;
    let line = "usher_credentials_refused_total{credential=\"key\",outcome=\"limited\"} 2\n";
    assert!(text.contains(line), "{text}");
}

#[tokio::test]
async fn a_limit_of_none_limits_nobody() {
    let harness = Harness::configured(limited(0));
    for _ in 0..500 {
        let headers = [("authorization", "Bearer wrong")];
        let caller = Caller::Peer([10, 0, 0, 1].into());
        let reply = harness
            .internal(caller, "GET", "/v1/keysets", &headers, "")
            .await;
        assert_eq!(reply.status, 401);
    }
}

/// Attack F06, too: the client is whom a trusted proxy names.
#[tokio::test]
async fn wrong_signatures_are_limited_by_the_client_behind_the_proxy() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.failed_attempts_per_minute = NonZeroU32::new(3);
    let server = Server::start_at(config, TestClock::at(NOW)).await.unwrap();
    let public = server.public_address();
    let body = read_on("room").to_string();
    let keyset = server.first_start().unwrap().keyset.as_ref().unwrap();
    let path = format!("/v3/pam/{}/grant", keyset.subscribe_key);
    let operation = format!("/v2/history/sub-key/{}/channel/a", keyset.subscribe_key);
    let ask = async |client: &str, line: String, body: &str| {
        let request = format!(
            "{line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nx-forwarded-for: {client}\
             \r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let (status, head, _) = send(public, request.as_bytes()).await;
        (
            status,
            head.to_ascii_lowercase()
                .contains("\r\nretry-after: 60\r\n"),
        )
    };
    let grant = |n: u64| {
        let target = signed(
            &format!("sec-wrong-{n}-0123456789"),
            "POST",
            &path,
            &query_at(NOW),
            &body,
        );
        format!("POST {target}")
    };
    let read = || {
        format!(
            "GET {}",
            signed("sec-wrong", "GET", &operation, &query_at(NOW), "")
        )
    };
    assert_eq!(ask("192.0.2.1", grant(1), &body).await, (403, false));
    assert_eq!(ask("192.0.2.1", grant(2), &body).await, (403, false));
    assert_eq!(ask("192.0.2.1", read(), "").await, (403, false));
    assert_eq!(ask("192.0.2.1", grant(3), &body).await, (429, true));
    assert_eq!(ask("192.0.2.1", read(), "").await, (429, true));
    assert_eq!(ask("192.0.2.2", grant(4), &body).await, (403, false));
    // What the client says itself stands further left.
    assert_eq!(
        ask("192.0.2.9, 192.0.2.1", grant(5), &body).await,
        (429, true)
    );
    server.shutdown().await;
}

/// A grant signed with `secret`.
async fn grant(harness: &Harness, secret: &str) -> u16 {
    let body = read_on("room").to_string();
    let query = query_at(harness.clock_now());
    let target = signed(secret, "POST", &grant_path(), &query, &body);
    let headers = [("content-type", "application/json")];
    harness
        .public("POST", &target, &headers, &body)
        .await
        .status
}

async fn rotate(harness: &Harness, body: &Value) -> Value {
    let path = format!("/v1/keysets/{SUBSCRIBE_KEY}/rotate");
    let reply = harness.admin("POST", &path, body).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.json()
}

#[tokio::test]
async fn k01_a_secret_key_is_rotated_without_a_gap() {
    let harness = Harness::new().await;
    let made = rotate(&harness, &json!({"key": "secret", "overlap_seconds": 60})).await;
    assert_eq!(made["overlaps_until"], NOW + 60);
    let new = made["secret_key"].as_str().unwrap().to_owned();
    for _ in 0..60 {
        assert_eq!(grant(&harness, SECRET_KEY).await, 200);
        assert_eq!(grant(&harness, &new).await, 200);
        harness.clock.advance(1);
    }
    assert_eq!(grant(&harness, SECRET_KEY).await, 403);
    assert_eq!(grant(&harness, &new).await, 200);
    // Without an overlap the old one is dead at once.
    let made = rotate(&harness, &json!({"key": "secret"})).await;
    assert_eq!(made["overlaps_until"], Value::Null);
    assert_eq!(grant(&harness, &new).await, 403);
    let path = format!("/v1/keysets/{SUBSCRIBE_KEY}/rotate");
    let body = json!({"key": "secret", "overlap_seconds": 604_801});
    let reply = harness.admin("POST", &path, &body).await;
    assert_eq!(
        (reply.status, &reply.json()["error"]["at"]),
        (400, &json!("overlap_seconds"))
    );
}

/// Attack K03: what was granted with the old keys is dead, and comes back
/// neither by a keyset of the same name nor by switching it off and on.
#[tokio::test]
async fn k03_an_incident_and_a_keyset_made_anew_leave_no_old_token_alive() {
    let harness = Harness::new().await;
    rotate(&harness, &json!({"key": "secret", "overlap_seconds": 600})).await;
    let token = harness.grant_at(NOW, &read_on("room")).await.token();
    assert_eq!(harness.decision(&token, "room").await, "allow");
    let path = format!("/v1/keysets/{SUBSCRIBE_KEY}");
    let reply = harness
        .admin("POST", &format!("{path}/incident"), &json!({}))
        .await;
    let made = reply.json();
    let secret = made["secret_key"].as_str().unwrap();
    assert!(made["until"].as_u64() >= Some(NOW) && made["from"].as_u64() > made["until"].as_u64());
    assert_eq!(harness.decision(&token, "room").await, "revoked");
    assert_eq!(grant(&harness, SECRET_KEY).await, 403);
    harness.clock.advance(1);
    assert_eq!(grant(&harness, secret).await, 200);
    // Off and on again.
    for on in [false, true] {
        let set = json!({"settings": {"access_manager": on}});
        assert_eq!(harness.admin("PATCH", &path, &set).await.status, 200);
        assert_ne!(harness.decision(&token, "room").await, "allow");
    }
    // Deleted, and made anew with the same keys.
    let now = harness.clock_now();
    let fresh = harness
        .admin("POST", &format!("{path}/tokens"), &read_on("room"))
        .await
        .token();
    assert_eq!(harness.decision(&fresh, "room").await, "allow");
    harness.admin("DELETE", &path, &Value::Null).await;
    assert_eq!(harness.decision(&fresh, "room").await, "unknown_keyset");
    harness.create_demo(json!({})).await;
    for token in [&token, &fresh] {
        assert_ne!(harness.decision(token, "room").await, "allow", "at {now}");
    }
    let log = harness.admin("GET", "/v1/audit", &Value::Null).await;
    for event in ["keyset_changed", "keyset_deleted", "\"key\":\"incident\""] {
        assert!(log.body.contains(event), "{event}");
    }
}
