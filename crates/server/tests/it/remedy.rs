//! The remedy of a check, applied: granted in addition, the same request is
//! allowed; with any one bit less it is still denied.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::harness::{Harness, NOW};

#[derive(Deserialize)]
struct Operations {
    operation: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    requests: Vec<String>,
    body: Option<String>,
    #[serde(default)]
    misses: Vec<Miss>,
}

#[derive(Deserialize)]
struct Miss {
    claims: Value,
}

/// Grants `claims` with `more` and asks whether `line` may pass.
async fn check(
    harness: &Harness,
    line: &str,
    body: Option<&str>,
    claims: &Value,
    more: &Value,
) -> Value {
    let mut permissions = claims.clone();
    merge(&mut permissions, more);
    let grant = json!({"ttl": 60, "permissions": permissions});
    let token = harness.grant_at(NOW, &grant).await.token();
    let (method, path) = line.split_once(' ').unwrap();
    let mut question = json!({"token": token, "method": method, "path": path});
    if let Some(body) = body {
        question["body"] = body.into();
    }
    harness.admin("POST", "/v1/check", &question).await.json()
}

/// Adds bits to bits, and entries to sections.
fn merge(into: &mut Value, more: &Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (key, value) in more {
                merge(into.entry(key.as_str()).or_insert(Value::Null), value);
            }
        }
        (into, more) => {
            let bits = into.as_u64().unwrap_or(0) | more.as_u64().unwrap_or(0);
            *into = if more.is_number() {
                bits.into()
            } else {
                more.clone()
            };
        }
    }
}

/// Every way to take one bit of `grant` away.
fn one_bit_less(grant: &Value) -> Vec<Value> {
    let mut fewer = Vec::new();
    for (part, sections) in grant.as_object().unwrap() {
        if part == "categories" {
            for name in sections.as_object().unwrap().keys() {
                let mut less = grant.clone();
                less[part].as_object_mut().unwrap().remove(name);
                fewer.push(less);
            }
            continue;
        }
        for (kind, names) in sections.as_object().unwrap() {
            for (name, bits) in names.as_object().unwrap() {
                let bits = bits.as_u64().unwrap();
                for bit in (0..8).map(|bit| 1 << bit).filter(|bit| bits & bit != 0) {
                    let mut less = grant.clone();
                    let names = less[part][kind].as_object_mut().unwrap();
                    match bits & !bit {
                        0 => drop(names.remove(name)),
                        left => drop(names.insert(name.clone(), left.into())),
                    }
                    fewer.push(less);
                }
            }
        }
    }
    fewer
}

/// A grant must grant something: a channel that no request names.
fn something() -> Value {
    json!({"resources": {"channels": {"nobody-asks-for-this": 1}}})
}

#[tokio::test]
async fn a_remedy_that_is_granted_works_and_no_bit_of_it_is_too_much() {
    let text = include_str!("../../../../testdata/policy/operations.toml");
    let file: Operations = toml::from_str(text).unwrap();
    let harness = Harness::new().await;
    let (mut remedies, mut less) = (0, 0);
    for row in &file.operation {
        let body = row.body.as_deref();
        for line in &row.requests {
            for miss in &row.misses {
                let mut claims = miss.claims.clone();
                merge(&mut claims, &something());
                let nothing = Value::Object(Map::new());
                let denied = check(&harness, line, body, &claims, &nothing).await;
                assert_eq!(denied["decision"], "deny", "{line} {claims}");
                let Some(remedy) = denied.get("remedy") else {
                    assert_ne!(denied["reason"]["code"], "permission_missing", "{denied}");
                    continue;
                };
                let grant = &remedy["grant"];
                let allowed = check(&harness, line, body, &claims, grant).await;
                assert_eq!(allowed["decision"], "allow", "{line} {grant} {allowed}");
                remedies += 1;
                for fewer in one_bit_less(grant) {
                    let still = check(&harness, line, body, &claims, &fewer).await;
                    assert_eq!(still["decision"], "deny", "{line} {fewer}");
                    less += 1;
                }
            }
        }
    }
    assert!(remedies >= 90 && less >= remedies, "{remedies} {less}");
}
