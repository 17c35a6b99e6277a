//! Customer access tokens: the contract row by row (oem 1 to 5), and the
//! attacks on JWT that concern them (J01 to J11, T09, T13).

use core::net::{IpAddr, Ipv4Addr};
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};
use token_server::Caller;

use crate::case_file::cases;
use crate::harness::{Harness, NOW, Reply, SUBSCRIBE_KEY, read_on};

const API_KEY: &str = "partner-api-key-canary-0123456789";
const PATH: &str = "/v2/oem/access-token";

pub(crate) struct World {
    pub(crate) harness: Harness,
    pub(crate) account: u64,
    pub(crate) application: u64,
    other_application: u64,
}

impl World {
    async fn new() -> Self {
        Self::with(json!({})).await
    }

    /// With these settings of the keyset.
    pub(crate) async fn with(settings: Value) -> Self {
        Self::on(Harness::with(settings).await).await
    }

    /// On a service that has the keyset.
    pub(crate) async fn on(harness: Harness) -> Self {
        let body = json!({"name": "Partner", "api_key": API_KEY});
        let made = harness.admin("POST", "/v1/accounts", &body).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let account = made.json()["account"]["id"].as_u64().unwrap();
        let mut world = Self {
            harness,
            account,
            application: 0,
            other_application: 0,
        };
        world.application = world.application("Game").await;
        world.other_application = world.application("Other").await;
        let body = json!({"application": world.application, "subscribe_key": SUBSCRIBE_KEY});
        let keyset = world.made("keysets", &body).await["id"].clone();
        let body = json!({"external_id": "acme", "name": "Acme", "keysets": [keyset]});
        world.made("customers", &body).await;
        world
    }

    async fn application(&self, name: &str) -> u64 {
        let made = self.made("applications", &json!({ "name": name })).await;
        made["id"].as_u64().unwrap()
    }

    pub(crate) async fn admin(&self, method: &str, rest: &str, body: &Value) -> Reply {
        let path = format!("/v1/accounts/{}{rest}", self.account);
        self.harness.admin(method, &path, body).await
    }

    pub(crate) async fn made(&self, what: &str, body: &Value) -> Value {
        let made = self.admin("POST", &format!("/{what}"), body).await;
        assert_eq!(made.status, 201, "{}", made.body);
        made.json()
    }

    fn wanted(&self) -> Value {
        json!({"permissions": ["dashboard:read"], "externalId": "acme",
            "customerUserId": "u-1", "appId": self.application})
    }

    async fn ask(&self, body: &Value) -> Reply {
        self.ask_with(&[("authorization", API_KEY)], &body.to_string())
            .await
    }

    async fn ask_with(&self, headers: &[(&str, &str)], body: &str) -> Reply {
        let mut headers = headers.to_vec();
        headers.push(("pubnub-version", "2026-02-09"));
        self.harness.public("POST", PATH, &headers, body).await
    }

    pub(crate) async fn token(&self) -> String {
        self.token_with(&["dashboard:read"], "acme").await
    }

    /// A token of a customer with these permissions.
    pub(crate) async fn token_with(&self, permissions: &[&str], customer: &str) -> String {
        let mut wanted = self.wanted();
        wanted["permissions"] = json!(permissions);
        wanted["externalId"] = json!(customer);
        let reply = self.ask(&wanted).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.json()["accessToken"].as_str().unwrap().to_owned()
    }

    async fn introspect(&self, token: &str) -> Value {
        let body = json!({ "token": token });
        let reply = self.harness.admin("POST", "/v1/introspect", &body).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.json()
    }

    pub(crate) async fn is_active(&self, token: &str) -> bool {
        self.introspect(token).await["active"] == true
    }

    async fn key_ids(&self) -> Vec<String> {
        let reply = self
            .harness
            .public("GET", "/.well-known/jwks.json", &[], "")
            .await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        let keys = reply.json()["keys"].as_array().unwrap().clone();
        let id = |key: Value| key["kid"].as_str().unwrap().to_owned();
        keys.into_iter().map(id).collect()
    }
}

/// A segment of a token, read.
fn segment(token: &str, at: usize) -> Value {
    let text = token.split('.').nth(at).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
}

fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    body: BTreeMap<String, toml::Value>,
    #[serde(default)]
    without: Vec<String>,
    raw: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    status: u16,
    error: Option<String>,
    #[serde(default)]
    messages: Vec<String>,
    seconds: Option<u64>,
}

