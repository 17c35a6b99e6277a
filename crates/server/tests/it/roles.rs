//! Named keys with roles: each opens what its role says, and nothing else.
//! Attacks A01, K01.

use core::net::IpAddr;

use serde_json::{Value, json};
use token_server::Caller;

use crate::harness::{Harness, NOW, SUBSCRIBE_KEY, read_on};

const STRANGER: Caller = Caller::Peer(IpAddr::V4(core::net::Ipv4Addr::new(10, 0, 0, 1)));

async fn key(harness: &Harness, role: &str) -> String {
    let body = json!({"name": format!("the-{role}"), "role": role});
    let reply = harness.admin("POST", "/v1/admin-keys", &body).await;
    assert_eq!(reply.status, 201, "{}", reply.body);
    reply.json()["key"].as_str().unwrap().to_owned()
}

/// The status of a request with a key.
async fn ask(harness: &Harness, key: &str, method: &str, path: &str, body: &str) -> u16 {
    let bearer = format!("Bearer {key}");
    let headers = [("authorization", bearer.as_str())];
    let reply = harness
        .internal(STRANGER, method, path, &headers, body)
        .await;
    reply.status
}

/// Method, path, body, and the roles that the route opens to beside admin.
type Route = (
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
);

/// Every route.
const ROUTES: &[Route] = &[
    (
        "GET",
        "/readyz",
        "",
        &["issuer", "verifier", "auditor", "none"],
    ),
    ("GET", "/metrics", "", &["verifier"]),
    ("POST", "/v1/check", "CHECK", &["verifier"]),
    (
        "POST",
        "/v1/check/batch",
        r#"{"checks":[CHECK]}"#,
        &["verifier"],
    ),
    ("POST", "/v1/verify", r#"{"token":"x"}"#, &["verifier"]),
    ("POST", "KEYSET/tokens", "GRANT", &["issuer"]),
    ("GET", "/v1/keysets", "", &["issuer", "auditor"]),
    ("GET", "KEYSET", "", &["issuer", "auditor"]),
    ("GET", "/v1/audit", "", &["auditor"]),
    ("GET", "/v1/audit/head", "", &["auditor"]),
    ("GET", "/v1/admin-keys", "", &["auditor"]),
    (
        "POST",
        "/v1/admin-keys",
        r#"{"name":"n","role":"verifier"}"#,
        &[],
    ),
    ("POST", "/v1/admin-keys/n/rotate", "{}", &[]),
    ("DELETE", "/v1/admin-keys/n", "", &[]),
    ("POST", "/v1/keysets", r#"{"name":"n"}"#, &[]),
    ("PATCH", "KEYSET", r#"{"settings":{"max_ttl":60}}"#, &[]),
    ("POST", "KEYSET/revocations", r#"{"uuid":"alice"}"#, &[]),
    ("GET", "KEYSET/revocations", "", &[]),
    ("POST", "KEYSET/rotate", r#"{"key":"secret"}"#, &[]),
    ("POST", "KEYSET/incident", "{}", &[]),
    ("POST", "/v1/verifier-key/rotate", "{}", &[]),
    ("POST", "/v1/backup", "{}", &[]),
    ("DELETE", "KEYSET", "", &[]),
];

/// The routes, with a keyset, a check and a grant in their places.
fn routes() -> impl Iterator<Item = (&'static str, String, String, &'static [&'static str])> {
    let keyset = format!("/v1/keysets/{SUBSCRIBE_KEY}");
    let check = json!({"subscribe_key": SUBSCRIBE_KEY, "operation": "time"}).to_string();
    let grant = read_on("room").to_string();
    ROUTES.iter().map(move |(method, path, body, opens_to)| {
        let body = body.replace("CHECK", &check).replace("GRANT", &grant);
        (*method, path.replace("KEYSET", &keyset), body, *opens_to)
    })
}

#[tokio::test]
async fn a01_every_route_opens_to_the_roles_of_its_class_and_to_nobody_else() {
    let harness = Harness::new().await;
    let mut keys = vec![("none", "usher_admin_00".to_owned())];
    for role in ["issuer", "verifier", "auditor"] {
        keys.push((role, key(&harness, role).await));
    }
    let admin = key(&harness, "admin").await;
    for (method, path, body, opens_to) in routes() {
        for (role, key) in &keys {
            let status = ask(&harness, key, method, &path, &body).await;
            let expected = match (opens_to.contains(role), *role) {
                (true, _) => 200,
                (false, "none") => 401,
                (false, _) => 403,
            };
            assert_eq!(status, expected, "{role}: {method} {path}");
        }
        let status = ask(&harness, &admin, method, &path, &body).await;
        assert!((200..300).contains(&status), "{method} {path}: {status}");
    }
}

/// Nothing of the internal API is on the public listener, whoever asks.
#[tokio::test]
async fn a01_the_public_listener_knows_none_of_these_routes() {
    let harness = Harness::new().await;
    let admin = key(&harness, "admin").await;
    let bearer = format!("Bearer {admin}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
    ];
    for (method, path, body, _) in routes() {
        let reply = harness
            .public(method, &path, &headers, &body.to_string())
            .await;
        assert_eq!(reply.status, 404, "{method} {path}: {}", reply.body);
    }
}

#[tokio::test]
async fn a_key_of_the_wrong_role_is_told_which_it_has() {
    let harness = Harness::new().await;
    let issuer = key(&harness, "issuer").await;
    let bearer = format!("Bearer {issuer}");
    let headers = [("authorization", bearer.as_str())];
    let reply = harness
        .internal(STRANGER, "GET", "/v1/audit", &headers, "")
        .await;
    let error = &reply.json()["error"];
    assert_eq!(error["code"], "role_insufficient");
    assert!(error["message"].as_str().unwrap().contains("`the-issuer`"));
    // As the key of a verifier it is none at all.
    let headers = [("x-usher-verifier-key", issuer.as_str())];
    let reply = harness
        .internal(STRANGER, "GET", "/metrics", &headers, "")
        .await;
    assert_eq!(reply.status, 401);
}

#[tokio::test]
async fn keys_are_listed_rotated_and_removed_and_never_shown_again() {
    let harness = Harness::new().await;
    let first = key(&harness, "issuer").await;
    let path = "/v1/admin-keys/the-issuer";
    let rotate = json!({"overlap_seconds": 60});
    let reply = harness
        .admin("POST", &format!("{path}/rotate"), &rotate)
        .await
        .json();
    let second = reply["key"].as_str().unwrap().to_owned();
    assert_eq!(reply["admin_key"]["overlaps_until"], NOW + 60);
    let status = async |key: &str| ask(&harness, key, "GET", "/v1/keysets", "").await;
    assert_eq!((status(&first).await, status(&second).await), (200, 200));
    let list = harness.admin("GET", "/v1/admin-keys", &Value::Null).await;
    assert!(!list.body.contains(&second) && !list.body.contains("sha256"));
    let shown = &list.json()["admin_keys"][0];
    assert_eq!(
        (&shown["name"], &shown["role"]),
        (&json!("the-issuer"), &json!("issuer"))
    );
    harness.clock.advance(60);
    assert_eq!((status(&first).await, status(&second).await), (401, 200));
    assert_eq!(
        harness.admin("DELETE", path, &Value::Null).await.status,
        200
    );
    assert_eq!(status(&second).await, 401);
    assert_eq!(
        harness.admin("DELETE", path, &Value::Null).await.status,
        404
    );
}

#[tokio::test]
async fn a_key_that_cannot_be_made_is_refused_with_the_reason() {
    let harness = Harness::new().await;
    key(&harness, "admin").await;
    let rows = [
        (
            json!({"name": "the-admin", "role": "admin"}),
            409,
            "admin_key_exists",
        ),
        (
            json!({"name": "a b", "role": "admin"}),
            400,
            "invalid_request",
        ),
        (json!({"name": "a", "role": "root"}), 400, "invalid_request"),
        (json!({"name": "a"}), 400, "invalid_request"),
        (
            json!({"name": "a", "role": "issuer", "expires_at": NOW}),
            400,
            "invalid_request",
        ),
        (
            json!({"name": "a", "role": "issuer", "until": NOW}),
            400,
            "invalid_request",
        ),
    ];
    for (body, status, code) in rows {
        let reply = harness.admin("POST", "/v1/admin-keys", &body).await;
        let found = (reply.status, reply.json()["error"]["code"].clone());
        assert_eq!(found, (status, json!(code)), "{body}");
    }
    let reply = harness
        .admin("DELETE", "/v1/admin-keys/the-admin", &Value::Null)
        .await;
    assert_eq!(
        (reply.status, &reply.json()["error"]["code"]),
        (409, &json!("last_admin_key"))
    );
}
