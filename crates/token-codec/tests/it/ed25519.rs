//! Tokens of Ed25519 keys: format 7, format 9.

use ring::signature::{Ed25519KeyPair, KeyPair as _};
use token_codec::{
    EncodeError, InvalidTokenKey, KeyPeriod, KeyRing, TokenBuffer, TokenKey, VerifyError, encode,
    verify,
};
use token_core::{
    Claims, Grants, Permission, ResourceKind, ResourceName, SubscribeKey, TokenId, TtlMinutes,
    UnixSeconds, VerifiedClaims as _,
};

use crate::raw::{ISSUED_AT, Raw, bytes, decoded, hex, padded, text, unhex};

const SEED: [u8; 32] = [7; 32];

fn subscribe_key(text: &str) -> SubscribeKey {
    SubscribeKey::new(text).unwrap()
}

fn keyset() -> SubscribeKey {
    subscribe_key("sub-c-demo")
}

fn pair(seed: u8) -> TokenKey {
    TokenKey::ed25519(&[seed; 32], &keyset()).unwrap()
}

fn public_of(key: &TokenKey) -> TokenKey {
    TokenKey::ed25519_public(*key.public_key().unwrap(), key.subscribe_key()).unwrap()
}

fn ring(periods: &[(u64, Option<u64>, TokenKey)]) -> KeyRing {
    let periods = periods.iter().map(|(from, until, key)| KeyPeriod {
        from: UnixSeconds(*from),
        until: until.map(UnixSeconds),
        key: key.clone(),
    });
    KeyRing::new(keyset(), periods)
}

/// One key for every time.
fn only(key: &TokenKey) -> KeyRing {
    ring(&[(0, None, key.clone())])
}

fn claims(t: u64) -> Claims {
    let mut grants = Grants::new();
    let name = ResourceName::new("room-1").unwrap();
    grants.allow(ResourceKind::Channel, name, Permission::Read.into());
    Claims::new(UnixSeconds(t), TtlMinutes(60), grants)
}

fn refused(text: &str, keys: &KeyRing) -> Option<VerifyError> {
    verify(text, keys, &mut TokenBuffer::new()).err()
}

/// The signature of [`Raw`] bytes, by ring alone.
fn signature(seed: &[u8; 32], prefix: &[u8], signed: &[u8]) -> Vec<u8> {
    let pair = Ed25519KeyPair::from_seed_unchecked(seed).unwrap();
    pair.sign(&[prefix, signed].concat()).as_ref().to_vec()
}

const PREFIX: &[u8] = b"usher token v2\0\x0asub-c-demo";

/// format 7: another implementation makes the same signature, and names the key
/// by the beginning of its thumbprint.
#[test]
fn the_signature_and_the_key_id_are_as_specified() {
    let key = pair(7);
    let raw = Ed25519KeyPair::from_seed_unchecked(&SEED).unwrap();
    assert_eq!(key.public_key().unwrap(), raw.public_key().as_ref());
    // RFC 8037 appendix A: the key of the RFC and its thumbprint (A.3).
    let public = unhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    let of_rfc = TokenKey::ed25519_public(public.try_into().unwrap(), &keyset()).unwrap();
    assert_eq!(of_rfc.id(), Some("kPrK_qmxVWaYVA9w"));
    let raw = Raw::new().and("kid", text(key.id().unwrap()));
    let made = signature(&SEED, PREFIX, &raw.signed());
    let token = padded(&raw.ending_in(&bytes(&made)));
    let (keys, mut buffer) = (only(&public_of(&key)), TokenBuffer::new());
    let token = verify(&token, &keys, &mut buffer).unwrap();
    assert_eq!(token.id(), TokenId(*made.first_chunk().unwrap()));
    assert_eq!(token.claims().key_id.as_deref(), key.id());
    // And what is made here is what is made there.
    let text = encode(&token.claims(), &key).unwrap();
    assert_eq!(decoded(&text), raw.ending_in(&bytes(&made)));
}