/// oem 2: testdata/http/oem.toml. What a case says replaces what a good request
/// says; every fault is named at once.
#[tokio::test]
async fn every_request_gets_its_token_or_its_faults() {
    let file = include_str!("../../../../testdata/http/oem.toml");
    let cases: Vec<Case> = cases(file, 25);
    for case in &cases {
        let world = World::new().await;
        let mut body = world.wanted();
        for (name, value) in &case.body {
            body[name] = serde_json::to_value(value).unwrap();
        }
        if case.body.get("appId").and_then(toml::Value::as_str) == Some("OTHER") {
            body["appId"] = json!(world.other_application);
        }
        for name in &case.without {
            body.as_object_mut().unwrap().remove(name);
        }
        let mut headers = BTreeMap::from([
            ("authorization".to_owned(), API_KEY.to_owned()),
            ("pubnub-version".to_owned(), "2026-02-09".to_owned()),
        ]);
        for (name, value) in &case.headers {
            headers.insert(name.clone(), value.replace("KEY", API_KEY));
        }
        headers.retain(|_, value| value != "NONE");
        let headers: Vec<(&str, &str)> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let text = case.raw.clone().unwrap_or_else(|| body.to_string());
        let reply = world.harness.public("POST", PATH, &headers, &text).await;
        assert_eq!(reply.status, case.status, "{}: {}", case.name, reply.body);
        assert!(!reply.body.contains("canary"), "{}", reply.body);
        let told = reply.json();
        if case.status == 200 {
            let fields: Vec<&String> = told.as_object().unwrap().keys().collect();
            assert_eq!(fields, ["accessToken"], "{}", case.name);
            let claims = segment(told["accessToken"].as_str().unwrap(), 1);
            let life = claims["exp"].as_u64().unwrap() - NOW;
            assert_eq!(life, case.seconds.unwrap_or(3_600), "{}", case.name);
            continue;
        }
        assert_eq!(told["statusCode"], case.status, "{}", case.name);
        assert_eq!(
            told["error"],
            case.error.as_deref().unwrap(),
            "{}",
            case.name
        );
        let messages: Vec<&str> = told["message"]
            .as_array()
            .unwrap()
            .iter()
            .map(|message| message.as_str().unwrap())
            .collect();
        assert!(!messages.is_empty());
        for expected in &case.messages {
            let found = messages.iter().any(|message| message.starts_with(expected));
            assert!(found, "{}: {messages:?}", case.name);
        }
        if !case.messages.is_empty() {
            assert_eq!(messages.len(), case.messages.len(), "{messages:?}");
        }
    }
}

/// oem 4: header and claims, and nothing else in them.
#[tokio::test]
async fn a_token_says_what_was_asked_for() {
    let world = World::new().await;
    let mut wanted = world.wanted();
    wanted["permissions"] = json!(["metric:read", "dashboard:read", "metric:read"]);
    wanted["expiresIn"] = json!("30d");
    let reply = world.ask(&wanted).await.json();
    let token = reply["accessToken"].as_str().unwrap();
    let header = segment(token, 0);
    let kid = header["kid"].as_str().unwrap();
    assert_eq!(header, json!({"typ": "at+jwt", "alg": "EdDSA", "kid": kid}));
    assert_eq!(world.key_ids().await, [kid]);
    let claims = segment(token, 1);
    let (customer, id) = (&claims["customerId"], &claims["jti"]);
    let expected = json!({"iss": "http://127.0.0.1:8080", "aud": "illuminate", "sub": "u-1",
        "iat": NOW, "nbf": NOW, "exp": NOW + 30 * 86_400, "jti": id,
        "scope": "metric:read dashboard:read",
        "permissions": ["metric:read", "dashboard:read"], "accountId": world.account,
        "appId": world.application, "customerId": customer, "externalId": "acme",
        "customerUserId": "u-1"});
    assert_eq!(claims, expected);
    let told = world.introspect(token).await;
    assert_eq!(told["active"], true);
    assert_eq!(told["scope"], "metric:read dashboard:read");
    assert_eq!(told["exp"], NOW + 30 * 86_400);
    assert_eq!(told["kind"], "oem");
}

/// oem 1: until there is an account there is no dialect and no key set.
#[tokio::test]
async fn there_is_no_dialect_until_a_credential_exists() {
    let harness = Harness::new().await;
    let headers = [("authorization", API_KEY), ("pubnub-version", "2026-02-09")];
    let reply = harness.public("POST", PATH, &headers, "{}").await;
    assert_eq!(reply.status, 404, "{}", reply.body);
    let keys = harness
        .public("GET", "/.well-known/jwks.json", &[], "")
        .await;
    assert_ne!(keys.status, 200);
    let world = World::new().await;
    let other = world.harness.public("GET", PATH, &headers, "").await;
    assert_eq!(
        (other.status, &other.json()["error"]),
        (404, &json!("NotFound"))
    );
}

