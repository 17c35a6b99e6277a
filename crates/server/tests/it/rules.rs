//! Rule files on the wire: the gateway, forward-auth and checks.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use token_server::{Caller, Config, Service, StartError};
use token_store::Clock as _;

use crate::harness::{Harness, NOW, SUBSCRIBE_KEY, TestClock};

fn path(file: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/rules");
    folder.join(file)
}

async fn harness() -> Harness {
    let mut config = Config::default();
    config.rules = vec![path("chat.toml"), path("shop.toml")];
    let harness = Harness::configured(config);
    harness.create_demo(json!({})).await;
    harness
}

async fn token(harness: &Harness, permissions: Value) -> String {
    let body = json!({"ttl": 60, "permissions": permissions});
    harness.grant_at(NOW, &body).await.token()
}

async fn lobby(harness: &Harness) -> String {
    let permissions = json!({
        "resources": {"channels": {"lobby": 1}},
        "uuid": "alice",
    });
    token(harness, permissions).await
}

/// 501: authorised, and nothing is behind the gateway.
#[tokio::test]
async fn the_gateway_lets_through_what_a_rule_allows() {
    let harness = harness().await;
    let bearer = format!("Bearer {}", lobby(&harness).await);
    let headers = [("authorization", bearer.as_str())];
    for (line, status, code) in [
        ("GET /rooms/lobby/messages?user=alice", 501, None),
        ("GET /rooms/lobby/messages?user=bob", 403, None),
        ("GET /rooms/other/messages?user=alice", 403, None),
        ("POST /rooms/lobby/messages?user=alice", 403, None),
        ("PUT /rooms/lobby/messages?user=alice", 405, None),
        ("PUT /nowhere?user=alice", 404, None),
        ("GET /rooms/a%2Flobby/messages?user=alice", 400, None),
        ("GET /rooms/lobby/messages?user=alice&token=x", 400, None),
        (
            "GET /socket?user=alice",
            501,
            Some("No upstream is configured"),
        ),
    ] {
        let (method, target) = line.split_once(' ').unwrap();
        let reply = harness.public(method, target, &headers, "").await;
        assert_eq!(reply.status, status, "{line}: {}", reply.body);
        let message = &reply.json()["error"]["message"];
        assert!(message.is_string(), "{line}: {}", reply.body);
        if let Some(code) = code {
            assert_eq!(message, code, "{line}");
        }
    }
    let reply = harness.public("GET", "/", &[], "").await;
    assert_eq!(reply.status, 501, "public: {}", reply.body);
    let reply = harness.public("GET", "/socket", &[], "").await;
    assert_eq!(reply.status, 401, "no token: {}", reply.body);
    assert_eq!(reply.headers["www-authenticate"], "Bearer");
    // The operations are served as before.
    let time = harness.public("GET", "/time/0", &[], "").await;
    assert_eq!(time.status, 501, "{}", time.body);
}

/// Attacks H07 and H08, for the API of a rule file.
#[tokio::test]
async fn preflights_of_a_rule_are_answered_for_any_origin_without_credentials() {
    let harness = harness().await;
    let ask = async |target: &str, method: &str| {
        let headers = [
            ("origin", "https://evil.test"),
            ("access-control-request-method", method),
            (
                "access-control-request-headers",
                "authorization, x-chat-token",
            ),
        ];
        let reply = harness.public("OPTIONS", target, &headers, "").await;
        let header = |name: &str| {
            let value = reply.headers.get(name);
            value
                .map_or("-", |value| value.to_str().unwrap())
                .to_owned()
        };
        assert_eq!(header("access-control-allow-credentials"), "-");
        let names = ["origin", "methods", "headers"];
        let told = names.map(|name| header(&format!("access-control-allow-{name}")));
        (reply.status, told.join(" | "), header("allow"))
    };
    let messages = "/rooms/lobby/messages?user=alice";
    let allowed = "* | GET, HEAD, POST | *, Authorization";
    for method in ["GET", "HEAD", "POST"] {
        let told = ask(messages, method).await;
        assert_eq!(told, (204, allowed.to_owned(), "-".to_owned()), "{method}");
    }
    let refused = (405, "- | - | -".to_owned(), "GET, HEAD, POST".to_owned());
    assert_eq!(ask(messages, "DELETE").await, refused);
    assert_eq!(
        ask("/nowhere", "GET").await,
        (405, refused.1, String::new())
    );
    // What is no preflight is none, and the operations are as before.
    let plain = harness.public("OPTIONS", messages, &[], "").await;
    assert_eq!(plain.status, 405);
    let (status, told, _) = ask("/time/0", "GET").await;
    assert_eq!(status, 204);
    assert!(told.ends_with("If-Match, If-None-Match"), "{told}");
    // A denial can be read by the page that caused it.
    let denied = harness
        .public("GET", messages, &[("origin", "https://evil.test")], "")
        .await;
    assert_eq!(denied.status, 401);
    assert_eq!(denied.headers["access-control-allow-origin"], "*");
}

