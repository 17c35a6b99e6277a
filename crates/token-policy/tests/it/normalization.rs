//! A decision never normalises a name, over the rows of Unicode's own test.
//! Attack case N04, contract 5.

use std::path::Path;

use token_core::{
    Claims, Grants, Permissions, ResourceKind, ResourceName, TtlMinutes, UnixSeconds,
};
use token_policy::{Keyset, NoRevocations, Operation, Request, Target, Targets, authorize};

use crate::token::{ISSUED_AT, NOW, SUBSCRIBE_KEY, TestToken};

const ROWS: usize = 20_171;

fn characters(column: &str) -> String {
    let character = |code: &str| char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap();
    column.split(' ').map(character).collect()
}

/// A token for one channel and for one user, bound to nobody.
fn token(name: &str) -> TestToken {
    let mut grants = Grants::new();
    for kind in [ResourceKind::Channel, ResourceKind::Uuid] {
        grants.allow(kind, ResourceName::new(name).unwrap(), Permissions::ALL);
    }
    let ttl = TtlMinutes(60);
    TestToken::new(Claims::new(UnixSeconds(ISSUED_AT), ttl, grants))
}

fn allows(token: &TestToken, name: &str) -> [bool; 2] {
    [
        (ResourceKind::Channel, Operation::Publish),
        (ResourceKind::Uuid, Operation::GetUser),
    ]
    .map(|(kind, operation)| {
        let targets = [Target::new(kind, name)];
        let targets = Targets::new(&targets).unwrap();
        let request = Request::new(Keyset::new(SUBSCRIBE_KEY), operation, targets);
        authorize(token, &request, UnixSeconds(NOW), &NoRevocations).is_allowed()
    })
}

#[test]
fn n04_a_name_does_not_grant_its_normal_forms_nor_they_it() {
    let path = "../../testdata/names/normalization.txt";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let text = std::fs::read_to_string(path).unwrap();
    let mut rows = 0;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        rows += 1;
        let (source, forms) = line.split_once(';').unwrap();
        let source = characters(source);
        let of_source = token(&source);
        assert_eq!(allows(&of_source, &source), [true; 2], "{source:?}");
        for form in forms.split(';').filter(|form| !form.is_empty()) {
            let form = characters(form);
            assert_eq!(allows(&of_source, &form), [false; 2], "{source:?} {form:?}");
            assert_eq!(
                allows(&token(&form), &source),
                [false; 2],
                "{form:?} {source:?}"
            );
        }
    }
    assert_eq!(rows, ROWS);
}
