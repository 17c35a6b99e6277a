//! The runner of `testdata/policy`: a request line, claims, and what is to come
//! of it (contract 5, contract 9, contract 10.4, contract 10.5, contract 10.6,
//! contract 10.8).

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use token_core::UnixSeconds;
use token_policy::{
    Decision, Keyset, ListMode, Missing, Operation, Request, Requirement, Response, Target,
    Targets, authorize, authorize_anonymous, classify,
};

use crate::remedy;
use crate::rules::{headers, rule_set};
use crate::token::{ClaimsData, DenyList, NOW, SUBSCRIBE_KEY, minus_one_bit};

pub(crate) fn read<T: DeserializeOwned>(file: &str) -> T {
    let path = folder().join(file);
    let text = fs::read_to_string(&path).unwrap();
    toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/policy")
}

fn line(request: &str) -> (&str, &str) {
    request.split_once(' ').unwrap()
}

fn missing_texts(missing: &[Missing<'_>]) -> Vec<String> {
    let text = |missing: &Missing<'_>| {
        let wanted = &missing.wanted;
        format!(
            "{} {} {}",
            wanted.kind_name(),
            wanted.name(),
            missing.permissions
        )
    };
    missing.iter().map(text).collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Operations {
    operation: Vec<OperationCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OperationCase {
    name: String,
    requests: Vec<String>,
    body: Option<String>,
    enough: Vec<ClaimsData>,
    #[serde(default)]
    misses: Vec<Miss>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Miss {
    claims: ClaimsData,
    reason: String,
    missing: Vec<String>,
}

#[test]
fn every_operation_needs_exactly_what_the_contract_says() {
    let file: Operations = read("operations.toml");
    let mut seen = BTreeSet::new();
    for case in &file.operation {
        for request in &case.requests {
            check_operation(case, request);
        }
        seen.insert(case.name.as_str());
    }
    let all: BTreeSet<_> = Operation::ALL.iter().map(|op| op.name()).collect();
    assert_eq!(seen, all, "every operation has a case");
}

fn check_operation(case: &OperationCase, line_of_request: &str) {
    let (method, target) = line(line_of_request);
    let body = case.body.as_deref().map(str::as_bytes);
    let classified =
        classify(method, target, body).unwrap_or_else(|error| panic!("{line_of_request}: {error}"));
    assert_eq!(classified.asked().name(), case.name, "{line_of_request}");
    let request = classified.request(Keyset::new(SUBSCRIBE_KEY));
    let decide = |token: &_| -> Response<'_> {
        authorize(token, &request, UnixSeconds(NOW), &DenyList::default())
    };
    for enough in &case.enough {
        let token = enough.token();
        let response = decide(&token);
        assert!(
            response.is_allowed(),
            "{line_of_request} {enough:?} {response:?}"
        );
        let explanation = remedy::check(&token, &request, &response, NOW, &DenyList::default());
        if matches!(
            request.asked.requirement(),
            Requirement::Public | Requirement::Token
        ) {
            continue;
        }
        assert!(!explanation.matched.is_empty(), "{line_of_request}");
        for fewer in minus_one_bit(&token.claims.grants) {
            let mut token = token.clone();
            token.claims.grants = fewer;
            assert!(!decide(&token).is_allowed(), "{line_of_request} {token:?}");
        }
    }
    for miss in &case.misses {
        let token = miss.claims.token();
        let response = decide(&token);
        assert_eq!(
            response.decision,
            Decision::Deny,
            "{line_of_request} {miss:?}"
        );
        assert_eq!(response.reason.code(), miss.reason, "{line_of_request}");
        let missing = missing_texts(&response.missing);
        assert_eq!(missing, miss.missing, "{line_of_request} {token:?}");
        remedy::check(&token, &request, &response, NOW, &DenyList::default());
    }
}

impl core::fmt::Debug for Miss {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:?}", self.claims)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    case: Vec<Case>,
}

/// A decision: either a request line, or an operation with its names.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// A rule file, in `testdata/rules`.
    rules: Option<String>,
    #[serde(default)]
    headers: Vec<String>,
    request: Option<String>,
    body: Option<String>,
    operation: Option<String>,
    #[serde(default)]
    targets: Vec<String>,
    uuid: Option<String>,
    #[serde(default)]
    claims: ClaimsData,
    #[serde(default = "now")]
    now: u64,
    account: Option<String>,
    access_manager: Option<bool>,
    list_users: Option<String>,
    list_channels: Option<String>,
    #[serde(default)]
    revoked: DenyList,
    #[serde(default)]
    no_token: bool,
    /// The code of the reason; `allowed` is an allow.
    reason: String,
    message: Option<String>,
    #[serde(default)]
    missing: Vec<String>,
    nearest: Option<Vec<String>>,
    remedy: Option<String>,
    matched: Option<String>,
}

const fn now() -> u64 {
    NOW
}

