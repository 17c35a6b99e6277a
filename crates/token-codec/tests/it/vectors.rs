//! testdata/tokens: what verifies, what does not and why, what is shown.
//!
//! The files are made from `recipes` and compared with what is committed;
//! `USHER_BLESS=1 cargo test -p token-codec vectors` writes them anew. Another
//! test runs what is committed, as another implementation would.

use core::fmt::Write as _;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;
use token_codec::{TokenBuffer, UntrustedToken, VerifyError, encode, verify};
use token_core::VerifiedClaims as _;

use crate::claims_json::{from_json, to_json, untrusted_to_json};
use crate::raw::{SIGNING_KEY, SUBSCRIBE_KEY, decoded, demo_key, demo_keys, hex, mac_key, unhex};
use crate::recipes::{self, Recipe};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    keyset: Keyset,
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keyset {
    subscribe_key: String,
    signing_key: String,
    mac_key: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    covers: String,
    text: String,
    hex: Option<String>,
    id: Option<String>,
    claims: Option<String>,
    error: Option<String>,
    canonical: Option<bool>,
}

impl File {
    fn read(name: &str) -> Self {
        let file: Self = toml::from_str(&std::fs::read_to_string(path(name)).unwrap()).unwrap();
        assert_eq!(file.keyset.subscribe_key, SUBSCRIBE_KEY);
        assert_eq!(unhex(&file.keyset.signing_key), SIGNING_KEY);
        let derived = mac_key(&SIGNING_KEY, SUBSCRIBE_KEY);
        assert_eq!(unhex(&file.keyset.mac_key), derived);
        file
    }
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata/tokens")
        .join(name)
}

/// Why `text` does not verify.
fn refusal(text: &str) -> Option<VerifyError> {
    verify(text, &demo_keys(), &mut TokenBuffer::new()).err()
}

#[test]
fn every_valid_token_verifies_and_is_what_its_claims_encode_to() {
    for case in File::read("valid.toml").case {
        let name = &case.name;
        let claims: Value = serde_json::from_str(&case.claims.unwrap()).unwrap();
        let keys = demo_keys();
        let mut buffer = TokenBuffer::new();
        let token = verify(&case.text, &keys, &mut buffer).expect(name);
        assert_eq!(to_json(&token.claims()), claims, "{name}");
        assert_eq!(token.id().to_string(), case.id.unwrap(), "{name}");
        assert_eq!(token.scope(), SUBSCRIBE_KEY, "{name}");
        let bytes = unhex(&case.hex.unwrap());
        assert_eq!(decoded(&case.text), bytes, "{name}");
        assert_eq!(token.size(), bytes.len(), "{name}");
        let made = encode(&from_json(&claims), &demo_key());
        assert_eq!(made.as_ref(), Ok(&case.text), "{name}");
        let shown = UntrustedToken::parse(&case.text).expect(name);
        assert!(shown.is_canonical(), "{name}");
        assert_eq!(
            untrusted_to_json(shown.claims_untrusted()),
            claims,
            "{name}"
        );
        assert_eq!(shown.id_untrusted(), Some(token.id()), "{name}");
    }
}

#[test]
fn every_malformed_token_is_refused_with_its_message() {
    for case in File::read("malformed.toml").case {
        let error = refusal(&case.text).unwrap_or_else(|| panic!("{} verified", case.name));
        assert!(
            matches!(error, VerifyError::Text(_) | VerifyError::Malformed(_)),
            "{}: {error}",
            case.name
        );
        assert_eq!(Some(error.to_string()), case.error, "{}", case.name);
        // Whatever is shown of it is called not canonical.
        if let Ok(shown) = UntrustedToken::parse(&case.text) {
            assert_eq!(shown.defect(), Some(&error), "{}", case.name);
        }
    }
}

#[test]
fn every_tampered_token_is_refused_by_its_signature() {
    for case in File::read("tampered.toml").case {
        let error = refusal(&case.text).unwrap_or_else(|| panic!("{} verified", case.name));
        assert_eq!(error, VerifyError::Signature, "{}", case.name);
        assert_eq!(Some(error.to_string()), case.error, "{}", case.name);
        let shown = UntrustedToken::parse(&case.text).expect(&case.name);
        assert!(shown.is_canonical(), "{}", case.name);
    }
}

/// contract 4, contract 10.2: what others make is shown, and never verifies.
#[test]
fn every_foreign_token_is_shown() {
    for case in File::read("foreign.toml").case {
        let name = &case.name;
        let shown = UntrustedToken::parse(&case.text).expect(name);
        let claims: Value = serde_json::from_str(&case.claims.unwrap()).unwrap();
        assert_eq!(
            untrusted_to_json(shown.claims_untrusted()),
            claims,
            "{name}"
        );
        assert_eq!(
            shown.id_untrusted().map(|id| id.to_string()),
            case.id,
            "{name}"
        );
        assert_eq!(Some(shown.is_canonical()), case.canonical, "{name}");
        let error = refusal(&case.text).unwrap_or_else(|| panic!("{name} verified"));
        assert_eq!(Some(error.to_string()), case.error, "{name}");
    }
}