#[test]
fn a_public_key_verifies_and_cannot_sign() {
    let key = pair(1);
    let text = encode(&claims(10), &key).unwrap();
    assert_eq!(refused(&text, &only(&key)), None);
    assert_eq!(refused(&text, &only(&public_of(&key))), None);
    let made = encode(&claims(10), &public_of(&key));
    assert_eq!(made, Err(EncodeError::VerifiesOnly));
    assert_eq!(
        refused(&text, &only(&pair(2))),
        Some(VerifyError::UnknownKey)
    );
    let mut named = claims(10);
    named.key_id = key.id().map(str::to_owned);
    assert_eq!(encode(&named, &key).unwrap(), text);
    assert_eq!(encode(&named, &pair(2)), Err(EncodeError::KeyId));
}

/// K01: what names no key is not of an Ed25519 key, and the other way round.
#[test]
fn k01_a_token_verifies_only_under_a_key_of_its_own_form() {
    let (mac, key) = (TokenKey::hmac(&SEED, &keyset()), pair(7));
    let id = key.id().unwrap();
    let (plain, named) = (Raw::new(), Raw::new().and("kid", text(id)));
    let by_key =
        |raw: &Raw| padded(&raw.ending_in(&bytes(&signature(&SEED, PREFIX, &raw.signed()))));
    assert_eq!(refused(&by_key(&named), &only(&key)), None);
    // A MAC, rightly made, with the id of the key that is in force.
    let mac_of = |raw: &Raw| {
        let derived = crate::raw::mac_key(&SEED, "sub-c-demo");
        padded(&raw.ending_in(&bytes(&crate::raw::mac_with(&derived, &raw.signed()))))
    };
    assert_eq!(refused(&mac_of(&plain), &only(&mac)), None);
    let unknown = Some(VerifyError::UnknownKey);
    assert_eq!(refused(&mac_of(&named), &only(&mac)), unknown);
    assert_eq!(refused(&mac_of(&plain), &only(&key)), unknown);
    assert_eq!(
        refused(&mac_of(&named), &only(&key)),
        Some(VerifyError::Signature)
    );
    // A MAC under the public key, which everybody has.
    let public = crate::raw::mac_key(key.public_key().unwrap(), "sub-c-demo");
    for secret in [public.as_slice(), key.public_key().unwrap()] {
        for raw in [&plain, &named] {
            let text = padded(&raw.ending_in(&bytes(&crate::raw::mac_with(secret, &raw.signed()))));
            assert!(refused(&text, &only(&key)).is_some());
        }
    }
    // Without the id, a signature of 64 bytes is not even a token.
    let bare = by_key(&plain);
    assert!(matches!(
        refused(&bare, &only(&key)),
        Some(VerifyError::Malformed(_))
    ));
}

#[test]
fn k01_a_key_is_good_for_its_period_only() {
    let (mac, first, second) = (TokenKey::hmac(&[1; 32], &keyset()), pair(2), pair(3));
    let keys = ring(&[
        (0, Some(100), mac.clone()),
        (100, Some(200), public_of(&first)),
        (200, None, public_of(&second)),
    ]);
    for (t, right) in [(0, 0), (99, 0), (100, 1), (199, 1), (200, 2), (1 << 40, 2)] {
        for (at, key) in [&mac, &first, &second].into_iter().enumerate() {
            let text = encode(&claims(t), key).unwrap();
            let expected = match (at == right, at, right) {
                (true, ..) => None,
                _ => Some(VerifyError::UnknownKey),
            };
            assert_eq!(refused(&text, &keys), expected, "t {t}, key {at}");
        }
    }
    let text = encode(&claims(100), &first).unwrap();
    let mut buffer = TokenBuffer::new();
    let cached = verify(&text, &keys, &mut buffer).unwrap().into_owned();
    assert!(only(&first).still_verifies(&cached));
    assert!(!only(&second).still_verifies(&cached));
    assert!(!ring(&[(0, Some(100), first)]).still_verifies(&cached));
}

