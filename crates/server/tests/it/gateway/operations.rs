//! The gateway: every operation of the table, allowed and denied.

use serde::Deserialize;
use serde_json::Value;
use token_server::Upstream;

use crate::harness::{Harness, NOW, Reply, read_on};

/// The rows that the decision itself is tested with: request lines by
/// operation, claims that are just enough, and claims that just miss.
#[derive(Deserialize)]
struct Operations {
    operation: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    name: String,
    requests: Vec<String>,
    #[serde(default)]
    body: String,
    enough: Vec<Value>,
    #[serde(default)]
    misses: Vec<Miss>,
}

#[derive(Deserialize)]
struct Miss {
    claims: Value,
    missing: Vec<String>,
}

fn rows() -> Vec<Row> {
    let text = include_str!("../../../../../testdata/policy/operations.toml");
    let rows: Operations = toml::from_str(text).expect("the cases are TOML");
    assert!(rows.operation.len() >= 75, "cases went missing");
    rows.operation
}

/// A token with these claims, granted as an SDK asks for it.
async fn token(harness: &Harness, claims: &Value) -> String {
    let body = serde_json::json!({"ttl": 60, "permissions": claims});
    harness.grant_at(NOW, &body).await.token()
}

async fn ask(harness: &Harness, line: &str, token: Option<&str>, body: &str) -> Reply {
    let (method, target) = line.split_once(' ').expect("method and target");
    let join = if target.contains('?') { '&' } else { '?' };
    let target = match token {
        Some(token) => format!("{target}{join}auth={}", token.replace('=', "%3D")),
        None => target.to_owned(),
    };
    harness.public(method, &target, &[], body).await
}

#[tokio::test]
async fn every_operation_is_answered_by_the_sandbox_when_it_is_granted() {
    let harness = Harness::behind(Upstream::Sandbox).await;
    for row in rows() {
        for claims in &row.enough {
            let token = token(&harness, claims).await;
            for line in &row.requests {
                let reply = ask(&harness, line, Some(&token), &row.body).await;
                let success = [200, 201, 204, 307].contains(&reply.status);
                assert!(success, "{line}: {} {}", reply.status, reply.body);
                assert_eq!(reply.headers["x-usher-sandbox"], row.name.as_str());
                assert_eq!(reply.headers["access-control-allow-origin"], "*");
                if ![204, 307].contains(&reply.status) {
                    reply.json();
                }
            }
        }
    }
}

/// What an SDK puts into its result is what it asked about.
#[tokio::test]
async fn the_sandbox_answers_with_what_the_request_names() {
    let harness = Harness::behind(Upstream::Sandbox).await;
    let claims = serde_json::json!({"resources": {"channels": {"room": 255}, "users": {"u1": 16}}});
    let token = token(&harness, &claims).await;
    let sub = "sub-c-demo";
    let state = format!("GET /v2/presence/sub-key/{sub}/channel/room/uuid/al%20ice");
    let action = format!("POST /v1/message-actions/{sub}/channel/room/message/17900000000000000");
    let create = format!("POST /v1/datasync/subkeys/{sub}/users");
    let cases = [
        (&state, "", "/uuid", "al ice"),
        (
            &action,
            r#"{"type":"reaction","value":"smile"}"#,
            "/data/messageTimetoken",
            "17900000000000000",
        ),
        (&create, r#"{"data":{"id":"u1"}}"#, "/data/id", "u1"),
    ];
    for (line, body, at, expected) in cases {
        let answer = ask(&harness, line, Some(&token), body).await.json();
        assert_eq!(
            answer.pointer(at),
            Some(&expected.into()),
            "{line}: {answer}"
        );
    }
}

#[tokio::test]
async fn without_an_upstream_what_is_granted_is_501() {
    let harness = Harness::new().await;
    let token = token(&harness, &read_on("room-1")["permissions"]).await;
    let line = "GET /v2/history/sub-key/sub-c-demo/channel/room-1";
    let reply = ask(&harness, line, Some(&token), "").await;
    let expected = r#"{"message":"No upstream is configured","error":true,"service":"Access Manager","status":501}"#;
    assert_eq!((reply.status, reply.body.as_str()), (501, expected));
}

/// What contract 6 and contract 10.4 write for a denial, put together by hand.
fn denial(line: &str, missing: &[String]) -> String {
    let path = line.split_once(' ').unwrap().1;
    let of = |kind: &str, colon: &str| -> Vec<String> {
        let names = missing.iter().filter_map(|text| {
            let (name, _) = text.strip_prefix(kind)?.rsplit_once(' ')?;
            Some(format!("\"{colon}{name}\""))
        });
        names.collect()
    };
    let (channels, groups) = (of("channel ", "").join(","), of("group ", ":").join(","));
    let mut payload = Vec::new();
    if !channels.is_empty() {
        payload.push(format!("\"channels\":[{channels}]"));
    }
    if !groups.is_empty() {
        payload.push(format!("\"channel-groups\":[{groups}]"));
    }
    let payload = match payload.join(",") {
        payload if payload.is_empty() => payload,
        payload => format!("\"payload\":{{{payload}}},"),
    };
    let source = |source: &str| {
        format!(
            "{{\"status\":403,\"error\":{{\"message\":\"Supplied authorization key does not have \
             the permissions required to perform this operation.\",\"source\":\"{source}\"}}}}"
        )
    };
    match path.get(..9).unwrap() {
        "/v1/datas" => r#"{"errors":[{"errorCode":"DS-0201","message":"Forbidden"}]}"#.to_owned(),
        "/v2/objec" => source("objects"),
        "/v1/messa" => source("actions"),
        "/v2/histo" | "/v3/histo" => {
            let channels = if channels.is_empty() {
                channels
            } else {
                format!(",\"channels\":[{channels}]")
            };
            format!("{{\"status\":403,\"error\":true,\"error_message\":\"Forbidden\"{channels}}}")
        }
        "/v1/chann" => format!(
            "{{\"status\":403,\"message\":\"Forbidden\",{payload}\"service\":\"channel-registry\",\"error\":true}}"
        ),
        "/v1/push/" | "/v2/push/" => r#"{"error":"Forbidden","status":403}"#.to_owned(),
        _ => format!(
            "{{\"message\":\"Forbidden\",{payload}\"error\":true,\"service\":\"Access Manager\",\"status\":403}}\n"
        ),
    }
}

/// contract 6: the body of each API family, which names what is missing.
#[tokio::test]
async fn every_operation_is_denied_in_the_words_of_its_family() {
    let harness = Harness::behind(Upstream::Sandbox).await;
    for row in rows() {
        for miss in &row.misses {
            let token = token(&harness, &miss.claims).await;
            for line in &row.requests {
                let reply = ask(&harness, line, Some(&token), &row.body).await;
                assert_eq!(reply.body, denial(line, &miss.missing), "{line}");
                assert_eq!(reply.status, 403);
                assert_eq!(reply.headers["x-pn-cause"], "9999");
                assert_eq!(reply.headers["access-control-allow-origin"], "*");
                assert!(!reply.headers.contains_key("x-usher-sandbox"));
            }
        }
        for line in &row.requests {
            let reply = ask(&harness, line, None, &row.body).await;
            let status = match row.name.as_str() {
                "time" => 200,
                name if name.starts_with("datasync") => 401,
                _ => 403,
            };
            assert_eq!(reply.status, status, "{line}: {}", reply.body);
        }
    }
}