/// oem 3: create, get, list, delete; ids are known or 404, taken or 409.
#[tokio::test]
async fn customers_come_and_go() {
    let world = World::new().await;
    let list = world.admin("GET", "/customers", &Value::Null).await.json();
    let id = list["customers"][0]["id"].as_str().unwrap().to_owned();
    let one = format!("/customers/{id}");
    let shown = world.admin("GET", &one, &Value::Null).await.json();
    assert_eq!(shown["external_id"], "acme");
    assert_eq!(shown["keysets"][0]["application"], world.application);
    let body = json!({"external_id": "acme", "name": "Twice"});
    let twice = world.admin("POST", "/customers", &body).await;
    assert_eq!(twice.status, 409, "{}", twice.body);
    let token = world.token().await;
    let gone = world.admin("DELETE", &one, &Value::Null).await;
    assert_eq!(gone.status, 200, "{}", gone.body);
    assert_eq!(world.admin("GET", &one, &Value::Null).await.status, 404);
    assert_eq!(world.ask(&world.wanted()).await.status, 404);
    assert!(world.is_active(&token).await, "what was issued is issued");
    let again = world.admin("POST", "/customers", &body).await;
    assert_eq!(again.status, 201, "an external id can be used again");
    assert_eq!(world.ask(&world.wanted()).await.status, 403, "no keyset");
}

/// The API is the administrator's (oem 1), and shows no key again.
#[tokio::test]
async fn accounts_are_for_administrators() {
    let world = World::new().await;
    let stranger = Caller::Peer(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)));
    for (method, path) in [
        ("GET", "/v1/accounts"),
        ("POST", "/v1/accounts"),
        ("POST", "/v1/revoke"),
        ("POST", "/v1/introspect"),
    ] {
        let reply = world
            .harness
            .internal(stranger, method, path, &[], "{}")
            .await;
        assert_eq!(reply.status, 401, "{path}: {}", reply.body);
    }
    for path in ["/v1/accounts", "/v1/introspect", "/v1/revoke"] {
        let public = world.harness.public("POST", path, &[], "{}").await;
        assert_ne!(public.status, 200, "{path}");
    }
    let list = world
        .harness
        .admin("GET", "/v1/accounts", &Value::Null)
        .await;
    assert!(!list.body.contains("canary"), "{}", list.body);
}

/// RFC 7662 and RFC 7009 for two kinds of token, by form and by JSON.
#[tokio::test]
async fn tokens_of_every_kind_are_introspected_and_revoked() {
    let world = World::new().await;
    let path = format!("/v1/keysets/{SUBSCRIBE_KEY}/tokens");
    let granted = world.harness.admin("POST", &path, &read_on("room-1")).await;
    for (token, kind) in [
        (world.token().await, "oem"),
        (granted.token(), "access-manager"),
    ] {
        let told = world.introspect(&token).await;
        assert_eq!(
            (&told["active"], &told["kind"]),
            (&json!(true), &json!(kind))
        );
        let form = format!("token={token}&token_type_hint=access_token");
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let owner = Caller::InProcess;
        let send = |path: &'static str, form: String| {
            let harness = &world.harness;
            async move { harness.internal(owner, "POST", path, &headers, &form).await }
        };
        let told = send("/v1/introspect", form.clone()).await;
        assert_eq!(told.json()["active"], true, "{}", told.body);
        let cut = form.replace("&token_type", "x&token_type");
        let refused = send("/v1/revoke", cut).await;
        assert_eq!(refused.status, 400, "a token that does not verify");
        assert!(world.is_active(&token).await);
        for _ in 0..2 {
            let done = send("/v1/revoke", form.clone()).await;
            assert_eq!(done.status, 200, "{}", done.body);
        }
        assert_eq!(world.introspect(&token).await, json!({"active": false}));
    }
}

