//! The JWS dialects. signalwire 3, signalwire 5, oem 2, oem 4; attacks J01 to
//! J09, T09, T13.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use ring::hmac;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde::Deserialize;
use token_codec::{
    ChannelAccess, CrtClaims, JwsClaims, JwsError, JwsKey, JwsKeyError, JwsKeyRecord, JwsKeys,
    OemClaims, Product, UntrustedJws, verify_jws,
};
use token_core::limits::{
    CRT_CHANNELS_MAX, CRT_MEMBER_CHARS_MAX, CRT_NAME_CHARS_MAX, CRT_STATE_CHARS_MAX,
    CRT_TEXT_BYTES_MAX, JWS_KEY_ID_CHARS_MAX, OEM_ID_CHARS_MAX, OEM_LIFE_SECONDS_MAX,
    OEM_PERMISSIONS_MAX, TTL_MINUTES_MAX,
};
use token_core::{
    Permissions, ResourceKind, TokenId, TokenKind, TtlMinutes, UnixSeconds, VerifiedClaims as _,
};

use crate::raw::unhex;

const ISSUED_AT: u64 = 1_790_000_000;
const PROJECT: &str = "7b981d06-1111-4111-8111-111111111111";
const ISSUER: &str = "https://usher.example";

#[derive(Deserialize)]
struct File {
    good: Good,
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Good {
    secret: String,
    seed: String,
    crt_header: String,
    crt_claims: String,
    oem_header: String,
    oem_claims: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    covers: String,
    kind: String,
    header: Option<String>,
    claims: Option<String>,
    sign: Option<String>,
    text: Option<String>,
    error: String,
}

fn file() -> File {
    toml::from_str(include_str!("../../../../testdata/jws/refused.toml")).unwrap()
}

impl Good {
    fn seed(&self) -> [u8; 32] {
        unhex(&self.seed).try_into().unwrap()
    }

    fn pair(&self) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&self.seed()).unwrap()
    }

    fn records(&self) -> [JwsKeyRecord; 2] {
        let record = |key_id: &str, kind, scope: &str, key| JwsKeyRecord {
            key_id: key_id.to_owned(),
            kind,
            scope: scope.to_owned(),
            issuer: ISSUER.to_owned(),
            from: UnixSeconds(1_780_000_000),
            until: None,
            key,
        };
        let secret = JwsKey::hs512(self.secret.as_bytes()).unwrap();
        let pair = JwsKey::ed25519(&self.seed()).unwrap();
        [
            record("crt-1", TokenKind::Crt, PROJECT, secret),
            record("oem-1", TokenKind::Oem, "7", pair),
        ]
    }

    fn keys(&self) -> JwsKeys {
        JwsKeys::new(self.records()).unwrap()
    }

    /// The text of a case, made without the code that it tests.
    fn text(&self, case: &Case) -> String {
        if let Some(text) = &case.text {
            return text.clone();
        }
        let (header, claims) = match case.kind.as_str() {
            "crt" => (&self.crt_header, &self.crt_claims),
            _ => (&self.oem_header, &self.oem_claims),
        };
        let header = URL_SAFE_NO_PAD.encode(case.header.as_ref().unwrap_or(header));
        let claims = URL_SAFE_NO_PAD.encode(case.claims.as_ref().unwrap_or(claims));
        let signed = format!("{header}.{claims}");
        let mac = |secret: &[u8]| {
            let key = hmac::Key::new(hmac::HMAC_SHA512, secret);
            hmac::sign(&key, signed.as_bytes()).as_ref().to_vec()
        };
        let right = match case.kind.as_str() {
            "crt" => mac(self.secret.as_bytes()),
            _ => self.pair().sign(signed.as_bytes()).as_ref().to_vec(),
        };
        let plain = URL_SAFE_NO_PAD.encode(&right);
        let signature = match case.sign.as_deref() {
            None => plain,
            Some("empty") => String::new(),
            Some("public-as-secret") => {
                URL_SAFE_NO_PAD.encode(mac(self.pair().public_key().as_ref()))
            }
            Some("padded") => URL_SAFE.encode(&right),
            Some("standard-alphabet") => format!("{}+/", STANDARD_NO_PAD.encode(&right)),
            // 64 bytes leave two bits in the last character.
            Some("stray-bits") => {
                let last = plain.chars().last().unwrap();
                let next = char::from_u32(u32::from(last) + 1).unwrap();
                format!("{}{next}", &plain[..plain.len() - 1])
            }
            Some("flipped") => {
                let mut wrong = right.clone();
                wrong[0] ^= 1;
                URL_SAFE_NO_PAD.encode(wrong)
            }
            Some("half") => URL_SAFE_NO_PAD.encode(&right[..32]),
            Some("blank-before") => return format!(" {signed}.{plain}"),
            Some("newline-after") => return format!("{signed}.{plain}\n"),
            Some(other) => panic!("no way to sign {other}"),
        };
        format!("{signed}.{signature}")
    }
}

