//! Keysets whose tokens anybody verifies: Ed25519 keys, and where they are
//! published (format 7, format 9).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use token_codec::{KeyPeriod, KeyRing, TokenBuffer, TokenKey, UntrustedToken, verify};
use token_core::{SubscribeKey, UnixSeconds};
use token_server::Caller;

use crate::harness::{Harness, NOW, SUBSCRIBE_KEY, read_on};

const KEY_SET: &str = "/.well-known/access-manager/sub-c-demo/jwks.json";

async fn ed25519() -> Harness {
    Harness::with(json!({"signing_algorithm": "ed25519"})).await
}

async fn keys(harness: &Harness) -> Vec<Value> {
    let reply = harness.public("GET", KEY_SET, &[], "").await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(reply.headers["cache-control"], "public, max-age=60");
    reply.json()["keys"].as_array().unwrap().clone()
}

/// The ring that a stranger makes of a key set.
fn ring(keys: &[Value]) -> KeyRing {
    let subscribe_key = SubscribeKey::new(SUBSCRIBE_KEY).unwrap();
    let periods = keys.iter().map(|key| {
        let x = URL_SAFE_NO_PAD.decode(key["x"].as_str().unwrap()).unwrap();
        let public = x.try_into().unwrap();
        KeyPeriod {
            from: UnixSeconds(key["from"].as_u64().unwrap()),
            until: key["until"].as_u64().map(UnixSeconds),
            key: TokenKey::ed25519_public(public, &subscribe_key).unwrap(),
        }
    });
    KeyRing::new(subscribe_key.clone(), periods)
}

fn is_good(token: &str, keys: &[Value]) -> bool {
    verify(token, &ring(keys), &mut TokenBuffer::new()).is_ok()
}

#[tokio::test]
async fn a_token_of_an_ed25519_keyset_is_like_any_other_and_verifies_by_the_key_set() {
    let harness = ed25519().await;
    let token = harness.grant_at(NOW, &read_on("room-1")).await.token();
    let again = harness.grant_at(NOW, &read_on("room-1")).await.token();
    assert_eq!(token, again, "a replayed grant yields the same token");
    let keys = keys(&harness).await;
    assert_eq!(keys.len(), 1);
    let [kty, crv, usage] = ["kty", "crv", "use"].map(|name| keys[0][name].clone());
    assert_eq!([kty, crv, usage], ["OKP", "Ed25519", "sig"]);
    assert_eq!(keys[0]["from"], 0);
    assert!(keys[0].get("alg").is_none(), "it signs no JWS");
    assert!(is_good(&token, &keys));
    let shown = UntrustedToken::parse(&token).unwrap();
    assert!(shown.is_canonical());
    let shown = shown.claims_untrusted();
    assert_eq!(shown.key_id.as_deref(), keys[0]["kid"].as_str());
    assert_eq!(harness.decision(&token, "room-1").await, "allow");
    assert_eq!(
        harness.decision(&token, "room-2").await,
        "permission_missing"
    );
    let body = json!({ "token": token });
    let active = harness.admin("POST", "/v1/introspect", &body).await.json();
    assert_eq!(
        (&active["active"], &active["client_id"]),
        (&json!(true), &json!(SUBSCRIBE_KEY))
    );
    assert_eq!(harness.revoke(&token).await.status, 200);
    assert_eq!(harness.decision(&token, "room-1").await, "revoked");
    assert_eq!(
        harness.decision(&format!("{token}A"), "room-1").await,
        "invalid_token"
    );
}

