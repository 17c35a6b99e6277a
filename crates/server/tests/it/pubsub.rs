//! PubSub and Chat tokens: the contract row by row (signalwire 1 to 6), and the
//! attacks on Basic and JWT that concern them (B01, B02, B03, J01, J03, T09, T13).

use core::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use token_server::{Bytes, Caller, Server};

use crate::case_file::cases;
use crate::harness::{Harness, NOW, Reply, SUBSCRIBE_KEY, TestClock, read_on};
use crate::sockets::{config, send};

const PROJECT: &str = "7b981d06-0000-4000-8000-000000000001";
const API_TOKEN: &str = "PTcanarycanary0123456789";
const PUBSUB: &str = "/api/pubsub/tokens";
const CHAT: &str = "/api/chat/tokens";

fn basic(credentials: &str) -> String {
    format!("Basic {}", STANDARD.encode(credentials))
}

fn right() -> String {
    basic(&format!("{PROJECT}:{API_TOKEN}"))
}

fn wanted() -> Value {
    json!({"ttl": 15, "channels": {"room": {"read": true, "write": false}, "both": {"read": true,
        "write": true}}, "member_id": "alice"})
}

async fn add(harness: &Harness, body: Value) -> Value {
    let path = format!("/v1/keysets/{SUBSCRIBE_KEY}/api-tokens");
    let reply = harness.admin("POST", &path, &body).await;
    assert_eq!(reply.status, 201, "{}", reply.body);
    reply.json()
}

/// A keyset with a project that may ask for both.
async fn world() -> Harness {
    let harness = Harness::new().await;
    add(&harness, json!({"project_id": PROJECT, "token": API_TOKEN})).await;
    harness
}

async fn ask_as(harness: &Harness, path: &str, authorization: &str, body: &str) -> Reply {
    let headers = [
        ("authorization", authorization),
        ("content-type", "application/json"),
    ];
    harness.public("POST", path, &headers, body).await
}

async fn token_of(harness: &Harness, path: &str, body: &Value) -> String {
    let reply = ask_as(harness, path, &right(), &body.to_string()).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let json = reply.json();
    assert_eq!(
        json.as_object().unwrap().len(),
        1,
        "a token, and nothing else"
    );
    json["token"].as_str().unwrap().to_owned()
}

fn segment(token: &str, at: usize) -> Value {
    let text = token.split('.').nth(at).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
}

async fn check(
    harness: &Harness,
    token: &str,
    uuid: &str,
    operation: &str,
    channel: &str,
) -> String {
    let body = json!({"subscribe_key": SUBSCRIBE_KEY, "token": token, "uuid": uuid,
        "operation": operation, "channels": [channel]});
    let reply = harness.admin("POST", "/v1/check", &body).await;
    reply.json()["reason"]["code"].as_str().unwrap().to_owned()
}

async fn revoke(harness: &Harness, body: &Value) -> Reply {
    let path = format!("/v1/keysets/{SUBSCRIBE_KEY}/revocations");
    harness.admin("POST", &path, body).await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    product: Option<String>,
    #[serde(default)]
    body: Map<String, Value>,
    #[serde(default)]
    without: Vec<String>,
    raw: Option<String>,
    channels: Option<usize>,
    name_length: Option<usize>,
    letter: Option<String>,
    member_length: Option<usize>,
    state_length: Option<usize>,
    status: u16,
    error: Option<String>,
    #[serde(default)]
    errors: Vec<(String, String)>,
}

impl Case {
    fn text(&self) -> String {
        if let Some(raw) = &self.raw {
            return raw.clone();
        }
        let mut body = wanted();
        let fields = body.as_object_mut().unwrap();
        fields.extend(self.body.clone());
        if let (Some(count), Some(length)) = (self.channels, self.name_length) {
            let letter = self.letter.as_deref().unwrap_or("n");
            let name = |n: usize| format!("{}{n:03}", letter.repeat(length.saturating_sub(3)));
            let names = (0..count).map(|n| (name(n), json!({"write": true})));
            fields.insert("channels".to_owned(), Value::Object(names.collect()));
        }
        if let Some(length) = self.member_length {
            fields.insert("member_id".to_owned(), "ü".repeat(length).into());
        }
        if let Some(length) = self.state_length {
            fields.insert(
                "state".to_owned(),
                json!({"k": "ü".repeat(length.saturating_sub(8))}),
            );
        }
        for field in &self.without {
            fields.remove(field);
        }
        body.to_string()
    }
}

