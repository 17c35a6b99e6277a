//! What is counted, and that nobody can make it grow. Attack M04.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use token_server::Caller;

use crate::harness::{Harness, NOW, SUBSCRIBE_KEY, read_on};

async fn metrics(harness: &Harness) -> String {
    let reply = harness.admin("GET", "/metrics", &Value::Null).await;
    assert_eq!(reply.status, 200);
    reply.body
}

/// The value of one series.
fn value(text: &str, series: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(series));
    let value = line.unwrap_or_else(|| panic!("no {series} in {text}"));
    value.trim().parse().unwrap()
}

const CHECKS: &str = "usher_decisions_total{via=\"check\",";

#[tokio::test]
async fn decisions_grants_and_revocations_are_counted() {
    let harness = Harness::new().await;
    let token = harness.grant_at(NOW, &read_on("room")).await.token();
    assert_eq!(
        harness.grant_at(NOW - 500, &read_on("room")).await.status,
        400
    );
    assert_eq!(harness.decision(&token, "room").await, "allow");
    assert_eq!(harness.decision(&token, "room").await, "allow");
    harness.decision(&token, "other").await;
    assert_eq!(harness.revoke(&token).await.status, 200);
    harness.decision(&token, "room").await;
    let text = metrics(&harness).await;
    let check = |rest: &str| value(&text, &format!("{CHECKS}{rest}}}"));
    assert_eq!(check("decision=\"allow\",reason=\"allowed\""), 2);
    assert_eq!(check("decision=\"deny\",reason=\"permission_missing\""), 1);
    assert_eq!(check("decision=\"deny\",reason=\"revoked\""), 1);
    assert_eq!(value(&text, "usher_grants_total{outcome=\"issued\"}"), 1);
    assert_eq!(value(&text, "usher_grants_total{outcome=\"refused\"}"), 1);
    assert_eq!(value(&text, "usher_revocations_total{outcome=\"done\"}"), 1);
    let durations = "usher_decision_duration_seconds_count{via=\"check\"}";
    assert_eq!(value(&text, durations), 4);
    assert_eq!(value(&text, "usher_denied_tokens"), 1);
    assert_eq!(value(&text, "usher_keysets"), 1);
    assert_eq!(value(&text, "usher_token_cache_entries"), 1);
    assert!(value(&text, "usher_token_cache_hits_total") >= 4);
    // Making the keyset, and the revocation.
    assert_eq!(value(&text, "usher_store_commit_duration_seconds_count"), 2);
    assert!(text.ends_with("# EOF\n"));
}

#[tokio::test]
async fn strangers_are_not_shown_the_metrics() {
    let harness = Harness::new().await;
    let stranger = Caller::Peer([10, 0, 0, 1].into());
    let reply = harness.internal(stranger, "GET", "/metrics", &[], "").await;
    assert_eq!(reply.status, 401);
    assert_eq!(harness.public("GET", "/metrics", &[], "").await.status, 404);
}

#[tokio::test]
async fn m04_no_request_makes_a_series() {
    let harness = Harness::new().await;
    let series = |text: &str| text.lines().count();
    let before = series(&metrics(&harness).await);
    for n in 0..2_000 {
        let name = format!("name-{n}");
        let key = format!("sub-{n}");
        for body in [
            json!({"subscribe_key": key, "token": name, "operation": "publish", "channels": [name]}),
            json!({"subscribe_key": SUBSCRIBE_KEY, "uuid": name, "operation": "publish",
                "channels": [name]}),
            json!({"method": name, "path": format!("/{name}?auth={name}")}),
        ] {
            harness.admin("POST", "/v1/check", &body).await;
        }
        let path = format!("/v1/{name}");
        harness
            .internal(Caller::InProcess, &name, &path, &[], "")
            .await;
        let path = format!("/v2/subscribe/{key}/{name}/0?uuid={name}");
        harness.public("GET", &path, &[], "").await;
        let path = format!("/v3/pam/{key}/grant?signature=v2.{name}&timestamp={NOW}");
        harness.public("POST", &path, &[], "{}").await;
    }
    let text = metrics(&harness).await;
    assert_eq!(series(&text), before);
    assert!(!text.contains("name-") && !text.contains("sub-"));
}

#[tokio::test]
async fn the_operators_page_lists_every_metric_and_no_other() {
    let page = include_str!("../../../../docs/operate.md");
    let text = metrics(&Harness::new().await).await;
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let shown: BTreeSet<String> = types
        .map(|line| {
            let (name, kind) = line.split_once(' ').unwrap();
            let suffix = match kind {
                "counter" => "_total",
                "info" => "_info",
                _ => "",
            };
            format!("{name}{suffix}")
        })
        .collect();
    let rows = page.lines().filter(|line| line.starts_with("| `usher_"));
    let listed: BTreeSet<String> = rows
        .flat_map(|row| row.split('|').nth(1).unwrap().split(", "))
        .map(|name| name.trim().trim_matches('`').to_owned())
        .collect();
    assert_eq!(listed, shown);
}