async fn forward_auth(harness: &Harness, line: &str, headers: &[(&str, &str)]) -> (u16, Value) {
    let (method, target) = line.split_once(' ').unwrap();
    let mut all = vec![("x-original-method", method), ("x-original-uri", target)];
    all.extend_from_slice(headers);
    let caller = Caller::InProcess;
    let reply = harness
        .internal(caller, "GET", "/v1/auth/nginx", &all, "")
        .await;
    let header = |name: &str| {
        let value = reply.headers.get(name);
        value.map(|value| value.to_str().unwrap().to_owned())
    };
    let told = json!({
        "reason": header("x-usher-reason"),
        "rule": header("x-usher-rule"),
        "user": header("x-shop-user"),
    });
    (reply.status, told)
}

#[tokio::test]
async fn forward_auth_decides_by_rules_and_tells_who_asks() {
    let harness = harness().await;
    let token = lobby(&harness).await;
    let shop = [("x-shop-token", token.as_str())];
    let (status, told) = forward_auth(&harness, "GET /me", &shop).await;
    assert_eq!(status, 200, "{told}");
    assert_eq!(
        told,
        json!({"reason": "allowed", "rule": "me", "user": "alice"})
    );

    let spoofed = [("x-shop-token", token.as_str()), ("x_shop_user", "bob")];
    let (status, told) = forward_auth(&harness, "GET /me", &spoofed).await;
    assert_eq!(status, 403);
    assert_eq!(told["user"], Value::Null);

    let cookie = format!("chat_token={token}");
    let chat = [("cookie", cookie.as_str())];
    let line = "GET /rooms/lobby/messages?user=alice";
    let (status, told) = forward_auth(&harness, line, &chat).await;
    assert_eq!((status, &told["rule"]), (200, &json!("read-messages")));
    let line = "POST /rooms/lobby/messages?user=alice";
    let (status, told) = forward_auth(&harness, line, &chat).await;
    assert_eq!(
        (status, &told["reason"]),
        (403, &json!("permission_missing"))
    );
}

#[tokio::test]
async fn a_check_names_the_rule_and_the_remedy() {
    let harness = harness().await;
    let token = lobby(&harness).await;
    let check = json!({
        "token": token,
        "method": "POST",
        "path": "/rooms/lobby/messages?user=alice",
    });
    let reply = harness.admin("POST", "/v1/check", &check).await.json();
    assert_eq!(reply["decision"], "deny");
    assert_eq!(reply["rule"], "send-message");
    let grant = &reply["remedy"]["grant"];
    assert_eq!(grant, &json!({"resources": {"channels": {"lobby": 2}}}));
}

#[test]
fn a_server_with_wrong_rules_does_not_start() {
    let dir = tempfile::tempdir().unwrap();
    let rules = dir.path().join("rules.toml");
    let start = |text: &str| {
        std::fs::write(&rules, text).unwrap();
        let mut config = Config::default();
        config.data_dir = dir.path().join("data");
        config.rules = vec![rules.clone()];
        let clock = TestClock::at(NOW);
        assert_eq!(clock.now().0, NOW);
        match Service::configured(&config, clock) {
            Err(StartError::Rules { cause }) => cause,
            other => panic!("{other:?}"),
        }
    };
    let head = format!("keyset = \"{SUBSCRIBE_KEY}\"\ntoken = {{ bearer = true }}\n");
    let rule = "[[rule]]\nname = \"a\"\nmethods = [\"GET\"]\npublic = true\n";
    let cause = start(&format!("{head}colour = 1\n{rule}path = 'x'\n"));
    let name = rules.display();
    let lines: Vec<&str> = cause.lines().collect();
    let first = format!("{name}:3:1: error: a rule file has no key `colour` [unknown_key]");
    assert_eq!(lines.len(), 3, "{cause}");
    assert_eq!(lines[0], first);
    // A rule that would never be asked, because an operation answers first.
    let cause = start(&format!("{head}{rule}path = '^/time/[0-9]$'\n"));
    assert_eq!(
        cause,
        "`GET /time/0` is of the rule `a` and of an operation"
    );
}
