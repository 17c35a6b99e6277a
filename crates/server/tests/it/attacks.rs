//! Attacks on grants and revokes: S01, S02, S07, S08, T05, T09, T10, H05, N10.

use serde_json::{Value, json};

use crate::harness::{
    Harness, NOW, SECRET_KEY, SUBSCRIBE_KEY, grant_path, query_at, read_on, signature, signed,
};

fn revocations() -> String {
    format!("/v1/keysets/{SUBSCRIBE_KEY}/revocations")
}

#[tokio::test]
async fn s01_replaying_a_grant_after_its_revocation_yields_the_revoked_token() {
    let harness = Harness::new().await;
    let first = harness.grant_at(NOW, &read_on("room")).await.token();
    assert_eq!(harness.decision(&first, "room").await, "allow");
    assert_eq!(harness.revoke(&first).await.status, 200);
    harness.clock.advance(30);
    let replayed = harness.grant_at(NOW, &read_on("room")).await.token();
    assert_eq!(replayed, first);
    assert_eq!(harness.decision(&replayed, "room").await, "revoked");
}

#[tokio::test]
async fn s02_replaying_a_revoke_changes_nothing() {
    let harness = Harness::new().await;
    let revoked = harness.grant_at(NOW, &read_on("room")).await.token();
    let other = harness.grant_at(NOW, &read_on("other")).await.token();
    for _ in 0..3 {
        assert_eq!(harness.revoke(&revoked).await.status, 200);
    }
    assert_eq!(harness.decision(&revoked, "room").await, "revoked");
    assert_eq!(harness.decision(&other, "other").await, "allow");
}

