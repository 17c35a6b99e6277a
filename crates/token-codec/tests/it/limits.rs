//! Every bound of a token, at the bound and one above it: format 8. What one
//! above does to bytes is in testdata/tokens/malformed.toml.

use token_codec::{EncodeError, InspectError, TokenBuffer, UntrustedToken, encode, verify};
use token_core::limits::{
    ANCESTORS_MAX, INSPECT_TEXT_BYTES_MAX, KEY_ID_BYTES_MAX, META_BYTES_MAX, META_NESTING_MAX,
    NAME_BYTES_MAX, NAMES_PER_TOKEN_MAX, PATTERN_BYTES_MAX, PATTERNS_PER_TOKEN_MAX,
    TOKEN_TEXT_BYTES_MAX,
};
use token_core::{
    Claims, Grants, InvalidClaims, MetaValue, PatternText, Permission, Permissions, ResourceKind,
    ResourceName, TokenId, TtlMinutes, UnixSeconds, VerifiedClaims as _,
};

use crate::raw::{ISSUED_AT, Raw, array, demo_key, demo_keys, padded, section, sections, text};

fn claims(fill: impl FnOnce(&mut Grants)) -> Claims {
    let mut grants = Grants::new();
    fill(&mut grants);
    Claims::new(UnixSeconds(ISSUED_AT), TtlMinutes(60), grants)
}

fn one_name() -> Claims {
    claims(|grants| allow(grants, "room-1"))
}

fn allow(grants: &mut Grants, name: &str) {
    let name = ResourceName::new(name).unwrap();
    grants.allow(ResourceKind::Channel, name, Permission::Read.into());
}

/// Made, verified, and said again.
fn assert_token(claims: &Claims) -> String {
    let made = encode(claims, &demo_key()).unwrap();
    let (keys, mut buffer) = (demo_keys(), TokenBuffer::new());
    let token = verify(&made, &keys, &mut buffer).unwrap();
    assert_eq!(&token.claims(), claims);
    made
}

fn refusal(text: &str) -> String {
    let error = verify(text, &demo_keys(), &mut TokenBuffer::new()).err();
    error.unwrap().to_string()
}

#[test]
fn names_per_token() {
    let many =
        |count: usize| claims(|grants| (0..count).for_each(|i| allow(grants, &format!("{i:x}"))));
    assert_token(&many(NAMES_PER_TOKEN_MAX));
    let above = encode(&many(NAMES_PER_TOKEN_MAX + 1), &demo_key());
    assert!(matches!(
        above,
        Err(EncodeError::Claims(InvalidClaims::TooManyNames { .. }))
    ));
}

#[test]
fn names_are_counted_over_all_sections() {
    let half: Vec<String> = (0..=NAMES_PER_TOKEN_MAX / 2)
        .map(|i| format!("{i:04}"))
        .collect();
    let half: Vec<_> = half.iter().map(|name| (name.as_str(), "01")).collect();
    let more = sections(&[("chan", section(&half)), ("grp", section(&half))]);
    assert!(refusal(&Raw::new().with("res", more).text()).contains("more than 2000 names"));
    let most = sections(&[("chan", section(&half)), ("grp", section(&half[..999]))]);
    assert!(
        verify(
            &Raw::new().with("res", most).text(),
            &demo_keys(),
            &mut TokenBuffer::new()
        )
        .is_ok()
    );
}

#[test]
fn patterns_per_token() {
    let many = |count: usize| {
        claims(|grants| {
            for i in 0..count {
                let pattern = PatternText::new(format!("^{i}$")).unwrap();
                grants.allow_pattern(ResourceKind::Group, pattern, Permissions::ALL);
            }
        })
    };
    assert_token(&many(PATTERNS_PER_TOKEN_MAX));
    let above = encode(&many(PATTERNS_PER_TOKEN_MAX + 1), &demo_key());
    assert!(matches!(
        above,
        Err(EncodeError::Claims(InvalidClaims::TooManyPatterns { .. }))
    ));
}

#[test]
fn bytes_of_names_and_patterns() {
    assert_token(&claims(|grants| {
        allow(grants, &"n".repeat(NAME_BYTES_MAX));
        allow(grants, &"é".repeat(NAME_BYTES_MAX / 2));
        let pattern = PatternText::new("p".repeat(PATTERN_BYTES_MAX)).unwrap();
        grants.allow_pattern(ResourceKind::Channel, pattern, Permissions::ALL);
    }));
    let above = "n".repeat(NAME_BYTES_MAX + 1);
    let res = sections(&[("chan", section(&[(&above, "01")]))]);
    assert!(refusal(&Raw::new().with("res", res).text()).contains("at most 1024 bytes"));
    assert!(refusal(&Raw::new().and("uuid", text(&above)).text()).contains("at most 1024 bytes"));
    let above = "p".repeat(PATTERN_BYTES_MAX + 1);
    let pat = sections(&[("chan", section(&[(&above, "01")]))]);
    assert!(refusal(&Raw::new().with("pat", pat).text()).contains("at most 512 bytes"));
}

#[test]
fn text_of_a_token() {
    let sized = |last: usize| {
        claims(|grants| {
            for i in 0..11 {
                allow(grants, &format!("{i:02}{}", "n".repeat(NAME_BYTES_MAX - 2)));
            }
            allow(grants, &"m".repeat(last));
        })
    };
    let longest = (500..NAME_BYTES_MAX)
        .rev()
        .find(|last| encode(&sized(*last), &demo_key()).is_ok())
        .unwrap();
    let text = assert_token(&sized(longest));
    assert_eq!(text.len(), TOKEN_TEXT_BYTES_MAX);
    assert_eq!(
        encode(&sized(longest + 1), &demo_key()),
        Err(EncodeError::TooLong)
    );
}