/// signalwire 1, signalwire 3, signalwire 4
#[tokio::test]
async fn every_request_gets_its_answer() {
    let harness = world().await;
    let cases: Vec<Case> = cases(include_str!("../../../../testdata/http/pubsub.toml"), 40);
    for case in cases {
        let products = match case.product.as_deref() {
            None => vec![PUBSUB, CHAT],
            Some("pubsub") => vec![PUBSUB],
            Some(_) => vec![CHAT],
        };
        for path in products {
            let reply = ask_as(&harness, path, &right(), &case.text()).await;
            let name = &case.name;
            assert_eq!(reply.status, case.status, "{name}: {}", reply.body);
            let json = reply.json();
            if reply.status == 200 {
                let token = json["token"].as_str().unwrap();
                let body = json!({ "token": token });
                let verified = harness.admin("POST", "/v1/verify", &body).await.json();
                assert_eq!(verified["status"], "valid", "{name}: {verified}");
            } else if let Some(error) = &case.error {
                assert_eq!(json, json!({ "error": error }), "{name}");
            } else {
                let items = json["errors"].as_array().unwrap().iter().map(|item| {
                    assert_eq!(item["type"], "validation_error", "{name}");
                    assert_eq!(item.as_object().unwrap().len(), 5, "{name}");
                    assert!(!item["message"].as_str().unwrap().is_empty());
                    assert!(item["url"].as_str().unwrap().starts_with("https://"));
                    let text = |field: &str| item[field].as_str().unwrap().to_owned();
                    (text("code"), text("attribute"))
                });
                assert_eq!(items.collect::<Vec<_>>(), case.errors, "{name}");
            }
        }
    }
}

/// signalwire 5: the claims of the contract, and `exp`, `iss`, `aud` beside them.
#[tokio::test]
async fn a_token_says_what_the_contract_says() {
    let harness = world().await;
    let body = json!({"ttl": 15, "channels": {"b": {"read": true}, "a": {"write": true}},
        "member_id": "John Doe", "state": {"z": 1.50, "a": "x"}});
    let text = body.to_string().replace("1.5", "1.50");
    let reply = ask_as(&harness, CHAT, &right(), &text).await;
    let token = reply.json()["token"].as_str().unwrap().to_owned();
    let header = segment(&token, 0);
    let kid = header["kid"].as_str().unwrap();
    assert!(kid.starts_with(PROJECT), "{kid}");
    assert_eq!(header, json!({"typ": "CRT", "alg": "HS512", "kid": kid}));
    let claims = segment(&token, 1);
    let jti = claims["jti"].as_str().unwrap();
    assert_eq!(
        (jti.len(), jti.chars().nth(14)),
        (36, Some('4')),
        "a random UUID"
    );
    assert_eq!(
        claims,
        json!({"iat": NOW, "jti": jti, "sub": PROJECT, "t": 15, "exp": NOW + 900, "aud": "chat",
            "chls": {"a": {"read": false, "write": true}, "b": {"read": true, "write": false}},
            "stt": {"a": "x", "z": 1.5}, "m": "John Doe", "iss": claims["iss"]})
    );
    let signature = token.split('.').nth(2).unwrap();
    assert_eq!(URL_SAFE_NO_PAD.decode(signature).unwrap().len(), 64);
    // What is left out: a random member, an empty state.
    let token = token_of(
        &harness,
        PUBSUB,
        &json!({"ttl": 1, "channels": {"a": {"read": true}}}),
    )
    .await;
    let claims = segment(&token, 1);
    assert_eq!(
        (&claims["stt"], &claims["aud"]),
        (&json!({}), &json!("pubsub"))
    );
    assert_eq!(claims["m"].as_str().unwrap().len(), 36);
}