/// What a keyset is verified by without its secret is in one document, and no
/// secret is in it.
#[tokio::test]
async fn a_verifier_gets_everything_but_secrets() {
    let harness = ed25519().await;
    harness
        .create("sub-c-plain", "sec-c-plain-0123456789", json!({}))
        .await;
    let peer = Caller::Peer([192, 0, 2, 1].into());
    let stranger = harness
        .internal(peer, "GET", "/v1/public-keys", &[], "")
        .await;
    assert_eq!(stranger.status, 401, "no peer is trusted here");
    let made = harness
        .admin("POST", "/v1/verifier-key/rotate", &json!({}))
        .await;
    let key = made.json()["verifier_key"].as_str().unwrap().to_owned();
    let headers = [("x-usher-verifier-key", key.as_str())];
    let all = harness
        .internal(peer, "GET", "/v1/public-keys", &headers, "")
        .await;
    assert_eq!(all.status, 200, "{}", all.body);
    assert!(
        !all.body.contains("sec-c") && !all.body.contains("secret"),
        "{}",
        all.body
    );
    let keysets = all.json()["keysets"].as_array().unwrap().clone();
    let find = |name: &str| {
        let found = keysets
            .iter()
            .find(|keyset| keyset["subscribe_key"] == name);
        found.unwrap().clone()
    };
    let (demo, plain) = (find(SUBSCRIBE_KEY), find("sub-c-plain"));
    assert_eq!(demo["keys"], json!(keys(&harness).await));
    assert_eq!(demo["publish_key"], "pub-c-demo");
    assert_eq!(demo["settings"]["on_stale"], "serve");
    assert!(demo.get("hmac").is_none());
    assert_eq!(
        (&plain["keys"], &plain["hmac"]),
        (&json!([]), &json!([{"from": 0}]))
    );
    let path = format!("/v1/keysets/{SUBSCRIBE_KEY}/public-keys");
    let one = harness.internal(peer, "GET", &path, &headers, "").await;
    assert_eq!(one.json()["keysets"], json!([demo]));
    // In public a keyset without public keys is like one that nobody knows.
    for name in ["sub-c-plain", "sub-c-nobody"] {
        let target = format!("/.well-known/access-manager/{name}/jwks.json");
        let answer = harness.public("GET", &target, &[], "").await;
        assert_ne!(answer.status, 200, "{}", answer.body);
    }
    let jwks = harness
        .public("GET", "/.well-known/jwks.json", &[], "")
        .await;
    assert_ne!(
        jwks.status, 200,
        "the keys of Access Manager tokens are apart"
    );
}

/// K01: from HMAC to Ed25519 and back, with tokens of each key living on.
#[tokio::test]
async fn k01_a_keyset_changes_its_algorithm_without_a_gap() {
    let harness = Harness::new().await;
    let path = format!("/v1/keysets/{SUBSCRIBE_KEY}");
    let set = |value: &str| json!({"settings": {"signing_algorithm": value}});
    let rotate = json!({"key": "signing"});
    let grant = async || {
        harness
            .grant_at(harness.clock_now(), &read_on("room-1"))
            .await
            .token()
    };
    let first = grant().await;
    harness.admin("PATCH", &path, &set("ed25519")).await;
    let rotated = harness
        .admin("POST", &format!("{path}/rotate"), &rotate)
        .await;
    let from = rotated.json()["from"].as_u64().unwrap();
    assert_eq!(from, NOW + 245, "announced 185 s and max_staleness ahead");
    let shown = &rotated.json()["keyset"]["signing_keys"];
    assert_eq!(
        (&shown[0]["algorithm"], &shown[1]["algorithm"]),
        (&json!("hmac"), &json!("ed25519"))
    );
    let announced = keys(&harness).await;
    assert_eq!(
        (announced.len(), &announced[0]["kid"]),
        (1, &shown[1]["kid"])
    );
    harness.clock.advance(244);
    let last_of_first = grant().await;
    assert!(!is_good(&last_of_first, &announced));
    harness.clock.advance(1);
    let second = grant().await;
    assert!(
        is_good(&second, &announced),
        "by keys that were published before"
    );
    for token in [&first, &last_of_first, &second] {
        assert_eq!(harness.decision(token, "room-1").await, "allow");
    }
    // The same, back.
    harness.admin("PATCH", &path, &set("hmac")).await;
    harness
        .admin("POST", &format!("{path}/rotate"), &rotate)
        .await;
    harness.clock.advance(245);
    let third = grant().await;
    assert!(
        UntrustedToken::parse(&third)
            .unwrap()
            .claims_untrusted()
            .key_id
            .is_none()
    );
    for token in [&first, &last_of_first, &second, &third] {
        assert_eq!(harness.decision(token, "room-1").await, "allow");
    }
    let announced = keys(&harness).await;
    assert_eq!(announced[0]["until"].as_u64().unwrap(), harness.clock_now());
    assert!(is_good(&second, &announced) && !is_good(&third, &announced));
    // An emergency ends all of them.
    harness
        .admin(
            "POST",
            &format!("{path}/rotate"),
            &json!({"key": "emergency"}),
        )
        .await;
    for token in [&first, &last_of_first, &second, &third] {
        assert_eq!(harness.decision(token, "room-1").await, "revoked");
    }
}
