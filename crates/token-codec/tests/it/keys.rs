//! Which key verifies which token: format 7, format 8.

use token_codec::{
    EncodeError, KeyPeriod, KeyRing, TokenBuffer, TokenKey, VerifyError, encode, verify,
};
use token_core::{
    Claims, Grants, Permission, ResourceKind, ResourceName, SubscribeKey, TokenId, TtlMinutes,
    UnixSeconds, VerifiedClaims as _,
};

use crate::raw::{
    Raw, SIGNING_KEY, SUBSCRIBE_KEY, bytes, demo_key, demo_keys, mac_key, mac_with, padded, text,
};

fn subscribe_key(text: &str) -> SubscribeKey {
    SubscribeKey::new(text).unwrap()
}

fn key(byte: u8) -> TokenKey {
    TokenKey::hmac(&[byte; 32], &subscribe_key("sub-c-1"))
}

fn ring(periods: &[(u64, Option<u64>, u8)]) -> KeyRing {
    let periods = periods.iter().map(|(from, until, byte)| KeyPeriod {
        from: UnixSeconds(*from),
        until: until.map(UnixSeconds),
        key: key(*byte),
    });
    KeyRing::new(subscribe_key("sub-c-1"), periods)
}

fn claims(t: u64) -> Claims {
    let mut grants = Grants::new();
    let name = ResourceName::new("room-1").unwrap();
    grants.allow(ResourceKind::Channel, name, Permission::Read.into());
    Claims::new(UnixSeconds(t), TtlMinutes(60), grants)
}

fn outcome(t: u64, signer: u8, keys: &KeyRing) -> Option<VerifyError> {
    let text = encode(&claims(t), &key(signer)).unwrap();
    verify(&text, keys, &mut TokenBuffer::new()).err()
}

/// format 7: another implementation derives the same key.
#[test]
fn the_mac_key_is_derived_as_specified() {
    let raw = Raw::new();
    let mac = mac_with(&mac_key(&SIGNING_KEY, SUBSCRIBE_KEY), &raw.signed());
    let text = padded(&raw.ending_in(&bytes(&mac)));
    assert!(verify(&text, &demo_keys(), &mut TokenBuffer::new()).is_ok());
}

/// T09: equal signing keys do not make equal keysets.
#[test]
fn t09_a_token_never_verifies_under_another_keyset() {
    let text = encode(&claims(10), &key(1)).unwrap();
    let other = subscribe_key("sub-c-2");
    let period = KeyPeriod {
        from: UnixSeconds(0),
        until: None,
        key: TokenKey::hmac(&[1; 32], &other),
    };
    let keys = KeyRing::new(other.clone(), [period]);
    let error = verify(&text, &keys, &mut TokenBuffer::new()).err();
    assert_eq!(error, Some(VerifyError::Signature));
    // A key of the first keyset in the ring of the second is no way around.
    let period = KeyPeriod {
        from: UnixSeconds(0),
        until: None,
        key: key(1),
    };
    let keys = KeyRing::new(other, [period]);
    let error = verify(&text, &keys, &mut TokenBuffer::new()).err();
    assert_eq!(error, Some(VerifyError::UnknownKey));
}

#[test]
fn a_token_verifies_only_under_the_key_of_its_time_of_issue() {
    let keys = ring(&[(0, Some(100), 1), (100, Some(200), 2), (200, None, 3)]);
    for (t, right) in [(0, 1), (99, 1), (100, 2), (199, 2), (200, 3), (1 << 60, 3)] {
        for signer in 1..=3 {
            let expected = (signer != right).then_some(VerifyError::Signature);
            assert_eq!(outcome(t, signer, &keys), expected, "t {t}, key {signer}");
        }
    }
}

