//! Attack H06: no token, key or signature in any log, and in no answer but the
//! one that hands it out.

use serde_json::{Value, json};
use token_server::Caller;

use crate::harness::{
    Harness, NOW, SECRET_KEY, SUBSCRIBE_KEY, grant_path, query_at, read_on, signature, signed,
};
use crate::log::Log;

#[tokio::test]
async fn no_secret_reaches_a_log_or_an_answer_that_is_not_its_own() {
    let log = Log::of_this_thread();
    let harness = Harness::new().await;
    let made = harness
        .admin("POST", "/v1/admin-key/rotate", &json!({}))
        .await
        .json();
    let admin_key = made["admin_key"].as_str().unwrap().to_owned();
    let token = harness.grant_at(NOW, &read_on("room")).await.token();
    let grant_body = read_on("room").to_string();
    let mac = signature(
        SECRET_KEY,
        "POST",
        &grant_path(),
        &query_at(NOW),
        &grant_body,
    );
    let canaries = [
        SECRET_KEY,
        &admin_key,
        &token,
        token.trim_end_matches('='),
        &mac,
    ];
    let mut answers = Vec::new();
    go_astray_in_public(&harness, &token, &mac, &mut answers).await;
    go_astray_inside(&harness, &token, &admin_key, &mut answers).await;
    let log = log.text();
    // The log is not silent: it names the token by its id.
    assert!(
        log.contains("token issued") && log.contains("token revoked"),
        "{log}"
    );
    assert!(answers.len() > 600);
    for canary in canaries {
        assert!(!log.contains(canary), "{canary} is in the log");
        let leak = answers.iter().find(|answer| answer.contains(canary));
        assert_eq!(leak, None);
    }
    // Every record is one line.
    assert!(log.lines().all(|line| line.contains("INFO")
        || line.contains("WARN")
        || line.contains("ERROR")
        || line.contains("DEBUG")
        || line.contains("TRACE")));
}

async fn go_astray_in_public(harness: &Harness, token: &str, mac: &str, answers: &mut Vec<String>) {
    let grant_body = read_on("room").to_string();
    let escaped = token.replace('=', "%3D");
    let headers = [("content-type", "application/json")];
    // On the public listener, in every place where they may go astray.
    let targets = public_targets(mac, &escaped);
    for target in &targets {
        for method in ["POST", "GET", "DELETE"] {
            answers.push(
                harness
                    .public(method, target, &headers, &grant_body)
                    .await
                    .body,
            );
        }
    }
    for body in [
        token,
        SECRET_KEY,
        &format!("[\"{token}\"]"),
        &format!("{{\"ttl\":\"{token}\"}}"),
    ] {
        let target = signed(SECRET_KEY, "POST", &grant_path(), &query_at(NOW), body);
        answers.push(harness.public("POST", &target, &headers, body).await.body);
    }
    answers.push(harness.revoke(&format!("{token}x")).await.body);
    answers.push(harness.revoke(token).await.body);
}

async fn go_astray_inside(
    harness: &Harness,
    token: &str,
    admin_key: &str,
    answers: &mut Vec<String>,
) {
    let escaped = token.replace('=', "%3D");
    // On the internal one.
    let bodies = internal_bodies(token, &escaped);
    let paths = internal_paths(&escaped);
    let bearer = format!("Bearer {admin_key}");
    let stranger = Caller::Peer([10, 0, 0, 1].into());
    for path in &paths {
        for body in &bodies {
            let body = body.to_string();
            for method in ["POST", "PATCH", "GET"] {
                let headers = [("authorization", bearer.as_str())];
                answers.push(
                    harness
                        .internal(stranger, method, path, &headers, &body)
                        .await
                        .body,
                );
                let headers = [
                    ("authorization", "Bearer x"),
                    ("x-usher-verifier-key", admin_key),
                ];
                answers.push(
                    harness
                        .internal(stranger, method, path, &headers, &body)
                        .await
                        .body,
                );
            }
        }
    }
}

/// Requests to the public listener with secrets where they may go astray.
fn public_targets(mac: &str, escaped: &str) -> [String; 8] {
    [
        signed(
            "sec-c-wrong-0123456789",
            "POST",
            &grant_path(),
            &query_at(NOW),
            &read_on("room").to_string(),
        ),
        format!("{}?{}&signature={mac}x", grant_path(), query_at(NOW)),
        format!("{}?timestamp=1&signature={mac}", grant_path()),
        format!(
            "{}?{}&signature={mac}&secretKey={SECRET_KEY}",
            grant_path(),
            query_at(NOW)
        ),
        format!(
            "{}?{}&auth={escaped}&auth={escaped}&signature={mac}",
            grant_path(),
            query_at(NOW)
        ),
        format!("/v3/pam/{SUBSCRIBE_KEY}/{escaped}?signature={mac}"),
        format!(
            "/v3/pam/{SECRET_KEY}/grant?{}&signature={mac}",
            query_at(NOW)
        ),
        format!("/{escaped}"),
    ]
}

/// Bodies with secrets in every field.
fn internal_bodies(token: &str, escaped: &str) -> Vec<Value> {
    let line = format!("/v2/history/sub-key/{SUBSCRIBE_KEY}/channel/room?auth={escaped}");
    vec![
        json!({"subscribe_key": SUBSCRIBE_KEY, "token": token, "operation": "history", "channels": ["room"]}),
        json!({"subscribe_key": SUBSCRIBE_KEY, "token": [token], "operation": "history"}),
        json!({"subscribe_key": token, "token": token, "operation": token}),
        json!({"method": "GET", "path": line}),
        json!({"method": "GET", "path": format!("{line}&auth={escaped}")}),
        json!({"token": token}),
        json!({"id": token}),
        json!({"all": token}),
        json!({"revocations": [{"token": format!("{token}x")}]}),
        json!({"ttl": token, "permissions": SECRET_KEY}),
        json!({"name": "n", "subscribe_key": "s", "secret_key": SECRET_KEY, "publish_key": 5}),
        json!({"settings": {"max_ttl": SECRET_KEY}}),
        json!({"key": SECRET_KEY}),
        json!({"key": "signing"}),
        json!({"settings": {}}),
    ]
}

/// Every route, and secrets in a path.
fn internal_paths(escaped: &str) -> Vec<String> {
    let keyset = format!("/v1/keysets/{SUBSCRIBE_KEY}");
    vec![
        "/v1/check".to_owned(),
        "/v1/verify".to_owned(),
        "/v1/keysets".to_owned(),
        format!("{keyset}/tokens"),
        format!("{keyset}/revocations"),
        format!("{keyset}/rotate"),
        keyset,
        format!("/v1/keysets/{escaped}/tokens"),
        format!("/v1/keysets/{escaped}/rotate"),
        format!("/v1/keysets/{escaped}"),
        format!("/v1/{escaped}"),
    ]
}
