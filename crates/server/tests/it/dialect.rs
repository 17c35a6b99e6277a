//! testdata/http: every answer of the signed dialect, to the letter.
//! contract 2, contract 2.1, contract 2.2, contract 2.3, contract 2.4, contract 2.5,
//! contract 3, contract 9, contract 10.1, contract 10.8; attacks H07, X01, X06,
//! T05. contract 10.7: what a grant takes did not change with 2026.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::case_file::cases;
use crate::harness::{
    Harness, NOW, SECRET_KEY, SUBSCRIBE_KEY, grant_path, query_at, read_on, signature,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    contract: String,
    #[serde(default = "post")]
    method: String,
    #[serde(default = "grant_path")]
    path: String,
    #[serde(default = "query_now")]
    query: String,
    #[serde(default = "good")]
    sign: String,
    headers: Option<BTreeMap<String, String>>,
    #[serde(default)]
    settings: Value,
    body: String,
    status: u16,
    answer: String,
}

fn post() -> String {
    "POST".to_owned()
}

fn good() -> String {
    "good".to_owned()
}

fn query_now() -> String {
    query_at(NOW)
}

/// Tokens by the word that stands for them in a path.
async fn tokens(harness: &Harness) -> BTreeMap<&'static str, String> {
    let native = |key: &str| format!("/v1/keysets/{key}/tokens");
    let live = harness
        .admin("POST", &native(SUBSCRIBE_KEY), &read_on("live"))
        .await
        .token();
    let other = "sub-c-other";
    harness
        .create(other, "sec-c-other-0123456789", json!({}))
        .await;
    let of_other = harness
        .admin("POST", &native(other), &read_on("live"))
        .await
        .token();
    let short = json!({"ttl": 1, "permissions": {"resources": {"channels": {"a": 1}}}});
    let expired = harness
        .admin("POST", &native(SUBSCRIBE_KEY), &short)
        .await
        .token();
    let escaped = |token: &str| token.replace('=', "%3D");
    BTreeMap::from([
        ("EXPIRED", escaped(&expired)),
        ("OTHER", escaped(&of_other)),
        ("TOKEN", escaped(&live)),
        ("UNPADDED", live.trim_end_matches('=').to_owned()),
    ])
}

async fn check(case: &Case, revoke: bool) {
    let harness = Harness::with(json!({})).await;
    let mut path = case.path.clone();
    if revoke {
        for (word, token) in tokens(&harness).await {
            path = path.replace(word, &token);
        }
    }
    if let Some(settings) = case.settings.as_object().filter(|map| !map.is_empty()) {
        let target = format!("/v1/keysets/{SUBSCRIBE_KEY}");
        let changed = harness
            .admin("PATCH", &target, &json!({"settings": settings}))
            .await;
        assert_eq!(changed.status, 200, "{}: {}", case.name, changed.body);
    }
    let mut query = case.query.clone();
    if case.path.contains("EXPIRED") {
        harness.clock.advance(61);
        query = query_at(NOW + 61);
    }
    let sign = |secret| signature(secret, &case.method, &path, &query, &case.body);
    let signature = match case.sign.as_str() {
        "good" => Some(sign(SECRET_KEY)),
        "wrong" => Some(sign("sec-c-wrong-0123456789")),
        "none" => None,
        text => Some(text.to_owned()),
    };
    let signed = signature.map(|signature| format!("&signature={signature}"));
    let target = format!("{path}?{query}{}", signed.unwrap_or_default());
    let headers = case.headers.clone().unwrap_or_else(|| {
        BTreeMap::from([("content-type".to_owned(), "application/json".to_owned())])
    });
    let headers: Vec<(&str, &str)> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let reply = harness
        .public(&case.method, &target, &headers, &case.body)
        .await;
    let body = match reply.json()["data"]["token"].as_str() {
        Some(token) => reply.body.replace(token, "TOKEN"),
        None => reply.body.clone(),
    };
    assert_eq!(
        (reply.status, body.as_str()),
        (case.status, case.answer.as_str()),
        "{}",
        case.name
    );
    let header = |name: &str| reply.headers[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "text/javascript; charset=UTF-8");
    assert_eq!(
        header("cache-control"),
        "no-cache, no-store, must-revalidate"
    );
    assert_eq!(header("access-control-allow-origin"), "*");
    let methods = if revoke { "DELETE" } else { "POST" };
    assert!(
        header("access-control-allow-methods").contains(methods),
        "{}",
        case.name
    );
}

async fn run(text: &str, revoke: bool, at_least: usize) {
    for case in &cases::<Case>(text, at_least) {
        assert!(!case.contract.is_empty());
        check(case, revoke).await;
    }
}

#[tokio::test]
async fn every_grant_gets_its_exact_answer() {
    run(
        include_str!("../../../../testdata/http/grant.toml"),
        false,
        120,
    )
    .await;
}

#[tokio::test]
async fn every_revoke_gets_its_exact_answer() {
    run(
        include_str!("../../../../testdata/http/revoke.toml"),
        true,
        19,
    )
    .await;
}