/// signalwire 2; B01, B02: anything but exactly the credentials is 401 in the same
/// words, and two headers are 400.
#[tokio::test]
async fn only_the_credentials_open_the_dialect() {
    let harness = world().await;
    let good = wanted().to_string();
    let upper = PROJECT.to_ascii_uppercase();
    for authorization in [
        right(),
        right().replace("Basic", "basic"),
        right().replace("Basic", "BASIC"),
        basic(&format!("{upper}:{API_TOKEN}")),
    ] {
        let reply = ask_as(&harness, PUBSUB, &authorization, &good).await;
        assert_eq!(reply.status, 200, "{authorization}: {}", reply.body);
    }
    let encoded = right().replace("Basic ", "");
    let latin1 = STANDARD.encode([PROJECT.as_bytes(), b":\xFC", API_TOKEN.as_bytes()].concat());
    let wrong = [
        String::new(),
        "Basic".to_owned(),
        "Basic ".to_owned(),
        encoded.clone(),
        format!("Basic  {encoded}"),
        format!("Basic\t{encoded}"),
        format!("Bearer {encoded}"),
        format!("Basic {encoded}, Basic {encoded}"),
        format!("Basic {latin1}"),
        format!(
            "Basic {}",
            encoded.trim_end_matches('=').replace(['A', 'M'], "-")
        ),
        format!("Basic {encoded}="),
        basic(PROJECT),
        basic(&format!("{PROJECT}:")),
        basic(&format!(":{API_TOKEN}")),
        basic(":"),
        basic(&format!("{PROJECT}::{API_TOKEN}")),
        basic(&format!("{PROJECT}:{API_TOKEN}:")),
        basic(&format!("{PROJECT}:{API_TOKEN}\0")),
        basic(&format!(" {PROJECT}:{API_TOKEN}")),
        basic(&format!("{}:{API_TOKEN}", PROJECT.replace('-', ""))),
        basic(&format!("{PROJECT}:{}", API_TOKEN.to_ascii_uppercase())),
        basic(&format!("00000000-0000-4000-8000-000000000000:{API_TOKEN}")),
    ];
    for authorization in &wrong {
        let reply = ask_as(&harness, PUBSUB, authorization, &good).await;
        assert_eq!(reply.status, 401, "{authorization}");
        assert_eq!(reply.json(), json!({"error": "Unauthorized"}));
        assert!(
            reply.headers["www-authenticate"]
                .to_str()
                .unwrap()
                .starts_with("Basic realm=")
        );
    }
    let none = harness
        .public(
            "POST",
            PUBSUB,
            &[("content-type", "application/json")],
            &good,
        )
        .await;
    assert_eq!(none.status, 401);
    let right = right();
    let twice = [("authorization", &*right), ("authorization", &*right)];
    let reply = harness.public("POST", PUBSUB, &twice, &good).await;
    assert_eq!(
        (reply.status, reply.json()),
        (400, json!({"error": "Bad Request"}))
    );
    // Who asks comes before what is asked.
    let reply = ask_as(&harness, PUBSUB, "Basic eDp5", "{").await;
    assert_eq!(reply.status, 401);
}

/// signalwire 1: each API token has scopes; without any there is no dialect.
#[tokio::test]
async fn a_scope_opens_its_own_product() {
    let harness = Harness::new().await;
    let good = wanted().to_string();
    assert_eq!(ask_as(&harness, PUBSUB, &right(), &good).await.status, 404);
    let made = add(&harness, json!({"scopes": ["chat"]})).await;
    let (project, token) = (
        made["project_id"].as_str().unwrap(),
        made["token"].as_str().unwrap(),
    );
    let own = basic(&format!("{project}:{token}"));
    assert_eq!(ask_as(&harness, CHAT, &own, &good).await.status, 200);
    assert_eq!(ask_as(&harness, PUBSUB, &own, &good).await.status, 401);
    for (method, path) in [
        ("GET", PUBSUB),
        ("POST", "/api/pubsub/other"),
        ("POST", "/api/chat/"),
    ] {
        let headers = [("authorization", &*own)];
        let reply = harness.public(method, path, &headers, &good).await;
        assert_eq!(
            (reply.status, reply.json()),
            (404, json!({"error": "Not Found"}))
        );
    }
    let headers = [("authorization", &*own), ("content-type", "text/plain")];
    assert_eq!(
        harness.public("POST", CHAT, &headers, &good).await.status,
        400
    );

    let path = format!("/v1/keysets/{SUBSCRIBE_KEY}/api-tokens");
    let listed = harness.admin("GET", &path, &Value::Null).await;
    assert!(!listed.body.contains(token));
    let held = &listed.json()["api_tokens"][0];
    assert_eq!(
        (&held["project_id"], &held["scopes"]),
        (&json!(project), &json!(["chat"]))
    );
    let removed = format!("{path}/{project}/{}", held["id"].as_str().unwrap());
    assert_eq!(
        harness.admin("DELETE", &removed, &Value::Null).await.status,
        200
    );
    assert_eq!(
        harness.admin("DELETE", &removed, &Value::Null).await.status,
        400
    );
    assert_eq!(ask_as(&harness, CHAT, &own, &good).await.status, 401);
    for (body, at) in [
        (json!({"scopes": ["video"]}), "scopes"),
        (json!({"token": "short"}), ""),
        (json!({"project_id": "none"}), ""),
        (json!({"other": 1}), "other"),
    ] {
        let reply = harness.admin("POST", &path, &body).await;
        assert_eq!(reply.status, 400, "{}", reply.body);
        assert!(reply.body.contains(at), "{}", reply.body);
    }
}