#[tokio::test]
async fn s07_an_unknown_keyset_and_a_wrong_signature_look_the_same() {
    let harness = Harness::new().await;
    let body = read_on("room").to_string();
    let headers = [("content-type", "application/json")];
    let ask = async |path: &str, secret: &str| {
        let target = signed(secret, "POST", path, &query_at(NOW), &body);
        let reply = harness.public("POST", &target, &headers, &body).await;
        (reply.status, reply.body, format!("{:?}", reply.headers))
    };
    let wrong = ask(&grant_path(), "sec-c-wrong-0123456789").await;
    let unknown = ask("/v3/pam/sub-c-nobody/grant", SECRET_KEY).await;
    assert_eq!(wrong, unknown);
    assert_eq!(wrong.0, 403);
    // The secret key is no credential by itself.
    let target = format!("{}?{}&secretKey={SECRET_KEY}", grant_path(), query_at(NOW));
    assert_eq!(
        harness
            .public("POST", &target, &headers, &body)
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn s08_two_equal_grants_in_one_second_are_one_token() {
    let harness = Harness::new().await;
    let first = harness.grant_at(NOW, &read_on("room")).await;
    let second = harness.grant_at(NOW, &read_on("room")).await;
    assert_eq!(first.token(), second.token());
}

#[tokio::test]
async fn t05_no_variant_of_a_token_is_revoked_in_vain() {
    let harness = Harness::new().await;
    for variant in 0..4 {
        let token = harness
            .grant_at(NOW, &read_on(&format!("room-{variant}")))
            .await
            .token();
        let room = format!("room-{variant}");
        let text = match variant {
            0 => token.clone(),
            1 => token.trim_end_matches('=').to_owned(),
            2 => format!("{token}="),
            _ => token.replacen('A', "%41", 1),
        };
        let path = format!("{}/{}", grant_path(), text.replace('=', "%3D"));
        let target = signed(SECRET_KEY, "DELETE", &path, &query_at(NOW), "");
        let reply = harness.public("DELETE", &target, &[], "").await;
        let after = harness.decision(&token, &room).await;
        match reply.status {
            200 => assert_eq!(after, "revoked", "variant {variant}"),
            400 => assert_eq!(after, "allow", "variant {variant}"),
            status => panic!("variant {variant} got {status}"),
        }
    }
}

#[tokio::test]
async fn t09_a_token_of_one_keyset_is_none_of_another_with_the_same_secret() {
    let harness = Harness::new().await;
    harness.create("sub-c-twin", SECRET_KEY, json!({})).await;
    let token = harness.grant_at(NOW, &read_on("room")).await.token();
    let body = json!({"subscribe_key": "sub-c-twin", "token": token,
        "operation": "history", "channels": ["room"]});
    let reply = harness.admin("POST", "/v1/check", &body).await.json();
    assert_eq!(reply["decision"], "deny");
    assert_eq!(reply["reason"]["code"], "invalid_token");
    let path = format!("/v3/pam/sub-c-twin/grant/{}", token.replace('=', "%3D"));
    let target = signed(SECRET_KEY, "DELETE", &path, &query_at(NOW), "");
    assert_eq!(harness.public("DELETE", &target, &[], "").await.status, 400);
    assert_eq!(harness.decision(&token, "room").await, "allow");
}

#[tokio::test]
async fn t10_a_token_that_is_given_twice_is_denied() {
    let harness = Harness::new().await;
    let good = harness.grant_at(NOW, &read_on("room")).await.token();
    let other = harness.grant_at(NOW, &read_on("other")).await.token();
    let path = |auth: &str| format!("/v2/history/sub-key/{SUBSCRIBE_KEY}/channel/room?{auth}");
    let escaped = good.replace('=', "%3D");
    let twice = format!("auth={escaped}&auth={escaped}");
    let once = format!("auth={escaped}");
    let ask = async |path: String, token: Value| {
        let mut body = json!({"method": "GET", "path": path});
        if !token.is_null() {
            body["token"] = token;
        }
        let json = harness.admin("POST", "/v1/check", &body).await.json();
        (json["decision"].clone(), json["reason"]["code"].clone())
    };
    assert_eq!(ask(path(&once), Value::Null).await.0, "allow");
    assert_eq!(ask(path(&once), good.as_str().into()).await.0, "allow");
    let ambiguous = (json!("deny"), json!("ambiguous_request"));
    assert_eq!(ask(path(&twice), Value::Null).await, ambiguous);
    assert_eq!(ask(path(&once), other.into()).await, ambiguous);
}

/// An issuer 45 s ahead, then a rule: nothing that was asked for before the
/// rule lives, and what is asked for after it does (design 2, rules).
#[tokio::test]
async fn a_rule_leaves_nothing_alive_that_was_asked_for_before_it() {
    for rule in [json!({"uuid": "alice"}), json!({"all": true})] {
        let harness = Harness::new().await;
        let mut body = read_on("room");
        body["permissions"]["uuid"] = "alice".into();
        let fast = NOW + 45;
        let token = harness.grant_at(fast, &body).await.token();
        let check = |token: &str| {
            json!({"subscribe_key": SUBSCRIBE_KEY, "token": token, "uuid": "alice",
                "operation": "history", "channels": ["room"]})
        };
        let decide = async |token: &str| {
            let json = harness
                .admin("POST", "/v1/check", &check(token))
                .await
                .json();
            json["decision"].as_str().unwrap().to_owned()
        };
        assert_eq!(decide(&token).await, "allow");
        let reply = harness.admin("POST", &revocations(), &rule).await.json();
        assert_eq!(reply["until"], fast);
        assert_eq!(decide(&token).await, "deny");
        let replayed = harness.grant_at(fast, &body).await;
        assert_eq!(replayed.status, 400);
        let detail = replayed.json()["error"]["details"][0]["message"].clone();
        assert_eq!(
            detail,
            format!("Signed before the revocation; sign again after {fast}.")
        );
        let next = harness.grant_at(fast + 1, &body).await.token();
        assert_eq!(decide(&next).await, "allow");
        let native = format!("/v1/keysets/{SUBSCRIBE_KEY}/tokens");
        let at_once = harness.admin("POST", &native, &body).await;
        assert_eq!(at_once.json()["issued_at"], fast + 1);
        assert_eq!(decide(&at_once.token()).await, "allow");
    }
}

async fn grant_bytes(harness: &Harness, body: Vec<u8>) -> u16 {
    // A signature over bytes that need not be text.
    let text = [
        b"POST\npub-c-demo\n",
        grant_path().as_bytes(),
        b"\n",
        query_at(NOW).as_bytes(),
        b"\n",
        &body,
    ]
    .concat();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET_KEY.as_bytes());
    let mac = base64::Engine::encode(
        &base64::engine::general_purpose::URL_SAFE_NO_PAD,
        ring::hmac::sign(&key, &text),
    );
    let target = format!("{}?{}&signature=v2.{mac}", grant_path(), query_at(NOW));
    let request = http::Request::post(target)
        .header("content-type", "application/json")
        .body(body.into())
        .unwrap();
    harness.service.public(request).await.status().as_u16()
}

#[tokio::test]
async fn h05_every_file_of_the_json_suite_is_taken_or_refused_as_it_says() {
    let suite = include_str!("../../../../testdata/http/json-suite.json");
    let suite: Vec<Value> = serde_json::from_str(suite).unwrap();
    assert_eq!(suite.len(), 318);
    let harness = Harness::new().await;
    for case in &suite {
        let name = case["name"].as_str().unwrap();
        let text = case["text"].as_str().map_or_else(
            || {
                let times = usize::try_from(case["times"].as_u64().unwrap()).unwrap();
                case["repeat"].as_str().unwrap().repeat(times) + case["tail"].as_str().unwrap()
            },
            str::to_owned,
        );
        // U+FFFD stands for a byte that is not UTF-8.
        let mut bytes = Vec::new();
        for character in text.chars() {
            match character {
                '\u{FFFD}' => bytes.push(0xE5),
                character => bytes.extend(character.to_string().as_bytes()),
            }
        }
        let head: &[u8] = br#"{"ttl":60,"permissions":{"resources":{"channels":{"a":1}}},"note":"#;
        let status = grant_bytes(&harness, [head, &bytes, b"}"].concat()).await;
        // A key twice is legal JSON, and refused all the same.
        let twice = name.starts_with("y_object_duplicated_key");
        match name.get(..2).unwrap() {
            "y_" if !twice => assert_eq!(status, 200, "{name}"),
            "y_" | "n_" => assert_eq!(status, 400, "{name}"),
            _ => assert!([200, 400].contains(&status), "{name}"),
        }
        // As the whole body none of them is a grant.
        assert_eq!(grant_bytes(&harness, bytes).await, 400, "{name}");
    }
}

#[tokio::test]
async fn n10_naughty_strings_come_back_as_they_were_or_are_refused() {
    let strings = include_str!("../../../../testdata/http/naughty-strings.json");
    let strings: Vec<String> = serde_json::from_str(strings).unwrap();
    assert!(strings.len() >= 480);
    let harness = Harness::new().await;
    let mut granted = [0_u32; 4];
    for text in &strings {
        let bodies = [
            json!({"ttl": 60, "permissions": {"resources": {"channels": {text: 1}}}}),
            json!({"ttl": 60, "permissions": {"resources": {"channels": {"a": 1}}, "uuid": text}}),
            json!({"ttl": 60, "permissions": {"resources": {"channels": {"a": 1}}, "meta": {text: text}}}),
            json!({"ttl": 60, "permissions": {"patterns": {"channels": {text: 1}}}}),
        ];
        for (place, body) in bodies.iter().enumerate() {
            let reply = harness.grant_at(NOW, body).await;
            if reply.status == 400 {
                continue;
            }
            let token = reply.token();
            granted[place] += 1;
            let verified = harness
                .admin("POST", "/v1/verify", &json!({"token": token}))
                .await;
            assert_eq!(verified.json()["status"], "valid", "{text:?}");
            let read = token_codec::UntrustedToken::parse(&token).unwrap();
            let claims = format!("{:?}", read.claims_untrusted());
            let shown = format!("{text:?}");
            assert!(
                claims.contains(shown.trim_matches('"')),
                "{text:?} in {place}"
            );
        }
    }
    assert!(granted.iter().all(|count| *count > 200), "{granted:?}");
}

/// The signature is over the very request line that is used.
#[tokio::test]
async fn s03_a_signed_query_cannot_be_extended_over_the_wire() {
    let harness = Harness::new().await;
    let body = read_on("room").to_string();
    let mac = signature(SECRET_KEY, "POST", &grant_path(), &query_at(NOW), &body);
    let headers = [("content-type", "application/json")];
    for extra in ["&x=1", "&uuid2=a", "&Timestamp=1", "&%74imestamp2=1"] {
        let target = format!("{}?{}{extra}&signature={mac}", grant_path(), query_at(NOW));
        assert_eq!(
            harness
                .public("POST", &target, &headers, &body)
                .await
                .status,
            403,
            "{extra}"
        );
    }
}
