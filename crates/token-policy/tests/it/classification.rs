//! How a request line is read (contract 5, contract 10.4): attacks N01, N02,
//! N03, N07, N09.

use serde::Deserialize;
use token_core::limits::{
    NAMES_PER_REQUEST_MAX, REQUEST_UUID_CHARS_MAX, WILDCARDS_PER_REQUEST_MAX,
};
use token_policy::{InvalidTargets, Keyset, Target, Targets, classify, is_wildcard};

use crate::cases::read;
use crate::token::SUBSCRIBE_KEY;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    case: Vec<Case>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    request: String,
    body: Option<String>,
    error: Option<String>,
    reason: Option<String>,
    operation: Option<String>,
    family: Option<String>,
    #[serde(default)]
    targets: Vec<String>,
    collection: Option<String>,
    /// The demo key unless said otherwise; empty for none.
    subscribe_key: Option<String>,
    publish_key: Option<String>,
    uuid: Option<String>,
    token: Option<String>,
    signature: Option<String>,
    timestamp: Option<String>,
}

#[test]
fn a_request_line_is_read_in_one_way_or_refused() {
    let file: Cases = read("classification.toml");
    for case in &file.case {
        let (method, target) = case.request.split_once(' ').unwrap();
        let body = case.body.as_deref().map(str::as_bytes);
        match classify(method, target, body) {
            Ok(_) => check(case, method, target, body),
            Err(error) => {
                assert_eq!(Some(error.to_string()), case.error, "{}", case.request);
                let reason = error.reason().code();
                assert_eq!(Some(reason), case.reason.as_deref(), "{}", case.request);
            }
        }
    }
}

fn check(case: &Case, method: &str, target: &str, body: Option<&[u8]>) {
    let found = classify(method, target, body).unwrap();
    let line = &case.request;
    assert_eq!(case.error, None, "{line}");
    assert_eq!(
        Some(found.asked().name()),
        case.operation.as_deref(),
        "{line}"
    );
    assert_eq!(Some(format!("{:?}", found.family)), case.family, "{line}");
    let key = case.subscribe_key.as_deref().unwrap_or(SUBSCRIBE_KEY);
    assert_eq!(found.subscribe_key.unwrap_or(""), key, "{line}");
    assert_eq!(found.publish_key, case.publish_key.as_deref(), "{line}");
    assert_eq!(found.uuid.as_deref(), case.uuid.as_deref(), "{line}");
    let token = found.token.as_ref().map(|token| token.as_str());
    assert_eq!(token, case.token.as_deref(), "{line}");
    let signature = found.signature.as_ref().map(|text| text.as_str());
    assert_eq!(signature, case.signature.as_deref(), "{line}");
    assert_eq!(
        found.timestamp.as_deref(),
        case.timestamp.as_deref(),
        "{line}"
    );
    let request = found.request(Keyset::new(SUBSCRIBE_KEY));
    let targets: Vec<_> = request
        .targets
        .names()
        .iter()
        .map(|target| format!("{} {}", target.kind, target.name))
        .collect();
    assert_eq!(targets, case.targets, "{line}");
    let collection = request.targets.collection().map(|kind| kind.name());
    assert_eq!(collection, case.collection.as_deref(), "{line}");
}

#[test]
fn a_request_may_name_a_thousand_resources_and_no_more() {
    let list = |names: usize| vec!["a"; names].join(",");
    let subscribe = |names| format!("/v2/subscribe/s/{}/0", list(names));
    assert!(classify("GET", &subscribe(NAMES_PER_REQUEST_MAX), None).is_ok());
    let error = classify("GET", &subscribe(NAMES_PER_REQUEST_MAX + 1), None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a request may name at most 1000 resources, this one names 1001"
    );
    let both = format!("{}?channel-group=g", subscribe(NAMES_PER_REQUEST_MAX));
    assert!(classify("GET", &both, None).is_err());
    let group = "/v1/channel-registration/sub-key/s/channel-group/g?add=";
    let add = |names| format!("{group}{}", list(names));
    assert!(classify("GET", &add(NAMES_PER_REQUEST_MAX), None).is_ok());
    assert!(classify("GET", &add(NAMES_PER_REQUEST_MAX + 1), None).is_err());
    let commas = format!("/v2/subscribe/s/{}/0", ",".repeat(100_000));
    assert!(
        classify("GET", &commas, None)
            .unwrap()
            .targets()
            .names()
            .is_empty()
    );
}

#[test]
fn a_request_may_name_sixteen_wildcards_and_no_more() {
    let wildcards = |count: usize| {
        let names =
            (0..count).map(|i| Target::new(token_core::ResourceKind::Channel, format!("{i}.*")));
        names.collect::<Vec<_>>()
    };
    assert!(Targets::new(&wildcards(WILDCARDS_PER_REQUEST_MAX)).is_ok());
    assert_eq!(
        Targets::new(&wildcards(WILDCARDS_PER_REQUEST_MAX + 1)),
        Err(InvalidTargets::TooManyWildcards { wildcards: 17 })
    );
    for (name, expected) in [
        ("*", true),
        ("a.*", true),
        ("*-pnpres", true),
        ("a.b.*-pnpres", true),
        ("a*", false),
        ("a.*b", false),
        ("a", false),
        ("", false),
        ("-pnpres", false),
        ("a.*-pnpres-pnpres", false),
    ] {
        assert_eq!(is_wildcard(name), expected, "{name}");
    }
}

#[test]
fn a_caller_has_at_most_92_characters() {
    let time = |characters: usize| format!("/time/0?uuid={}", "%C3%A9".repeat(characters));
    assert!(classify("GET", &time(REQUEST_UUID_CHARS_MAX), None).is_ok());
    assert!(classify("GET", &time(REQUEST_UUID_CHARS_MAX + 1), None).is_err());
}

#[test]
fn a_name_has_at_most_1024_bytes_once_decoded() {
    let publish = |bytes: usize| format!("/publish/p/s/0/{}/0/1", "%61".repeat(bytes));
    assert!(classify("GET", &publish(1_024), None).is_ok());
    assert!(classify("GET", &publish(1_025), None).is_err());
}

#[test]
fn what_is_not_decoded_is_borrowed_and_secrets_are_not_shown() {
    let line = String::from("/v2/subscribe/s/room/0?auth=SECRET&signature=SECRET2");
    let found = classify("GET", &line, None).unwrap();
    let name = &found.targets().names()[0].name;
    assert!(matches!(name, std::borrow::Cow::Borrowed("room")));
    assert!(!format!("{found:?}").contains("SECRET"));
}
