//! What lint says of grants (contract 2.1).

use serde::Deserialize;
use token_policy::{Severity, lint};

use crate::token::ClaimsData;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    claims: ClaimsData,
    /// The length of the token.
    bytes: Option<usize>,
    findings: Vec<String>,
}

/// Every finding with its field, severity, code and text.
#[test]
fn every_doubt_about_a_grant_is_told_with_its_code() {
    let text = include_str!("../../../../testdata/lint/grants.toml");
    let file: Cases = toml::from_str(text).unwrap();
    let mut codes = std::collections::BTreeSet::new();
    for case in &file.case {
        let found = lint(&case.claims.token().claims, case.bytes);
        codes.extend(found.iter().map(|finding| finding.code));
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, case.findings, "{}", case.name);
    }
    assert_eq!(codes.len(), 11, "every code but that of meta: {codes:?}");
}

#[test]
fn nested_meta_is_told_for_each_key() {
    let mut claims = ClaimsData::default().token().claims;
    claims.uuid = Some("alice".to_owned());
    let text = r#"{"flat": 1, "deep": {"a": 1}, "list": [1]}"#;
    let token_core::MetaValue::Map(meta) = token_policy::json::parse(text.as_bytes()).unwrap()
    else {
        panic!("an object");
    };
    claims.meta = meta;
    let found = lint(&claims, None);
    let told: Vec<_> = found
        .iter()
        .map(|finding| (finding.code, &*finding.at))
        .collect();
    assert_eq!(
        told,
        [
            ("nested_meta", "permissions.meta.deep"),
            ("nested_meta", "permissions.meta.list")
        ]
    );
    assert!(
        found
            .iter()
            .all(|finding| finding.severity == Severity::Warning)
    );
}
