//! Any claims become a token that says exactly them: format 3 to format 6.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use token_codec::{TokenBuffer, UntrustedToken, encode, verify};
use token_core::{
    Category, Claims, Grants, MetaValue, PatternText, Permissions, ResourceKind, ResourceName,
    TokenId, TtlMinutes, UnixSeconds, VerifiedClaims as _,
};

use crate::claims_json::{to_json, untrusted_to_json};
use crate::raw::{decoded, demo_key, demo_keys};

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,3}",
        "[ -~]{1,40}",
        "[^\\x00-\\x1F\\x7F]{1,30}",
        "n{20,30}",
        "n{250,260}",
    ]
}

fn kind() -> impl Strategy<Value = ResourceKind> {
    proptest::sample::select(ResourceKind::ALL.as_slice())
}

fn grants() -> impl Strategy<Value = Grants> {
    let names = vec((kind(), name(), 1_u8..), 0..12);
    let patterns = vec((kind(), ".{0,30}", 1_u8..), 0..6);
    let categories = (any::<bool>(), any::<bool>());
    (names, patterns, categories).prop_map(|(names, patterns, categories)| {
        let mut grants = Grants::new();
        for (kind, name, bits) in names {
            let name = ResourceName::new(name).unwrap();
            grants.allow(kind, name, Permissions::from_bits(bits));
        }
        for (kind, pattern, bits) in patterns {
            let pattern = PatternText::new(pattern).unwrap();
            grants.allow_pattern(kind, pattern, Permissions::from_bits(bits));
        }
        if categories.0 {
            grants.allow_category(Category::Channels);
        }
        if categories.1 || grants.is_empty() {
            grants.allow_category(Category::Uuids);
        }
        grants
    })
}

fn meta_value() -> impl Strategy<Value = MetaValue> {
    let float = any::<f64>().prop_filter("finite", |number| number.is_finite());
    let leaf = prop_oneof![
        Just(MetaValue::Null),
        any::<bool>().prop_map(MetaValue::Bool),
        prop_oneof![0_u64..70_000, any::<u64>()].prop_map(MetaValue::Unsigned),
        (i64::MIN..0).prop_map(MetaValue::Negative),
        (-300_i64..0).prop_map(MetaValue::Negative),
        float.prop_map(MetaValue::Float),
        ".{0,40}".prop_map(MetaValue::Text),
    ];
    leaf.prop_recursive(6, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(MetaValue::Array),
            btree_map(".{0,12}", inner, 0..4).prop_map(MetaValue::Map),
        ]
    })
}

fn claims() -> impl Strategy<Value = Claims> {
    (
        prop_oneof![0_u64..(1 << 33), 0..u64::MAX - (1 << 40)],
        prop_oneof![1_u32..50_000, 1_u32..],
        grants(),
        btree_map(".{0,12}", meta_value(), 0..4),
        proptest::option::of(name()),
        vec(any::<[u8; 16]>().prop_map(TokenId), 0..=4),
    )
        .prop_map(|(t, ttl, grants, meta, uuid, ancestors)| Claims {
            meta,
            uuid,
            ancestors,
            ..Claims::new(UnixSeconds(t), TtlMinutes(ttl), grants)
        })
}

fn by_kind(list: impl Iterator<Item = (String, Permissions)>) -> BTreeMap<String, Permissions> {
    list.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_token_says_what_was_claimed(claims in claims(), stranger in name()) {
        let text = encode(&claims, &demo_key()).unwrap();
        let (keys, mut buffer) = (demo_keys(), TokenBuffer::new());
        let token = verify(&text, &keys, &mut buffer).unwrap();
        prop_assert_eq!(&token.claims(), &claims);
        prop_assert_eq!(encode(&token.claims(), &demo_key()).unwrap(), text.clone());
        for kind in ResourceKind::ALL {
            let expected = by_kind(claims.grants.names(kind).map(|(n, p)| (n.to_string(), p)));
            let found = by_kind(token.names(kind).map(|(n, p)| (n.to_owned(), p)));
            prop_assert_eq!(&found, &expected);
            let others = claims.grants.names(ResourceKind::Channel).map(|(n, _)| n.to_string());
            for asked in expected.keys().cloned().chain(others).chain([stranger.clone(), String::new()]) {
                let held = expected.get(&asked).copied().unwrap_or(Permissions::NONE);
                prop_assert_eq!(token.named(kind, &asked), held);
            }
        }
        // minicbor reads the same from it as the strict walk does.
        let shown = UntrustedToken::parse(&text).unwrap();
        prop_assert!(shown.is_canonical());
        prop_assert_eq!(untrusted_to_json(shown.claims_untrusted()), to_json(&claims));
        prop_assert_eq!(&shown.claims_untrusted().meta, &claims.meta);
        // What is kept says the same.
        let kept = token.into_owned();
        prop_assert_eq!(&kept.claims(), &claims);
    }
}

/// A buffer that served a large token does not lend anything to the next.
#[test]
fn a_buffer_forgets_the_token_before() {
    let (keys, mut buffer) = (demo_keys(), TokenBuffer::new());
    let cases = crate::recipes::valid();
    let texts: Vec<String> = cases
        .iter()
        .map(|(_, _, json)| encode(&crate::claims_json::from_json(json), &demo_key()).unwrap())
        .collect();
    for before in &texts {
        for (text, (name, _, json)) in texts.iter().zip(&cases) {
            assert!(verify(before, &keys, &mut buffer).is_ok());
            assert!(verify(&before[..before.len() / 2], &keys, &mut buffer).is_err());
            let token = verify(text, &keys, &mut buffer).unwrap();
            assert_eq!(to_json(&token.claims()), *json, "{name}");
        }
    }
}

/// contract 4.1: what every official SDK needs of a token, whatever it grants.
#[test]
fn a_token_has_what_every_sdk_reads() {
    let mut least = Grants::new();
    least.allow_category(Category::Uuids);
    let claims = Claims::new(UnixSeconds(1_790_000_000), TtlMinutes(1), least);
    let text = encode(&claims, &demo_key()).unwrap();
    // Python and Swift read padded text only.
    assert_eq!(text.len() % 4, 0);
    let bytes = decoded(&text);
    // `v` is 2, `t` takes 32 bits, and the keys of the protocol are bytes.
    assert!(bytes.starts_with(b"\xA8\x41v\x02\x41t\x1A"));
    let has = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    // All five sections in both parts, even when empty; then `meta`, a map.
    let sections = b"\xA5\x44chan\xA0\x43grp\xA0\x43spc\xA0\x43usr\xA0\x44uuid\xA0";
    assert!(has(&[b"\x43res", &sections[..]].concat()));
    assert!(has(&[b"\x43pat", &sections[..], b"\x44meta\xA0"].concat()));
    // `sig` is last and has 32 bytes.
    let sig = bytes.len() - 38;
    assert!(bytes[sig..].starts_with(b"\x43sig\x58\x20"));
}