#[test]
fn outside_every_period_no_key_is_known() {
    let keys = ring(&[(50, Some(100), 1), (150, None, 2)]);
    for (t, known) in [
        (49, false),
        (50, true),
        (99, true),
        (100, false),
        (149, false),
        (150, true),
    ] {
        assert_eq!(keys.key_at(UnixSeconds(t)).is_some(), known, "{t}");
        let signer = if t < 100 { 1 } else { 2 };
        let expected = (!known).then_some(VerifyError::UnknownKey);
        assert_eq!(outcome(t, signer, &keys), expected, "{t}");
    }
    assert!(ring(&[]).key_at(UnixSeconds(0)).is_none());
}

#[test]
fn where_periods_overlap_the_later_one_counts() {
    for keys in [
        ring(&[(0, None, 1), (100, None, 2)]),
        ring(&[(100, None, 2), (0, None, 1)]),
    ] {
        assert_eq!(outcome(99, 1, &keys), None);
        assert_eq!(outcome(100, 2, &keys), None);
        assert_eq!(outcome(100, 1, &keys), Some(VerifyError::Signature));
    }
}

#[test]
fn a_cached_token_falls_with_the_key_of_its_time() {
    let before = ring(&[(0, None, 1)]);
    let text = encode(&claims(100), &key(1)).unwrap();
    let mut buffer = TokenBuffer::new();
    let token = verify(&text, &before, &mut buffer).unwrap().into_owned();
    assert!(before.still_verifies(&token));
    // A rotation after its time, and one announced: it stays.
    assert!(ring(&[(0, Some(101), 1), (101, None, 2)]).still_verifies(&token));
    // Another key for its time, none for it, another keyset: it falls.
    assert!(!ring(&[(0, Some(100), 1), (100, None, 2)]).still_verifies(&token));
    assert!(!ring(&[(0, None, 2)]).still_verifies(&token));
    assert!(!ring(&[(0, Some(100), 1)]).still_verifies(&token));
    assert!(!demo_keys().still_verifies(&token));
}

/// format 9: a token of the keyset's own key names none, and cannot be made to.
#[test]
fn a_token_that_names_a_key_that_nobody_knows_does_not_verify() {
    let mut named = claims(10);
    named.key_id = Some("edge".to_owned());
    assert_eq!(encode(&named, &demo_key()), Err(EncodeError::KeyId));
    let raw = Raw::new().and("kid", text("edge"));
    let error = verify(&raw.text(), &demo_keys(), &mut TokenBuffer::new()).err();
    assert_eq!(error, Some(VerifyError::UnknownKey));
    let long = padded(&raw.ending_in(&bytes(&[7; 64])));
    let error = verify(&long, &demo_keys(), &mut TokenBuffer::new()).err();
    assert_eq!(error, Some(VerifyError::UnknownKey));
}

#[test]
fn ancestors_are_read_and_signed() {
    let mut narrowed = claims(10);
    narrowed.ancestors = (1..=4).map(|byte| TokenId([byte; 16])).collect();
    let text = encode(&narrowed, &key(1)).unwrap();
    let (keys, mut buffer) = (ring(&[(0, None, 1)]), TokenBuffer::new());
    let token = verify(&text, &keys, &mut buffer).unwrap();
    assert_eq!(token.ancestors().collect::<Vec<_>>(), narrowed.ancestors);
}

#[test]
fn no_debug_output_holds_a_secret_or_a_signature() {
    let text = encode(&claims(10), &key(1)).unwrap();
    let (keys, mut buffer) = (ring(&[(0, None, 1)]), TokenBuffer::new());
    let token = verify(&text, &keys, &mut buffer).unwrap();
    let id = token.id().to_string();
    let expected = "TokenKey { subscribe_key: \"sub-c-1\", id: None, .. }";
    assert_eq!(format!("{:?}", key(1)), expected);
    let shown = format!("{token:?} {:?} {keys:?}", key(1));
    assert!(shown.contains(&id));
    let signature = crate::raw::hex(&crate::raw::decoded(&text));
    let tail = &signature[signature.len() - 32..];
    let derived = crate::raw::hex(&mac_key(&[1; 32], "sub-c-1"));
    for secret in [tail, "0101010101", &derived[..16]] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(!format!("{:?}", TokenBuffer::new()).contains("[0"));
}