impl Case {
    fn keyset(&self) -> Keyset<'_> {
        let mut keyset = Keyset::new(SUBSCRIBE_KEY);
        let mode = |name: &Option<String>| {
            let name = name.as_deref().unwrap_or("granted");
            ListMode::from_name(name).unwrap()
        };
        keyset.account = self.account.as_deref();
        keyset.access_manager = self.access_manager.unwrap_or(true);
        keyset.list_users = mode(&self.list_users);
        keyset.list_channels = mode(&self.list_channels);
        keyset
    }

    fn run(&self) {
        if let Some(request) = &self.request {
            let (method, target) = line(request);
            let body = self.body.as_deref().map(str::as_bytes);
            let rules = self.rules.as_deref().map(rule_set);
            let headers = headers(&self.headers);
            let found = match &rules {
                Some(rules) => rules.classify(method, target, headers.as_slice()),
                None => classify(method, target, body),
            };
            match found {
                Err(error) => assert_eq!(error.reason().code(), self.reason, "{}", self.name),
                Ok(classified) => self.check(&classified.request(self.keyset())),
            }
            return;
        }
        let operation = self.operation.as_deref().and_then(Operation::from_name);
        let names: Vec<_> = self.targets.iter().map(|text| target(text)).collect();
        let targets = Targets::new(&names).unwrap();
        let request = Request::new(self.keyset(), operation.unwrap(), targets);
        self.check(&request.by(self.uuid.as_deref()));
    }

    fn check(&self, request: &Request<'_>) {
        let name = &self.name;
        let token = self.claims.token();
        let response = if self.no_token {
            authorize_anonymous(request)
        } else {
            authorize(&token, request, UnixSeconds(self.now), &self.revoked)
        };
        assert_eq!(response.reason.code(), self.reason, "{name}");
        assert_eq!(response.is_allowed(), self.reason == "allowed", "{name}");
        assert_eq!(missing_texts(&response.missing), self.missing, "{name}");
        if let Some(message) = &self.message {
            assert_eq!(&response.reason.to_string(), message, "{name}");
        }
        if self.no_token {
            return;
        }
        let explanation = remedy::check(&token, request, &response, self.now, &self.revoked);
        if let Some(nearest) = &self.nearest {
            let texts: Vec<_> = explanation
                .nearest
                .iter()
                .map(|near| format!("{}: {near}", near.code()))
                .collect();
            assert_eq!(&texts, nearest, "{name}");
        }
        if let Some(remedy) = &self.remedy {
            let json = serde_json::to_string(&explanation.remedy).unwrap();
            assert_eq!(&json, remedy, "{name}");
        }
        if let Some(matched) = &self.matched {
            let json = serde_json::to_string(&explanation.matched).unwrap();
            assert_eq!(&json, matched, "{name}");
        }
    }
}

fn target(text: &str) -> Target<'_> {
    let (kind, name) = text.split_once(' ').unwrap();
    Target::new(token_core::ResourceKind::from_name(kind).unwrap(), name)
}

/// Every request line of the cases, with its body after a line feed.
pub(crate) fn lines() -> Vec<String> {
    let with_body = |line: &str, body: &Option<String>| match body {
        Some(body) => format!("{line}\n{body}"),
        None => line.to_owned(),
    };
    let operations: Operations = read("operations.toml");
    let mut lines: Vec<_> = operations
        .operation
        .iter()
        .flat_map(|case| case.requests.iter().map(|line| with_body(line, &case.body)))
        .collect();
    let names: Cases = read("names.toml");
    let names = names.case.iter();
    lines.extend(names.filter_map(|case| Some(with_body(case.request.as_ref()?, &case.body))));
    lines
}

fn run(file: &str) {
    let file: Cases = read(file);
    for case in &file.case {
        case.run();
    }
}

/// Attacks X01, X02, X03.
#[test]
fn a_token_is_good_between_its_instants() {
    run("expiry.toml");
}

/// Attacks N05, N06.
#[test]
fn a_wildcard_is_granted_by_its_own_entry_only() {
    run("wildcards.toml");
}

/// Attack N09.
#[test]
fn a_bound_token_needs_exactly_its_uuid() {
    run("uuid.toml");
}

/// contract 10.5, contract 10.8.
#[test]
fn listing_follows_the_keyset() {
    run("listing.toml");
}

/// Attacks N01, N04, N05, N07, N08.
#[test]
fn names_are_compared_byte_for_byte() {
    run("names.toml");
}

/// Attack D12.
#[test]
fn every_rule_of_the_deny_list_must_be_passed() {
    run("revoked.toml");
}

/// A rule's needs go through the same decision, explanation and remedy.
#[test]
fn rules_are_decided_as_operations_are() {
    run("rules.toml");
}

/// Near misses, remedies and matches, word by word.
#[test]
fn explanations_say_what_comes_close_and_what_to_grant() {
    run("explanations.toml");
}