#[test]
fn every_wrong_token_is_refused_for_its_own_reason() {
    let File { good, case } = file();
    assert!(case.len() >= 115, "cases went missing");
    let keys = good.keys();
    for case in &case {
        assert!(!case.covers.is_empty(), "{}", case.name);
        let error = verify_jws(&good.text(case), &keys).expect_err(&case.name);
        assert_eq!(error.to_string(), case.error, "{}", case.name);
    }
}

/// What the cases are made from verifies, or they would prove nothing.
#[test]
fn the_good_tokens_of_the_cases_verify() {
    let File { good, .. } = file();
    for kind in ["crt", "oem"] {
        let case = Case {
            name: String::new(),
            covers: String::new(),
            kind: kind.to_owned(),
            header: None,
            claims: None,
            sign: None,
            text: None,
            error: String::new(),
        };
        let token = verify_jws(&good.text(&case), &good.keys()).unwrap();
        assert_eq!(token.issued_at(), UnixSeconds(ISSUED_AT));
        // Signed again, it is the same text: nothing is lost or reordered.
        let record = token.key_record();
        assert_eq!(record.sign(token.claims(), None).unwrap(), good.text(&case));
    }
}

fn crt() -> CrtClaims {
    let access = |read, write| ChannelAccess { read, write };
    CrtClaims {
        id: TokenId([0xA1; 16]),
        product: Product::Chat,
        issued_at: UnixSeconds(ISSUED_AT),
        ttl: TtlMinutes(15),
        channels: BTreeMap::from([
            ("both".to_owned(), access(true, true)),
            ("none".to_owned(), access(false, false)),
            ("read \"it\"\u{1F600}".to_owned(), access(true, false)),
        ]),
        member_id: "John \u{e9} Doe".to_owned(),
        state: r#"{"display_name":"Joe","nested":{"n":[1,2.5,null]}}"#.to_owned(),
    }
}

fn oem() -> OemClaims {
    OemClaims {
        id: TokenId([0xB2; 16]),
        issued_at: UnixSeconds(ISSUED_AT),
        seconds: 3_600,
        permissions: vec!["decision:write:config".to_owned(), "metric:read".to_owned()],
        account_id: 7,
        app_id: 42,
        customer_id: "cust-1".to_owned(),
        external_id: "acme".to_owned(),
        customer_user_id: "carol".to_owned(),
    }
}

