//! Forward-auth: what a proxy may say, what is believed, what is answered.
//! contract 5, 6. Attacks F01 to F04; F05 and F06 are in `proxies`.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};
use token_server::{Caller, Config, Server};

use crate::case_file::cases;
use crate::harness::{Harness, NOW, PUBLISH_KEY, Reply, SECRET_KEY, SUBSCRIBE_KEY, TestClock};

const OTHER_KEY: &str = "sub-c-other";

/// The routes; the names stand in the case files.
const ROUTES: [&str; 3] = ["nginx", "forwarded", "envoy"];

/// The words of the case files and what they stand for.
pub(crate) struct Words(Vec<(&'static str, String)>);

impl Words {
    pub(crate) fn of(&self, text: &str) -> String {
        let said = |text: String, (word, value): &(&str, String)| {
            text.replace(&format!("{{{word}}}"), value)
        };
        self.0.iter().fold(text.to_owned(), said)
    }
}

fn grant(ttl: u64, uuid: Option<&str>) -> Value {
    let mut permissions = json!({
        "resources": {
            "channels": {"room": ["read", "write"], "a,b": ["read", "write"]},
            "groups": {"crowd": ["read"]},
            "uuids": {"alice": ["get", "update", "delete"]},
        },
    });
    if let Some(uuid) = uuid {
        permissions["uuid"] = uuid.into();
    }
    json!({"ttl": ttl, "permissions": permissions})
}

async fn issue(harness: &Harness, subscribe_key: &str, body: &Value) -> String {
    let path = format!("/v1/keysets/{subscribe_key}/tokens");
    harness.admin("POST", &path, body).await.token()
}

pub(crate) async fn words(harness: &Harness) -> Words {
    harness.create(OTHER_KEY, SECRET_KEY, json!({})).await;
    let expired = issue(harness, SUBSCRIBE_KEY, &grant(1, None)).await;
    let revoked = issue(harness, SUBSCRIBE_KEY, &grant(70, None)).await;
    let revoke = json!({"token": revoked});
    let path = format!("/v1/keysets/{SUBSCRIBE_KEY}/revocations");
    assert_eq!(harness.admin("POST", &path, &revoke).await.status, 200);
    harness.clock.advance(60);
    let room = issue(harness, SUBSCRIBE_KEY, &grant(60, None)).await;
    let bound = issue(harness, SUBSCRIBE_KEY, &grant(60, Some("alice"))).await;
    let foreign = issue(harness, OTHER_KEY, &grant(60, None)).await;
    let made = harness
        .admin("POST", "/v1/verifier-key/rotate", &json!({}))
        .await;
    let verifier = made.json()["verifier_key"].as_str().unwrap().to_owned();
    Words(vec![
        ("BARE", room.trim_end_matches('=').to_owned()),
        ("ROOM", room.replace('=', "%3D")),
        ("EXPIRED", expired),
        ("REVOKED", revoked),
        ("BOUND", bound),
        ("FOREIGN", foreign),
        ("VERIFIER", verifier),
        ("SUB", SUBSCRIBE_KEY.to_owned()),
        ("PUB", PUBLISH_KEY.to_owned()),
        ("NOW", NOW.to_string()),
    ])
}

/// An API of one's own, beside the operations.
const RULES: &str = r#"
keyset = "sub-c-demo"
[token]
bearer = true
[[rule]]
name = "read-messages"
methods = ["GET"]
path = '^/rooms/(?<room>[a-z]+)/messages$'
needs = [{ channel = "{room}", permissions = ["read"] }]
"#;

/// A service that trusts this machine. It goes with its server.
pub(crate) async fn trusting() -> (Harness, Server) {
    let (harness, server, _) = started(0).await;
    (harness, server)
}

async fn caching(seconds: u64) -> (Harness, Server) {
    let (harness, server, _) = started(seconds).await;
    (harness, server)
}

/// The same with the rules of another file.
pub(crate) async fn replace_rules(server: &Server, config: &Config, file: &Path) {
    let mut config = config.clone();
    config.rules = vec![file.to_owned()];
    server.reload(config).await.unwrap();
}

/// A service that trusts this machine, and its configuration.
pub(crate) async fn started(seconds: u64) -> (Harness, Server, Config) {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::at(NOW - 100);
    let mut config = Config::default();
    config.data_dir = dir.path().join("data");
    config.listen = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
    config.internal_listen = config.listen;
    config.cache_seconds = seconds;
    let rules = dir.path().join("rules.toml");
    std::fs::write(&rules, RULES).unwrap();
    config.rules = vec![rules];
    let server = Server::start_at(config.clone(), clock.clone())
        .await
        .unwrap();
    clock.advance(100);
    let service = server.service().clone();
    let harness = Harness {
        service,
        clock,
        dir,
    };
    harness.create(SUBSCRIBE_KEY, SECRET_KEY, json!({})).await;
    (harness, server, config)
}

const TRUSTED: &str = "127.0.0.1";

async fn ask(
    harness: &Harness,
    peer: &str,
    method: &str,
    path: &str,
    headers: &[(&str, String)],
) -> Reply {
    let mut request = http::Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "Host") {
        request = request.header("Host", "127.0.0.1:8081");
    }
    for (name, value) in headers {
        request = request.header(*name, value.as_bytes());
    }
    let request = request.body(token_server::Bytes::new()).unwrap();
    let caller = Caller::Peer(peer.parse().unwrap());
    harness.service.internal(caller, request).await.into()
}

/// Asks about `method` and `target` through a route.
async fn ask_about(harness: &Harness, route: &str, method: &str, target: &str) -> Reply {
    let headers = |names: [&'static str; 2]| {
        let [method_name, target_name] = names;
        vec![
            (method_name, method.to_owned()),
            (target_name, target.to_owned()),
        ]
    };
    match route {
        "nginx" => {
            let headers = headers(["X-Original-Method", "X-Original-URI"]);
            ask(harness, TRUSTED, "GET", "/v1/auth/nginx", &headers).await
        }
        "forwarded" => {
            let headers = headers(["X-Forwarded-Method", "X-Forwarded-Uri"]);
            ask(harness, TRUSTED, "GET", "/v1/auth/forwarded", &headers).await
        }
        _ => {
            let path = format!("/v1/auth/envoy{target}");
            ask(harness, TRUSTED, method, &path, &[]).await
        }
    }
}

fn header<'a>(reply: &'a Reply, name: &str) -> &'a str {
    reply
        .headers
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Original {
    name: String,
    #[serde(rename = "attack")]
    _attack: Option<String>,
    method: String,
    target: String,
    status: u16,
    reason: String,
    operation: Option<String>,
    #[serde(default)]
    except: Vec<String>,
}