#[test]
fn text_that_is_inspected() {
    let text = format!("{:>1$}", Raw::new().text(), INSPECT_TEXT_BYTES_MAX);
    assert!(UntrustedToken::parse(&text).is_ok());
    let bytes = INSPECT_TEXT_BYTES_MAX + 1;
    let above = UntrustedToken::parse(&format!("{text} ")).err();
    assert_eq!(above, Some(InspectError::TooLong { bytes }));
}

#[test]
fn bytes_and_nesting_of_meta() {
    let with = |value: MetaValue| {
        let mut claims = one_name();
        claims.meta.insert("k".to_owned(), value);
        claims
    };
    // A map head, a key of 2 bytes, a text head of 3.
    assert_token(&with(MetaValue::Text("t".repeat(META_BYTES_MAX - 6))));
    let above = encode(
        &with(MetaValue::Text("t".repeat(META_BYTES_MAX - 5))),
        &demo_key(),
    );
    let bytes = META_BYTES_MAX + 1;
    assert_eq!(above, Err(EncodeError::MetaTooLong { bytes }));
    let deep = |levels| {
        (0..levels).fold(MetaValue::Null, |value, i| match i % 2 {
            0 => MetaValue::Array(vec![value]),
            _ => MetaValue::Map([("k".to_owned(), value)].into()),
        })
    };
    assert_token(&with(deep(META_NESTING_MAX - 1)));
    let above = encode(&with(deep(META_NESTING_MAX)), &demo_key());
    assert_eq!(above, Err(EncodeError::Claims(InvalidClaims::MetaTooDeep)));
    let nested = [b"\xA1\x61k".as_slice(), &[0x81; META_NESTING_MAX], b"\x00"].concat();
    assert!(refusal(&Raw::new().with("meta", nested).text()).contains("deeper than 8"));
}

#[test]
fn numbers_of_meta() {
    let with = |value: MetaValue| {
        let mut claims = one_name();
        claims.meta.insert("k".to_owned(), value);
        encode(&claims, &demo_key())
    };
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(with(MetaValue::Float(number)), Err(EncodeError::MetaNumber));
    }
    assert_eq!(with(MetaValue::Negative(0)), Err(EncodeError::MetaNumber));
    assert!(with(MetaValue::Float(f64::MAX)).is_ok());
    assert!(with(MetaValue::Negative(i64::MIN)).is_ok());
}

#[test]
fn ancestors_and_key_ids() {
    let mut narrowed = one_name();
    narrowed.ancestors = vec![TokenId([1; 16]); ANCESTORS_MAX];
    assert_token(&narrowed);
    narrowed.ancestors.push(TokenId([1; 16]));
    assert!(encode(&narrowed, &demo_key()).is_err());
    let par = |count| {
        Raw::new()
            .and("par", array(&vec![text(&"01".repeat(16)); count]))
            .text()
    };
    assert!(verify(&par(ANCESTORS_MAX), &demo_keys(), &mut TokenBuffer::new()).is_ok());
    assert!(refusal(&par(ANCESTORS_MAX + 1)).contains("`par`"));
    let kid = |length| Raw::new().and("kid", text(&"k".repeat(length))).text();
    assert_eq!(
        refusal(&kid(KEY_ID_BYTES_MAX)),
        "the keyset has no key for this token"
    );
    assert!(refusal(&kid(KEY_ID_BYTES_MAX + 1)).contains("`kid`"));
}

/// X01, X02: an expiry is exact or the token is none.
#[test]
fn lives_and_times_of_issue() {
    let (keys, mut buffer) = (demo_keys(), TokenBuffer::new());
    for (t, ttl) in [
        (0, 1),
        (ISSUED_AT, 43_200),
        (1 << 63, u32::MAX),
        (u64::MAX - 60, 1),
    ] {
        let mut claims = one_name();
        (claims.issued_at, claims.ttl) = (UnixSeconds(t), TtlMinutes(ttl));
        let made = assert_token(&claims);
        let token = verify(&made, &keys, &mut buffer).unwrap();
        assert_eq!(token.issued_at().0, t);
        assert_eq!(token.expires_at().0, t + u64::from(ttl) * 60);
    }
    for (t, ttl) in [
        (u64::MAX - 59, 1),
        (u64::MAX, u32::MAX),
        (u64::MAX - 60, 2),
        (5, 0),
    ] {
        let mut claims = one_name();
        (claims.issued_at, claims.ttl) = (UnixSeconds(t), TtlMinutes(ttl));
        assert!(
            matches!(encode(&claims, &demo_key()), Err(EncodeError::Claims(_))),
            "{t} {ttl}"
        );
        let raw = Raw::new()
            .with("t", [vec![0x1B], t.to_be_bytes().to_vec()].concat())
            .with("ttl", [vec![0x1A], ttl.to_be_bytes().to_vec()].concat());
        assert!(
            verify(&raw.text(), &keys, &mut buffer).is_err(),
            "{t} {ttl}"
        );
    }
}

#[test]
fn nothing_granted_is_no_token() {
    let empty = encode(&claims(|_| ()), &demo_key());
    assert_eq!(
        empty,
        Err(EncodeError::Claims(InvalidClaims::NoPermissions))
    );
    let none = claims(|grants| {
        let name = ResourceName::new("room-1").unwrap();
        grants.allow(ResourceKind::Channel, name, Permissions::NONE);
    });
    assert!(encode(&none, &demo_key()).is_err());
    assert!(padded(&Raw::new().bytes()).len() < TOKEN_TEXT_BYTES_MAX);
}