#[test]
fn a_token_says_what_was_signed_and_grants_that_and_no_more() {
    let good = file().good;
    let [crt_record, oem_record] = good.records();
    let text = crt_record
        .sign(&JwsClaims::Crt(crt()), Some("relay.example"))
        .unwrap();
    let token = verify_jws(&text, &good.keys()).unwrap();
    assert_eq!(*token.claims(), JwsClaims::Crt(crt()));
    assert_eq!(token.kind(), TokenKind::Crt);
    assert_eq!(token.scope(), PROJECT);
    assert_eq!(token.id(), TokenId([0xA1; 16]));
    assert_eq!(token.uuid(), Some("John \u{e9} Doe"));
    assert_eq!(token.expires_at(), UnixSeconds(ISSUED_AT + 900));
    let bits = |permissions: Permissions| permissions.bits();
    assert_eq!(bits(token.named(ResourceKind::Channel, "both")), 3);
    assert_eq!(bits(token.named(ResourceKind::Channel, "none")), 0);
    assert_eq!(
        bits(token.named(ResourceKind::Channel, "read \"it\"\u{1F600}")),
        1
    );
    assert_eq!(bits(token.named(ResourceKind::Channel, "elsewhere")), 0);
    assert_eq!(bits(token.named(ResourceKind::Group, "both")), 0);
    assert_eq!(token.names(ResourceKind::Channel).count(), 3);
    assert_eq!(token.names(ResourceKind::Group).count(), 0);

    let text = oem_record.sign(&JwsClaims::Oem(oem()), None).unwrap();
    let token = verify_jws(&text, &good.keys()).unwrap();
    assert_eq!(*token.claims(), JwsClaims::Oem(oem()));
    assert_eq!((token.kind(), token.scope()), (TokenKind::Oem, "7"));
    assert_eq!(token.uuid(), Some("carol"));
    assert_eq!(token.expires_at(), UnixSeconds(ISSUED_AT + 3_600));
    assert_eq!(token.names(ResourceKind::Channel).count(), 0);
}