/// signalwire 6: read is to subscribe and to receive, write is to publish, and the
/// member is who uses it.
#[tokio::test]
async fn a_token_is_decided_on_like_any_other() {
    let harness = world().await;
    let token = token_of(&harness, PUBSUB, &wanted()).await;
    for (operation, channel, expected) in [
        ("subscribe", "room", "allowed"),
        ("history", "room", "allowed"),
        ("publish", "room", "permission_missing"),
        ("publish", "both", "allowed"),
        ("subscribe", "other", "permission_missing"),
        ("delete-messages", "both", "permission_missing"),
    ] {
        let code = check(&harness, &token, "alice", operation, channel).await;
        assert_eq!(code, expected, "{operation} {channel}");
    }
    assert_eq!(
        check(&harness, &token, "bob", "subscribe", "room").await,
        "uuid_mismatch"
    );
    let verified = json!({ "token": token });
    let verified = harness.admin("POST", "/v1/verify", &verified).await.json();
    assert_eq!(
        (&verified["kind"], &verified["scope"]),
        (&json!("crt"), &json!(PROJECT))
    );
    assert_eq!(verified["subscribe_key"], SUBSCRIBE_KEY);
    let introspected = json!({ "token": token });
    let introspected = harness
        .admin("POST", "/v1/introspect", &introspected)
        .await
        .json();
    assert_eq!(
        (&introspected["active"], &introspected["sub"]),
        (&json!(true), &json!("alice"))
    );
    assert_eq!(introspected["channels"]["both"]["write"], true);
    harness.clock.advance(900);
    assert_eq!(
        check(&harness, &token, "alice", "subscribe", "room").await,
        "expired"
    );
}

#[tokio::test]
async fn a_token_is_revoked_like_any_other() {
    let harness = world().await;
    let (one, two) = (
        token_of(&harness, PUBSUB, &wanted()).await,
        token_of(&harness, CHAT, &wanted()).await,
    );
    let allowed = async |token: &str| check(&harness, token, "alice", "subscribe", "room").await;
    assert_eq!(revoke(&harness, &json!({"token": one})).await.status, 200);
    assert_eq!(
        (&*allowed(&one).await, &*allowed(&two).await),
        ("revoked", "allowed")
    );
    let id = segment(&two, 1)["jti"].as_str().unwrap().replace('-', "");
    let by_id = json!({"id": id, "project_id": PROJECT});
    assert_eq!(revoke(&harness, &by_id).await.status, 200);
    assert_eq!(allowed(&two).await, "revoked");
    let again = revoke(&harness, &by_id).await.json();
    assert_eq!(again["already_revoked"], true, "{again}");

    // A rule for a member, and for everybody, covers the keyset and its projects.
    for rule in [json!({"uuid": "alice"}), json!({"all": true})] {
        let crt = token_of(&harness, PUBSUB, &wanted()).await;
        let now = harness.clock_now();
        let mut grant = read_on("room");
        grant["permissions"]["uuid"] = json!("alice");
        let own = harness.grant_at(now, &grant).await.token();
        assert_eq!(
            (&*allowed(&crt).await, &*allowed(&own).await),
            ("allowed", "allowed")
        );
        let reply = revoke(&harness, &rule).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert!(reply.json()["until"].as_u64().unwrap() >= now);
        assert_eq!(
            (&*allowed(&crt).await, &*allowed(&own).await),
            ("revoked", "revoked")
        );
        harness.clock.advance(200);
    }
    // Issued at once after a rule, it is good.
    revoke(&harness, &json!({"all": true, "project_id": PROJECT})).await;
    let fresh = token_of(&harness, PUBSUB, &wanted()).await;
    assert_eq!(allowed(&fresh).await, "allowed");
    let path = format!("/v1/keysets/{SUBSCRIBE_KEY}/revocations?project_id={PROJECT}");
    let listed = harness.admin("GET", &path, &Value::Null).await.json();
    assert!(
        listed["revocations"].as_array().unwrap().len() >= 4,
        "{listed}"
    );
    for body in [
        json!({"all": true, "project_id": "7b981d06-0000-4000-8000-000000000002"}),
        json!({"token": format!("{fresh}x")}),
    ] {
        assert_eq!(revoke(&harness, &body).await.status, 400);
    }
}

