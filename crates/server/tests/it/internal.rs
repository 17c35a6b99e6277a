//! The internal API: who may, what it answers, what it says to mistakes.

use core::net::IpAddr;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use token_core::limits::CHECKS_PER_BATCH_MAX;
use token_server::Caller;

use crate::case_file::cases;
use crate::harness::{Harness, NOW, PUBLISH_KEY, SECRET_KEY, SUBSCRIBE_KEY, read_on};

fn tokens() -> String {
    format!("/v1/keysets/{SUBSCRIBE_KEY}/tokens")
}

fn revocations() -> String {
    format!("/v1/keysets/{SUBSCRIBE_KEY}/revocations")
}

fn keyset() -> String {
    format!("/v1/keysets/{SUBSCRIBE_KEY}")
}

/// The code of an error.
fn code(json: &Value) -> &str {
    json["error"]["code"].as_str().unwrap_or("none")
}

const STRANGER: Caller = Caller::Peer(IpAddr::V4(core::net::Ipv4Addr::new(10, 0, 0, 1)));

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    caller: String,
    #[serde(default = "post")]
    method: String,
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
    status: u16,
    #[serde(default = "none")]
    code: String,
    at: Option<String>,
}

fn post() -> String {
    "POST".to_owned()
}

fn none() -> String {
    "none".to_owned()
}

/// testdata/http/internal.toml: who may, and what is said to mistakes. The
/// error names the field and never quotes the value.
#[tokio::test]
async fn every_case_gets_its_status_code_and_place() {
    let file = include_str!("../../../../testdata/http/internal.toml");
    let cases: Vec<Case> = cases(file, 50);
    let harness = Harness::new().await;
    let rotate = async |key: &str| {
        let path = format!("/v1/{key}-key/rotate");
        let made = harness.admin("POST", &path, &json!({})).await.json();
        made[format!("{key}_key")].as_str().unwrap().to_owned()
    };
    let (admin, verifier) = (rotate("admin").await, rotate("verifier").await);
    for case in &cases {
        let path = case.path.replace("KEYSET", &keyset());
        let headers: Vec<(&str, String)> = case
            .headers
            .iter()
            .map(|(name, value)| {
                let value = value
                    .replace("ADMIN", &admin)
                    .replace("VERIFIER", &verifier);
                (name.as_str(), value)
            })
            .collect();
        let headers: Vec<(&str, &str)> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let caller = match case.caller.as_str() {
            "" | "owner" => Caller::InProcess,
            "stranger" => STRANGER,
            other => panic!("no caller {other}"),
        };
        let reply = harness
            .internal(caller, &case.method, &path, &headers, &case.body)
            .await;
        let json = reply.json();
        let told = (reply.status, code(&json).to_owned());
        assert_eq!(told, (case.status, case.code.clone()), "{}", case.name);
        if let Some(at) = &case.at {
            assert_eq!(json["error"]["at"], at.as_str(), "{}", case.name);
        }
        assert!(!reply.body.contains("canary"), "{}", reply.body);
        assert_eq!(reply.headers["cache-control"], "no-store");
        assert!(!reply.headers.contains_key("access-control-allow-origin"));
    }
    // A new admin key ends the old one.
    rotate("admin").await;
    let bearer = format!("Bearer {admin}");
    let headers = [("authorization", bearer.as_str())];
    let late = harness
        .internal(STRANGER, "GET", "/v1/keysets", &headers, "")
        .await;
    assert_eq!(late.status, 401);
}

#[tokio::test]
async fn a_host_that_is_not_ours_is_421() {
    let harness = Harness::new().await;
    let served = [
        "127.0.0.1:8081",
        "[::1]:8081",
        "[::1]",
        "localhost",
        "LOCALHOST:1",
        "10.1.2.3",
    ];
    let refused = [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example:8081",
        "",
    ];
    for (hosts, status) in [(&served[..], 200), (&refused[..], 421)] {
        for host in hosts {
            let request = http::Request::get("/healthz")
                .header("host", *host)
                .body(token_server::Bytes::new())
                .unwrap();
            let reply = harness.service.internal(STRANGER, request).await;
            assert_eq!(reply.status().as_u16(), status, "{host}");
        }
    }
}

