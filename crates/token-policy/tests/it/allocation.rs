//! A decision on exact names or simple patterns allocates nothing (design 3).

use token_core::{Claims, PatternText, UnixSeconds};
use token_core::{Grants, Permission, Permissions, ResourceKind, ResourceName, TtlMinutes};
use token_policy::{Keyset, NoRevocations, authorize, classify};

use crate::token::{ISSUED_AT, NOW, SUBSCRIBE_KEY, TestToken};

#[test]
fn allowing_exact_names_allocates_nothing() {
    let read = Permissions::only(Permission::Read);
    let mut grants = Grants::new();
    for (kind, name) in [
        (ResourceKind::Channel, "a"),
        (ResourceKind::Channel, "b.*"),
        (ResourceKind::Group, "g"),
    ] {
        grants.allow(kind, ResourceName::new(name).unwrap(), read);
    }
    let unused = PatternText::new("^room-[0-9]+$").unwrap();
    grants.allow_pattern(ResourceKind::Channel, unused, Permissions::ALL);
    let token = TestToken::new(Claims::new(UnixSeconds(ISSUED_AT), TtlMinutes(60), grants));
    let line = "/v2/subscribe/sub-c-demo/a,b.*/0?channel-group=g";
    let asked = classify("GET", line, None).unwrap();
    let request = asked.request(Keyset::new(SUBSCRIBE_KEY));
    let counted = allocation_counter::measure(|| {
        let response = authorize(&token, &request, UnixSeconds(NOW), &NoRevocations);
        assert!(response.is_allowed());
    });
    assert_eq!(counted.count_total, 0);
}

#[test]
fn allowing_names_by_simple_patterns_allocates_nothing() {
    let read = Permissions::only(Permission::Read);
    let mut grants = Grants::new();
    for text in ["^team-\\d+$", "^room-[0-9]+(?:-pnpres)?$", "^a|\\.b$"] {
        grants.allow_pattern(ResourceKind::Channel, PatternText::new(text).unwrap(), read);
    }
    let group = PatternText::new("^:g-.*$").unwrap();
    grants.allow_pattern(ResourceKind::Group, group, read);
    let token = TestToken::new(Claims::new(UnixSeconds(ISSUED_AT), TtlMinutes(60), grants));
    let line = "/v2/subscribe/sub-c-demo/room-7,room-8-pnpres,x.b/0?channel-group=g-1";
    let asked = classify("GET", line, None).unwrap();
    let request = asked.request(Keyset::new(SUBSCRIBE_KEY));
    let counted = allocation_counter::measure(|| {
        let response = authorize(&token, &request, UnixSeconds(NOW), &NoRevocations);
        assert!(response.is_allowed());
    });
    assert_eq!(counted.count_total, 0);
}
