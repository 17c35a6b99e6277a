//! Every bound of the vocabulary, at the bound and one above it.

use token_core::limits::{
    ANCESTORS_MAX, KEY_CHARS_MAX, KEY_ID_BYTES_MAX, META_NESTING_MAX, NAME_BYTES_MAX,
    NAMES_PER_TOKEN_MAX, PATTERN_BYTES_MAX, PATTERNS_PER_TOKEN_MAX, REQUEST_UUID_CHARS_MAX,
};
use token_core::{
    Category, Claims, Grants, InvalidClaims, InvalidKey, InvalidName, MetaValue, PatternText,
    Permission, Permissions, PublishKey, ResourceKind, ResourceName, SubscribeKey, TokenId,
    TtlMinutes, UnixSeconds, check_request_uuid,
};

fn claims_with(fill: impl FnOnce(&mut Claims)) -> Claims {
    let mut grants = Grants::new();
    let name = ResourceName::new("room-1").unwrap();
    grants.allow(ResourceKind::Channel, name, Permission::Read.into());
    let mut claims = Claims::new(UnixSeconds(1_790_000_000), TtlMinutes(60), grants);
    fill(&mut claims);
    claims
}

#[test]
fn a_name_has_1_to_1024_bytes_and_no_control_character() {
    assert_eq!(ResourceName::check(""), Err(InvalidName::Empty));
    assert_eq!(ResourceName::check(&"é".repeat(NAME_BYTES_MAX / 2)), Ok(()));
    assert_eq!(
        ResourceName::check(&"a".repeat(NAME_BYTES_MAX + 1)),
        Err(InvalidName::TooLong {
            bytes: NAME_BYTES_MAX + 1
        })
    );
    for control in (0..0x20).chain([0x7F]) {
        let name = format!("ab{}", char::from(control));
        assert_eq!(
            ResourceName::check(&name),
            Err(InvalidName::ControlCharacter { at: 2 })
        );
    }
    assert_eq!(ResourceName::check(" "), Ok(()));
    assert_eq!(ResourceName::check("a:b,c\u{80}"), Ok(()));
}

#[test]
fn a_pattern_has_at_most_512_bytes_and_may_be_empty() {
    assert!(PatternText::new("").is_ok());
    assert!(PatternText::new("a".repeat(PATTERN_BYTES_MAX)).is_ok());
    assert!(PatternText::new("a".repeat(PATTERN_BYTES_MAX + 1)).is_err());
}

#[test]
fn a_key_has_1_to_64_plain_characters() {
    let longest = "k".repeat(KEY_CHARS_MAX);
    assert!(SubscribeKey::new(&longest).is_ok());
    assert!(PublishKey::new("A-z_09").is_ok());
    let above = "k".repeat(KEY_CHARS_MAX + 1);
    assert_eq!(
        SubscribeKey::new(&above),
        Err(InvalidKey::Length { characters: 65 })
    );
    assert_eq!(
        SubscribeKey::new(""),
        Err(InvalidKey::Length { characters: 0 })
    );
    assert_eq!(
        SubscribeKey::new("sub/1"),
        Err(InvalidKey::Character { at: 3 })
    );
}

#[test]
fn a_request_uuid_has_at_most_92_characters() {
    assert!(check_request_uuid(&"é".repeat(REQUEST_UUID_CHARS_MAX)).is_ok());
    let error = check_request_uuid(&"é".repeat(REQUEST_UUID_CHARS_MAX + 1)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a uuid may have at most 92 characters, this one has 93"
    );
}

#[test]
fn claims_hold_at_most_2000_names_and_200_patterns() {
    let fill = |names: usize, patterns: usize| {
        claims_with(|claims| {
            claims.grants = Grants::new();
            for i in 0..names {
                let name = ResourceName::new(format!("n{i}")).unwrap();
                claims
                    .grants
                    .allow(ResourceKind::Space, name, Permission::Read.into());
            }
            for i in 0..patterns {
                let pattern = PatternText::new(format!("p{i}")).unwrap();
                claims
                    .grants
                    .allow_pattern(ResourceKind::Uuid, pattern, Permission::Get.into());
            }
        })
        .validate()
    };
    assert_eq!(fill(NAMES_PER_TOKEN_MAX, PATTERNS_PER_TOKEN_MAX), Ok(()));
    assert_eq!(
        fill(NAMES_PER_TOKEN_MAX + 1, 0),
        Err(InvalidClaims::TooManyNames {
            names: NAMES_PER_TOKEN_MAX + 1
        })
    );
    assert_eq!(
        fill(0, PATTERNS_PER_TOKEN_MAX + 1),
        Err(InvalidClaims::TooManyPatterns {
            patterns: PATTERNS_PER_TOKEN_MAX + 1
        })
    );
}