#[tokio::test]
async fn a_check_by_operation_says_what_is_missing_and_what_would_help() {
    let harness = Harness::new().await;
    let token = harness
        .admin("POST", &tokens(), &read_on("room"))
        .await
        .token();
    let mut body = json!({"subscribe_key": SUBSCRIBE_KEY, "token": token,
        "operation": "publish", "channels": ["room"]});
    let denied = harness.admin("POST", "/v1/check", &body).await.json();
    assert_eq!(denied["decision"], "deny");
    assert_eq!(denied["reason"]["code"], "permission_missing");
    let missing = json!([{"kind": "channel", "name": "room", "permissions": ["write"]}]);
    assert_eq!(denied["missing"], missing);
    let mut grant = json!({"ttl": 60, "permissions": denied["remedy"]["grant"]});
    assert_eq!(
        grant["permissions"],
        json!({"resources": {"channels": {"room": 2}}})
    );
    // The remedy, granted, makes exactly this request pass.
    body["token"] = harness
        .admin("POST", &tokens(), &grant.take())
        .await
        .token()
        .into();
    let allowed = harness.admin("POST", "/v1/check", &body).await.json();
    assert_eq!(allowed["decision"], "allow");
    assert_eq!(allowed["matched"][0]["by"], "name");
    assert_eq!(allowed["expires_at"], NOW + 3600);
}

#[tokio::test]
async fn every_way_to_be_denied_is_200_with_a_code() {
    let harness = Harness::new().await;
    let token = harness
        .admin("POST", &tokens(), &read_on("room"))
        .await
        .token();
    let op = |token: &str, key: &str| json!({"subscribe_key": key, "token": token, "operation": "history", "channels": ["room"]});
    let line = |method: &str, path: &str| json!({"token": token, "method": method, "path": path});
    let publish = |key: &str| format!("/publish/{key}/{SUBSCRIBE_KEY}/0/room/0/1");
    let cases = [
        (op(&token, SUBSCRIBE_KEY), "allowed"),
        (op("junk", SUBSCRIBE_KEY), "invalid_token"),
        (op("", SUBSCRIBE_KEY), "invalid_token"),
        (op(&token, "sub-c-nobody"), "unknown_keyset"),
        (
            json!({"subscribe_key": SUBSCRIBE_KEY, "operation": "history", "channels": ["room"]}),
            "token_required",
        ),
        (
            json!({"subscribe_key": SUBSCRIBE_KEY, "operation": "time"}),
            "allowed",
        ),
        (json!({"method": "GET", "path": "/time/0"}), "allowed"),
        // Some SDKs send the token there, too; a bad one is always denied.
        (line("GET", "/time/0"), "allowed"),
        (line("GET", "/time/0?auth=junk"), "ambiguous_request"),
        (
            json!({"method": "GET", "path": "/time/0?auth=junk"}),
            "invalid_token",
        ),
        (
            line("GET", &format!("/v2/subscribe/{SUBSCRIBE_KEY}/room/0")),
            "allowed",
        ),
        (
            line("GET", &format!("/v2/subscribe/{SUBSCRIBE_KEY}/room,x/0")),
            "permission_missing",
        ),
        (
            line("GET", "/v2/subscribe/sub-c-nobody/room/0"),
            "unknown_keyset",
        ),
        (line("GET", &publish(PUBLISH_KEY)), "permission_missing"),
        (line("GET", &publish("pub-c-other")), "wrong_keyset"),
        (line("BREW", "/coffee"), "unknown_operation"),
    ];
    for (body, expected) in cases {
        let reply = harness.admin("POST", "/v1/check", &body).await;
        assert_eq!(reply.status, 200);
        let decision = reply.json();
        assert_eq!(decision["reason"]["code"], expected, "{body}");
        // There whatever the decision, so that nobody has to ask first.
        assert!(decision["missing"].is_array(), "{decision}");
        assert!(decision["matched"].is_array(), "{decision}");
    }
    let mut contradicting = line(
        "GET",
        &format!("/v2/subscribe/{SUBSCRIBE_KEY}/room/0?uuid=a"),
    );
    contradicting["uuid"] = "b".into();
    let reply = harness
        .admin("POST", "/v1/check", &contradicting)
        .await
        .json();
    assert_eq!(reply["reason"]["code"], "ambiguous_request");
}