#[test]
fn every_bound_of_a_crt_token_holds_at_its_value_and_one_above() {
    let [record, _] = file().good.records();
    let signs = |claims: CrtClaims| record.sign(&JwsClaims::Crt(claims), None).is_ok();
    let channels = |count: usize, length: usize| -> BTreeMap<_, _> {
        let name = |n: usize| format!("{n:0length$}");
        (0..count)
            .map(|n| (name(n), ChannelAccess::default()))
            .collect()
    };
    let state = |length: usize| format!(r#"{{"a":"{}"}}"#, "\u{e9}".repeat(length - 8));
    for (above, expected) in [(0, true), (1, false)] {
        let many = channels(CRT_CHANNELS_MAX + above, 3);
        assert_eq!(
            signs(CrtClaims {
                channels: many,
                ..crt()
            }),
            expected
        );
        let long = channels(1, CRT_NAME_CHARS_MAX + above);
        assert_eq!(
            signs(CrtClaims {
                channels: long,
                ..crt()
            }),
            expected
        );
        let state = state(CRT_STATE_CHARS_MAX + above);
        assert_eq!(signs(CrtClaims { state, ..crt() }), expected);
        let member_id = "\u{e9}".repeat(CRT_MEMBER_CHARS_MAX + above);
        assert_eq!(signs(CrtClaims { member_id, ..crt() }), expected);
        let ttl = TtlMinutes(TTL_MINUTES_MAX + u32::try_from(above).unwrap());
        assert_eq!(signs(CrtClaims { ttl, ..crt() }), expected);
    }
}

#[test]
fn every_bound_of_a_customer_access_token_holds_at_its_value_and_one_above() {
    let [_, record] = file().good.records();
    let signs = |claims: OemClaims| record.sign(&JwsClaims::Oem(claims), None).is_ok();
    let letter = |n: usize| char::from(b'a' + u8::try_from(n).unwrap());
    for (above, expected) in [(0, true), (1, false)] {
        let seconds = OEM_LIFE_SECONDS_MAX + u64::try_from(above).unwrap();
        assert_eq!(signs(OemClaims { seconds, ..oem() }), expected);
        let id = "\u{e9}".repeat(OEM_ID_CHARS_MAX + above);
        assert_eq!(
            signs(OemClaims {
                external_id: id.clone(),
                ..oem()
            }),
            expected
        );
        assert_eq!(
            signs(OemClaims {
                customer_id: id.clone(),
                ..oem()
            }),
            expected
        );
        assert_eq!(
            signs(OemClaims {
                customer_user_id: id,
                ..oem()
            }),
            expected
        );
        let count = OEM_PERMISSIONS_MAX + above;
        let permissions = (0..count)
            .map(|n| format!("metric:{}", letter(n)))
            .collect();
        assert_eq!(
            signs(OemClaims {
                permissions,
                ..oem()
            }),
            expected
        );
    }
}

#[test]
fn the_largest_token_that_can_be_made_verifies_and_nothing_above_the_bound_is_read() {
    let good = file().good;
    let [record, _] = good.records();
    let wide = "\u{1F600}".repeat(CRT_NAME_CHARS_MAX - 3);
    let names = (0..CRT_CHANNELS_MAX).map(|n| (format!("{wide}{n:03}"), ChannelAccess::default()));
    let largest = JwsClaims::Crt(CrtClaims {
        channels: names.collect(),
        ..crt()
    });
    let text = record.sign(&largest, None).unwrap();
    assert!(
        verify_jws(&text, &good.keys()).is_ok(),
        "{} bytes",
        text.len()
    );
    let junk = |bytes| verify_jws(&"A".repeat(bytes), &good.keys()).unwrap_err();
    assert_eq!(junk(CRT_TEXT_BYTES_MAX), JwsError::Segments);
    let bytes = CRT_TEXT_BYTES_MAX + 1;
    assert_eq!(junk(bytes), JwsError::TooLong { bytes });
}

#[test]
fn a_key_signs_its_kind_in_its_time_and_a_public_key_signs_nothing() {
    let good = file().good;
    let [mut record, oem_record] = good.records();
    let sign = |record: &JwsKeyRecord, claims| record.sign(&claims, None).unwrap_err();
    assert_eq!(sign(&record, JwsClaims::Oem(oem())), JwsKeyError::Kind);
    assert_eq!(sign(&oem_record, JwsClaims::Crt(crt())), JwsKeyError::Kind);
    let text = record.sign(&JwsClaims::Crt(crt()), None).unwrap();
    record.until = Some(UnixSeconds(ISSUED_AT));
    let iat = JwsKeyError::Claim { name: "iat" };
    assert_eq!(sign(&record, JwsClaims::Crt(crt())), iat);
    // What was issued in its time is no longer good for the key of another.
    let keys = JwsKeys::new([record]).unwrap();
    assert!(verify_jws(&text, &keys).is_err());

    let public = *oem_record.key.public_key().unwrap();
    let text = oem_record.sign(&JwsClaims::Oem(oem()), None).unwrap();
    let verifier = JwsKeyRecord {
        key: JwsKey::ed25519_public(public),
        ..oem_record
    };
    assert_eq!(
        sign(&verifier, JwsClaims::Oem(oem())),
        JwsKeyError::VerifiesOnly
    );
    assert!(verify_jws(&text, &JwsKeys::new([verifier]).unwrap()).is_ok());
}

/// J11 for what can be checked here: a short secret is no key at all.
#[test]
fn weak_secrets_and_double_ids_are_refused() {
    assert_eq!(
        JwsKey::hs512(&[7; 63]).unwrap_err(),
        JwsKeyError::WeakSecret { bytes: 63 }
    );
    assert!(JwsKey::hs512(&[7; 64]).is_ok());
    let [one, _] = file().good.records();
    let twice = JwsKeys::new([one.clone(), one.clone()]).unwrap_err();
    assert_eq!(twice, JwsKeyError::DuplicateKeyId);
    let named = |key_id: String| {
        let record = JwsKeyRecord {
            key_id,
            ..one.clone()
        };
        JwsKeys::new([record])
    };
    assert!(named("k".repeat(JWS_KEY_ID_CHARS_MAX)).is_ok());
    let long = "k".repeat(JWS_KEY_ID_CHARS_MAX + 1);
    for id in ["../key", "", &long] {
        assert_eq!(named(id.to_owned()).unwrap_err(), JwsKeyError::KeyId);
    }
}

#[test]
fn no_secret_is_shown() {
    let good = file().good;
    let [record, _] = good.records();
    let text = record.sign(&JwsClaims::Crt(crt()), None).unwrap();
    let token = verify_jws(&text, &good.keys()).unwrap();
    let shown = format!("{record:?} {token:?} {:?}", good.keys());
    assert!(!shown.contains("demo secret") && !shown.contains("display_name"));
}

/// RFC 8037 appendix A.1 to A.3: the public key of a seed, and its thumbprint.
#[test]
fn a_public_key_is_named_by_its_thumbprint() {
    let seed = URL_SAFE_NO_PAD
        .decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
        .unwrap();
    let key = JwsKey::ed25519(&seed.try_into().unwrap()).unwrap();
    let jwk = serde_json::to_value(key.jwk().unwrap()).unwrap();
    let expected = serde_json::json!({"kty": "OKP", "crv": "Ed25519",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
        "alg": "EdDSA", "use": "sig"});
    assert_eq!(jwk, expected);
    assert!(JwsKey::hs512(&[7; 64]).unwrap().jwk().is_none());
}

/// The order of the group of Ed25519 (RFC 8032 section 5.1), little-endian.
const ORDER: [u8; 32] = [
    0xED, 0xD3, 0xF5, 0x5C, 0x1A, 0x63, 0x12, 0x58, 0xD6, 0x9C, 0xF7, 0xA2, 0xDE, 0xF9, 0xDE, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// J08: a second signature for the same claims, (R, S + L), which a lenient
/// verifier takes. It is none; and were it one, the identity is the `jti`.
#[test]
fn the_twin_of_a_signature_is_none() {
    let good = file().good;
    let keys = JwsKeys::new(good.records()).unwrap();
    let token = good.records()[1]
        .sign(&JwsClaims::Oem(oem()), None)
        .unwrap();
    assert!(verify_jws(&token, &keys).is_ok());
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let mut twin = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let mut carry = 0_u16;
    for (byte, add) in twin[32..].iter_mut().zip(ORDER) {
        carry += u16::from(*byte) + u16::from(add);
        *byte = carry.to_le_bytes()[0];
        carry >>= 8;
    }
    assert_eq!(carry, 0, "S + L has 32 bytes");
    let twin = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(twin));
    assert_eq!(verify_jws(&twin, &keys).unwrap_err(), JwsError::Signature);
    let (one, two) = (UntrustedJws::parse(&token), UntrustedJws::parse(&twin));
    assert_eq!(one.unwrap().id_untrusted(), two.unwrap().id_untrusted());
}

/// What a token says is read without a key, by the same rules of form.
#[test]
fn a_token_is_inspected_without_a_key() {
    let good = file().good;
    for (record, claims, kind) in [
        (0, JwsClaims::Crt(crt()), TokenKind::Crt),
        (1, JwsClaims::Oem(oem()), TokenKind::Oem),
    ] {
        let token = good.records()[record].sign(&claims, None).unwrap();
        let read = UntrustedJws::parse(&token).unwrap();
        assert_eq!(read.kind_untrusted(), Some(kind));
        assert_eq!(read.claims_untrusted()["iat"], ISSUED_AT);
        assert_eq!(
            read.header_untrusted()["kid"],
            good.records()[record].key_id
        );
        let verified = verify_jws(&token, &JwsKeys::new(good.records()).unwrap()).unwrap();
        assert_eq!(read.id_untrusted(), Some(verified.id()));
        for broken in [
            format!("{token}."),
            format!("{token}="),
            token.replace('.', ""),
        ] {
            assert!(UntrustedJws::parse(&broken).is_err(), "{broken}");
        }
    }
    // J07: nothing stands twice, also where nobody verifies.
    let twice = URL_SAFE_NO_PAD.encode(br#"{"alg":"HS512","alg":"none"}"#);
    let text = format!("{twice}.{}.AA", URL_SAFE_NO_PAD.encode(b"{}"));
    assert_eq!(UntrustedJws::parse(&text).unwrap_err(), JwsError::Header);
}
