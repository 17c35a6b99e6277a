//! Names are bytes: no Unicode normalisation on the way into a token or out of
//! it, over the rows of Unicode's own test. Attack case N04, format 5.

use std::collections::BTreeSet;
use std::path::Path;

use token_codec::{TokenBuffer, encode, verify};
use token_core::{
    Claims, Grants, Permissions, ResourceKind, ResourceName, TtlMinutes, UnixSeconds,
    VerifiedClaims as _,
};

use crate::raw::{ISSUED_AT, demo_key, demo_keys};

const ROWS: usize = 20_171;
/// Rows with a form that is not the source. The others must stay as they are.
const ROWS_THAT_CHANGE: usize = 20_074;

fn characters(column: &str) -> String {
    let character = |code: &str| char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap();
    column.split(' ').map(character).collect()
}

/// The source of each row, and its normal forms that differ from it.
fn rows() -> Vec<(String, BTreeSet<String>)> {
    let path = "../../testdata/names/normalization.txt";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let text = std::fs::read_to_string(path).unwrap();
    let row = |line: &str| {
        let (source, forms) = line.split_once(';').unwrap();
        let forms = forms.split(';').filter(|form| !form.is_empty());
        (characters(source), forms.map(characters).collect())
    };
    let rows = text.lines().filter(|line| !line.starts_with('#'));
    rows.map(row).collect()
}

fn grants(names: impl IntoIterator<Item = (String, u8)>) -> Grants {
    let mut grants = Grants::new();
    for (name, bits) in names {
        let name = ResourceName::new(name).unwrap();
        grants.allow(ResourceKind::Channel, name, Permissions::from_bits(bits));
    }
    grants
}

#[test]
fn n04_every_normal_form_is_another_name_and_comes_out_as_it_went_in() {
    let (key, keys, mut buffer) = (demo_key(), demo_keys(), TokenBuffer::new());
    let rows = rows();
    assert_eq!(rows.len(), ROWS);
    let changing = rows.iter().filter(|(_, forms)| !forms.is_empty()).count();
    assert_eq!(changing, ROWS_THAT_CHANGE);
    for (source, forms) in rows {
        // Alone: no form has what the source has.
        let alone = grants([(source.clone(), 1)]);
        let mut claims = Claims::new(UnixSeconds(ISSUED_AT), TtlMinutes(60), alone);
        claims.uuid = Some(source.clone());
        let text = encode(&claims, &key).unwrap();
        let token = verify(&text, &keys, &mut buffer).unwrap();
        assert_eq!(token.claims(), claims, "{source:?}");
        assert_eq!(token.uuid(), Some(source.as_str()));
        assert_eq!(token.named(ResourceKind::Channel, &source).bits(), 1);
        for form in &forms {
            assert_eq!(
                token.named(ResourceKind::Channel, form),
                Permissions::NONE,
                "{source:?} as {form:?}"
            );
        }
        // Together: each has its own.
        let all: Vec<(String, u8)> = [source].into_iter().chain(forms).zip(1..).collect();
        let claims = Claims::new(UnixSeconds(ISSUED_AT), TtlMinutes(60), grants(all.clone()));
        let text = encode(&claims, &key).unwrap();
        let token = verify(&text, &keys, &mut buffer).unwrap();
        assert_eq!(token.names(ResourceKind::Channel).count(), all.len());
        for (name, bits) in all {
            let held = token.named(ResourceKind::Channel, &name);
            assert_eq!(held.bits(), bits, "{name:?}");
        }
    }
}