#[tokio::test]
async fn a_batch_answers_each_check_by_itself() {
    let harness = Harness::new().await;
    let token = harness
        .admin("POST", &tokens(), &read_on("room"))
        .await
        .token();
    let good = json!({"subscribe_key": SUBSCRIBE_KEY, "token": token, "operation": "history", "channels": ["room"]});
    let body = json!({"checks": [good, {"operation": 5}, good, "x"]});
    let results = harness.admin("POST", "/v1/check/batch", &body).await.json();
    let results = results["results"].as_array().unwrap();
    assert_eq!(results[0]["decision"], "allow");
    assert_eq!(results[1]["error"]["at"], "checks[1].operation");
    assert_eq!(results[2]["decision"], "allow");
    assert_eq!(results[3]["error"]["at"], "checks[3]");
    let many = |n: usize| json!({"checks": vec![json!({}); n]});
    assert_eq!(
        harness
            .admin("POST", "/v1/check/batch", &many(CHECKS_PER_BATCH_MAX))
            .await
            .status,
        200
    );
    let refused = harness
        .admin("POST", "/v1/check/batch", &many(CHECKS_PER_BATCH_MAX + 1))
        .await;
    assert_eq!(code(&refused.json()), "too_many_items");
}

#[tokio::test]
async fn a_native_grant_takes_names_warns_and_can_be_tried() {
    let harness = Harness::new().await;
    let mut body = json!({"ttl": 60, "permissions": {
        "resources": {"channels": {"room": ["read", "write"]}, "groups": {"g": ["read", "write"]}},
        "patterns": {"channels": {"room-": 1, ".*": 1, "^a$": 1}},
        "categories": {"uuids": ["get"]}, "meta": {"a": {"b": 1}}}});
    let granted = harness.admin("POST", &tokens(), &body).await.json();
    let warned: Vec<&str> = granted["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|w| w["code"].as_str().unwrap())
        .collect();
    let expected = [
        "matches_everything",
        "unanchored_pattern",
        "unused_permissions",
        "nested_meta",
    ];
    assert_eq!(warned, expected);
    assert_eq!(granted["id"].as_str().unwrap().len(), 32);
    assert!(granted.get("already_revoked").is_none());
    body["dry_run"] = true.into();
    let tried = harness.admin("POST", &tokens(), &body).await.json();
    assert_eq!(tried["dry_run"], true);
    assert_eq!(tried["expires_at"], NOW + 3600);
    assert!(tried.get("token").is_none());
    // Equal grants in one second are one token.
    let token = harness
        .admin("POST", &tokens(), &read_on("x"))
        .await
        .token();
    harness.revoke(&token).await;
    let again = harness.admin("POST", &tokens(), &read_on("x")).await.json();
    assert_eq!(
        (again["token"].as_str(), &again["already_revoked"]),
        (Some(&*token), &json!(true))
    );
    let off = json!({"settings": {"access_manager": false}});
    harness.admin("PATCH", &keyset(), &off).await;
    let refused = harness.admin("POST", &tokens(), &read_on("x")).await;
    assert_eq!(
        (refused.status, code(&refused.json())),
        (403, "access_manager_disabled")
    );
}

#[tokio::test]
async fn tokens_are_revoked_by_text_id_uuid_and_all_at_once() {
    let harness = Harness::new().await;
    let grant = async |room: &str, uuid: Option<&str>| {
        let mut body = read_on(room);
        if let Some(uuid) = uuid {
            body["permissions"]["uuid"] = uuid.into();
        }
        harness.admin("POST", &tokens(), &body).await.json()
    };
    let status = async |granted: &Value| {
        let body = json!({"token": granted["token"], "subscribe_key": SUBSCRIBE_KEY});
        let json = harness.admin("POST", "/v1/verify", &body).await.json();
        json["status"].as_str().unwrap().to_owned()
    };
    let [a, b] = [grant("a", None).await, grant("b", None).await];
    let [alice, bob] = [
        grant("c", Some("alice")).await,
        grant("c", Some("bob")).await,
    ];
    let batch = json!({"revocations": [
        {"token": a["token"]}, {"token": "junk"}, {"id": b["id"], "expires_at": b["expires_at"]}, {"uuid": "alice"}]});
    let reply = harness.admin("POST", &revocations(), &batch).await.json();
    let results = reply["results"].as_array().unwrap();
    assert_eq!(results[0]["id"], a["id"]);
    assert_eq!(results[0]["already_revoked"], false);
    assert_eq!(code(&results[1]), "invalid_token");
    assert_eq!(results[2]["kind"], "token");
    assert_eq!(
        (&results[3]["uuid"], &results[3]["until"]),
        (&json!("alice"), &json!(NOW))
    );
    for (granted, expected) in [
        (&a, "revoked"),
        (&b, "revoked"),
        (&alice, "revoked"),
        (&bob, "valid"),
    ] {
        assert_eq!(status(granted).await, expected);
    }
    let again = harness
        .admin("POST", &revocations(), &json!({"token": a["token"]}))
        .await
        .json();
    assert_eq!(again["already_revoked"], true);
    let all = harness
        .admin("POST", &revocations(), &json!({"all": true}))
        .await
        .json();
    assert_eq!(
        (&all["kind"], &all["until"]),
        (&json!("keyset"), &json!(NOW))
    );
    assert_eq!(status(&bob).await, "revoked");
    harness.clock.advance(3_600);
    assert_eq!(status(&bob).await, "expired");
    let late = harness
        .admin("POST", &revocations(), &json!({"token": bob["token"]}))
        .await
        .json();
    assert_eq!(late["expired"], true);
}

#[tokio::test]
async fn revocations_are_listed_page_by_page_each_once() {
    let harness = Harness::new().await;
    let id = |n: u8| json!({"id": format!("{n:032x}"), "expires_at": NOW + 60});
    let items = [id(1), id(2), json!({"uuid": "alice"}), json!({"all": true})];
    harness
        .admin("POST", &revocations(), &json!({"revocations": items}))
        .await;
    let (mut listed, mut after) = (Vec::new(), String::new());
    loop {
        let path = format!("{}?limit=1{after}", revocations());
        let page = harness.admin("GET", &path, &Value::Null).await.json();
        let items = page["revocations"].as_array().unwrap();
        assert!(items.len() <= 1);
        let kinds = items
            .iter()
            .map(|item| item["kind"].as_str().unwrap().to_owned());
        listed.extend(kinds);
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    listed.sort();
    assert_eq!(listed, ["keyset", "token", "token", "uuid"]);
}

#[tokio::test]
async fn keysets_are_made_changed_and_deleted() {
    let harness = Harness::new().await;
    let made = harness
        .admin("POST", "/v1/keysets", &json!({"name": "second"}))
        .await;
    let json = made.json();
    assert_eq!(made.status, 201);
    assert!(json["secret_key"].as_str().unwrap().starts_with("sec-"));
    let shown = harness.admin("GET", &keyset(), &Value::Null).await;
    assert!(!shown.body.contains(SECRET_KEY));
    assert_eq!(shown.json()["keyset"]["settings"]["max_ttl"], 43_200);
    let list = harness.admin("GET", "/v1/keysets", &Value::Null).await;
    assert_eq!(list.json()["keysets"].as_array().unwrap().len(), 2);
    let path = keyset();
    let changed = harness
        .admin("PATCH", &path, &json!({"settings": {"max_ttl": 60}}))
        .await
        .json();
    assert_eq!(changed["keyset"]["settings"]["max_ttl"], 60);
    assert_eq!(
        changed["keyset"]["version"],
        shown.json()["keyset"]["version"].as_u64().unwrap() + 1
    );
    let token = harness
        .admin("POST", &tokens(), &read_on("room"))
        .await
        .token();
    let deleted = harness.admin("DELETE", &path, &Value::Null).await.json();
    assert_eq!(deleted["deleted"], SUBSCRIBE_KEY);
    assert_eq!(harness.decision(&token, "room").await, "unknown_keyset");
    let gone = harness.admin("POST", &tokens(), &read_on("room")).await;
    assert_eq!((gone.status, code(&gone.json())), (404, "unknown_keyset"));
}

#[tokio::test]
async fn keys_are_rotated_with_notice_at_once_and_in_an_emergency() {
    let harness = Harness::new().await;
    let before = harness
        .admin("POST", &tokens(), &read_on("room"))
        .await
        .token();
    let rotate = format!("{}/rotate", keyset());
    let rotated = harness
        .admin("POST", &rotate, &json!({"key": "signing"}))
        .await
        .json();
    assert_eq!(rotated["from"], NOW + 245);
    assert_eq!(
        rotated["keyset"]["signing_keys"].as_array().unwrap().len(),
        2
    );
    let pending = harness
        .admin("POST", &rotate, &json!({"key": "signing"}))
        .await;
    assert_eq!(
        (pending.status, code(&pending.json())),
        (409, "rotation_pending")
    );
    assert_eq!(harness.decision(&before, "room").await, "allow");
    let secret = harness
        .admin("POST", &rotate, &json!({"key": "secret"}))
        .await
        .json();
    assert!(secret["secret_key"].as_str().unwrap().starts_with("sec-"));
    assert_eq!(harness.grant_at(NOW, &read_on("room")).await.status, 403);
    let emergency = harness
        .admin("POST", &rotate, &json!({"key": "emergency"}))
        .await
        .json();
    assert_eq!(emergency["until"], NOW);
    assert_eq!(harness.decision(&before, "room").await, "revoked");
    let fresh = harness
        .admin("POST", &tokens(), &read_on("room"))
        .await
        .token();
    assert_eq!(harness.decision(&fresh, "room").await, "allow");
}

#[tokio::test]
async fn the_dialect_is_404_until_there_is_a_keyset() {
    let harness = Harness::empty();
    assert_eq!(harness.grant_at(NOW, &read_on("room")).await.status, 404);
    assert_eq!(
        harness.admin("GET", "/readyz", &Value::Null).await.status,
        503
    );
    harness.create(SUBSCRIBE_KEY, SECRET_KEY, json!({})).await;
    assert_eq!(harness.grant_at(NOW, &read_on("room")).await.status, 200);
    assert_eq!(
        harness.admin("GET", "/readyz", &Value::Null).await.status,
        200
    );
    assert!(harness.dir.path().exists());
}

/// A keyset that lowered `max_ttl` has tokens that live longer: a revocation by
/// id alone must outlast them, or pruning would revive one.
#[tokio::test]
async fn a_revocation_by_id_outlasts_every_token_of_the_keyset() {
    let harness = Harness::new().await;
    let keyset = format!("/v1/keysets/{SUBSCRIBE_KEY}");
    let lower = json!({"settings": {"max_ttl": 5}});
    assert_eq!(harness.admin("PATCH", &keyset, &lower).await.status, 200);
    let revoke = json!({"id": "0".repeat(32)});
    let path = format!("{keyset}/revocations");
    let answer = harness.admin("POST", &path, &revoke).await.json();
    let kept_until = answer["expires_at"].as_u64().unwrap();
    assert_eq!(kept_until, NOW + 43_200 * 60 + 125);
}
