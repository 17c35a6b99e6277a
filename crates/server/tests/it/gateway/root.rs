//! Requests that are signed with the secret key.

use serde::Deserialize;
use serde_json::json;
use token_server::Upstream;

use crate::case_file::cases;
use crate::harness::{Harness, NOW, PUBLISH_KEY, SECRET_KEY, SUBSCRIBE_KEY, read_on, signed};

#[derive(Deserialize)]
struct Case {
    name: String,
    method: String,
    /// With its signature.
    target: String,
    #[serde(default)]
    body: String,
    /// The status of the answer.
    status: u16,
    /// The same where unsigned bodies of a publish are not taken; as `status`
    /// if absent.
    strict: Option<u16>,
}

/// contract 1.2, contract 1.3, contract 1.4 and contract 1.5, attacks S03 and
/// S06.
#[tokio::test]
async fn a_signature_is_taken_only_where_it_covers_what_it_must() {
    let text = include_str!("../../../../../testdata/gateway/root.toml");
    let lenient = Harness::behind(Upstream::Sandbox).await;
    let strict = Harness::behind(Upstream::Sandbox).await;
    let settings = json!({"settings": {"accept_unsigned_publish_body": false}});
    let path = format!("/v1/keysets/{SUBSCRIBE_KEY}");
    assert_eq!(strict.admin("PATCH", &path, &settings).await.status, 200);
    for case in cases::<Case>(text, 20) {
        let rows = [
            (&lenient, case.status),
            (&strict, case.strict.unwrap_or(case.status)),
        ];
        for (harness, status) in rows {
            let reply = harness
                .public(&case.method, &case.target, &[], &case.body)
                .await;
            assert_eq!(reply.status, status, "{}: {}", case.name, reply.body);
        }
    }
}

async fn root(harness: &Harness, method: &str, path: &str, query: &str, body: &str) -> u16 {
    let target = signed(SECRET_KEY, method, path, query, body);
    harness.public(method, &target, &[], body).await.status
}

#[tokio::test]
async fn the_secret_key_may_do_what_no_token_may() {
    let harness = Harness::behind(Upstream::Sandbox).await;
    let now = format!("timestamp={NOW}");
    for path in [
        "/v2/presence/sub-key/sub-c-demo",
        "/v1/channel-registration/sub-key/sub-c-demo/channel-group",
        "/v2/objects/sub-c-demo/uuids",
        "/v1/datasync/subkeys/sub-c-demo/entities",
    ] {
        assert_eq!(root(&harness, "GET", path, &now, "").await, 200, "{path}");
    }
    let memberships = "/v2/objects/sub-c-demo/uuids/a/channels";
    let body = r#"{"set":[{"channel":{"id":"room"}}]}"#;
    assert_eq!(root(&harness, "PATCH", memberships, &now, body).await, 200);
    // The body is under the signature.
    let target = signed(SECRET_KEY, "PATCH", memberships, &now, body);
    let other = body.replace("room", "mine");
    assert_eq!(
        harness.public("PATCH", &target, &[], &other).await.status,
        403
    );
}

#[tokio::test]
async fn a_signature_lives_for_a_minute_around_its_timestamp() {
    let harness = Harness::behind(Upstream::Sandbox).await;
    let path = "/v2/presence/sub-key/sub-c-demo";
    let at = |timestamp: u64| format!("timestamp={timestamp}");
    for (timestamp, status) in [
        (NOW - 60, 200),
        (NOW + 60, 200),
        (NOW - 61, 400),
        (NOW + 61, 400),
    ] {
        assert_eq!(
            root(&harness, "GET", path, &at(timestamp), "").await,
            status
        );
    }
    assert_eq!(root(&harness, "GET", path, "uuid=a", "").await, 400);
    assert_eq!(
        root(&harness, "GET", path, &format!("timestamp=+{NOW}"), "").await,
        400
    );
}

/// A request with `signature` is judged by it alone, except in DataSync, where
/// two credentials are refused (contract 10.4).
#[tokio::test]
async fn a_signature_wins_over_a_token_and_never_falls_back_to_it() {
    let harness = Harness::behind(Upstream::Sandbox).await;
    let token = harness.grant_at(NOW, &read_on("room")).await.token();
    let token = token.replace('=', "%3D");
    let path = "/v3/history/sub-key/sub-c-demo/channel/room";
    let query = |token: &str| format!("auth={token}&timestamp={NOW}");
    assert_eq!(root(&harness, "GET", path, &query("bad"), "").await, 200);
    let wrong = signed("sec-c-wrong", "GET", path, &query(&token), "");
    let reply = harness.public("GET", &wrong, &[], "").await;
    let body = "{\"error\":true,\"status\":403,\"service\":\"Access Manager\",\
                \"message\":\"Signature does not match\"}\n";
    assert_eq!((reply.status, reply.body.as_str()), (403, body));
    let empty = format!("{path}?{}&signature=", query(&token));
    assert_eq!(harness.public("GET", &empty, &[], "").await.status, 403);
    let datasync = "/v1/datasync/subkeys/sub-c-demo/users/alice";
    let both = signed(SECRET_KEY, "GET", datasync, &query(&token), "");
    let reply = harness.public("GET", &both, &[], "").await;
    let body = r#"{"errors":[{"errorCode":"DS-0201","message":"`auth` and `signature` exclude each other"}]}"#;
    assert_eq!((reply.status, reply.body.as_str()), (403, body));
    let neither = harness.public("GET", datasync, &[], "").await;
    let body =
        r#"{"errors":[{"errorCode":"DS-0203","message":"a token or a signature is required"}]}"#;
    assert_eq!((neither.status, neither.body.as_str()), (401, body));
}