#[tokio::test]
async fn every_route_gives_every_request_its_answer() {
    let (harness, _server) = trusting().await;
    let words = words(&harness).await;
    let file = include_str!("../../../../testdata/forward-auth/originals.toml");
    let cases: Vec<Original> = cases(file, 63);
    let mut wrong = Vec::new();
    for case in &cases {
        let target = words.of(&case.target);
        for route in ROUTES {
            if case.except.iter().any(|not| not == route) {
                continue;
            }
            let reply = ask_about(&harness, route, &case.method, &target).await;
            let operation = case.operation.as_deref().unwrap_or_default();
            let as_told = reply.status == case.status
                && header(&reply, "x-usher-reason") == case.reason
                && header(&reply, "x-usher-operation") == operation
                && header(&reply, "cache-control") == "no-store";
            let body = reply.json();
            let as_written = match case.status {
                200 => body == json!({"decision": "allow"}),
                _ => body["decision"] == "deny" && body["reason"]["code"] == case.reason.as_str(),
            };
            if !(as_told && as_written) {
                wrong.push(format!("{route}: {}: {reply:?}", case.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    name: String,
    #[serde(rename = "attack")]
    _attack: Option<String>,
    peer: Option<String>,
    method: Option<String>,
    path: String,
    headers: Vec<(String, String)>,
    status: u16,
    reason: String,
}

/// Attacks F01, F02, F04.
#[tokio::test]
async fn only_what_the_proxy_of_a_route_overwrites_is_believed() {
    let (harness, _server) = trusting().await;
    let words = words(&harness).await;
    let cases: Vec<Asked> = cases(
        include_str!("../../../../testdata/forward-auth/asked.toml"),
        59,
    );
    let mut wrong = Vec::new();
    for case in &cases {
        let headers: Vec<(&str, String)> = case
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), words.of(value)))
            .collect();
        let peer = case.peer.as_deref().unwrap_or(TRUSTED);
        let method = case.method.as_deref().unwrap_or("GET");
        let reply = ask(&harness, peer, method, &words.of(&case.path), &headers).await;
        if reply.status != case.status || header(&reply, "x-usher-reason") != case.reason {
            wrong.push(format!("{}: {reply:?}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn an_allow_is_kept_no_longer_than_configured_or_than_its_token_lives() {
    let (harness, _server) = caching(10).await;
    let token = issue(&harness, SUBSCRIBE_KEY, &grant(1, None)).await;
    let allowed = format!("/v2/subscribe/{SUBSCRIBE_KEY}/room/0?auth={token}");
    let denied = format!("/v2/subscribe/{SUBSCRIBE_KEY}/other/0?auth={token}");
    for (route, vary) in [
        ("nginx", "x-original-method x-original-uri"),
        ("forwarded", "x-forwarded-method x-forwarded-uri"),
        ("envoy", ""),
    ] {
        let reply = ask_about(&harness, route, "GET", &allowed).await;
        assert_eq!(header(&reply, "cache-control"), "max-age=10", "{route}");
        let names = reply.headers.get_all("vary").iter();
        let names: Vec<&str> = names.map(|name| name.to_str().unwrap()).collect();
        assert_eq!(names.join(" "), vary, "{route}");
        let reply = ask_about(&harness, route, "GET", &denied).await;
        assert_eq!(header(&reply, "cache-control"), "no-store", "{route}");
    }
    harness.clock.advance(53);
    let reply = ask_about(&harness, "nginx", "GET", &allowed).await;
    assert_eq!(header(&reply, "cache-control"), "max-age=7");
    harness.clock.advance(7);
    let reply = ask_about(&harness, "nginx", "GET", &allowed).await;
    assert_eq!(header(&reply, "x-usher-reason"), "expired");
    assert_eq!(header(&reply, "cache-control"), "no-store");
}

#[tokio::test]
async fn an_allow_tells_the_token_and_its_end() {
    let (harness, _server) = trusting().await;
    let granted = harness
        .admin(
            "POST",
            &format!("/v1/keysets/{SUBSCRIBE_KEY}/tokens"),
            &grant(60, None),
        )
        .await;
    let token = granted.token();
    let target = format!("/v2/subscribe/{SUBSCRIBE_KEY}/room/0?auth={token}");
    let reply = ask_about(&harness, "nginx", "GET", &target).await;
    assert_eq!(header(&reply, "x-usher-token-id"), granted.json()["id"]);
    let expires_at = granted.json()["expires_at"].to_string();
    assert_eq!(header(&reply, "x-usher-expires-at"), expires_at);
    let reply = ask_about(&harness, "nginx", "GET", "/time/0").await;
    assert_eq!(header(&reply, "x-usher-operation"), "time");
    assert!(!reply.headers.contains_key("x-usher-token-id"));
}

/// RFC 9110 section 15.5.2, and contract 10.4. Everywhere else 403 is what SDKs
/// understand.
#[tokio::test]
async fn a_missing_token_is_401_where_the_api_says_so() {
    let (harness, _server) = caching(10).await;
    let words = words(&harness).await;
    let rows = [
        ("/rooms/room/messages", "", 401, "token_required"),
        (
            "/rooms/room/messages",
            "Bearer {ROOM}x",
            401,
            "invalid_token",
        ),
        ("/rooms/room/messages", "Bearer {EXPIRED}", 401, "expired"),
        ("/rooms/room/messages", "Bearer {REVOKED}", 401, "revoked"),
        (
            "/rooms/other/messages",
            "Bearer {BARE}",
            403,
            "permission_missing",
        ),
        ("/rooms/room/messages", "Bearer {BARE}", 200, "allowed"),
        (
            "/v1/datasync/subkeys/{SUB}/entities/x",
            "",
            401,
            "token_required",
        ),
        ("/v2/objects/{SUB}/uuids/alice", "", 403, "token_required"),
    ];
    for (target, authorization, status, reason) in rows {
        let mut headers = vec![
            ("X-Original-Method", "GET".to_owned()),
            ("X-Original-URI", words.of(target)),
        ];
        if !authorization.is_empty() {
            headers.push(("Authorization", words.of(authorization)));
        }
        let reply = ask(&harness, TRUSTED, "GET", "/v1/auth/nginx", &headers).await;
        let told = (reply.status, header(&reply, "x-usher-reason"));
        assert_eq!(told, (status, reason), "{target}: {}", reply.body);
        let challenge = header(&reply, "www-authenticate");
        assert_eq!(challenge == "Bearer", status == 401, "{target}");
        // The token was in a header, so no cache may tell answers apart.
        assert_eq!(header(&reply, "cache-control"), "no-store", "{target}");
    }
}