/// T09, T13, J01, J03: a token of another project, another kind of token, and
/// headers that choose how they are verified.
#[tokio::test]
async fn tokens_stay_within_their_project_and_kind() {
    let harness = world().await;
    harness
        .create("sub-c-other", "sec-c-other-0123456789", json!({}))
        .await;
    let token = token_of(&harness, PUBSUB, &wanted()).await;
    let body = json!({"subscribe_key": "sub-c-other", "token": token, "uuid": "alice",
        "operation": "subscribe", "channels": ["room"]});
    let other = harness.admin("POST", "/v1/check", &body).await.json();
    assert_eq!(other["reason"]["code"], "wrong_keyset");
    let path = "/v1/keysets/sub-c-other/revocations";
    let reply = harness
        .admin("POST", path, &json!({ "token": token }))
        .await;
    assert_eq!(reply.status, 400, "not one of its own");

    let own = harness.grant_at(NOW, &read_on("room")).await.token();
    let (header, rest) = token.split_once('.').unwrap();
    let (claims, signature) = rest.split_once('.').unwrap();
    let with = |header: Value| {
        let header = URL_SAFE_NO_PAD.encode(header.to_string());
        format!("{header}.{claims}.{signature}")
    };
    let kid = segment(&token, 0)["kid"].clone();
    for forged in [
        format!("{header}.{claims}."),
        format!("{header}.{claims}"),
        format!(
            "{header}.{}.{signature}",
            URL_SAFE_NO_PAD.encode(segment(&token, 1).to_string())
        ),
        format!("{own}.{own}.{own}"),
        with(json!({"typ": "CRT", "alg": "none", "kid": kid})),
        with(json!({"typ": "CRT", "alg": "HS256", "kid": kid})),
        with(json!({"typ": "at+jwt", "alg": "HS512", "kid": kid})),
        with(json!({"typ": "CRT", "alg": "HS512", "kid": "../../dev/null"})),
        with(json!({"typ": "CRT", "alg": "HS512", "kid": kid, "jku": "https://example.com"})),
    ] {
        let code = check(&harness, &forged, "alice", "subscribe", "room").await;
        assert_eq!(code, "invalid_token", "{forged}");
    }
    assert_eq!(
        check(&harness, &own, "alice", "subscribe", "room").await,
        "allowed"
    );
}

/// B03: failures are limited by peer, and a good credential is taken all the same.
#[tokio::test]
async fn wrong_credentials_are_limited() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.failed_attempts_per_minute = NonZeroU32::new(2);
    let server = Server::start_at(config, TestClock::at(NOW)).await.unwrap();
    let subscribe_key = &server
        .first_start()
        .unwrap()
        .keyset
        .as_ref()
        .unwrap()
        .subscribe_key;
    let path = format!("http://localhost/v1/keysets/{subscribe_key}/api-tokens");
    let body = json!({"project_id": PROJECT, "token": API_TOKEN}).to_string();
    let request = http::Request::post(path)
        .header("content-type", "application/json")
        .body(Bytes::from(body))
        .unwrap();
    let made = server.service().internal(Caller::InProcess, request).await;
    assert_eq!(made.status(), 201);
    let body = wanted().to_string();
    let ask = async |authorization: String| {
        let request = format!(
            "POST {PUBSUB} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             authorization: {authorization}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        let (status, head, _) = send(server.public_address(), request.as_bytes()).await;
        let head = head.to_ascii_lowercase();
        (status, head.contains("\r\nretry-after: 60\r\n"))
    };
    let unknown = basic(&format!("00000000-0000-4000-8000-000000000000:{API_TOKEN}"));
    let wrong = basic(&format!("{PROJECT}:{API_TOKEN}x"));
    assert_eq!(ask(unknown.clone()).await, (401, false));
    assert_eq!(ask(wrong.clone()).await, (401, false));
    assert_eq!(ask(unknown).await, (429, true));
    assert_eq!(ask(wrong).await, (429, true));
    assert_eq!(ask(right()).await, (200, false));
    server.shutdown().await;
}