#[tokio::test]
async fn an_unknown_keyset_and_a_wrong_signature_are_one_answer() {
    let harness = Harness::behind(Upstream::Sandbox).await;
    let mut replies = Vec::new();
    for subscribe_key in [SUBSCRIBE_KEY, "sub-c-unknown"] {
        let path = format!("/v2/presence/sub-key/{subscribe_key}");
        let target = signed("sec-c-wrong", "GET", &path, &format!("timestamp={NOW}"), "");
        let reply = harness.public("GET", &target, &[], "").await;
        replies.push((reply.status, reply.headers, reply.body));
    }
    assert_eq!(replies[0], replies[1]);
    assert_eq!(replies[0].0, 403);
}

#[tokio::test]
async fn a_publish_key_of_another_keyset_is_refused() {
    let harness = Harness::behind(Upstream::Sandbox).await;
    let grant = json!({"ttl": 60, "permissions": {"resources": {"channels": {"room": 2}}}});
    let token = harness
        .grant_at(NOW, &grant)
        .await
        .token()
        .replace('=', "%3D");
    let path = format!("/publish/pub-c-other/{SUBSCRIBE_KEY}/0/room/0/1");
    let invalid = format!("[0,\"Invalid Key\",\"{NOW}0000000\"]");
    for target in [
        format!("{path}?auth={token}"),
        path.clone(),
        signed(SECRET_KEY, "GET", &path, &format!("timestamp={NOW}"), ""),
    ] {
        let reply = harness.public("GET", &target, &[], "").await;
        assert_eq!((reply.status, reply.body.as_str()), (400, invalid.as_str()));
    }
    let own = path.replace("pub-c-other", PUBLISH_KEY);
    let reply = harness
        .public("GET", &format!("{own}?auth={token}"), &[], "")
        .await;
    assert_eq!(reply.status, 200);
}

/// The documented flat bodies of tokens that are no longer, or never were, any
/// good (contract 6, contract 9).
#[tokio::test]
async fn every_bad_token_has_its_own_answer() {
    let harness = Harness::behind(Upstream::Sandbox).await;
    let bound =
        json!({"ttl": 1, "permissions": {"uuid": "alice", "resources": {"channels": {"room": 1}}}});
    let bound = harness
        .grant_at(NOW, &bound)
        .await
        .token()
        .replace('=', "%3D");
    let revoked = harness.grant_at(NOW, &read_on("room")).await.token();
    assert_eq!(harness.revoke(&revoked).await.status, 200);
    let revoked = revoked.replace('=', "%3D");
    let mut forged = bound.clone();
    let last = forged.replace("%3D", "").len() - 3;
    let other = if forged.as_bytes()[last] == b'A' {
        "B"
    } else {
        "A"
    };
    forged.replace_range(last..=last, other);
    let flat = |message: &str| {
        format!(
            "{{\"error\":true,\"status\":403,\"service\":\"Access Manager\",\"message\":\"{message}\"}}\n"
        )
    };
    let path = "/v2/subscribe/sub-c-demo/room/0";
    let ask = async |token: &str, uuid: &str| {
        let target = format!("{path}?uuid={uuid}&auth={token}");
        let reply = harness.public("GET", &target, &[], "").await;
        let cause = reply
            .headers
            .get("x-pn-cause")
            .map(|cause| cause.to_str().unwrap().to_owned());
        (reply.status, reply.body, cause.unwrap_or_default())
    };
    assert_eq!(ask(&bound, "alice").await.0, 200);
    let rows = [
        (
            ask(&bound, "bob").await,
            "Token is bound to another uuid",
            "4003",
        ),
        (ask(&revoked, "alice").await, "Token is revoked", "4001"),
        (ask(&forged, "alice").await, "Invalid token", "4004"),
        (ask("p0F2", "alice").await, "Invalid token", "4004"),
        (ask("", "alice").await, "Invalid token", "4004"),
    ];
    for ((status, body, cause), message, number) in rows {
        assert_eq!((status, body, cause.as_str()), (403, flat(message), number));
    }
    harness.clock.advance(60);
    let (status, body, cause) = ask(&bound, "alice").await;
    assert_eq!(
        (status, body, cause.as_str()),
        (403, flat("Token is expired."), "4002")
    );
    let unknown = harness
        .public("GET", "/v2/subscribe/sub-c-other/room/0", &[], "")
        .await;
    let body = r#"{"message":"Invalid Subscribe Key","error":true,"service":"Access Manager","status":400}"#;
    assert_eq!((unknown.status, unknown.body.as_str()), (400, body));
    let unknown = "/v1/datasync/subkeys/sub-c-other/users/alice?auth=x";
    let unknown = harness.public("GET", unknown, &[], "").await;
    let body = r#"{"errors":[{"errorCode":"DS-0100","message":"Invalid Subscribe Key"}]}"#;
    assert_eq!((unknown.status, unknown.body.as_str()), (404, body));
}