#[test]
fn the_malformed_outnumber_the_valid() {
    let valid = File::read("valid.toml").case;
    let malformed = File::read("malformed.toml").case;
    assert!(malformed.len() > 2 * valid.len());
    for case in valid.iter().chain(&malformed) {
        assert!(!case.covers.is_empty(), "{}", case.name);
    }
}

/// format 1, format 11: what the specification shows are vectors too.
#[test]
fn the_examples_of_the_specification_verify() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/format.md");
    let specification = std::fs::read_to_string(path).unwrap();
    let blocks: Vec<&str> = specification
        .split("```text\n")
        .skip(1)
        .map(|block| block.split_once("\n```").unwrap().0)
        .collect();
    let valid = File::read("valid.toml");
    let named = |name: &str| valid.case.iter().find(|case| case.name == name).unwrap();
    let shown = [named("one channel"), named("a category and a bound uuid")];
    assert_eq!(blocks, shown.map(|case| case.text.as_str()));
    assert!(specification.contains(&valid.keyset.mac_key));
    assert!(specification.contains(shown[0].id.as_ref().unwrap()));
}

#[test]
fn the_files_are_what_the_recipes_make() {
    let file = |what: &str, cases: String| format!("{}{cases}", preamble(what));
    let errors = |recipes: &[Recipe]| recipes.iter().map(refused).collect::<String>();
    let files = [
        ("valid.toml", file("Tokens that verify.", valid())),
        (
            "malformed.toml",
            file(
                "Texts that are not canonical tokens. Where one can have a right signature, it does.",
                errors(&recipes::malformed()),
            ),
        ),
        (
            "tampered.toml",
            file(
                "Canonical tokens whose signature does not match.",
                errors(&recipes::tampered()),
            ),
        ),
        (
            "foreign.toml",
            file(
                "Tokens of others and of later times: shown by inspection, never verified.",
                recipes::foreign().iter().map(foreign).collect(),
            ),
        ),
    ];
    #[expect(clippy::disallowed_methods, reason = "a switch of this test alone")]
    let bless = std::env::var("USHER_BLESS").is_ok();
    for (name, made) in files {
        if bless {
            std::fs::write(path(name), &made).unwrap();
        }
        let committed = std::fs::read_to_string(path(name)).unwrap();
        assert!(
            committed == made,
            "testdata/tokens/{name} is not what the recipes make; \
             USHER_BLESS=1 writes it anew, then read the difference"
        );
    }
}

fn preamble(what: &str) -> String {
    format!(
        "# {what}\n# Made by crates/token-codec/tests/it/recipes.rs; README.md says what the fields mean.\n\n\
         [keyset]\nsubscribe_key = {}\nsigning_key = {}\nmac_key = {}\n",
        quoted(SUBSCRIBE_KEY),
        quoted(&hex(&SIGNING_KEY)),
        quoted(&hex(&mac_key(&SIGNING_KEY, SUBSCRIBE_KEY))),
    )
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn case(fields: &[(&str, String)]) -> String {
    let mut case = "\n[[case]]\n".to_owned();
    for (name, value) in fields {
        writeln!(case, "{name} = {value}").unwrap();
    }
    case
}

fn valid() -> String {
    let cases = recipes::valid().into_iter();
    cases
        .map(|(name, covers, claims)| {
            let text = encode(&from_json(&claims), &demo_key()).expect(name);
            let bytes = decoded(&text);
            case(&[
                ("name", quoted(name)),
                ("covers", quoted(covers)),
                ("claims", quoted(&claims.to_string())),
                ("hex", quoted(&hex(&bytes))),
                ("text", quoted(&text)),
                ("id", quoted(&hex(&bytes[bytes.len() - 32..][..16]))),
            ])
        })
        .collect()
}

fn refused(recipe: &Recipe) -> String {
    let error = refusal(&recipe.text).unwrap_or_else(|| panic!("{} verifies", recipe.name));
    case(&[
        ("name", quoted(recipe.name)),
        ("covers", quoted(recipe.covers)),
        ("text", quoted(&recipe.text)),
        ("error", quoted(&error.to_string())),
    ])
}

fn foreign(recipe: &Recipe) -> String {
    let shown = UntrustedToken::parse(&recipe.text).expect(recipe.name);
    let error = refusal(&recipe.text).unwrap_or_else(|| panic!("{} verifies", recipe.name));
    let claims = untrusted_to_json(shown.claims_untrusted());
    let mut fields = vec![
        ("name", quoted(recipe.name)),
        ("covers", quoted(recipe.covers)),
        ("text", quoted(&recipe.text)),
        ("claims", quoted(&claims.to_string())),
    ];
    if let Some(id) = shown.id_untrusted() {
        fields.push(("id", quoted(&id.to_string())));
    }
    fields.push(("canonical", shown.is_canonical().to_string()));
    fields.push(("error", quoted(&error.to_string())));
    case(&fields)
}