#[test]
fn claims_bound_time_meta_ancestors_and_key_id() {
    let nested =
        |depth: usize| (1..depth).fold(MetaValue::Null, |inner, _| MetaValue::Array(vec![inner]));
    let with_meta =
        |depth| claims_with(|c| drop(c.meta.insert("k".to_owned(), nested(depth)))).validate();
    assert_eq!(with_meta(META_NESTING_MAX), Ok(()));
    assert_eq!(
        with_meta(META_NESTING_MAX + 1),
        Err(InvalidClaims::MetaTooDeep)
    );

    let with_ancestors = |n| claims_with(|c| c.ancestors = vec![TokenId([1; 16]); n]).validate();
    assert_eq!(with_ancestors(ANCESTORS_MAX), Ok(()));
    assert_eq!(
        with_ancestors(ANCESTORS_MAX + 1),
        Err(InvalidClaims::TooManyAncestors { ancestors: 5 })
    );

    let with_key_id = |n| claims_with(|c| c.key_id = Some("k".repeat(n))).validate();
    assert_eq!(with_key_id(KEY_ID_BYTES_MAX), Ok(()));
    assert_eq!(
        with_key_id(0),
        Err(InvalidClaims::KeyId(InvalidName::Empty))
    );
    assert_eq!(
        with_key_id(17),
        Err(InvalidClaims::KeyIdLength { bytes: 17 })
    );

    let with_ttl = |n| claims_with(|c| c.ttl = TtlMinutes(n)).validate();
    assert_eq!(with_ttl(0), Err(InvalidClaims::ZeroTtl));
    assert_eq!(with_ttl(1), Ok(()));
    let late = claims_with(|c| c.issued_at = UnixSeconds(u64::MAX - 59));
    assert_eq!(late.validate(), Err(InvalidClaims::ExpiryOverflow));
}

#[test]
fn claims_must_grant_something() {
    let nothing = claims_with(|c| c.grants = Grants::new());
    assert_eq!(nothing.validate(), Err(InvalidClaims::NoPermissions));
    let category_alone = claims_with(|c| {
        c.grants = Grants::new();
        c.grants.allow_category(Category::Uuids);
    });
    assert_eq!(category_alone.validate(), Ok(()));
    let empty_set = claims_with(|c| {
        let name = ResourceName::new("g").unwrap();
        c.grants.allow(ResourceKind::Group, name, Permissions::NONE);
    });
    assert_eq!(
        empty_set.validate(),
        Err(InvalidClaims::EmptyPermissions {
            kind: ResourceKind::Group
        })
    );
}

#[test]
fn granting_twice_grants_the_union() {
    let claims = claims_with(|c| {
        let name = ResourceName::new("room-1").unwrap();
        c.grants
            .allow(ResourceKind::Channel, name, Permission::Write.into());
    });
    let held: Vec<_> = claims.grants.names(ResourceKind::Channel).collect();
    assert_eq!(held.len(), 1);
    assert_eq!(held[0].1.to_string(), "read,write");
}

#[test]
fn a_token_id_is_32_hexadecimal_digits() {
    let id = TokenId([0xA1; 16]);
    assert_eq!(id.to_string(), "a1".repeat(16));
    assert_eq!(id.to_string().parse(), Ok(id));
    assert_eq!("A1".repeat(16).parse(), Ok(id));
    for bad in [
        "",
        "a1",
        &"a1".repeat(17),
        &"g1".repeat(16),
        &"é1".repeat(8),
    ] {
        assert!(bad.parse::<TokenId>().is_err(), "{bad}");
    }
}

#[test]
fn the_table_of_kinds_is_its_own_inverse() {
    for kind in ResourceKind::ALL {
        assert_eq!(ResourceKind::from_name(kind.name()), Some(kind));
        assert_eq!(ResourceKind::from_json_name(kind.json_name()), Some(kind));
        assert_eq!(
            ResourceKind::from_cbor_key(kind.cbor_key().as_bytes()),
            Some(kind)
        );
    }
    assert_eq!(ResourceKind::from_json_name("datasync:channels"), None);
}

#[test]
fn an_expiry_is_checked_arithmetic() {
    assert_eq!(
        TtlMinutes(1).expires_at(UnixSeconds(0)),
        Some(UnixSeconds(60))
    );
    assert_eq!(TtlMinutes(u32::MAX).expires_at(UnixSeconds(u64::MAX)), None);
}