/// J01 to J04, J06 to J11: a header that chooses how it is verified, claims that
/// were changed, keys that nobody has. Each beside the token that is good.
#[tokio::test]
async fn a_forged_token_is_never_active() {
    let world = World::new().await;
    let token = world.token().await;
    assert!(world.is_active(&token).await);
    let [head, body, signature] = *token.split('.').collect::<Vec<_>>() else {
        panic!("three segments");
    };
    let kid = segment(&token, 0)["kid"].clone();
    let jwks = world
        .harness
        .public("GET", "/.well-known/jwks.json", &[], "")
        .await;
    let public = jwks.json()["keys"][0].clone();
    let with = |name: &str, value: Value| {
        let mut header = segment(&token, 0);
        header[name] = value;
        format!("{}.{body}.{signature}", encode(&header))
    };
    let claim = |name: &str, value: Value| {
        let mut claims = segment(&token, 1);
        claims[name] = value;
        format!("{head}.{}.{signature}", encode(&claims))
    };
    // HMAC under the public key, as if it were a secret.
    let confused = {
        let header = encode(&json!({"typ": "at+jwt", "alg": "HS512", "kid": kid}));
        let x = URL_SAFE_NO_PAD
            .decode(public["x"].as_str().unwrap())
            .unwrap();
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA512, &x);
        let signed = format!("{header}.{body}");
        let mac = ring::hmac::sign(&key, signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac))
    };
    let forged = [
        with("alg", json!("none")),
        with("alg", json!("HS256")),
        with("alg", json!("eddsa")),
        format!("{}.{body}.", encode(&json!({"alg": "none"}))),
        format!("{head}.{body}."),
        confused,
        with("jwk", public.clone()),
        with("jku", json!("https://evil.example/jwks.json")),
        with("x5u", json!("https://evil.example/cert")),
        with("crit", json!(["exp"])),
        with("b64", json!(false)),
        with("kid", json!("../../etc/passwd")),
        with("kid", json!("' OR 1=1 --")),
        with("typ", json!("JWT")),
        with("typ", json!("CRT")),
        claim("exp", json!(NOW + 9_000_000)),
        claim("permissions", json!(["dashboard:write"])),
        claim("accountId", json!(1)),
        claim("sub", json!("u-2")),
        format!("{token}="),
        format!("{token} "),
        format!("{token}.x"),
        format!("{body}.{head}.{signature}"),
    ];
    for text in forged {
        assert_eq!(
            world.introspect(&text).await,
            json!({"active": false}),
            "{text}"
        );
    }
    assert!(world.is_active(&token).await);
}

/// T09, T13: a token of one account or kind is none of another.
#[tokio::test]
async fn tokens_stay_within_their_account_and_kind() {
    let world = World::new().await;
    let token = world.token().await;
    let decided = world.harness.decision(&token, "room-1").await;
    assert_eq!(decided, "wrong_keyset", "no token of a keyset");
    let all = format!("/v1/keysets/{SUBSCRIBE_KEY}/revocations");
    let revoked = world
        .harness
        .admin("POST", &all, &json!({"all": true}))
        .await;
    assert_eq!(revoked.status, 200);
    assert!(world.is_active(&token).await, "a rule of another kind");
    let path = format!("/v1/accounts/{}", world.account);
    world.harness.admin("DELETE", &path, &Value::Null).await;
    assert!(!world.is_active(&token).await, "its keys are gone");
}

/// K04: keys overlap; the set names those before, now and next; an emergency
/// ends every token at once and new ones are good at once.
#[tokio::test]
async fn keys_rotate_with_overlap_and_at_once() {
    let world = World::new().await;
    let old = world.token().await;
    let rotate = async |emergency: bool| {
        let body = json!({ "emergency": emergency });
        let reply = world.admin("POST", "/rotate", &body).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
    };
    rotate(false).await;
    assert_eq!(world.key_ids().await.len(), 2, "announced");
    let before = world.token().await;
    world.harness.clock.advance(245);
    let after = world.token().await;
    let kid = |token: &str| segment(token, 0)["kid"].clone();
    assert_eq!(kid(&old), kid(&before));
    assert_ne!(kid(&old), kid(&after));
    for token in [&old, &before, &after] {
        assert!(world.is_active(token).await, "0 false denials");
    }
    rotate(true).await;
    for token in [&old, &before, &after] {
        assert!(!world.is_active(token).await, "0 stale accepts");
    }
    let fresh = world.token().await;
    let claims = segment(&fresh, 1);
    assert_eq!(claims["iat"], NOW + 246, "just after the rule");
    world.harness.clock.advance(1);
    assert!(world.is_active(&fresh).await);
    assert!(
        world
            .key_ids()
            .await
            .contains(&kid(&fresh).as_str().unwrap().to_owned())
    );
}

/// An expired token is inactive at the second of its expiry.
#[tokio::test]
async fn a_token_expires_at_its_second() {
    let world = World::new().await;
    let token = world.token().await;
    world.harness.clock.advance(3_599);
    assert!(world.is_active(&token).await);
    world.harness.clock.advance(1);
    assert!(!world.is_active(&token).await);
}

/// RFC 8414, and what others may read of it (oem 5: partners verify by the key
/// set alone).
#[tokio::test]
async fn the_well_known_documents_are_public_and_hold_no_secret() {
    let world = World::new().await;
    let get = async |path: &str| world.harness.public("GET", path, &[], "").await;
    let metadata = get("/.well-known/oauth-authorization-server").await;
    assert_eq!(
        metadata.json(),
        json!({"issuer": "http://127.0.0.1:8080",
            "jwks_uri": "http://127.0.0.1:8080/.well-known/jwks.json",
            "response_types_supported": [], "grant_types_supported": []})
    );
    let keys = get("/.well-known/jwks.json").await;
    assert_eq!(keys.headers["cache-control"], "public, max-age=60");
    let key = keys.json()["keys"][0].clone();
    let mut members: Vec<&String> = key.as_object().unwrap().keys().collect();
    members.sort();
    assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x"], "no `d`");
}