/// T09: keysets that share a key do not share tokens.
#[test]
fn t09_equal_keys_of_two_keysets_make_different_tokens() {
    let other = subscribe_key("sub-c-dem");
    let key = TokenKey::ed25519(&SEED, &other).unwrap();
    let text = encode(&claims(10), &key).unwrap();
    let period = |key| KeyPeriod {
        from: UnixSeconds(0),
        until: None,
        key,
    };
    let of_other = KeyRing::new(other, [period(key.clone())]);
    assert_eq!(refused(&text, &of_other), None);
    assert_eq!(
        refused(&text, &only(&pair(7))),
        Some(VerifyError::Signature)
    );
    assert_eq!(refused(&text, &only(&key)), Some(VerifyError::UnknownKey));
    // The length tells where the subscribe key ends: `sub-c-dem` and `o..` is
    // not `sub-c-demo` and `..`.
    let raw = Raw::new().and("kid", crate::raw::text(key.id().unwrap()));
    let shifted = signature(&SEED, b"usher token v2\0\x09sub-c-dem", &raw.signed());
    let forged = padded(&raw.ending_in(&bytes(&shifted)));
    assert_eq!(
        refused(&forged, &only(&pair(7))),
        Some(VerifyError::Signature)
    );
}

/// A signature has one form: nobody can make a second token of a first.
#[test]
fn a_signature_cannot_be_bent() {
    let key = pair(7);
    let raw = Raw::new().and("kid", text(key.id().unwrap()));
    let right = signature(&SEED, PREFIX, &raw.signed());
    // S + L: the same scalar, not reduced (RFC 8032 section 5.1.7).
    let order = unhex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let mut bent = right.clone();
    let mut carry = 0_u16;
    for (byte, add) in bent[32..].iter_mut().zip(&order) {
        let sum = u16::from(*byte) + u16::from(*add) + carry;
        *byte = u8::try_from(sum & 0xFF).unwrap();
        carry = sum >> 8;
    }
    assert_eq!(carry, 0);
    for signature in [&bent, &right[..63].to_vec(), &right[..32].to_vec()] {
        let token = padded(&raw.ending_in(&bytes(signature)));
        assert!(refused(&token, &only(&key)).is_some(), "{}", hex(signature));
    }
    for at in 0..64 {
        let mut other = right.clone();
        other[at] ^= 1;
        let token = padded(&raw.ending_in(&bytes(&other)));
        assert_eq!(
            refused(&token, &only(&key)),
            Some(VerifyError::Signature),
            "{at}"
        );
    }
}

/// Under a point of small order anybody signs anything: one that a key set might
/// be given by somebody who wants just that.
#[test]
fn a_key_that_everybody_can_sign_with_is_refused() {
    let points = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];
    for digits in points {
        let mut point: [u8; 32] = unhex(digits).try_into().unwrap();
        for sign in [0, 0x80] {
            point[31] = (point[31] & 0x7F) | sign;
            let key = TokenKey::ed25519_public(point, &keyset());
            assert_eq!(key.err(), Some(InvalidTokenKey), "{digits}");
        }
    }
    // The identity, and a signature that says so, hold for every message: this
    // is what would be accepted.
    let (mut identity, mut universal) = ([0_u8; 32], [0_u8; 64]);
    (identity[0], universal[0]) = (1, 1);
    let anybody = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, identity);
    assert!(anybody.verify(b"anything", &universal).is_ok());
}

#[test]
fn a_long_token_has_the_same_bound_with_either_signature() {
    let most = |key: &TokenKey| {
        let fits = |length: usize| {
            let mut claims = claims(ISSUED_AT);
            for name in 0..40 {
                let name = format!("{name:0>2}{}", "x".repeat(length));
                let name = ResourceName::new(&name).unwrap();
                claims
                    .grants
                    .allow(ResourceKind::Channel, name, Permission::Read.into());
            }
            encode(&claims, key).ok()
        };
        (1..1_000).map_while(fits).last().unwrap()
    };
    let key = pair(1);
    let text = most(&key);
    assert!(text.len() <= 16_384 && text.len() > 16_000);
    assert_eq!(refused(&text, &only(&key)), None);
}

#[test]
fn no_debug_output_of_a_pair_holds_its_seed() {
    let shown = format!("{:?} {:?}", pair(1), only(&pair(1)));
    assert!(shown.contains(pair(1).id().unwrap()));
    assert!(!shown.contains("0101") && !shown.contains("[1,"), "{shown}");
}
